"""Metrics of a trained tokenizer on disjoint sets of its held-out photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import IMAGES, PHOTOGRAPHS, VALUES
from lgq_explore.images.ranges import to_model_range
from lgq_explore.metrics.picture_settings import PictureMetricSettings
from lgq_explore.models import TokenizerOutput
from lgq_explore.quantizers import QuantizerOutput, nearest_codes
from lgq_explore.runs.encoding import BATCH_SIZE
from lgq_explore.runs.measures import MeasuredBatch, MeasureSettings, chosen_metrics, measure
from lgq_explore.runs.picture_features import PairedFeatures
from lgq_explore.runs.study import Study

from ..geometry.efficiency import KMeansCodebooks
from .numbers import above_uniform_and_rate, audited
from .sets import disjoint_sets

METRICS = (
    *("quality", "usage", "code_lengths", "coded_bits", "accumulation", "positions"),
    *("quantization_error", "quantization_cost", "latent_dimensions", "codebook_distance"),
)
"""Metrics of an evaluation that are audited unless others are named: those that take milliseconds an image."""

PARTS = (2, 4, 8, 16, 32)
SETS, DIVISIONS = 8, 2


def picture_values(
    study: Study,
    *,
    parts: Sequence[int] = PARTS,
    unit: str = PHOTOGRAPHS,
    sets: int = SETS,
    divisions: int = DIVISIONS,
    metrics: Sequence[str] = METRICS,
    features: PairedFeatures | None = None,
    kmeans: KMeansCodebooks | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Metrics of a study on parts of its photographs, and on all of them, one row each: `frames.audit.VALUES`.

    The photographs are divided at random into 2 parts, 4 parts and so on, each time in `divisions` ways, of which the
    first `sets` parts are measured. Studies of the same pictures are measured on the same parts. unit: `photographs`;
    `images` divides crops instead, which tears crops of one photograph apart. metrics: names of
    `lgq-explore list metrics`. features: for `fd` and `feature_error`. kmeans: for `geometry_efficiency` in latents.
    seed: of the division.

    Raises:
        InputError: fewer photographs than parts, an unknown unit or metric, or k-means of another space.
    """
    encoding = study.encoding
    if unit not in (PHOTOGRAPHS, IMAGES):
        raise InputError(f"unit is {unit!r}: give {PHOTOGRAPHS} or {IMAGES}")
    measured = _Measured(study, chosen_metrics(metrics), features, kmeans)
    group = encoding.scene if unit == PHOTOGRAPHS else np.arange(len(encoding))
    generator, rows = np.random.default_rng(seed), []
    for count in (1, *sorted(parts)):
        for division in range(1 if count == 1 else divisions):
            for part, chosen in enumerate(disjoint_sets(group, count, sets, generator)):
                place = {"size": len(np.unique(group)) // count, "division": division, "part": part}
                rows += [place | row for row in measured.rows(chosen)]
    common = {"method": study.method, "seed": study.require_run().config.seed, "unit": unit, "distortion": np.nan}
    return VALUES.frame(pd.DataFrame(rows).assign(data=encoding.data, **common))


@dataclass(frozen=True, eq=False)
class _Measured:
    """What is measured of a study, on any of its images."""

    study: Study
    metrics: Sequence[str]
    features: PairedFeatures | None
    kmeans: KMeansCodebooks | None

    def rows(self, chosen: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        numbers = self.of_metrics(chosen)
        if self.features is not None:
            numbers |= _distances(self.features.of(chosen))
        if self.kmeans is not None:
            numbers["geometry_efficiency"] = self.efficiency(chosen)
        per_image = self.study.encoding.codes[0, 0].size
        for metric, value in numbers.items():
            yield {"tokens": len(chosen) * per_image, "images": len(chosen), "metric": metric, "value": value}

    def of_metrics(self, chosen: NDArray[np.int64]) -> dict[str, float]:
        """The numbers of `evaluate` for these images."""
        tokenizer, run = self.study.tokenizer, self.study.require_run()
        settings = MeasureSettings(tokenizer, PictureMetricSettings(), run.config.backbone.factor)
        measures = [measure(name, settings) for name in self.metrics]
        for batch in np.array_split(chosen, -(-len(chosen) // BATCH_SIZE)):
            given = _measured_batch(self.study, batch)
            for each in measures:
                each.update(given)
        numbers: Mapping[str, Any] = {key: value for each in measures for key, value in each.numbers().items()}
        if {"perplexity", "gini", "gini_uniform"} <= numbers.keys():
            numbers = above_uniform_and_rate(numbers, tokenizer.quantizer.codebook_size)
        return audited(numbers)

    def efficiency(self, chosen: NDArray[np.int64]) -> float:
        by_codes, by_kmeans = (
            squares.reshape(len(self.study.encoding), -1)[chosen].mean() for squares in self._squares
        )
        return float(by_kmeans / by_codes)

    @cached_property
    def _squares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared distance of each token to its code, and to the nearest centre of k-means."""
        study, kmeans = self.study, self.kmeans
        assert kmeans is not None
        study.require_geometry()
        points, own = study.points.double(), study.code_points.double()
        if kmeans.best.shape != own.shape:
            raise InputError(f"k-means has {list(kmeans.best.shape)} codes and dimensions, the codes {list(own.shape)}")
        centres = kmeans.best.double()
        nearest = (own[torch.from_numpy(study.codes)], centres[nearest_codes(points.float(), kmeans.best)])
        by_codes, by_kmeans = ((points - point).square().sum(1).numpy() for point in nearest)
        return by_codes, by_kmeans


def _distances(features: PairedFeatures) -> dict[str, float]:
    """`fd` and `feature_error`, by their definitions, where there are enough pictures."""
    found = {}
    if variance := features.variance:
        found["feature_error"] = float(features.squared_errors.mean()) / variance
    if len(features) > 1:
        found["fd"] = features.frechet_distance
    return found


@torch.no_grad()
def _measured_batch(study: Study, chosen: NDArray[np.int64]) -> MeasuredBatch:
    """Some images of a study as an evaluation has them, without encoding them again."""
    encoding = study.encoding
    images, latents, codes, reconstructions = (
        torch.from_numpy(whole[chosen])
        for whole in (encoding.images, encoding.latents, encoding.codes, encoding.reconstructions)
    )
    coded = QuantizerOutput(study.quantizer.lookup(codes), codes)
    output = TokenizerOutput(to_model_range(reconstructions), latents, coded)
    return MeasuredBatch(images, output, reconstructions, encoding.photograph[chosen])
