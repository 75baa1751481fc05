"""Active codes by the number of images, and a lower bound for more images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import ACCUMULATION
from lgq_explore.metrics import accumulated_codes, chao2
from lgq_explore.runs.study import Study

Unit = Literal["photograph", "image"]
UNITS = ("photograph", "image")

FEWEST_PHOTOGRAPHS = 8
"""Least number of photographs that are resampled: of fewer, the same would be drawn again and again."""

POINTS = 60
RESAMPLES = 200
COVERAGE = 0.95


@dataclass(frozen=True, eq=False)
class CodeIncidence:
    """Which images hold which codes. holds: 0 or 1, [N images, active codes]. photograph: of each image, int64 [N]."""

    holds: csr_array
    photograph: NDArray[np.int64]

    @property
    def photographs(self) -> int:
        """Photographs that the images were cut from."""
        return len(np.unique(self.photograph))

    def images_of_codes(self) -> NDArray[np.int64]:
        """The number of images that hold each active code, int64 [active]."""
        return np.asarray(self.holds.sum(axis=0), dtype=np.int64)


def code_incidence(study: Study) -> CodeIncidence:
    """Which images of a study hold which of the codes that are used at all.

    Raises:
        InputError: a study without tokens.
    """
    if study.codes.size == 0:
        raise InputError(f"{len(study.encoding)} pictures with no tokens: encode at least one picture first")
    codes = study.codes.reshape(len(study.encoding), -1)
    _, columns = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(codes)), codes[0].size)
    holds = csr_array((np.ones(codes.size, dtype=np.int64), (rows, columns.reshape(-1))))
    holds.sum_duplicates()
    holds.data[:] = 1  # however often an image holds a code
    return CodeIncidence(holds, study.encoding.photograph)


def accumulation(study: Study, *, unit: Unit | None = None, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """The mean number of active codes in n of the N images, for `POINTS` values of n: `frames.usage.ACCUMULATION`.

    The mean is over all choices of n images (`metrics.accumulated_codes`). codebook_size, chao2 (`metrics.chao2`) and
    unit are the same in all rows.

    The band holds the middle 95 % of the curves of `resamples` resamples of the `unit`, shifted to lie around the
    curve: a resample holds some units twice and therefore fewer codes. The unit should be the photograph, since crops
    of one photograph are not independent. With fewer than `FEWEST_PHOTOGRAPHS` photographs it is the image by default,
    and the band is too narrow.

    Raises:
        InputError: a study without tokens, another unit, fewer than 2 resamples, or fewer than 2 units.
    """
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: give at least 2")
    incidence = code_incidence(study)
    unit = unit or ("photograph" if incidence.photographs >= FEWEST_PHOTOGRAPHS else "image")
    images, found = len(study.encoding), incidence.images_of_codes()
    sizes = np.unique(np.linspace(1, images, min(POINTS, images)).round().astype(np.int64))
    active_codes = accumulated_codes(found, images, sizes)
    band = _band(incidence, unit, resamples, seed, sizes)
    return ACCUMULATION.frame(
        {
            "images": sizes,
            "tokens": sizes * (study.codes.size // images),
            "active_codes": active_codes,
            "low": np.maximum(active_codes + band.below, 0),
            "high": np.minimum(active_codes + band.above, study.quantizer.codebook_size),
            "codebook_size": study.quantizer.codebook_size,
            "chao2": chao2(found, images),
            "unit": unit,
        }
    )


@dataclass(frozen=True, eq=False)
class _Band:
    """How far the band reaches from the curve, in codes: float64 [sizes], negative and positive."""

    below: NDArray[np.float64]
    above: NDArray[np.float64]


def _band(incidence: CodeIncidence, unit: str, resamples: int, seed: int, sizes: NDArray[np.int64]) -> _Band:
    unit_of_image = _units(incidence, unit)
    units = int(unit_of_image.max()) + 1
    if units < 2:
        raise InputError(f"there is 1 {unit} to resample: study more, or resample images")
    draws = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
    curves = []
    for times in draws[:, unit_of_image]:
        images = int(times.sum())
        # Photographs differ in their number of crops: a resample that has fewer images ends before the others.
        curves.append(accumulated_codes(times @ incidence.holds, images, np.minimum(sizes, images)))
    low, high = np.quantile(curves, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
    centre = np.mean(curves, axis=0)
    return _Band(low - centre, high - centre)


def _units(incidence: CodeIncidence, unit: str) -> NDArray[np.int64]:
    """The number of the unit that each image belongs to, from 0 on without gaps."""
    if unit not in UNITS:
        raise InputError(f"unit is {unit!r}: choose one of {', '.join(UNITS)}")
    if unit == "image":
        return np.arange(len(incidence.photograph))
    return np.unique(incidence.photograph, return_inverse=True)[1]
