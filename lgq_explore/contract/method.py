"""A method that is checked: its quantizers, and the latents on which they are tried."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import (
    QUANTIZERS,
    FitsAfterTraining,
    Quantizer,
    QuantizerConfig,
    StartsFromData,
    to_grid,
    to_tokens,
)

DIM = 8
SIZES = (256, 1024)
LARGE_SIZES = (4096, 16384, 65536)


@dataclass(frozen=True)
class Method:
    """The method of a config class."""

    config: type[QuantizerConfig]

    def built(self, size: int = 256, dim: int = DIM, seed: int = 0, tokens: Tensor | None = None) -> Quantizer:
        """A quantizer of about `size` codes in training mode, drawn from `seed`.

        tokens [N, D]: it starts from these, by default from normal ones, if it starts from data.
        """
        generator = torch.Generator().manual_seed(seed)
        quantizer = self.config.for_codebook_size(size).build(dim, generator)
        if not isinstance(quantizer, StartsFromData):
            return quantizer
        if tokens is None:
            tokens = torch.randn(quantizer.init_tokens, dim, generator=generator)
        if isinstance(quantizer, FitsAfterTraining):
            return self._fitted(tokens, size, generator)
        quantizer.initialize(tokens, generator)
        return quantizer

    def _fitted(self, tokens: Tensor, size: int, generator: torch.Generator) -> Quantizer:
        """Fitted with two codes, and then given as many as are wanted: to fit these would take long."""
        quantizer = self.config.for_codebook_size(2).build(tokens.shape[1], generator)
        cast(FitsAfterTraining, quantizer).fit(tokens[:64], generator)
        return cast(Any, quantizer).with_codebooks([tokens[:size]])  # all that are fitted take codebooks


Check = Callable[[Method], None]
"""Raises AssertionError with a sentence where a method breaks the promise that its docstring tells."""


def is_registered(method: Method) -> None:
    """The method is registered by its name."""
    name = method.config.method
    require(
        QUANTIZERS.get(name) is method.config,
        f"QUANTIZERS has {QUANTIZERS.get(name)} as {name!r}: register the config, by lgq.register or an entry point",
    )


def random_latents(batch: int = 4, dim: int = DIM, height: int = 5, width: int = 3, seed: int = 1) -> Tensor:
    """Normal latents [B, D, H, W]."""
    return torch.randn(batch, dim, height, width, generator=torch.Generator().manual_seed(seed))


def rounded_points(quantizer: Quantizer, latents: Tensor) -> Tensor:
    """[N, P], what the quantizer rounds of latents."""
    return to_tokens(quantizer.continuous(latents)).detach()


def clear_positions(quantizer: Quantizer, latents: Tensor) -> Tensor:
    """[B, G, H, W] bool: where no shift of the points by more than rounding's changes the code."""
    points, generator = rounded_points(quantizer, latents), torch.Generator().manual_seed(0)
    shifts = [1e-4 * torch.randn(points.shape, generator=generator).to(points) for _ in range(16)]
    codes = quantizer.assign(points)
    clear = torch.stack([quantizer.assign(points + sign * shift) == codes for shift in shifts for sign in (1, -1)])
    return to_grid(clear.all(0), latents)


def require(holds: bool | Tensor, otherwise: str) -> None:
    """Raise AssertionError with this sentence unless it holds."""
    if not holds:
        raise AssertionError(otherwise)


def require_equal(found: Tensor, expected: Tensor, otherwise: str) -> None:
    """Raise AssertionError with this sentence unless both tensors are equal in every bit."""
    different = found.shape != expected.shape or not torch.equal(found, expected)
    require(not different, f"{otherwise}: {_difference(found, expected)}" if different else "")


def require_close(
    found: Tensor, expected: Tensor, otherwise: str, rtol: float | None = None, atol: float | None = None
) -> None:
    """Raise AssertionError with this sentence unless both tensors are equal but for rounding."""
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, msg=lambda told: f"{otherwise}.\n{told}")


def require_refused(refused: Callable[[], object], told: str, what: str) -> None:
    """Raise AssertionError unless an InputError is raised whose sentence matches `told`."""
    try:
        refused()
    except InputError as error:
        require(re.search(told, str(error)) is not None, f"{what} is refused by {str(error)!r}, without {told!r}")
    except Exception as error:
        raise AssertionError(f"{what} ends with {type(error).__name__}: raise InputError") from error
    else:
        raise AssertionError(f"{what} is not refused: raise InputError")


def _difference(found: Tensor, expected: Tensor) -> str:
    if found.shape != expected.shape:
        return f"shapes {list(found.shape)} and {list(expected.shape)}"
    return f"{(found != expected).sum().item()} of {found.numel()} values differ"
