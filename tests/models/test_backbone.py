"""Tests of the encoder and the decoder."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.models import BackboneConfig, Decoder, Encoder
from lgq_explore.models.backbone import GroupNorm, ResidualBlock, SelfAttention
from lgq_explore.quantizers.drawn_layers import conv2d

NARROW = {4: (8, 16, 8), 8: (8, 8, 8, 16), 16: (8, 8, 8, 8, 8)}
# Of Esser et al. (2021) for a factor of 16, without the convolutions of one pixel around the quantizer.
VQGAN = BackboneConfig(
    (128, 128, 256, 256, 512),
    blocks=2,
    dim=256,
    attention=(16,),
    middle_blocks=2,
    extra_decoder_blocks=1,
    width_change="block",
)


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


@pytest.mark.parametrize("attention", [(2,), (1, 4), (8,)])
def test_attention_follows_each_block_of_the_factors_that_are_named(attention: tuple[int, ...]) -> None:
    config = BackboneConfig((8, 16, 24, 32), blocks=2, attention=attention, extra_decoder_blocks=1)
    for part, blocks in ((Encoder(config), 2), (Decoder(config), 3)):
        sizes: list[int] = []
        for module in part.modules():
            if isinstance(module, SelfAttention):
                module.register_forward_hook(lambda module, inputs, output, sizes=sizes: sizes.append(output.shape[-1]))
        part(torch.randn((1, 3, 16, 16) if isinstance(part, Encoder) else (1, 8, 2, 2)))
        assert sorted(sizes) == sorted([2] + blocks * [16 // factor for factor in attention])


def test_latents_are_normalised_at_the_end_of_the_encoder_where_the_config_says_so() -> None:
    plain, normalised = BackboneConfig((8, 8, 8), dim=5), BackboneConfig((8, 8, 8), dim=5, latent_norm="layer")
    raw, latents = (
        Encoder(config, torch.Generator().manual_seed(0))(torch.ones(2, 3, 16, 24)) for config in (plain, normalised)
    )
    expected = torch.nn.functional.layer_norm(raw.movedim(1, -1), (5,)).movedim(-1, 1)
    torch.testing.assert_close(latents, expected)
    torch.testing.assert_close(latents.mean(dim=1), torch.zeros(2, 4, 6), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="dim is 2: with latent_norm layer give 3 or more"):
        BackboneConfig((8, 8, 8), dim=2, latent_norm="layer")
    with pytest.raises(ValueError, match="latent_norm is 'batch': choose one of none, layer"):
        BackboneConfig((8, 8, 8), latent_norm="batch")


def test_blocks_are_counted_by_level() -> None:
    config = BackboneConfig((8, 16, 24), blocks=(1, 3, 2), middle_blocks=3, extra_decoder_blocks=2)
    for part, expected in ((Encoder(config), {8: 1, 16: 3, 24: 2 + 3}), (Decoder(config), {8: 3, 16: 5, 24: 4 + 3})):
        widths = [block.second[2].out_channels for block in part if isinstance(block, ResidualBlock)]
        assert {width: widths.count(width) for width in config.channels} == expected
    same = BackboneConfig((8, 16, 24), blocks=(2, 2, 2)), BackboneConfig((8, 16, 24), blocks=2)
    assert_equal_weights(*(Encoder(each, torch.Generator().manual_seed(0)) for each in same))


@pytest.mark.parametrize("middle_blocks", [0, 1, 2, 3])
def test_the_middle_of_the_decoder_mirrors_that_of_the_encoder(middle_blocks: int) -> None:
    config = BackboneConfig((8, 8, 8), middle_blocks=middle_blocks)
    kinds = [
        [type(layer) for layer in part if isinstance(layer, ResidualBlock | SelfAttention)]
        for part in (Encoder(config), Decoder(config))
    ]
    assert kinds[0] == kinds[1][::-1]
    middle = kinds[0][3:]
    assert middle == [ResidualBlock] * max(middle_blocks - 1, 0) + [SelfAttention] + [ResidualBlock] * (
        middle_blocks > 0
    )


def test_the_default_layout_is_spelled_out() -> None:
    """Order and draws of the layers, which the weights of every older run depend on."""
    draw = torch.Generator().manual_seed(3)
    config = BackboneConfig((8, 16, 24), blocks=1, dim=5)
    encoder = torch.nn.Sequential(
        conv2d(3, 8, 3, draw),
        ResidualBlock(8, 8, draw),
        conv2d(8, 16, 3, draw, stride=2),
        ResidualBlock(16, 16, draw),
        conv2d(16, 24, 3, draw, stride=2),
        ResidualBlock(24, 24, draw),
        SelfAttention(24, draw),
        ResidualBlock(24, 24, draw),
        torch.nn.GroupNorm(3, 24),
        torch.nn.SiLU(),
        conv2d(24, 5, 3, draw),
    )
    decoder = torch.nn.Sequential(
        conv2d(5, 24, 3, draw),
        ResidualBlock(24, 24, draw),
        SelfAttention(24, draw),
        ResidualBlock(24, 24, draw),
        torch.nn.Upsample(scale_factor=2),
        conv2d(24, 16, 3, draw),
        ResidualBlock(16, 16, draw),
        torch.nn.Upsample(scale_factor=2),
        conv2d(16, 8, 3, draw),
        ResidualBlock(8, 8, draw),
        torch.nn.GroupNorm(1, 8),
        torch.nn.SiLU(),
        conv2d(8, 3, 3, draw),
    )
    drawn_again = torch.Generator().manual_seed(3)
    assert_equal_weights(Encoder(config, drawn_again), encoder)
    assert_equal_weights(Decoder(config, drawn_again), decoder)


def assert_equal_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    weights, others = one.state_dict(), other.state_dict()
    assert list(weights) == list(others)
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_published_network_has_its_parameters() -> None:
    """Counted by its formula; with a codebook of 16,384 × 8 it is what LlamaGen (2406.06525) states for its VQ-16."""

    def convolution(inputs: int, outputs: int, side: int) -> int:
        return inputs * outputs * side**2 + outputs

    def block(inputs: int, outputs: int) -> int:
        shortcut = convolution(inputs, outputs, 1) if inputs != outputs else 0
        norms = 2 * inputs + 2 * outputs
        return norms + convolution(inputs, outputs, 3) + convolution(outputs, outputs, 3) + shortcut

    def attention(width: int) -> int:
        return 2 * width + 4 * convolution(width, width, 1)

    middle = block(512, 512) + attention(512) + block(512, 512)
    encoder = (
        convolution(3, 128, 3)
        + 4 * block(128, 128)
        + (block(128, 256) + 3 * block(256, 256))
        + (block(256, 512) + block(512, 512) + 2 * attention(512))
        + 2 * convolution(128, 128, 3)
        + 2 * convolution(256, 256, 3)
        + middle
        + (2 * 512 + convolution(512, 256, 3))
    )
    decoder = (
        convolution(256, 512, 3)
        + middle
        + (3 * block(512, 512) + 3 * attention(512))
        + (block(512, 256) + 5 * block(256, 256))
        + (block(256, 128) + 5 * block(128, 128))
        + (convolution(512, 512, 3) + 2 * convolution(256, 256, 3) + convolution(128, 128, 3))
        + (2 * 128 + convolution(128, 3, 3))
    )
    counted = [sum(weight.numel() for weight in part.parameters()) for part in (Encoder(VQGAN), Decoder(VQGAN))]
    assert counted == [encoder, decoder]
    around_the_quantizer = convolution(256, 8, 1) + convolution(8, 256, 1)
    assert encoder + decoder + around_the_quantizer + 16384 * 8 == 71_883_403


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_its_formula_over_all_positions(heads: int) -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(8, heads=heads), torch.randn(2, 8, 3, 5)
    query, key, value = (
        attention.query_key_value(attention.norm(x)).flatten(2).unflatten(1, (3, heads, 8 // heads)).unbind(1)
    )  # each [B, heads, C/heads, positions]
    shares = (query.mT @ key / (8 / heads) ** 0.5).softmax(-1)
    mixed = (value @ shares.mT).flatten(1, 2).unflatten(2, (3, 5))
    torch.testing.assert_close(attention(x), x + attention.project(mixed))


def test_every_parameter_has_a_gradient() -> None:
    config = BackboneConfig(
        (8, 8, 16), blocks=2, attention=(2, 4), middle_blocks=2, extra_decoder_blocks=1, width_change="block"
    )
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
        ({"blocks": (1, 2)}, r"blocks is \(1, 2\).*3 such numbers"),
        ({"blocks": (1, 0, 2)}, r"blocks is \(1, 0, 2\): it must be at least 1"),
        ({"attention": (4, 8)}, r"attention is \(4, 8\): choose factors of 1, 2, 4"),
        ({"attention_heads": 3}, "attention_heads is 3: it must divide"),
        ({"attention_heads": 0}, "attention_heads is 0"),
        ({"middle_blocks": -1}, "middle_blocks is -1: it must be at least 0"),
        ({"extra_decoder_blocks": -1}, "extra_decoder_blocks is -1"),
        ({"width_change": "nowhere"}, "width_change is 'nowhere': choose one of resampling, block"),
        ({"dim": 0}, "dim is 0"),
    ],
)
def test_settings_that_make_no_backbone_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BackboneConfig(**settings)


def test_under_autocast_a_group_norm_has_the_statistics_of_float32() -> None:
    """In bfloat16, whose sums of thousands of numbers are off by percents, means and variances would be its own."""
    norm = GroupNorm(2, 16)
    images = (3.0 + torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        normed = norm(images)
    assert normed.dtype == torch.float32
    torch.testing.assert_close(normed, torch.nn.functional.group_norm(images.float(), 2))
