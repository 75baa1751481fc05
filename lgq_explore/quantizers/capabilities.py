"""What a quantizer may be able to do beyond the contract. A method inherits what it can; others ask by isinstance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from lgq_explore.errors import InputError

from .assignment import SoftAssignment, Softness
from .base import Quantizer
from .initialization import OnRound, unheard
from .temperature import require_temperature


class HasTemperature:
    """A temperature that follows a schedule, unless it is held by hand."""

    _override: float | None = None

    @property
    def scheduled_temperature(self) -> float:
        """The temperature that the schedule gives at the progress last announced to `anneal`."""
        raise NotImplementedError("abstract: a method has its own schedule")

    @property
    def temperature(self) -> float:
        """The temperature in force. Set a number to hold it by hand, or None to give it back to the schedule."""
        return self.scheduled_temperature if self._override is None else self._override

    @temperature.setter
    def temperature(self, value: float | None) -> None:
        if value is not None:
            require_temperature(value)
        self._override = value


class SoftQuantizer(HasTemperature, Quantizer):
    """A quantizer whose assignment is soft at a temperature and becomes `assign` as it falls to 0."""

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """Latents [B, D, H, W] → the soft assignment of their N tokens, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method has its own logits")

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        """Latents [B, D, H, W] → expected code vectors [B, D, H, W] at `temperature`."""
        raise NotImplementedError("abstract: a method has its own vectors")

    def softness(self, latents: Tensor, temperature: float) -> Softness:
        """Latents [B, D, H, W] → how far from a hard choice their N tokens are, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method has its own logits")


class StartsFromData:
    """Codebooks that start from the encoder's own tokens."""

    init_tokens: int
    """Tokens that `initialize` wants before the first step."""

    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        """Take the codebooks from raw latents [N, D], N ≥ `init_tokens`, once, before the first step.

        generator: on the CPU; what is drawn comes from it, or from torch's global one. on_round: hears of each round
        of spreading the codes, where there are any.
        """
        raise NotImplementedError("abstract: a method has its own start")


class TakesCodebooks:
    """Codebooks that can be exchanged for others, such as snapshots of them."""

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        """A copy with other codebooks [K_g, P_g], one for each learned group, as `codebooks` gives them.

        The numbers of codes may be other ones. Raises InputError where the number of codebooks or their width is.
        """
        raise NotImplementedError("abstract: a method keeps its own codes")


def require_vectors(codebooks: Sequence[Tensor], width: int) -> Tensor:
    """The one codebook [K, `width`] of a method with one group, without gradient. Raises InputError for others."""
    shapes = [list(codebook.shape) for codebook in codebooks]
    if len(codebooks) != 1 or codebooks[0].ndim != 2 or shapes[0][1] != width or shapes[0][0] < 2:
        raise InputError(f"the codebooks have shapes {shapes}: give one [K, {width}], K at least 2")
    return codebooks[0].detach()
