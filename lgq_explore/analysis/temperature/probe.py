"""A sample of tokens and a codebook, measured at any temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import FLIPS, SWEEP, TOKEN_MAP, TOP_RESPONSIBILITIES
from lgq_explore.frames.temperature import TOKENS as TOKEN_COLUMNS
from lgq_explore.quantizers import Quantizer, Softness, to_tokens
from lgq_explore.quantizers.annealing import critical_temperature, from_the_first
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.quantizers.temperature import require_temperature
from lgq_explore.runs.study import Study

from .flips import share_flipped
from .softness import (
    TOKENS,
    require_soft,
    sample_latents,
    softness_summary,
)

REACH_ROWS = 256
"""Number of codes whose distances to all others are held at once."""


@dataclass(frozen=True, eq=False)
class Curves:
    """`TemperatureProbe.sweep` and `TemperatureProbe.flips` of the same temperatures."""

    sweep: pd.DataFrame
    flips: pd.DataFrame


class TemperatureProbe:
    """A sample of N tokens and a codebook of K codes, measured at any temperature; results are kept.

    `TemperatureProbe.of` takes a study. quantizer: in eval mode; any codebook, also one that no study has. latents:
    [B, D, H, W], raw, N = B·H·W; tokens are numbered in the order of (b h w). Memory is a few numbers per token and
    temperature; nothing is N×K. Safe to be used from another thread.

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

    @classmethod
    def of(cls, study: Study, tokens: int = TOKENS, seed: int = 0) -> Self:
        """A sample of a study's tokens, drawn without replacement. Raises InputError as the class does."""
        return cls(study.quantizer, sample_latents(study.latents, tokens, seed))

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

    @cached_property
    def spread(self) -> float:
        """√(trace cov z), the root mean square distance of tokens from their mean. Gaps are relative to it."""
        tokens = from_the_first(self._tokens())
        return math.sqrt((tokens - tokens.mean(0)).square().sum(1).mean().item())

    @cached_property
    def critical_temperature(self) -> float:
        """τ_c of the tokens."""
        return critical_temperature(self._tokens()) / self.quantizer.temperature_scale

    def sweep(self, temperatures: Sequence[float]) -> pd.DataFrame:
        """`softness_summary` of each temperature, one row each, ascending: `frames.temperature.SWEEP`."""
        rows = [
            softness_summary(self.at(temperature), temperature, self.spread) for temperature in sorted(temperatures)
        ]
        return SWEEP.frame(rows)

    def flips(self, temperatures: Sequence[float]) -> pd.DataFrame:
        """Share of tokens whose code changes between neighbouring temperatures: `frames.temperature.FLIPS`.

        The code with the largest responsibility is the same at every temperature; the one that q_soft would be rounded
        to is not. One row per pair. Raises InputError for a temperature that is not positive.
        """
        return self.curves(temperatures).flips

    def curves(self, temperatures: Sequence[float], on_round: OnRound = unheard) -> Curves:
        """`sweep` and `flips` of these temperatures, ascending, together in half the time.

        on_round: called before each temperature with how many are done, and with the number of all; an exception that
        it raises ends the work. Errors are those of `flips`.
        """
        hard, soft = [], []
        for done, temperature in enumerate(temperatures):
            on_round(done, len(temperatures))
            softness = self.softness(temperature)
            hard.append(softness.codes)
            soft.append(self.quantizer.assign(softness.soft))
        return Curves(self.sweep(temperatures), self._flips(temperatures, hard, soft))

    def _flips(self, temperatures: Sequence[float], hard: Sequence[Tensor], soft: Sequence[Tensor]) -> pd.DataFrame:
        return FLIPS.frame(
            {
                "from_temperature": list(temperatures[:-1]),
                "to_temperature": list(temperatures[1:]),
                "hard": share_flipped(hard),
                "soft": share_flipped(soft),
            }
        )

    def top(self, token: int, temperature: float, count: int = 10) -> pd.DataFrame:
        """The codes that share one token, the largest responsibility first: `frames.temperature.TOP_RESPONSIBILITIES`.

        Raises:
            InputError: a temperature that is not positive, or a number that is no token.
        """
        require_temperature(temperature)
        if not 0 <= token < len(self):
            raise InputError(f"token is {token}: the probe has 0 … {len(self) - 1}")
        latents = to_tokens(self.latents)[token][None, :, None, None]
        with torch.no_grad():
            # The mean over a single token is that token's.
            usage = self.quantizer.soft_assign(latents, temperature).usage
            largest = usage.topk(min(count, self.quantizer.codebook_size))
            points = self.quantizer.code_points()[largest.indices]
            distances = (points - to_tokens(self.quantizer.continuous(latents))).norm(dim=1)
        return TOP_RESPONSIBILITIES.frame(
            {
                "rank": np.arange(1, len(largest.indices) + 1),
                "code": largest.indices.cpu().numpy(),
                "responsibility": largest.values.cpu().numpy(),
                "distance": distances.cpu().numpy(),
            }
        )

    def _tokens(self) -> Tensor:
        """[N, D] in the codes' space, float64."""
        with torch.no_grad():
            return to_tokens(self.quantizer.continuous(self.latents)).double()

    def _reach_of(self, softness: Softness) -> Tensor:
        """max_k |c_k − c*| of each token, [N]. The chosen codes are the same at every temperature."""
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
