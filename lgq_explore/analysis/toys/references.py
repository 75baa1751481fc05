"""References for a codebook in the plane: the least distortion, and the codebook that annealing gives.

If no formula gives the least distortion, it is that of k-means, the best of 20 restarts, measured on held-out points.
Both references are computed once, in one thread, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans

from lgq_explore.errors import InputError
from lgq_explore.kept import Kept
from lgq_explore.quantizers import nearest_codes
from lgq_explore.quantizers.annealing import critical_temperature
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.threads import one_thread

from ..geometry.efficiency import RESTARTS
from ..temperature.annealing import AnnealingPath, annealing_path, annealing_temperatures
from ..temperature.softness import temperature_grid
from .mixtures import HELD_OUT_SEED, HELD_OUT_TOKENS, toy_named, toy_tokens

PATH_TOKENS = 500
"""Number of points that a codebook is annealed for: the path takes thousands of passes over them."""

PATH_ITERATIONS = 150
TEMPERATURES = tuple(temperature_grid(0.02, 10, per_decade=20))
"""Temperatures at which a toy is shown: codes of these mixtures go from hard to soft between them."""


@dataclass(frozen=True)
class Optimum:
    """The least distortion of K codes, and how it is known. tokens: held-out N it was measured on; 0 for a formula."""

    distortion: float
    how: str
    codes: int
    tokens: int


_optima: Kept[tuple[str, int], Optimum] = Kept(most=64)
_paths: Kept[tuple[str, int, int], AnnealingPath] = Kept(most=32)


def toy_optimum(data: str, codes: int) -> Optimum:
    """The least distortion that `codes` codes can have on a mixture of TOYS, by formula or by k-means.

    Raises:
        InputError: an unknown name, or no code.
    """
    if codes < 1:
        raise InputError(f"codes is {codes}: give at least 1")
    exact = toy_named(data).exact(codes)
    if exact is not None:
        return Optimum(exact, "by formula", codes, 0)
    return _optima.get((data, codes), lambda: _by_kmeans(data, codes))


def toy_optimum_is_known(data: str, codes: int) -> bool:
    """Whether `toy_optimum` has a formula, or keeps the answer."""
    return toy_named(data).exact(codes) is not None or _optima.is_known((data, codes))


def toy_path(data: str, codes: int, seed: int = 0, on_round: OnRound = unheard) -> AnnealingPath:
    """`annealing_path` of PATH_TOKENS points of a mixture, from twice τ_c to a hundredth of it.

    TEMPERATURES in that range are among its own. on_round: as in `annealing_path`. Errors are those of `toy_tokens` and
    `annealing_path`.
    """
    return _paths.get((data, codes, seed), lambda: _annealed(data, codes, seed, on_round))


def toy_path_is_known(data: str, codes: int, seed: int = 0) -> bool:
    """Whether `toy_path` keeps the answer."""
    return _paths.is_known((data, codes, seed))


def _by_kmeans(data: str, codes: int) -> Optimum:
    with one_thread():
        found = KMeans(codes, n_init=RESTARTS, random_state=0).fit(toy_tokens(data).double().numpy())
        centres = torch.from_numpy(found.cluster_centers_)
        held_out = toy_tokens(data, HELD_OUT_TOKENS, seed=HELD_OUT_SEED).double()
        nearest = centres[nearest_codes(held_out, centres)]
        distortion = (held_out - nearest).square().sum(1).mean().item()
    return Optimum(distortion, f"k-means, best of {RESTARTS}", codes, HELD_OUT_TOKENS)


def _annealed(data: str, codes: int, seed: int, on_round: OnRound) -> AnnealingPath:
    tokens = toy_tokens(data, PATH_TOKENS, seed)
    critical = critical_temperature(tokens)
    own = annealing_temperatures(critical, 0.01 * critical, per_decade=20)
    given = [temperature for temperature in TEMPERATURES if own[-1] < temperature < own[0]]
    with one_thread():
        return annealing_path(
            tokens, codes, sorted({*own, *given}), seed=seed, iterations=PATH_ITERATIONS, on_round=on_round
        )
