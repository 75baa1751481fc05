"""All metrics of `evaluate` by their names, and their instances for one evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lgq_explore.errors import InputError, near_matches
from lgq_explore.metrics.code_settings import CodeSettings
from lgq_explore.metrics.codes import CODE_METRICS, CodeMetric
from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.pictures import PICTURE_METRICS, PictureMetric, picture_metric

from .base import Measure, MeasuredBatch, MeasureSettings, TokenizerMeasure
from .latents import LatentDimensions, QuantizationErrorOfLatents
from .perturbation import Perturbation
from .quantization_cost import QuantizationCost
from .robustness import Robustness
from .soft_decode import SoftDecode
from .times import Times
from .wasserstein import CodebookDistance

TOKENIZER_MEASURES: dict[str, type[TokenizerMeasure]] = {
    "quantization_error": QuantizationErrorOfLatents,
    "soft_decode": SoftDecode,
    "quantization_cost": QuantizationCost,
    "latent_dimensions": LatentDimensions,
    "robustness": Robustness,
    "perturbation": Perturbation,
    "codebook_distance": CodebookDistance,
    "times": Times,
}
"""Metrics that need more of a tokenizer than its codes and reconstructions."""

DEFINITIONS: dict[str, Definition] = {
    name: kind.definition
    for kinds in (PICTURE_METRICS, CODE_METRICS, TOKENIZER_MEASURES)
    for name, kind in kinds.items()
}
"""What each metric is, by the name that `evaluate` takes; in the order of the results."""

DEFAULT = "default"
ALL = "all"


def chosen_metrics(names: Iterable[str] | None) -> list[str]:
    """The names of metrics in the order of results: those asked for, or for None those of every evaluation.

    `default` stands for those of every evaluation, `all` for all. Raises InputError for no or an unknown name.
    """
    asked = [DEFAULT] if names is None else [names] if isinstance(names, str) else list(names)
    if not asked:
        raise InputError(f"0 metrics were asked for: give some of {', '.join(DEFINITIONS)}, {DEFAULT} or {ALL}")
    chosen: set[str] = set()
    for name in asked:
        chosen |= set(_meant(name))
    return [name for name in DEFINITIONS if name in chosen]


def _meant(name: str) -> Sequence[str]:
    if name == ALL:
        return list(DEFINITIONS)
    if name == DEFAULT:
        return [name for name, definition in DEFINITIONS.items() if not definition.on_request]
    if name not in DEFINITIONS:
        raise InputError(f"unknown metric {name!r}{_remedy(name)}")
    return [name]


def _remedy(name: str) -> str:
    """The metric that has a number of this name, or those of a similar one."""
    for metric, definition in DEFINITIONS.items():
        if name in {*definition.keys, *(key.removesuffix("_db") for key in definition.keys)}:
            return f", which is a number of {metric}: give that"
    return f"{near_matches(name, DEFINITIONS, most=3)}; lgq-explore list metrics shows all"


def measure(name: str, settings: MeasureSettings) -> Measure:
    """A new instance of a metric, which has no value for a method without codes if it is of codes.

    Raises InputError for settings that the metric does not accept.
    """
    if name in PICTURE_METRICS:
        return _OfPictures(picture_metric(name, settings.pictures, name in settings.left_out))
    quantizer = settings.tokenizer.quantizer
    if name in CODE_METRICS:
        if not quantizer.has_codes:
            return _WithoutCodes(CODE_METRICS[name].definition)
        return _OfCodes(CODE_METRICS[name].of(CodeSettings(quantizer.levels, settings.downsampling)))
    kind = TOKENIZER_MEASURES[name]
    return _WithoutCodes(kind.definition) if kind.of_codes and not quantizer.has_codes else kind(settings)


@dataclass(frozen=True)
class _OfPictures:
    """A metric of pictures, as a measure."""

    metric: PictureMetric

    def update(self, batch: MeasuredBatch) -> None:
        self.metric.update(batch.unit_pictures, batch.unit_reconstructions)

    def numbers(self) -> dict[str, Any]:
        return self.metric.numbers()


@dataclass(frozen=True)
class _OfCodes:
    """A metric of codes, as a measure."""

    metric: CodeMetric

    def update(self, batch: MeasuredBatch) -> None:
        self.metric.update(batch.codes, batch.photographs)

    def numbers(self) -> dict[str, Any]:
        return self.metric.numbers()


@dataclass(frozen=True)
class _WithoutCodes:
    """In the place of a metric of codes, for a method that has none."""

    definition: Definition

    def update(self, batch: MeasuredBatch) -> None:
        """There is nothing to measure."""

    def numbers(self) -> dict[str, Any]:
        return dict.fromkeys(self.definition.keys, self.definition.without_codes)
