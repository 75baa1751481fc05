"""Tests of the normalisation of tokens as a part of LGQ."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import LGQConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.token_norm import NORMS

DIM = 5
every_norm = pytest.mark.parametrize("norm", NORMS)


def some_latents() -> Tensor:
    scale = torch.tensor([1.0, 2, 3, 4, 5])[:, None, None]
    return scale * torch.randn(20, DIM, 4, 4, generator=torch.Generator().manual_seed(0)) + 10


def as_tokens(latents: Tensor) -> Tensor:
    return latents.movedim(1, -1).flatten(0, -2)


def built(norm: str) -> LGQ:
    generator = torch.Generator().manual_seed(0)
    quantizer = LGQConfig(16, norm=norm).build(DIM, generator)
    quantizer.initialize(as_tokens(some_latents()), generator)
    return quantizer


@every_norm
def test_points_are_tokens_as_they_are_normalised(norm: str) -> None:
    latents = some_latents()
    tokens = as_tokens(latents)
    expected = {
        "none": tokens,
        "layer": functional.layer_norm(tokens, (DIM,)),
        "batch": (tokens - tokens.mean(0)) / tokens.std(0),
    }
    quantizer = built(norm)
    if norm == "batch":
        for _ in range(200):  # running statistics settle
            quantizer(latents)
    points = as_tokens(quantizer.eval().continuous(latents))
    torch.testing.assert_close(points, expected[norm], rtol=1e-3, atol=1e-3)


@every_norm
def test_codes_are_those_of_these_points(norm: str) -> None:
    quantizer, latents = built(norm).eval(), some_latents()
    assigned = quantizer.assign(as_tokens(quantizer.continuous(latents)))
    assert torch.equal(as_tokens(quantizer(latents).codes), assigned)


@every_norm
def test_centres_start_among_these_points(norm: str) -> None:
    quantizer, latents = built(norm), some_latents()
    points = as_tokens(quantizer.eval().continuous(latents))
    distance = torch.cdist(quantizer.codebooks()[0], points).min(1).values
    assert distance.max() < points.std(0).norm()


def test_an_unknown_norm_is_named_and_a_batch_norm_needs_two_tokens() -> None:
    with pytest.raises(ValueError, match="norm is 'group'"):
        replace(LGQConfig(), norm="group")
    assert LGQConfig(norm="batch").fewest_tokens == 2
    assert LGQConfig(norm="batch").for_raw_tokens(2).norm == "none"
