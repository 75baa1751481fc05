"""The part of a run that a comparison keeps: numbers of each held-out photograph, and counts of its codes.

A study with its pictures takes some hundred megabytes; this takes a few, so that many runs can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.metrics import bits_per_pixel
from lgq_explore.runs.code_counts import USAGE, counts_by_photograph, usage_values
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.evaluate import kept_metrics
from lgq_explore.runs.photograph_numbers import photograph_numbers
from lgq_explore.runs.picture_features import PairedFeatures
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study

OF_CODES = (*USAGE, "bits_per_pixel")
"""Numbers of all tokens together."""

OF_PHOTOGRAPHS = ("psnr_db", "ssim", "l1", "feature_error")
"""Numbers that are means over photographs."""

FRECHET = "fd"
"""The number that photographs have together, of features that were measured."""

KEPT = {FRECHET: "features", "lpips": "net"}
"""Numbers of the last `evaluate`, with what they depend on, where they are not computed here: they take minutes."""


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A run's numbers on held-out photographs.

    label: the name of the method, or that which a sweep gives it.
    photographs: of `photograph_numbers`. counts: tokens of each photograph [P] that hold each code that occurs [A];
    None for a method without codes. codebook_size: K. kept: the last result of `evaluate` of these weights; may be
    empty. features: of the crops, those of a photograph together, in the order of `photographs`; None where they were
    not measured.
    """

    name: str
    label: str
    config: TrainConfig
    photographs: pd.DataFrame
    counts: NDArray[np.int64] | None
    codebook_size: int
    kept: Mapping[str, Any]
    features: PairedFeatures | None = None

    @property
    def digests(self) -> list[str]:
        """What the photographs show, in their order."""
        return list(self.photographs["digest"])

    def of_photographs(self, digests: Sequence[str], number: str) -> NDArray[np.float64]:
        """A number of OF_PHOTOGRAPHS for these photographs, [P]."""
        return self.photographs.set_index("digest").loc[list(digests), number].to_numpy(dtype=np.float64)

    def frechet(self, digests: Sequence[str]) -> NDArray[np.float64] | None:
        """Values [P] of each photograph whose mean is FD over all these; None without features, or of a single crop.

        They are the infinitesimal jackknife's (`metrics.frechet.frechet_influence`).
        """
        if set(digests) == set(self.digests):  # what the summary of a sweep has kept is enough
            found = self.of_photographs(digests, FRECHET)
            return found if np.isfinite(found).all() else None
        features, owner = self._features_of(digests)
        return None if features is None or len(features) < 2 else features.frechet_influence(owner).values

    def frechet_distance(self, digests: Sequence[str]) -> float:
        """FD of these photographs; NaN without features, and of a single crop."""
        features, _ = self._features_of(digests)
        return math.nan if features is None or len(features) < 2 else features.frechet_distance

    def _features_of(self, digests: Sequence[str]) -> tuple[PairedFeatures | None, NDArray[np.int64]]:
        """Features of the crops of these photographs, and the place of each crop's photograph among them."""
        crops = self.photographs["crops"].to_numpy()
        places = self.photographs.set_index("digest").index.get_indexer(list(digests))
        owner = np.repeat(np.arange(len(digests)), crops[places])
        if self.features is None:
            return None, owner
        first = np.cumsum(crops) - crops
        chosen = np.concatenate([np.arange(first[place], first[place] + crops[place]) for place in places])
        return self.features.of(chosen), owner

    def usage(self, digests: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Values [P] of each photograph whose mean is the number of codes over all these photographs.

        They are those of `runs.code_counts.usage_values`. Empty for a method without codes.
        """
        if self.counts is None:
            return {}
        key = tuple(digests)
        if key not in self._usages:
            self._usages[key] = self._usage(self.counts, key)
        return self._usages[key]

    @cached_property
    def _usages(self) -> dict[tuple[str, ...], dict[str, NDArray[np.float64]]]:
        """What `usage` has answered: several numbers, differences and curves ask for the same."""
        return {}

    def _usage(self, of_photographs: NDArray[np.int64], digests: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        counts = of_photographs[self.photographs.set_index("digest").index.get_indexer(list(digests))]
        found = usage_values(counts, self.codebook_size)
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
    encoding = study.encoding
    return MeasuredRun(
        name,
        label or run.config.quantizer.method,
        run.config,
        photograph_numbers(study, features),
        counts_by_photograph(encoding.codes, encoding.scene) if study.quantizer.has_codes else None,
        study.quantizer.codebook_size,
        kept_metrics(run, study.trained.digest),
        None if features is None else features.of(np.argsort(encoding.scene, kind="stable")),
    )
