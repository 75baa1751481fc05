"""Metrics of codebooks in the plane on evaluation sets of N points, beside the codebooks' true distortion.

All codebooks of a mixture are measured on the same sets. The value on all points is measured on POPULATION of them;
there the geometry efficiency is the least possible distortion over that of the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import TOKENS, VALUES
from lgq_explore.progress import Progress
from lgq_explore.quantizers import joint_codes, nearest_codes, to_tokens
from lgq_explore.quantizers.plain_tokens import as_latents
from lgq_explore.threads import one_thread

from ..toys.fits import ToyFit, ToySetting, fit_toy
from ..toys.mixtures import toy_tokens
from ..toys.references import toy_optimum
from .numbers import token_numbers

SIZES = (64, 256, 1024, 4096)
SETS = 8
POPULATION = 2**16
RESTARTS = 3
"""Starts of k-means for the geometry efficiency on a set."""

SEED, FITTED_SEED = 2**32, 2**33
"""Of the points that are measured, and of those that k-means is fitted to; no fit of a toy draws these."""


def toy_values(
    settings: Sequence[ToySetting], *, sizes: Sequence[int] = SIZES, sets: int = SETS, progress: bool = True
) -> pd.DataFrame:
    """Metrics of each fit on `sets` disjoint sets of each size, and on all points: `frames.audit.VALUES`.

    On a set of N points the geometry efficiency is that of k-means fitted to N others; where N is not above the number
    of codes, there is none. A fit takes a second or two, and its numbers as long.

    Raises:
        InputError: no setting, an unknown name, no set, or sets with more points than POPULATION has.
    """
    if not settings or not sizes or sets < 1 or min(sizes) < 2:
        raise InputError(f"{len(settings)} settings and {sets} sets of {list(sizes)} points: give at least one, of 2")
    if sets * max(sizes) > POPULATION:
        raise InputError(f"{sets} sets of {max(sizes)} points are more than {POPULATION}: give fewer or smaller ones")
    references, rows = _References(), []
    with Progress("auditing", len(settings), "fits", shown=progress) as bar, one_thread():
        for setting in settings:
            rows += _rows(fit_toy(setting, log_steps=setting.steps), sizes, sets, references)
            bar.advance()
    return VALUES.frame(rows)


@torch.no_grad()
def _rows(fit: ToyFit, sizes: Sequence[int], sets: int, references: _References) -> list[dict[str, Any]]:
    setting, quantizer = fit.setting, fit.quantizer
    tokens = toy_tokens(setting.data, POPULATION, seed=SEED)
    output = quantizer(as_latents(tokens))
    coded = _Coded(
        joint_codes(output.codes, quantizer.levels).flatten().numpy(),
        quantizer.codebook_size,
        tokens,
        to_tokens(output.quantized),
    )
    distortion = coded.distortion
    optimum = toy_optimum(setting.data, coded.codebook_size).distortion
    found = [(POPULATION, 0, coded.numbers() | {"geometry_efficiency": optimum / distortion})]
    for size in sizes:
        for part in range(sets):
            chosen = coded.part(part * size, size)
            numbers = chosen.numbers()
            if size > coded.codebook_size:
                numbers["geometry_efficiency"] = references.distortion(setting.data, chosen, part) / chosen.distortion
            found.append((size, part, numbers))
    common = {"data": setting.data, "method": setting.method, "seed": setting.seed, "unit": TOKENS, "division": 0}
    common |= {"images": 0, "distortion": distortion}
    return [
        {**common, "size": size, "tokens": size, "part": part, "metric": metric, "value": value}
        for size, part, numbers in found
        for metric, value in numbers.items()
    ]


@dataclass(frozen=True, eq=False)
class _Coded:
    """Points [N, 2], their joint codes [N], and the points of these [N, 2]."""

    codes: NDArray[np.int64]
    codebook_size: int
    tokens: Tensor
    quantized: Tensor

    def part(self, start: int, size: int) -> _Coded:
        cut = slice(start, start + size)
        return _Coded(self.codes[cut], self.codebook_size, self.tokens[cut], self.quantized[cut])

    @property
    def distortion(self) -> float:
        return (self.tokens - self.quantized).double().square().sum(1).mean().item()

    def numbers(self) -> dict[str, float]:
        return token_numbers(self.codes, self.codebook_size, self.tokens, self.quantized)


class _References:
    """Distortion of k-means that is fitted to other points of a mixture; each is computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], float] = {}

    def distortion(self, data: str, coded: _Coded, part: int) -> float:
        """Of k-means with as many codes, fitted to as many points, on the set's points."""
        size = len(coded.tokens)
        key = (data, coded.codebook_size, size, part)
        if key not in self._known:
            fitted = toy_tokens(data, size, seed=FITTED_SEED + part).double().numpy()
            found = KMeans(coded.codebook_size, n_init=RESTARTS, random_state=part).fit(fitted)
            centres = torch.from_numpy(found.cluster_centers_)
            tokens = coded.tokens.double()
            nearest = centres[nearest_codes(tokens, centres)]
            self._known[key] = (tokens - nearest).square().sum(1).mean().item()
        return self._known[key]
