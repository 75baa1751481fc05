"""How far a codebook's choices are from hard at each temperature, and how much gradient the encoder gets there.

With responsibilities p of K codes for a token z at temperature τ, p* the largest of them and c* its code:

    gap             |q_soft − q_hard| ≤ (1 − p*) max_k |c_k − c*|
    free-energy gap min_k d² − F = −τ log p*, in [0, τ log K]
    encoder gain    mean diagonal of ∂q_soft/∂z = (2/τ) Cov_p(c); the straight-through estimator's is 1
    τ_c             2 λ_max(cov z), above which all codes coincide at the minimum of F (Rose, Gurewitz & Fox 1990)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import (
    CRITICAL,
    GAP_UNDER_1_PERCENT,
    MARKS,
    SWEEP,
    TOKEN_MAP,
    TOP_RESPONSIBILITIES,
    TRAINING_BEGAN,
    TRAINING_ENDED,
)
from lgq_explore.frames.temperature import TOKENS as TOKEN_COLUMNS
from lgq_explore.quantizers import Quantizer, Softness, SoftQuantizer, to_tokens

TOKENS = 4096
"""Tokens of a sample: enough for a distribution to look smooth, and few enough to be assigned anew at every move."""

NEGLIGIBLE_GAP = 0.01
"""Soft–hard gap, relative to the tokens' spread, under which soft and hard are called the same."""

REACH_ROWS = 256
"""Codes whose distances to all others are held at once."""


class TemperatureProbe:
    """A sample of N tokens and a codebook of K codes, asked at any temperature; an answer is kept.

    quantizer: in eval mode. latents: [B, D, H, W], raw, N = B·H·W; tokens are numbered in the order of (b h w).
    Memory is a few numbers a token and temperature; nothing is N×K. Safe to be asked from another thread.

    Raises:
        InputError: a quantizer without temperature, or no tokens.
    """

    def __init__(self, quantizer: Quantizer, latents: Tensor) -> None:
        self.quantizer = require_soft(quantizer)
        if latents.ndim != 4 or latents.numel() == 0:
            raise InputError(f"latents have shape {list(latents.shape)}: give [B, D, H, W] with at least one token")
        self.latents = latents.detach()
        self._kept: dict[float, pd.DataFrame] = {}
        self._reach: Tensor | None = None

    def __len__(self) -> int:
        """N, tokens."""
        return self.latents.shape[0] * self.latents.shape[2] * self.latents.shape[3]

    def at(self, temperature: float) -> pd.DataFrame:
        """Softness of each token, one row per token: `frames.temperature.TOKENS`.

        Raises InputError for a temperature that is not positive.
        """
        if temperature not in self._kept:
            self.softness(temperature)
        return self._kept[temperature]

    def softness(self, temperature: float) -> Softness:
        """What `at` is computed from, with the soft and hard vectors of all tokens. Not kept. Errors as in `at`."""
        require_temperature(temperature)
        softness = self.quantizer.softness(self.latents, temperature)
        self._kept[temperature] = _frame(softness, self._reach_of(softness))
        return softness

    def is_known(self, temperature: float) -> bool:
        """Whether `at` has been asked for this temperature, and answers at once."""
        return temperature in self._kept

    @cached_property
    def spread(self) -> float:
        """√(trace cov z), the tokens' distance from their mean: what a gap is compared with."""
        tokens = _from_the_first(self._tokens())
        return math.sqrt((tokens - tokens.mean(0)).square().sum(1).mean().item())

    @cached_property
    def critical_temperature(self) -> float:
        """τ_c of the tokens."""
        return critical_temperature(self._tokens())

    def sweep(self, temperatures: Sequence[float]) -> pd.DataFrame:
        """`softness_summary` of each temperature, one row each, ascending: `frames.temperature.SWEEP`."""
        rows = [
            softness_summary(self.at(temperature), temperature, self.spread) for temperature in sorted(temperatures)
        ]
        return SWEEP.frame(rows)

    def _tokens(self) -> Tensor:
        """[N, D] in the codes' space, float64."""
        with torch.no_grad():
            return to_tokens(self.quantizer.continuous(self.latents)).double()

    def _reach_of(self, softness: Softness) -> Tensor:
        """max_k |c_k − c*| a token, [N]. The codes chosen are the same at every temperature."""
        if self._reach is None:
            codebook = self.quantizer.code_points()
            used, place = softness.codes.unique(return_inverse=True)
            farthest = [torch.cdist(rows, codebook).amax(1) for rows in codebook[used].split(REACH_ROWS)]
            self._reach = torch.cat(farthest)[place]
        return self._reach


