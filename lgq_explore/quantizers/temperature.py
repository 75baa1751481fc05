"""Temperature schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lgq_explore.errors import InputError

SHAPES = ("linear", "cosine", "exponential", "constant")
UNITS = ("absolute", "per_dimension", "effective_codes", "likelihood")
SOLVED_UNITS = ("effective_codes", "likelihood")
"""Units in which a temperature follows from the tokens of training."""
BISECTIONS = 40

LOWEST, HIGHEST = 1e-30, 1e30
"""Bounds of a temperature, exclusive: outside of them d²/τ or its gradient overflows or vanishes in float32."""


@dataclass(frozen=True)
class TemperatureSchedule:
    """A temperature that goes from `start` to `end` over the run, with a new value at every optimiser step.

    unit: `absolute` is τ itself, in units of squared distance summed over D. `per_dimension` is τ/D. `effective_codes`
    is the number exp(mean H(p)) of codes that share a token, for which τ is solved; the shape exponential suits it,
    such as 16 → 1.1. `likelihood` is τ in units of the temperature of the highest likelihood on the batch's tokens, for
    which τ is solved, too (see `solved_temperature`).
    """

    start: float = 1.0  # in `unit`
    end: float = 0.1  # in `unit`
    shape: str = "linear"
    unit: str = "absolute"

    def __post_init__(self) -> None:
        for name, choices in (("shape", SHAPES), ("unit", UNITS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        lowest = 1.0 if self.unit == "effective_codes" else LOWEST
        for name in ("start", "end"):
            value = getattr(self, name)
            if not lowest < value < HIGHEST:
                raise ValueError(
                    f"{name} is {value!r}: in unit {self.unit} it must be above {lowest:g} and below {HIGHEST:g}"
                )

    @property
    def is_solved(self) -> bool:
        """Whether τ is solved for on tokens."""
        return self.unit in SOLVED_UNITS

    def at(self, progress: float) -> float:
        """The value in `unit` at `progress` in [0, 1]."""
        match self.shape:
            case "linear":
                return self.start + (self.end - self.start) * progress
            case "cosine":
                return self.end + (self.start - self.end) * (1 + math.cos(math.pi * progress)) / 2
            case "exponential":
                return self.start * (self.end / self.start) ** progress
            case _:
                return self.start

    def absolute(self, value: float, dim: int) -> float | None:
        """τ for a value in `unit`, with tokens of width `dim`; None if it has to be solved for."""
        match self.unit:
            case "absolute":
                return value
            case "per_dimension":
                return value * dim
            case _:
                return None


def require_temperature(temperature: float) -> None:
    """Raise InputError for a temperature τ that is not a number between LOWEST and HIGHEST."""
    if not LOWEST < temperature < HIGHEST:
        raise InputError(f"temperature is {temperature}: give a positive number between {LOWEST:g} and {HIGHEST:g}")


@torch.no_grad()
def effective_codes_of(squared_distances: Tensor, temperature: float) -> float:
    """exp(mean_n H(p_n)) with p = softmax(−d²/τ), for squared distances [N, K]; in [1, K], increasing in τ."""
    log_p = (-squared_distances / temperature).log_softmax(1)
    return math.exp(-(log_p.exp() * log_p.clamp(min=-1e4)).sum(1).mean().item())


@torch.no_grad()
def temperature_for(squared_distances: Tensor, effective_codes: float) -> float:
    """The τ at which squared distances [N, K] give a number of effective codes, by bisection on log τ.

    τ is between 1e-6 and 1e6 times the mean squared distance; a target out of reach gives the nearer bound.
    """
    scale = squared_distances.mean().item() or 1.0
    low, high = math.log(1e-6 * scale), math.log(1e6 * scale)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if effective_codes_of(squared_distances, math.exp(middle)) < effective_codes:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
