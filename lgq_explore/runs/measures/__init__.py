"""The measures of an evaluation, each by its name: metrics of pictures, of codes, and of the tokenizer itself."""

from __future__ import annotations

from .base import Measure, MeasuredBatch, MeasureSettings
from .listed import ALL, DEFAULT, DEFINITIONS, chosen_metrics, measure

__all__ = [
    "ALL",
    "DEFAULT",
    "DEFINITIONS",
    "Measure",
    "MeasureSettings",
    "MeasuredBatch",
    "chosen_metrics",
    "measure",
]