def _frame(softness: Softness, reach: Tensor) -> pd.DataFrame:
    columns = {
        "code": softness.codes,
        "max_p": softness.log_largest.exp(),
        "entropy": softness.entropy,
        "gap": (softness.soft - softness.hard).norm(dim=1),
        "gap_bound": -torch.expm1(softness.log_largest) * reach,
        "free_energy_gap": softness.free_energy_gap,
        "encoder_gain": softness.encoder_gain,
    }
    values = {name: column.cpu().numpy() for name, column in columns.items()}
    return TOKEN_COLUMNS.frame({"token": np.arange(len(softness.codes)), **values})


def softness_summary(tokens: pd.DataFrame, temperature: float, spread: float) -> dict[str, float]:
    """Means over the rows of `TemperatureProbe.at`: what a sweep holds of one temperature.

    effective_codes = exp(mean H). relative_gap is the mean gap over the spread, relative_bound the same of the bound;
    relative_free_energy_gap is a mean over the squared spread, being a squared length itself. Of tokens that are all
    equal, whose spread is 0, gaps are given as they are.
    encoder_gain is a mean; encoder_gain_median and the share under 1 % stand beside it, for the mean hides them.
    """
    gain, unit = tokens["encoder_gain"], spread or 1.0
    return {
        "temperature": temperature,
        "effective_codes": math.exp(tokens["entropy"].mean()),
        "max_p": float(tokens["max_p"].mean()),
        "relative_gap": float(tokens["gap"].mean()) / unit,
        "relative_bound": float(tokens["gap_bound"].mean()) / unit,
        "relative_free_energy_gap": float(tokens["free_energy_gap"].mean()) / unit**2,
        "encoder_gain": float(gain.mean()),
        "encoder_gain_median": float(gain.median()),
        "encoder_gain_share_below_1_percent": float((gain < 0.01).mean()),
        "tokens": len(tokens),
    }


def sample_latents(latents: Tensor, tokens: int = TOKENS, seed: int = 0) -> Tensor:
    """Raw latents [n, D, 1, 1] of tokens drawn without replacement from [N, D], in their order; all if fewer.

    Raises InputError for fewer than one token.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(latents), generator=generator)[:tokens].sort().values
    return latents[chosen][:, :, None, None]


def temperature_grid(lowest: float, highest: float, per_decade: int = 10) -> list[float]:
    """Temperatures evenly spaced on a log scale, whole powers of ten among them, that cover lowest … highest.

    Raises InputError for ends that are not positive and in order.
    """
    if not 0 < lowest < highest < math.inf:
        raise InputError(f"temperatures from {lowest} to {highest}: give two positive numbers in order")
    first = math.floor(round(math.log10(lowest) * per_decade, 6))
    last = math.ceil(round(math.log10(highest) * per_decade, 6))
    return [10 ** (step / per_decade) for step in range(first, last + 1)]


def critical_temperature(tokens: Tensor) -> float:
    """τ_c = 2 λ_max(cov z) of tokens [N, D], N ≥ 2: where a codebook that follows F splits first, on its way down.

    Raises InputError for fewer tokens.
    """
    if tokens.ndim != 2 or len(tokens) < 2:
        raise InputError(f"tokens have shape {list(tokens.shape)}: give [N, D], N at least 2")
    covariance = torch.atleast_2d(torch.cov(_from_the_first(tokens.double()).T, correction=0))
    return 2 * torch.linalg.eigvalsh(covariance)[-1].item()


def _from_the_first(tokens: Tensor) -> Tensor:
    """Measured from the first token, so that the mean of equal ones is exact, and their spread is 0."""
    return tokens - tokens[0]


def temperature_of_gap(sweep: pd.DataFrame, relative_gap: float = NEGLIGIBLE_GAP) -> float | None:
    """The highest temperature up to which the relative gap stays under `relative_gap`, between the sweep's on log axes.

    None where even the lowest temperature of the sweep has a larger gap; its highest where all have a smaller one.
    """
    temperatures, gaps = sweep["temperature"].to_numpy(), sweep["relative_gap"].to_numpy()
    over = np.flatnonzero(gaps >= relative_gap)
    if not len(over):
        return float(temperatures[-1])
    if over[0] == 0:
        return None
    below, above = over[0] - 1, over[0]
    smallest = np.finfo(float).tiny
    rise = np.log(gaps[above]) - np.log(max(gaps[below], smallest))
    share = (np.log(relative_gap) - np.log(max(gaps[below], smallest))) / rise
    return float(temperatures[below] ** (1 - share) * temperatures[above] ** share)


def temperature_marks(
    probe: TemperatureProbe, sweep: pd.DataFrame, history: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Temperatures to be marked on the axis: `frames.temperature.MARKS`. A mark that does not exist is left out.

    history: of the run, for the temperatures that training began and ended with.
    """
    marks: dict[str, float | None] = {}
    if history is not None and "temperature" in history and history["temperature"].notna().any():
        trained = history["temperature"].dropna()
        marks |= {TRAINING_BEGAN: float(trained.iloc[0]), TRAINING_ENDED: float(trained.iloc[-1])}
    marks[GAP_UNDER_1_PERCENT] = temperature_of_gap(sweep)
    marks[CRITICAL] = probe.critical_temperature if len(probe) > 1 else None
    # Of equal tokens the critical temperature is 0, which no axis of temperatures has.
    given = {name: temperature for name, temperature in marks.items() if temperature}
    return MARKS.frame({"mark": list(given), "temperature": list(given.values())})


