"""What a comparison keeps of a run: numbers of each held-out photograph, and counts of codes there.

A study with its pictures takes some hundred megabytes; this takes a few, so that many runs can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.metrics import bits_per_pixel, code_usage
from lgq_explore.metrics.usage import CodeUsage
from lgq_explore.runs.additive_numbers import counts_by_photograph
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.evaluate import kept_metrics
from lgq_explore.runs.photograph_numbers import PairedFeatures, photograph_numbers
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from lgq_explore.statistics import jackknife_of

USAGE: Mapping[str, Callable[[CodeUsage], float]] = {
    "active_codes": lambda usage: usage.active_codes,
    "perplexity": lambda usage: usage.perplexity,
    "entropy_bits": lambda usage: usage.entropy_bits,
    "gini": lambda usage: usage.gini,
}
"""Numbers of codes, as `evaluate` has them."""

OF_PHOTOGRAPHS = ("psnr_db", "ssim", "l1", "feature_error")
"""Numbers that are means over photographs."""

KEPT = {"fd": "features", "lpips": "net"}
"""Numbers of the last `evaluate`, with what they depend on; they are not computed here, since they take minutes."""


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A run's numbers on held-out photographs.

    label: the name of the method, or that which a sweep gives it.
    photographs: of `photograph_numbers`. counts: tokens of each photograph [P] that hold each code that occurs [A];
    None for a method without codes. codebook_size: K. kept: the last result of `evaluate` of these weights; may be
    empty.
    """

    name: str
    label: str
    config: TrainConfig
    photographs: pd.DataFrame
    counts: NDArray[np.int64] | None
    codebook_size: int
    kept: Mapping[str, Any]

    @property
    def digests(self) -> list[str]:
        """What the photographs show, in their order."""
        return list(self.photographs["digest"])

    def of_photographs(self, digests: Sequence[str], number: str) -> NDArray[np.float64]:
        """A number of OF_PHOTOGRAPHS for these photographs, [P]."""
        return self.photographs.set_index("digest").loc[list(digests), number].to_numpy(dtype=np.float64)

    def usage(self, digests: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Values [P] of each photograph whose mean is the number of codes over all these photographs.

        They are the pseudo-values of the jackknife (Efron & Tibshirani 1993, chapter 11), shifted to the number as it
        is counted, so that only their spread is the jackknife's. Empty for a method without codes.
        """
        if self.counts is None:
            return {}
        counts = self.counts[self.photographs.set_index("digest").index.get_indexer(list(digests))]
        all_counts = counts.sum(axis=0)
        whole = code_usage(all_counts, self.codebook_size)
        if len(counts) < 2:
            found = {name: np.array([float(read(whole))]) for name, read in USAGE.items()}
        else:
            without = [code_usage(all_counts - one, self.codebook_size) for one in counts]
            found = {name: _pseudo_values(read, whole, without) for name, read in USAGE.items()}
        factor = self.config.backbone.factor
        return found | {"bits_per_pixel": np.array([bits_per_pixel(bits, factor) for bits in found["entropy_bits"]])}

    def kept_number(self, name: str) -> float:
        """A number of KEPT; NaN where it was not measured."""
        value = (self.kept.get(name) or {}).get("value")
        return math.nan if value is None else float(value)


def measure_run(
    name: str, run: Run, study: Study, features: PairedFeatures | None = None, label: str = ""
) -> MeasuredRun:
    """The numbers of a study of a run. label: by default its method.

    Raises InputError for a result of `evaluate` that can't be read.
    """
    kept = kept_metrics(run)
    current = kept if kept and kept["steps"] == study.trained.finished_steps else {}
    return MeasuredRun(
        name,
        label or run.config.quantizer.method,
        run.config,
        photograph_numbers(study, features),
        counts_by_photograph(study),
        study.quantizer.codebook_size,
        current,
    )


def _pseudo_values(
    read: Callable[[CodeUsage], float], whole: CodeUsage, without: Sequence[CodeUsage]
) -> NDArray[np.float64]:
    found = jackknife_of(float(read(whole)), np.array([read(usage) for usage in without], dtype=np.float64))
    return found.pseudo_values + found.bias
