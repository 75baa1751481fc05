"""Tests of the tokenizer made of encoder, quantizer and decoder."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import QUANTIZERS, methods_with_codes

BACKBONE = BackboneConfig((8, 8, 8), dim=6)


def built(method: str = "lgq", seed: int = 0, size: int = 64) -> Tokenizer:
    return build_tokenizer(BACKBONE, QUANTIZERS[method].for_codebook_size(size), seed)


@pytest.mark.parametrize("method", QUANTIZERS)
def test_reconstructs_in_the_images_shape(method: str) -> None:
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    tokenizer = built(method).eval()  # training may have no codes until they are fitted
    output = tokenizer(images)
    assert output.reconstruction.shape == images.shape
    assert output.latents.shape == (2, 6, 4, 4)
    assert output.coded.codes.shape == (2, len(tokenizer.quantizer.levels), 4, 4)


@pytest.mark.parametrize("method", methods_with_codes())
def test_forward_is_encode_quantize_decode(method: str) -> None:
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    tokenizer = built(method).eval()
    output = tokenizer(images)
    latents = tokenizer.encode(images)
    assert torch.equal(latents, output.latents)
    codes = tokenizer.quantizer(latents).codes
    assert torch.equal(codes, output.coded.codes)
    assert torch.equal(tokenizer.decode(tokenizer.quantizer.lookup(codes)), output.reconstruction)


@pytest.mark.parametrize("size", [64, 256])
def test_encoder_and_decoder_start_equal_for_all_methods_of_a_seed(size: int) -> None:
    reference = built("lgq")
    for method in QUANTIZERS:
        other = built(method, size=size)
        for part in ("encoder", "decoder"):
            expected = getattr(reference, part).state_dict()
            for name, tensor in getattr(other, part).state_dict().items():
                assert torch.equal(tensor, expected[name]), (method, part, name)


def test_another_seed_starts_elsewhere_and_the_same_seed_at_the_same_place() -> None:
    first, again, other = (built(seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["encoder.0.weight"], other["encoder.0.weight"])
    assert not torch.equal(first["quantizer.centres"], other["quantizer.centres"])


def test_building_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    built()
    assert torch.equal(torch.rand(1), expected)


def test_the_decoders_gradient_reaches_the_encoder() -> None:
    for method in QUANTIZERS:
        tokenizer = built(method)
        tokenizer(torch.rand(2, 3, 16, 16)).reconstruction.square().sum().backward()
        assert tokenizer.encoder[0].weight.grad.norm() > 0, method
