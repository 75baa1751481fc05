"""Tests of the normalisation of tokens, which every method of one codebook has as a setting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import QUANTIZERS, Quantizer, StartsFromData
from lgq_explore.quantizers.token_norm import NORMS, NormalizedVectorsConfig

METHODS = [name for name, config in QUANTIZERS.items() if issubclass(config, NormalizedVectorsConfig)]
DIM = 5
every_method = pytest.mark.parametrize("method", METHODS)


def some_latents() -> Tensor:
    scale = torch.tensor([1.0, 2, 3, 4, 5])[:, None, None]
    return scale * torch.randn(20, DIM, 4, 4, generator=torch.Generator().manual_seed(0)) + 10


def as_tokens(latents: Tensor) -> Tensor:
    return latents.movedim(1, -1).flatten(0, -2)


def built(method: str, norm: str) -> Quantizer:
    config: Any = QUANTIZERS[method].for_codebook_size(16)
    quantizer = replace(config, norm=norm).build(DIM, torch.Generator().manual_seed(0))
    if isinstance(quantizer, StartsFromData):
        quantizer.initialize(as_tokens(some_latents()), torch.Generator().manual_seed(0))
    return quantizer


def test_vector_methods_have_it_and_only_lgq_is_published_with_one() -> None:
    assert {"vq", "vq-gradient", "rotation", "simvq", "simvq-mlp", "ibq", "lgq", "lgq-paper"} <= set(METHODS)
    assert {name for name in METHODS if QUANTIZERS[name]().normalizes} == {"lgq", "lgq-paper"}


@every_method
@pytest.mark.parametrize("norm", NORMS)
def test_points_are_tokens_as_they_are_normalised(method: str, norm: str) -> None:
    latents = some_latents()
    tokens = as_tokens(latents)
    expected = {
        "none": tokens,
        "layer": functional.layer_norm(tokens, (DIM,)),
        "batch": (tokens - tokens.mean(0)) / tokens.std(0),
    }
    quantizer = built(method, norm)
    if norm == "batch":
        for _ in range(200):  # running statistics settle
            quantizer(latents)
    points = as_tokens(quantizer.eval().continuous(latents))
    torch.testing.assert_close(points, expected[norm], rtol=1e-3, atol=1e-3)


@every_method
@pytest.mark.parametrize("norm", NORMS)
def test_codes_are_those_of_these_points(method: str, norm: str) -> None:
    quantizer, latents = built(method, norm).eval(), some_latents()
    assigned = quantizer.assign(as_tokens(quantizer.continuous(latents)))
    assert torch.equal(as_tokens(quantizer(latents).codes), assigned)


@pytest.mark.parametrize("method", [name for name in METHODS if isinstance(built(name, "none"), StartsFromData)])
@pytest.mark.parametrize("norm", NORMS)
def test_codes_that_start_at_tokens_start_among_these_points(method: str, norm: str) -> None:
    quantizer, latents = built(method, norm), some_latents()
    points = as_tokens(quantizer.eval().continuous(latents))
    distance = torch.cdist(quantizer.codebooks()[0], points).min(1).values
    assert distance.max() < points.std(0).norm()


@every_method
def test_an_unknown_norm_is_named_and_a_batch_norm_needs_two_tokens(method: str) -> None:
    config: Any = QUANTIZERS[method]()
    with pytest.raises(ValueError, match="norm is 'group'"):
        replace(config, norm="group")
    assert replace(config, norm="batch").fewest_tokens == 2
    assert replace(config, norm="batch").for_raw_tokens(2).norm == "none"
