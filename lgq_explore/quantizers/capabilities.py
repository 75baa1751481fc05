"""Optional abilities of quantizers, as classes that a method inherits and other code tests for by isinstance."""

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
    """A temperature that follows a schedule unless a value is held.

    A method implements `scheduled_temperature`, and overrides `Quantizer.anneal`, which moves the schedule on.
    """

    _held: float | None = None

    @property
    def scheduled_temperature(self) -> float:
        """The temperature of the schedule at the progress last passed to `anneal`."""
        raise NotImplementedError("abstract: a method implements scheduled_temperature")

    @property
    def temperature(self) -> float:
        """The current temperature. Set a number to hold it, or None to follow the schedule again."""
        return self.scheduled_temperature if self._held is None else self._held

    @temperature.setter
    def temperature(self, value: float | None) -> None:
        if value is not None:
            require_temperature(value)
        self._held = value


class SoftQuantizer(HasTemperature, Quantizer):
    """A quantizer with a soft assignment, which approaches `assign` as the temperature falls to 0."""

    temperature_scale: float = 1.0
    """The factor on τ in the logits −d²/(factor · τ), d² being the squared distance in the space of `continuous`."""

    decodes_softly: bool = False
    """Whether the decoder is meant for `soft` at the method's temperature, which codes alone do not determine.

    `forward` gives vectors of codes in eval mode all the same.
    """

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """Latents [B, D, H, W] → the soft assignment of their N tokens to joint codes, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method implements soft_assign")

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        """Latents [B, D, H, W] → the decoder's input of expected points, [B, D, H, W], at `temperature`."""
        raise NotImplementedError("abstract: a method implements soft")

    def softness(self, latents: Tensor, temperature: float) -> Softness:
        """Latents [B, D, H, W] → the softness of their N tokens, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method implements softness")


class StartsFromData:
    """Codebooks that are initialised from the encoder's tokens."""

    init_tokens: int
    """The number of tokens that `initialize` needs."""

    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        """Initialise the codebooks from raw latents [N, D], N ≥ `init_tokens`, once, before the first step.

        generator: on the CPU; torch's global one by default. on_round: called after each round of spreading the
        codes, if there are any.
        """
        raise NotImplementedError("abstract: a method implements initialize")


class FitsAfterTraining:
    """Codebooks that are fitted to the tokens of an encoder that is trained already, when the decoder's finish begins.

    Before, training has no codes: `forward` in training mode passes latents on, with codes [B, 0, H, W]. In eval mode,
    and for all that asks for codes, the codebooks that the quantizer started with stand in.
    """

    fit_tokens: int
    """The number of tokens that `fit` needs."""

    def fit(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        """Fit the codebooks to raw latents [N, D]. Arguments are those of `StartsFromData.initialize`."""
        raise NotImplementedError("abstract: a method implements fit")


class TakesCodebooks:
    """Codebooks that can be exchanged for others, such as those of a snapshot."""

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        """A copy with other codebooks [K_g, P_g], one for each learned group, as returned by `codebooks`.

        The numbers of codes may differ. Raises InputError for a wrong number of codebooks or a wrong width.
        """
        raise NotImplementedError("abstract: a method implements with_codebooks")


def require_vectors(codebooks: Sequence[Tensor], width: int) -> Tensor:
    """The one codebook [K, `width`] of a method with one group, without gradient. Raises InputError for others."""
    return require_codebooks(codebooks, [width])[0]


def require_codebooks(codebooks: Sequence[Tensor], widths: Sequence[int]) -> list[Tensor]:
    """The codebooks [K_g, widths[g]], one a group, without gradient. Raises InputError for others."""
    fit = len(codebooks) == len(widths) and all(
        book.ndim == 2 and book.shape[1] == width and len(book) >= 2
        for book, width in zip(codebooks, widths, strict=True)
    )
    if not fit:
        count = {1: "one"}.get(len(widths), str(len(widths)))
        raise InputError(
            f"the codebooks have shapes {[list(book.shape) for book in codebooks]}: "
            f"give {count} [K, {widths[0]}], K at least 2"
        )
    return [book.detach() for book in codebooks]
