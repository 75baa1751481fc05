"""Temperatures that follow from the tokens: for a number of effective codes, by likelihood, above a gain.

In the unit `likelihood`, 1 is the temperature at which the mixture's variance τ/2 is that of tokens about their codes.
With the scatter S = E_p (z − c)(z − c)ᵀ, whose trace is E_p d², and its effective dimension D_eff = (tr S)²/tr S², a
step of EM is

    τ = 2 E_p d² / D_eff = 2 tr S² / tr S

D_eff is D for a spread alike in all directions, and m for one in m of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .base import UNSOLVED
from .capabilities import SoftQuantizer
from .distributed_mean import mean_over_processes
from .mixture import Mixture
from .temperature import HIGHEST, LOWEST, TemperatureSchedule, temperature_for

CALIBRATION_TOKENS = 256  # at most, and
CALIBRATION_PAIRS = 2**22  # of tokens and codes, at most
CALIBRATION_STEPS = 10
RAISES = 24
"""Temperatures tried above one whose gain is too low, eight for each factor of ten."""
BISECTIONS = 12


class FollowsSchedule(SoftQuantizer):
    """A soft quantizer by a mixture, at a temperature of its schedule, which may be solved for on its tokens.

    A method calls `_follow` when it is made, and `_calibrate` in every step of training.
    """

    solved_temperature: Tensor
    steps_since_solved: Tensor

    @property
    def mixture(self) -> Mixture:
        """The codes as a mixture, with gradients."""
        raise NotImplementedError("abstract: a method implements mixture")

    def _follow(self, schedule: TemperatureSchedule, gain_floor: float = 0.0) -> None:
        self._schedule, self._gain_floor = schedule, gain_floor
        self._scheduled = schedule.at(0.0)
        if schedule.is_solved:
            # Buffers, so that a resumed run continues with the same temperature. Their values are at hand as numbers,
            # too, so that no step waits for the device to read them.
            self._solved, self._since_solved = UNSOLVED, CALIBRATION_STEPS
            self.register_buffer("solved_temperature", torch.tensor(UNSOLVED, dtype=torch.float64))
            self.register_buffer("steps_since_solved", torch.tensor(CALIBRATION_STEPS))

    @property
    def scheduled_temperature(self) -> float:
        known = self._schedule.absolute(self._scheduled, self.dim)
        return self._solved if known is None else known

    def anneal(self, progress: float) -> None:
        self._scheduled = self._schedule.at(progress)

    @torch.no_grad()
    def _calibrate(self, tokens: Tensor) -> None:
        """Every CALIBRATION_STEPS steps, solve the temperature for the schedule's value."""
        if not self._schedule.is_solved:
            return
        self._since_solved += 1
        self.steps_since_solved.fill_(self._since_solved)
        if self._since_solved < CALIBRATION_STEPS:
            return
        self.solved_temperature.fill_(self._solution(tokens) / self.temperature_scale)
        # Processes that train together see other tokens, and go on at one temperature.
        self._solved, self._since_solved = mean_over_processes(self.solved_temperature).item(), 0
        self.solved_temperature.fill_(self._solved)
        self.steps_since_solved.zero_()

    def _solution(self, tokens: Tensor) -> float:
        """The mixture's temperature for tokens [N, D]."""
        mixture = self.mixture
        # Spread over the whole batch; a fixed stride could pick a single column of the grid of latents.
        count = min(len(tokens), CALIBRATION_TOKENS, max(1, CALIBRATION_PAIRS // self.codebook_size))
        chosen = tokens[torch.linspace(0, len(tokens) - 1, count).round().long().to(tokens.device)]
        if self._schedule.unit == "likelihood":
            now = self.temperature * self.temperature_scale
            temperature = self._scheduled * likeliest_temperature(mixture, tokens, now)
        else:
            temperature = temperature_for(mixture.energies(chosen), self._scheduled)
        return audible_temperature(mixture, chosen, temperature, self._gain_floor)

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        if self._schedule.is_solved:
            self._solved, self._since_solved = self.solved_temperature.item(), int(self.steps_since_solved)


@torch.no_grad()
def likeliest_temperature(mixture: Mixture, tokens: Tensor, temperature: float) -> float:
    """2 tr S² / tr S of tokens [N, D] of all processes, with the responsibilities at `temperature`: one step of EM."""
    assignment = mixture.assign(tokens, temperature)
    tokens, codes = (tokens - mixture.origin).double(), (mixture.codes - mixture.origin).double()
    cross = tokens.T @ (mixture.expected(assignment) - mixture.origin).double()
    of_tokens = mean_over_processes((tokens.T @ tokens - cross - cross.T) / len(tokens))
    usage = mean_over_processes(assignment.usage).double()
    scatter = of_tokens + (codes * usage[:, None]).T @ codes
    likeliest = 2 * scatter.square().sum() / scatter.trace().clamp(min=LOWEST)
    return min(max(likeliest.item(), 2 * LOWEST), HIGHEST / 2)


@torch.no_grad()
def audible_temperature(mixture: Mixture, tokens: Tensor, temperature: float, floor: float) -> float:
    """The lowest temperature from `temperature` up at which the median encoder gain of tokens [N, D] reaches `floor`.

    The mean would not do: as τ falls, the few tokens between two codes hear the more, and the mean may stay near 1.
    It is looked for up to a thousand times that temperature. Where no gain is as high, the one of the highest is taken.
    """

    def gain(at: float) -> float:
        return mixture.encoder_gain(tokens, mixture.assign(tokens, at), at).median().item()

    if floor <= 0 or gain(temperature) >= floor:
        return temperature
    ladder = [temperature * 10 ** (step / 8) for step in range(1, RAISES + 1)]
    gains: list[float] = []
    low = temperature
    for high in ladder:
        gains.append(gain(high))
        if gains[-1] >= floor:
            break
        low = high
    else:
        return ladder[gains.index(max(gains))]
    for _ in range(BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if gain(middle) >= floor else (middle, high)
    return high
