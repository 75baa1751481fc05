"""Bits per token given the codes before it in the picture: the cross-entropy of a fixed causal model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError

from .causal_model import HEADS, LAYERS, STEPS, TOKENS_A_STEP, WIDTH, cross_entropy_bits, fit_causal_model
from .code_settings import CodeSettings
from .definition import Definition
from .usage import is_numbered

WITHIN = 0.05
"""A model has learned once its cross-entropy is within this share of its best."""

VALIDATED = 4
"""One photograph in this many of the half that is fitted to says when the model is best."""

MODEL = f"causal transformer of {LAYERS} layers, width {WIDTH}, {HEADS} heads; {STEPS} steps of {TOKENS_A_STEP} tokens"


@dataclass(frozen=True)
class ContextualBitsResult:
    """value: bits per token over `tokens` tokens of `photographs` photographs; None, and the reason in `why`.

    learning_tokens: those that the model was fitted to until it was within 5 % of its best, from the frequencies of
    codes on.
    """

    value: float | None
    why: str | None
    tokens: int
    photographs: int
    learning_tokens: int | None


class ContextualBits:
    """Held-out cross-entropy of the model in `causal_model`, over joint codes in raster order.

    Photographs are sorted by number; every second one is for the test, from the others the model is fitted. Codes that
    occur there at least twice are symbols; all other codes share one symbol, and are coded uniformly within it.
    Images are sorted, so the result depends neither on batches nor on their order.
    """

    definition: ClassVar[Definition] = Definition(
        summary="bits per token for a causal model that knows the codes before it, and the tokens it needs to learn",
        keys=("bits_contextual", "learning_tokens"),
        formula="`bits_contextual.value` = −mean log2 p(code | codes before it in raster order), over photographs that "
        f"the model was not fitted to; {MODEL}, seed 0. `learning_tokens`: tokens that it was fitted to (with "
        "repetition) until its cross-entropy on validation photographs was within 5 % of its best; 0 where the codes' "
        "frequencies do.",
        unit="bits per token; tokens",
        bias="An upper bound on the entropy rate, by what the model can't learn from half of the photographs. A Markov "
        "chain has its entropy rate within 2 %. Counting contexts instead would be far too low.",
        cost="Some twenty seconds on a CPU core for 1,024 codes, whatever the number of images; in proportion to "
        "active codes beyond.",
        source="Cover & Thomas 2006, ch. 5 for the bound; Vaswani et al. 2017 for the model.",
        on_request=True,
    )

    @classmethod
    def of(cls, settings: CodeSettings) -> Self:
        return cls(settings.levels)

    def __init__(self, levels: tuple[int, ...]) -> None:
        self.levels = levels
        self.codebook_size = math.prod(levels)
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def update(self, codes: Tensor, photographs: NDArray[np.int64]) -> None:
        """Add codes [B, G, H, W] of images, and the number of the photograph of each [B]."""
        if not is_numbered(self.codebook_size) or len(codes) == 0:
            return
        values = codes.detach().cpu().numpy()
        if values.ndim != 4 or values.shape[1] != len(self.levels) or len(photographs) != len(values):
            raise InputError(
                f"codes have shape {list(values.shape)} and {len(photographs)} photographs: give [B, G, H, W] and [B]"
            )
        joint = np.ravel_multi_index(tuple(np.moveaxis(values, 1, 0)), self.levels).astype(np.int64)
        self._parts.append((joint, np.asarray(photographs, dtype=np.int64)))

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._parts += other._parts

    def compute(self, seed: int = 0) -> ContextualBitsResult:
        """Fit the model and test it."""
        if not is_numbered(self.codebook_size):
            return _without("joint codes are too many to number")
        if not self._parts:
            return _without("no codes were given")
        grids = np.concatenate([part for part, _ in self._parts])
        photographs = np.concatenate([part for _, part in self._parts])
        height, width = grids.shape[1:]
        sequences = grids.reshape(len(grids), -1)
        order = np.lexsort((*sequences.T[::-1], photographs))
        halves = _halves(photographs[order])
        if halves is None:
            return _without("one photograph has no other half to test on: give at least 2")
        return self._tested(sequences[order], photographs[order], halves, (height, width), seed)

    def _tested(
        self,
        sequences: NDArray[np.int64],
        photographs: NDArray[np.int64],
        halves: _Halves,
        grid: tuple[int, int],
        seed: int,
    ) -> ContextualBitsResult:
        symbols = _Symbols.of(sequences[halves.fitted], self.codebook_size)
        fitted, validation, test = (
            torch.from_numpy(symbols.of_codes(sequences[part]))
            for part in (halves.fitted, halves.validation, halves.test)
        )
        learned = fit_causal_model(fitted, validation, symbols.number, grid, WITHIN, seed)
        bits = cross_entropy_bits(learned.model, test).sum().item()
        bits += (test == symbols.rare).sum().item() * symbols.bits_of_rare
        tested = photographs[halves.test]
        return ContextualBitsResult(bits / test.numel(), None, test.numel(), len(np.unique(tested)), learned.tokens)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        result = self.compute()
        return {
            "bits_contextual": {
                "value": result.value,
                "model": MODEL,
                "why": result.why,
                "tokens": result.tokens,
                "photographs": result.photographs,
            },
            "learning_tokens": result.learning_tokens,
        }


def _without(why: str) -> ContextualBitsResult:
    return ContextualBitsResult(None, why, 0, 0, None)


@dataclass(frozen=True, eq=False)
class _Halves:
    """Which images [M] are fitted to, say when to stop, and are the test: bool."""

    fitted: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]


def _halves(photographs: NDArray[np.int64]) -> _Halves | None:
    """Halves by sorted photographs [M]; None where there is one photograph."""
    names, number = np.unique(photographs, return_inverse=True)
    if len(names) < 2:
        return None
    test = number % 2 == 1
    first_half = np.flatnonzero(~test)
    # By photographs where two or more are in this half, else by the images of the only one.
    unit = number // 2 if len(names) > 2 else np.cumsum(~test) - 1
    period = min(VALIDATED, max(2, int(unit[first_half].max()) + 1))
    validation = ~test & (unit % period == period - 1)
    fitted = ~test & ~validation
    # A single image is both.
    return _Halves(fitted, validation if validation.any() else fitted, test)


@dataclass(frozen=True, eq=False)
class _Symbols:
    """The codes that are symbols, ascending; all others are the symbol `rare`."""

    kept: NDArray[np.int64]
    codebook_size: int

    @classmethod
    def of(cls, sequences: NDArray[np.int64], codebook_size: int) -> _Symbols:
        codes, counts = np.unique(sequences, return_counts=True)
        return cls(codes[counts > 1], codebook_size)

    @property
    def rare(self) -> int:
        return len(self.kept)

    @property
    def number(self) -> int:
        return len(self.kept) + 1

    @property
    def bits_of_rare(self) -> float:
        """Bits that name one of the codes that are no symbols."""
        return math.log2(max(1, self.codebook_size - len(self.kept)))

    def of_codes(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The symbol of each code."""
        if not len(self.kept):
            return np.zeros_like(codes)
        place = np.minimum(np.searchsorted(self.kept, codes), len(self.kept) - 1)
        return np.where(self.kept[place] == codes, place, self.rare)
