"""Temperatures at which a codebook that minimises the free energy splits, and a run's schedule beside them.

Deterministic annealing (Rose, Gurewitz & Fox 1990; Rose 1998, "Deterministic annealing for clustering, compression,
classification, regression"). With responsibilities p_nk = softmax_k(−|z_n − c_k|²/τ), the free energy
F = −τ mean_n log Σ_k exp(−|z_n − c_k|²/τ) is stationary where every code is the mean of the tokens, each weighted by
its responsibility,

    c_k = Σ_n p_nk z_n / Σ_n p_nk

Codes that coincide stay together as long as τ exceeds 2 λ_max of the covariance of the tokens, weighted in the same
way; below, moving apart lowers F. All codes together represent all tokens, so the first split comes at
τ_c = 2 λ_max(cov z).

A temperature can tell exp(I) centres apart, with I = H(mean_n p_n) − mean_n H(p_n) the mutual information of codes and
tokens: 1 where all coincide, K where the assignment is hard and even.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import ANNEALED_STATES, BIFURCATIONS, SPLIT_TEMPERATURES, annealed_centres
from lgq_explore.quantizers import SquaredEuclidean, to_tokens
from lgq_explore.quantizers.annealing import PERTURBATION, cell_sums, critical_temperature, settled
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.quantizers.temperature import require_temperature
from lgq_explore.runs.study import Study

from .softness import TOKENS, require_soft, sample_latents

LEAST_MASS = 2.0
"""Least number of tokens that a code answers for to have a split temperature: the shape of fewer means nothing."""

MOST_MOMENTS = 2**27
"""Most numbers in the covariances of all cells, K·D²: a gigabyte in float64."""

CONVERGED = 1e-6
"""Largest move of a centre that has come to rest, as a share of the tokens' spread."""

ITERATIONS = 1000
"""Most iterations per temperature: near a split centres part slowly."""

DISTINCT = 1e-2
"""Distance below which centres count as one, as a share of the tokens' spread."""


def split_temperatures(tokens: ArrayLike | Tensor, codebook: ArrayLike | Tensor, temperature: float) -> pd.DataFrame:
    """The temperature at which each code would split, one row per code: `frames.temperature.SPLIT_TEMPERATURES`.

    split_temperature: 2 λ_max of the covariance of tokens [N, D] around their mean, weighted by the code's
    responsibilities at `temperature`, in units of τ. Two codes in its place would part below it. NaN for a code that
    answers for fewer than LEAST_MASS tokens. codebook: [K, D], in the tokens' space.

    Memory is K·D² and a strip of tokens over all codes; time is N·K·D²/2 products.

    Raises:
        InputError: shapes that do not fit, a temperature that is not positive, or more than MOST_MOMENTS numbers.
    """
    points, centres = _checked(tokens, codebook)
    require_temperature(temperature)
    size, dim = centres.shape
    if size * dim**2 > MOST_MOMENTS:
        raise InputError(
            f"{size:,d} codes of width {dim} have covariances of {size * dim**2:,d} numbers, more than "
            f"{MOST_MOMENTS:,d}: give fewer codes, or their first principal components"
        )
    offset = points.mean(0)
    points, centres = points - offset, centres - offset
    row, column = torch.triu_indices(dim, dim)
    features = torch.cat([points, points[:, row] * points[:, column]], dim=1)
    cells = cell_sums(points, centres, temperature, features)
    mass = len(points) * cells.mass
    moments = cells.sums / mass.clamp(min=torch.finfo(mass.dtype).tiny)[:, None]
    mean = moments[:, :dim]
    covariance = mean.new_empty(size, dim, dim)
    covariance[:, row, column] = covariance[:, column, row] = moments[:, dim:] - mean[:, row] * mean[:, column]
    held = mass >= LEAST_MASS
    split = torch.full_like(mass, math.nan)
    split[held] = 2 * torch.linalg.eigvalsh(covariance[held])[:, -1].clamp(min=0)
    return SPLIT_TEMPERATURES.frame(
        {"code": np.arange(size), "mass": cells.mass.numpy(), "split_temperature": split.numpy()},
    )


