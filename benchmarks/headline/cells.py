"""The cells of the comparison, read from summaries: numbers of seeds and photographs by method and codebook size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.statistics import CurvePoint

Summary = Mapping[str, Any]
OF_CROPS = ("psnr_db", "ssim", "l1", "feature_error")
"""Numbers of photographs that are means over crops; `fd`, `active_codes` and `entropy_bits` are of all together."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Final cells of one method and codebook size, whose recipes differ in the seed alone, in the order of seeds.

    digests: the photographs that all cells of the comparison were evaluated on.
    """

    method: str
    codebook_size: int
    summaries: tuple[Summary, ...]
    digests: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(summary["seed"] for summary in self.summaries)

    @property
    def portable_hash(self) -> str:
        return str(self.summaries[0]["portable_hash"])

    @cached_property
    def crops(self) -> NDArray[np.float64]:
        """Of each photograph [P]."""
        rows = self.summaries[0]["photographs"]
        return np.array([rows[digest]["crops"] for digest in self.digests], dtype=np.float64)

    def values(self, number: str) -> NDArray[np.float64] | None:
        """Values [S, P] whose mean with `weights` the number is; None where a cell lacks it."""
        found = np.array(
            [[summary["photographs"][digest].get(number) for digest in self.digests] for summary in self.summaries],
            dtype=np.float64,
        )
        return found if np.isfinite(found).all() else None

    def weights(self, number: str) -> NDArray[np.float64]:
        """Of photographs [P]: their crops for a mean over crops."""
        return self.crops if number in OF_CROPS else np.ones(len(self.digests))

    def by_seed(self, number: str) -> NDArray[np.float64] | None:
        """The number of each seed [S]; None where a cell lacks it."""
        values = self.values(number)
        return None if values is None else np.average(values, axis=1, weights=self.weights(number))

    def of_key(self, *path: str) -> NDArray[np.float64] | None:
        """A key of `evaluate` of each seed [S]; None where a cell lacks it."""
        found = [_at(summary["numbers"], path) for summary in self.summaries]
        return None if None in found else np.array(found, dtype=np.float64)

    def mean_of_key(self, *path: str) -> float | None:
        """The mean over seeds of a key of `evaluate`; None where a cell lacks it."""
        found = self.of_key(*path)
        return None if found is None else float(np.mean(found))

    @property
    def point(self) -> CurvePoint | None:
        """Bits per token and PSNR; None without codes."""
        rate, distortion = self.values("entropy_bits"), self.values("psnr_db")
        return None if rate is None or distortion is None else CurvePoint(rate, distortion, self.weights("psnr_db"))


AllCells = Mapping[tuple[str, int], Cells]
"""By method and codebook size."""


def cells_in(summaries: Iterable[Summary]) -> dict[tuple[str, int], Cells]:
    """The final cells of some summaries by method and codebook size, without rounding replicates.

    Raises InputError for cells that were not evaluated on the same crops, and for two recipes of one method and size.
    """
    finals = [each for each in summaries if each["kind"] == "final"]
    if not finals:
        return {}
    sets = {each["evaluation_set"]["digest"] for each in finals}
    if len(sets) > 1:
        raise InputError(f"cells were evaluated on {len(sets)} different sets of crops: give those of one sweep")
    digests = tuple(sorted(finals[0]["photographs"]))
    groups: dict[tuple[str, int], list[Summary]] = {}
    for summary in sorted(finals, key=lambda each: each["seed"]):
        if not summary["rounding_replicate"]:
            groups.setdefault((summary["method"], summary["codebook_size"]), []).append(summary)
    for (method, size), members in groups.items():
        recipes = {each["portable_hash"] for each in members}
        if len(recipes) > 1:
            raise InputError(f"{method} with {size} codes has the recipes {', '.join(sorted(recipes))}: give one")
    return {key: Cells(*key, tuple(members), digests) for key, members in groups.items()}


def rounding_replicates(summaries: Iterable[Summary], method: str) -> list[Summary]:
    """The final cells of a method that differ by rounding alone."""
    return [each for each in summaries if each["kind"] == "final" and each["method"] == method]


def _at(values: Any, path: Sequence[str]) -> float | None:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return float(values) if isinstance(values, int | float) else None
