"""What a mixture learns of its components beside their codes: nothing, or weights, widths, or both."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .base import UNSOLVED
from .distributed_mean import mean_over_processes
from .mixture import Mixture
from .nearest import Metric, SquaredEuclidean
from .weighted_mixture import Energy, WeightedMixture, WideMixture

PRIOR_DECAY = 0.99
SHARE_OF_EVEN = 1e-3
"""Share of even usage in the weights, so that a code length is at most log K + 6.9 and a dead code can return."""


class EqualComponents(nn.Module):
    """Components of equal weights and widths, which have no state."""

    metric: Metric = SquaredEuclidean()

    def mixture(self, codes: Tensor) -> Mixture:
        """The mixture of codes [K, D]."""
        return Mixture(codes)

    def follow(self, usage: Tensor) -> None:
        """Take in the mean responsibilities [K] of a step of training."""

    def at(self, temperature: float) -> None:
        """Take note of the mixture's temperature in a step of training."""

    def made_equal(self, size: int) -> EqualComponents:
        """Such components for another number of codes, equal at first."""
        return self


class LearnedComponents(EqualComponents):
    """K weights π, a moving average of the usage, and widths s, by gradient; each where it is asked for."""

    metric = Energy()

    prior: Tensor
    temperature: Tensor

    def __init__(self, size: int, *, widths: bool, prior: bool) -> None:
        super().__init__()
        self.follows_usage = prior
        self.register_buffer("prior", torch.full((size,), 1 / size))
        self.register_buffer("temperature", torch.tensor(UNSOLVED, dtype=torch.float64))
        self.log_widths = nn.Parameter(torch.zeros(size)) if widths else None

    def mixture(self, codes: Tensor) -> Mixture:
        log_share = (self.prior + SHARE_OF_EVEN * (1 / len(codes) - self.prior)).log()
        if self.log_widths is None:
            return WeightedMixture(codes, -self.temperature * log_share)
        log_widths = self.log_widths - self.log_widths.mean()  # what they have in common is the temperature's
        bias = self.temperature * (codes.shape[1] / 2 * log_widths - log_share)
        return WideMixture(codes, bias, log_widths.exp())

    @torch.no_grad()
    def follow(self, usage: Tensor) -> None:
        if self.follows_usage:
            self.prior.lerp_(mean_over_processes(usage.detach()), 1 - PRIOR_DECAY)

    def at(self, temperature: float) -> None:
        self.temperature.fill_(temperature)

    def made_equal(self, size: int) -> LearnedComponents:
        other = copy.deepcopy(self)
        other.prior = self.prior.new_full((size,), 1 / size)
        if self.log_widths is not None:
            other.log_widths = nn.Parameter(self.log_widths.detach().new_zeros(size))
        return other