@dataclass(frozen=True, eq=False)
class AnnealingPath:
    """The minima of the free energy for K codes and N tokens [N, D], followed from hot to cold.

    centres: one row per temperature and code, `frames.temperature.annealed_centres(D)`.
    states: one row per temperature, `frames.temperature.ANNEALED_STATES`; distinct_centres counts centres nearer than
    DISTINCT of the spread as one.
    critical_temperature: τ_c of the tokens, by formula.
    """

    centres: pd.DataFrame
    states: pd.DataFrame
    critical_temperature: float

    def codebook(self, temperature: float) -> Tensor:
        """The centres [K, D], float64, at the temperature of the path that is nearest in ratio."""
        rows = self.centres[self.centres["temperature"] == self.state(temperature)["temperature"]]
        return torch.from_numpy(np.array(rows.filter(like="axis_"), dtype=np.float64))

    def state(self, temperature: float) -> pd.Series:
        """The row of `states` whose temperature is nearest in ratio."""
        distance = np.abs(np.log(self.states["temperature"] / temperature))
        return self.states.loc[distance.idxmin()]

    @property
    def first_split(self) -> float | None:
        """The highest temperature of the path at which centres are apart; None where they never are."""
        apart = self.states.loc[self.states["distinct_centres"] > 1, "temperature"]
        return float(apart.max()) if len(apart) else None


def annealing_path(
    tokens: ArrayLike | Tensor,
    codes: int,
    temperatures: Sequence[float],
    *,
    seed: int = 0,
    iterations: int = ITERATIONS,
    on_round: OnRound = unheard,
) -> AnnealingPath:
    """Follow K codes from the highest temperature to the lowest, at each until every code is the mean of its cell.

    All start at the mean of the tokens [N, D]. Before every temperature each is pushed by PERTURBATION of the tokens'
    spread in a seeded direction; where coinciding is stable the push dies away. iterations: at most, a temperature;
    `states` says where they were too few to arrive. on_round: called before every temperature with how many are done,
    and with the number of all; an exception that it raises ends the work.

    Raises:
        InputError: shapes that do not fit, fewer than 2 codes, or no temperatures, or one that is not positive.
    """
    points, _ = _checked(tokens, tokens)
    if codes < 2:
        raise InputError(f"codes is {codes}: give at least 2, or nothing can split")
    if iterations < 1:
        raise InputError(f"iterations is {iterations}: give at least 1")
    if not len(temperatures):
        raise InputError("temperatures is empty: give at least one")
    for temperature in temperatures:
        require_temperature(temperature)
    generator = torch.Generator().manual_seed(seed)
    spread = (points - points.mean(0)).square().sum(1).mean().sqrt()
    centres = points.mean(0).expand(codes, -1)
    parts, states = [], []
    for done, temperature in enumerate(sorted(temperatures, reverse=True)):
        on_round(done, len(temperatures))
        push = torch.randn(centres.shape, generator=generator, dtype=centres.dtype)
        start = centres + PERTURBATION * spread * push / math.sqrt(centres.shape[1])
        rest = settled(points, start, temperature, CONVERGED * float(spread), iterations)
        centres = rest.centres
        state, mass = _state(points, centres, temperature)
        distinct = count_distinct(centres, DISTINCT * float(spread))
        states.append(
            {**state, "distinct_centres": distinct, "iterations": rest.iterations, "converged": rest.converged}
        )
        parts.append(_centres_frame(temperature, centres, mass))
    way = annealed_centres(points.shape[1]).frame(pd.concat(parts, ignore_index=True))
    return AnnealingPath(way, ANNEALED_STATES.frame(states), critical_temperature(points))


def annealing_temperatures(critical: float, lowest: float, per_decade: int = 40) -> list[float]:
    """Temperatures for a path, descending: from twice τ_c to `lowest`, and half a percent apart around τ_c.

    Raises InputError unless 0 < lowest < τ_c < ∞.
    """
    if not 0 < lowest < critical < math.inf:
        raise InputError(f"temperatures from τ_c = {critical} to {lowest}: give positive numbers, the second smaller")
    highest = 2 * critical
    count = math.ceil(math.log10(highest / lowest) * per_decade) + 1
    around = critical * (1 + np.arange(-12, 7) / 200)
    evenly = np.geomspace(highest, lowest, count)
    return sorted({*evenly.tolist(), *around[around > lowest].tolist()}, reverse=True)


def count_distinct(centres: Tensor, tolerance: float) -> int:
    """How many groups centres [K, D] form, where any two nearer than the tolerance are of one group."""
    if len(centres) == 1:
        return 1
    return int(fcluster(linkage(centres.numpy(), "single"), tolerance, "distance").max())


