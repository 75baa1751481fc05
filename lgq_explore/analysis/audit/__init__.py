"""Tidy frames on the metrics: bias, noise, and whether they tell methods apart and follow the truth."""

from __future__ import annotations

from lgq_explore.runs.picture_features import PairedFeatures, picture_features

from .apart import Separation, separation
from .follows import RankCorrelation, rank_correlation
from .mixtures import toy_values
from .numbers import above_uniform_and_rate
from .pictures import picture_values
from .sets import disjoint_sets
from .table import audit, only_metrics, trusted_from

__all__ = [
    "PairedFeatures",
    "RankCorrelation",
    "Separation",
    "above_uniform_and_rate",
    "audit",
    "disjoint_sets",
    "only_metrics",
    "picture_features",
    "picture_values",
    "rank_correlation",
    "separation",
    "toy_values",
    "trusted_from",
]
