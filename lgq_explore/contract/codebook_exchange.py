"""Other codebooks in the place of a method's own, for methods that take them."""

from __future__ import annotations

from typing import cast

import torch

from lgq_explore.quantizers import Quantizer, SoftQuantizer, TakesCodebooks, to_grid

from .method import (
    Check,
    Method,
    random_latents,
    require,
    require_close,
    require_equal,
    require_refused,
    rounded_points,
)


def own_codebooks_give_the_same_quantizer(method: Method) -> None:
    """A quantizer with its own learned codebooks is the same quantizer."""
    quantizer, latents = method.built().eval(), random_latents()
    same = _with(quantizer, quantizer.learned_codebooks())
    require_equal(same(latents).codes, quantizer(latents).codes, "with its own codebooks the codes differ")
    require_close(same(latents).quantized, quantizer(latents).quantized, "with its own codebooks the values differ")
    if isinstance(quantizer, SoftQuantizer) and isinstance(same, SoftQuantizer):
        soft = quantizer.soft(latents, 0.5)
        require_close(same.soft(latents, 0.5), soft, "with its own codebooks the soft vectors differ")


def other_codebooks_are_taken(method: Method) -> None:
    """Other codebooks, also of another size, are taken, and the quantizer stays as it was."""
    for every in (1, 2):
        quantizer, latents = method.built().eval(), random_latents()
        before = [book.clone() for book in quantizer.codebooks()]
        others = [book[::every] + 1 for book in method.built(seed=6).learned_codebooks()]
        moved = _with(quantizer, others)
        for given, held in zip(others, moved.learned_codebooks(), strict=True):
            require_close(held, given, "the codebooks are not those that were given")
        lengths = tuple(len(book) for book in moved.codebooks())
        require(moved.levels == lengths, f"levels are {moved.levels}, codebooks have {lengths} codes")
        assigned = to_grid(moved.assign(rounded_points(moved, latents)), latents)
        require_equal(assigned, moved(latents).codes, "with other codebooks assign gives other codes than forward")
        trained = moved.train()(latents).codes
        inside = (trained < torch.tensor(moved.levels)[:, None, None]).all()
        require(inside, "with other codebooks a training step gives codes outside of the levels")
        for book, old in zip(quantizer.codebooks(), before, strict=True):
            require_equal(book, old, "the quantizer's own codebooks changed")


def wrong_codebooks_are_refused(method: Method) -> None:
    """Codebooks of another width or number are refused in words."""
    quantizer = method.built()
    books = quantizer.learned_codebooks()
    for wrong in ([], [*books, *books], [book[:, :-1] for book in books]):
        shapes = [list(book.shape) for book in wrong]
        require_refused(lambda: _with(quantizer, wrong), "give", f"codebooks of shapes {shapes}")  # noqa: B023


def _with(quantizer: Quantizer, codebooks: list[torch.Tensor]) -> Quantizer:
    return cast(TakesCodebooks, quantizer).with_codebooks(codebooks)  # type: ignore[return-value]


CHECKS: list[Check] = [own_codebooks_give_the_same_quantizer, other_codebooks_are_taken, wrong_codebooks_are_refused]
