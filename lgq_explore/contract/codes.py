"""Shapes, ranges and values of codes and their vectors."""

from __future__ import annotations

import math

import torch

from lgq_explore.quantizers import QuantizerOutput, joint_codes, to_grid

from .method import (
    DIM,
    SIZES,
    Check,
    Method,
    random_latents,
    require,
    require_close,
    require_equal,
    rounded_points,
)
from .nearness import require_near


def output_has_shapes_types_and_ranges(method: Method) -> None:
    """Vectors, codes, losses and diagnostics have the promised shapes, types and ranges."""
    for size in SIZES:
        quantizer, latents = method.built(size), random_latents()
        output = quantizer(latents)
        require(isinstance(output, QuantizerOutput), f"forward gives a {type(output).__name__}, not a QuantizerOutput")
        vectors, codes = output.quantized, output.codes
        require(vectors.shape == latents.shape, f"quantized is {list(vectors.shape)} of latents {list(latents.shape)}")
        require(vectors.dtype == torch.float32, f"quantized is {vectors.dtype}, not float32")
        expected = (4, len(quantizer.levels), 5, 3)
        require(codes.shape == expected, f"codes are {list(codes.shape)}, not [B, G, H, W] = {list(expected)}")
        require(codes.dtype == torch.int64, f"codes are {codes.dtype}, not int64")
        inside = (codes >= 0) & (codes < torch.tensor(quantizer.levels)[:, None, None])
        require(inside.all(), f"codes lie outside of the levels {quantizer.levels}")
        for name, value in {**output.losses, **output.diagnostics}.items():
            require(value.shape == () and value.isfinite(), f"{name} is {value}, not a finite scalar")
        learned = [name for name, value in output.diagnostics.items() if value.requires_grad]
        require(not learned, f"the diagnostics {learned} carry a gradient")


def size_is_what_was_asked(method: Method) -> None:
    """The config, the levels and the quantizer have one codebook size, within a tenth of what was asked for."""
    for size in SIZES:
        quantizer = method.built(size)
        of_config, of_levels = method.config.for_codebook_size(size).size, math.prod(quantizer.levels)
        require(
            quantizer.codebook_size == of_levels == of_config,
            f"K is {quantizer.codebook_size} for the quantizer, {of_levels} by levels, {of_config} for the config",
        )
        require(0.9 * size < of_levels <= 1.1 * size, f"K is {of_levels} where {size} was asked for")


def single_token_is_quantized(method: Method) -> None:
    """One token is enough, and latents may have another width."""
    shape = method.built(dim=6)(random_latents(1, 6, 1, 1)).quantized.shape
    require(shape == (1, 6, 1, 1), f"one token of width 6 becomes {list(shape)}")


def lookup_gives_what_forward_gives(method: Method) -> None:
    """In eval mode, `lookup` of the codes is what `forward` gives; training gives the same, or says why it doesn't."""
    for size in SIZES:
        quantizer, latents = method.built(size).eval(), random_latents()
        output = quantizer(latents)
        require_equal(quantizer.lookup(output.codes), output.quantized, "lookup is not what forward gives in eval mode")
        trained = quantizer.train()(latents)
        is_alike = trained.codes.equal(output.codes) and trained.quantized.allclose(output.quantized, atol=1e-5)
        said = method.config.training_differs
        require(
            is_alike or said != "", "training gives other codes or vectors than eval mode: say why in training_differs"
        )
        require(
            not (is_alike and said != ""), f"training gives what eval mode gives, but training_differs says {said!r}"
        )


def code_is_the_nearest_point(method: Method) -> None:
    """The code of a token is the nearest one by `distances`, and `code_points` has its point."""
    for size in SIZES:
        quantizer, latents = method.built(size).eval(), random_latents()
        codes, continuous = quantizer(latents).codes, quantizer.continuous(latents)
        points, joint = rounded_points(quantizer, latents), joint_codes(codes, quantizer.levels).flatten()
        distances = quantizer.distances(points)
        require(
            distances.shape == (len(points), quantizer.codebook_size),
            f"distances are {list(distances.shape)}, not [N, K]",
        )
        require_near(quantizer, distances, joint)
        discrete = quantizer.discrete(codes)
        require(
            discrete.shape == continuous.shape,
            f"discrete is {list(discrete.shape)}, continuous is {list(continuous.shape)}",
        )
        require_close(to_grid(quantizer.code_points()[joint], latents), discrete, "code_points is not discrete")


def codebooks_are_known_to_the_config(method: Method) -> None:
    """There is a codebook without gradient for each group, and the config knows the shapes of learned ones."""
    quantizer = method.built()
    books, learned = quantizer.codebooks(), quantizer.learned_groups
    lengths = [len(book) for book in books]
    require(lengths == list(quantizer.levels), f"codebooks have {lengths} codes, levels are {quantizer.levels}")
    require(not any(book.requires_grad for book in books), "a codebook carries a gradient: detach it")
    shapes = method.config.for_codebook_size(256).learned_shapes(DIM)
    found = [tuple(books[group].shape) for group in learned]
    require(shapes == found, f"learned_shapes are {shapes}, but learned codebooks {found}")


def different_latents_take_different_codes(method: Method) -> None:
    """Normal latents do not all take the same few codes."""
    quantizer = method.built()
    used = joint_codes(quantizer(random_latents()).codes, quantizer.levels).unique().numel()
    require(used > 10, f"60 normal tokens take {used} of 256 codes")


CHECKS: list[Check] = [
    output_has_shapes_types_and_ranges,
    size_is_what_was_asked,
    single_token_is_quantized,
    lookup_gives_what_forward_gives,
    code_is_the_nearest_point,
    codebooks_are_known_to_the_config,
    different_latents_take_different_codes,
]