def top_responsibilities(quantizer: Quantizer, latents: Tensor, temperature: float, count: int = 10) -> pd.DataFrame:
    """The codes that share one token, the largest responsibility first: `frames.temperature.TOP_RESPONSIBILITIES`.

    latents: [1, D, 1, 1], raw, of the token. Raises InputError for several tokens, or a quantizer without temperature.
    """
    require_temperature(temperature)
    soft_quantizer = require_soft(quantizer)
    if latents.numel() != latents.shape[1]:
        raise InputError(f"latents have shape {list(latents.shape)}: give those of one token, [1, D, 1, 1]")
    with torch.no_grad():
        # The mean over a single token is that token's.
        largest = soft_quantizer.soft_assign(latents, temperature).usage.topk(min(count, soft_quantizer.codebook_size))
        points = soft_quantizer.code_points()[largest.indices]
        distances = (points - to_tokens(soft_quantizer.continuous(latents))).norm(dim=1)
    return TOP_RESPONSIBILITIES.frame(
        {
            "rank": np.arange(1, len(largest.indices) + 1),
            "code": largest.indices.cpu().numpy(),
            "responsibility": largest.values.cpu().numpy(),
            "distance": distances.cpu().numpy(),
        }
    )


def token_map(tokens: pd.DataFrame, shape: Sequence[int]) -> pd.DataFrame:
    """The rows of `TemperatureProbe.at` with the place of each token: `frames.temperature.TOKEN_MAP`.

    shape: [B, D, H, W] of the probe's latents. Raises InputError for one that holds another number of tokens.
    """
    pictures, _, height, width = shape
    if len(tokens) != pictures * height * width:
        raise InputError(f"{len(tokens)} tokens do not fill latents of shape {list(shape)}: give those of the probe")
    place = tokens["token"].to_numpy()
    placed = tokens.assign(picture=place // (height * width), row=place // width % height, column=place % width)
    return TOKEN_MAP.frame(placed)


def require_soft(quantizer: Quantizer) -> SoftQuantizer:
    """The quantizer, if it has a temperature; InputError if not."""
    if not isinstance(quantizer, SoftQuantizer):
        raise InputError(f"{type(quantizer).__name__} chooses its codes without a temperature: give a run of lgq")
    return quantizer


def require_temperature(temperature: float) -> None:
    """Raise InputError unless 0 < τ < ∞."""
    if not 0 < temperature < math.inf:
        raise InputError(f"temperature is {temperature}: give a positive number")