def bifurcations(study: Study, tokens: int = TOKENS, seed: int = 0) -> pd.DataFrame:
    """A run's temperature at each snapshot beside the temperatures at which its codes split, one row per snapshot.

    Columns: `frames.temperature.BIFURCATIONS`. Encoders of the past are not kept: tokens are a sample of those of the
    newest weights.

    Raises:
        InputError: a study without temperature, run or snapshots, or with codes of different weights or widths.
    """
    quantizer, run = require_soft(study.quantizer), study.require_run()
    if not isinstance(quantizer.metric, SquaredEuclidean):
        raise InputError(f"codes are chosen by {quantizer.metric.name}: codes split as said here where all are alike")
    if not study.snapshots:
        raise InputError(f"{run.path} holds no snapshots of its codebook: train it further")
    with torch.no_grad():
        points = to_tokens(quantizer.continuous(sample_latents(study.latents, tokens, seed))).double()
    scale, history = quantizer.temperature_scale, run.history()
    critical = critical_temperature(points) / scale
    rows = []
    for step in sorted(study.snapshots):
        temperature = temperature_at(history, step)
        codebook = study.quantizer_at(step).code_points().double()
        split = split_temperatures(points, codebook, scale * temperature)["split_temperature"] / scale
        state, _ = _state(points, codebook, scale * temperature)
        rows.append(
            {
                "step": step,
                "temperature": temperature,
                "critical_temperature": critical,
                "to_split": int((split > temperature).sum()),
                "settled": int((split <= temperature).sum()),
                "idle": int(split.isna().sum()),
                "effective_centres": state["effective_centres"],
                "tokens": len(points),
            }
        )
    return BIFURCATIONS.frame(rows)


def temperature_at(history: pd.DataFrame, step: int) -> float:
    """The temperature of the newest row of a history at `step` or before; of its first row where there is none.

    Raises InputError for a history without temperatures.
    """
    known = history[["step", "temperature"]].dropna() if "temperature" in history else history[:0]
    if known.empty:
        raise InputError("this history has no temperature: give that of a run whose method has one")
    before = known.loc[known["step"] <= step, "temperature"]
    return float(before.iloc[-1] if len(before) else known["temperature"].iloc[0])


def _state(points: Tensor, centres: Tensor, temperature: float) -> tuple[dict[str, float], Tensor]:
    """The row of `states` of a codebook at a temperature, and the mass [K] of its codes."""
    cells = cell_sums(points, centres, temperature, points)
    squares = points.square().sum(1).mean().item()
    products = (cells.sums * centres).sum().item() / len(points)
    distortion = squares - 2 * products + (cells.mass * centres.square().sum(1)).sum().item()
    free_energy = squares - temperature * cells.lse
    entropy = torch.special.entr(cells.mass).sum().item()
    shared = entropy - (distortion - free_energy) / temperature
    state = {
        "temperature": temperature,
        "effective_centres": float(np.exp(np.clip(shared, 0.0, math.log(len(centres))))),  # NaN stays NaN
        "distortion": distortion,
        "free_energy": free_energy,
        "tokens": len(points),
    }
    return state, cells.mass


def _centres_frame(temperature: float, centres: Tensor, mass: Tensor) -> pd.DataFrame:
    axes = {f"axis_{axis}": values for axis, values in enumerate(centres.T.numpy())}
    return pd.DataFrame({"temperature": temperature, "code": np.arange(len(centres)), **axes, "mass": mass.numpy()})


def _checked(tokens: ArrayLike | Tensor, codebook: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64 on the CPU. Raises InputError unless they are [N, D] and [K, D]."""
    points, centres = (
        (table.detach().cpu() if isinstance(table, Tensor) else torch.as_tensor(np.array(table))).double()
        for table in (tokens, codebook)
    )
    are_tables = points.ndim == centres.ndim == 2 and points.numel() > 0 and len(centres) > 0
    if not are_tables or points.shape[1] != centres.shape[1]:
        raise InputError(
            f"tokens have shape {list(points.shape)} and codes {list(centres.shape)}: give [N, D] and [K, D]"
        )
    if not (points.isfinite().all() and centres.isfinite().all()):
        raise InputError("tokens or codes contain NaN or infinity: leave those rows out")
    if not (points.square().sum().isfinite() and centres.square().sum().isfinite()):
        raise InputError("tokens or codes are so large that their squares overflow: divide both by their spread")
    return points, centres
