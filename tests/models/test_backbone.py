"""Tests of the encoder and the decoder."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.models import BackboneConfig, Decoder, Encoder
from lgq_explore.models.backbone import SelfAttention

NARROW = {4: (8, 16, 8), 8: (8, 8, 8, 16), 16: (8, 8, 8, 8, 8)}


@pytest.mark.parametrize("factor", NARROW)
@pytest.mark.parametrize(("blocks", "dim"), [(1, 3), (2, 8)])
def test_shapes(factor: int, blocks: int, dim: int) -> None:
    config = BackboneConfig(NARROW[factor], blocks, dim)
    assert config.factor == factor
    images = torch.randn(2, 3, 32, 32)
    latents = Encoder(config)(images)
    assert latents.shape == (2, dim, 32 // factor, 32 // factor)
    assert Decoder(config)(latents).shape == images.shape


def test_images_need_not_be_square() -> None:
    config = BackboneConfig(NARROW[4], dim=4)
    latents = Encoder(config)(torch.randn(1, 3, 16, 24))
    assert latents.shape == (1, 4, 4, 6)
    assert Decoder(config)(latents).shape == (1, 3, 16, 24)


@pytest.mark.parametrize("blocks", [1, 3])
def test_attention_stands_at_the_lowest_resolution_only(blocks: int) -> None:
    config = BackboneConfig((8, 16, 24), blocks)
    for part in (Encoder(config), Decoder(config)):
        (attention,) = (module for module in part.modules() if isinstance(module, SelfAttention))
        assert attention.project.out_channels == 24
        sizes = []
        attention.register_forward_hook(lambda module, inputs, output, sizes=sizes: sizes.append(output.shape[-2:]))
        part(torch.randn((1, 3, 32, 32) if isinstance(part, Encoder) else (1, 8, 8, 8)))
        assert sizes == [(8, 8)]


def test_attention_is_its_formula_over_all_positions() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(8), torch.randn(2, 8, 3, 5)
    query, key, value = (
        attention.query_key_value(attention.norm(x)).flatten(2).split(8, dim=1)
    )  # each [B, C, positions]
    shares = (query.mT @ key / 8**0.5).softmax(-1)
    mixed = (value @ shares.mT).unflatten(2, (3, 5))
    torch.testing.assert_close(attention(x), x + attention.project(mixed))


def test_every_parameter_has_a_gradient() -> None:
    config = BackboneConfig((8, 8, 16), blocks=2)
    encoder, decoder = Encoder(config), Decoder(config)
    decoder(encoder(torch.randn(2, 3, 16, 16))).square().sum().backward()
    for part in (encoder, decoder):
        assert all(weight.grad is not None and weight.grad.norm() > 0 for weight in part.parameters())


def test_latents_are_not_normalised() -> None:
    """A brighter picture may have larger latents: no norm stands between the last convolution and the quantizer."""
    encoder = Encoder(BackboneConfig((8, 8, 8)))
    assert isinstance(encoder[-1], torch.nn.Conv2d)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"channels": ()}, r"channels is \(\)"),
        ({"channels": (8, 8)}, r"channels is \(8, 8\).*3, 4, 5 widths"),
        ({"channels": (8,) * 6}, "widths"),
        ({"channels": (8, 12, 16)}, r"channels is \(8, 12, 16\).*multiple of 8"),
        ({"channels": (0, 8, 8)}, r"channels is \(0, 8, 8\).*multiple of 8"),
        ({"channels": (-8, 8, 8)}, r"channels is \(-8, 8, 8\).*multiple of 8"),
        ({"blocks": 0}, "blocks is 0"),
        ({"dim": 0}, "dim is 0"),
    ],
)
def test_settings_that_make_no_backbone_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BackboneConfig(**settings)
