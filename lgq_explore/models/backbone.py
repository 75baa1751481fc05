"""The convolutional encoder and decoder, the same for all quantizers.

A VQGAN (Esser et al. 2021, arXiv 2012.09841): residual blocks with GroupNorm, self-attention at low resolutions, and
the resolution halved between consecutive widths. By default it is a small one. Its settings reach the published
network, but for the padding of strided convolutions and the number of channels per group.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.quantizers.base import left_out_of_hash_at
from lgq_explore.quantizers.drawn_layers import conv2d

from .upsampling import UpsampledConvolution

FACTORS = (4, 8, 16)
CHANNELS_PER_GROUP = 8
WIDTH_CHANGES = ("resampling", "block")
LATENT_NORMS = ("none", "layer")
FEWEST_NORMALIZED = 3
"""Of one number a LayerNorm leaves nothing, and of two the sign of their difference."""


@dataclass(frozen=True)
class BackboneConfig:
    """Widths from the highest resolution to the lowest; each step between them halves the resolution.

    Levels of resolution are named by their factor: 1 for whole images, 2 after the first halving, f for the latents.
    """

    channels: tuple[int, ...] = (16, 32, 64)  # feature maps, multiples of 8
    blocks: int | tuple[int, ...] = 1  # residual blocks at each resolution: one number for all, or one for each
    dim: int = 8  # D, width of the latents that reach the quantizer
    # The factors at which self-attention follows each residual block; the middle has its own at any rate.
    attention: tuple[int, ...] = left_out_of_hash_at(())
    attention_heads: int = left_out_of_hash_at(1)  # divide the width wherever there is attention
    middle_blocks: int = left_out_of_hash_at(1)  # residual blocks around the attention in the middle
    extra_decoder_blocks: int = left_out_of_hash_at(0)  # at each resolution, beyond the encoder's
    width_change: str = left_out_of_hash_at("resampling")  # by the layer that resamples, or the block after it
    latent_norm: str = left_out_of_hash_at("none")  # layer: a LayerNorm of each latent over D ends the encoder

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            lengths = ", ".join(str(factor.bit_length()) for factor in FACTORS)
            raise ValueError(f"channels is {self.channels}: give {lengths} widths, for a factor of {FACTORS}")
        if any(width < CHANNELS_PER_GROUP or width % CHANNELS_PER_GROUP for width in self.channels):
            raise ValueError(f"channels is {self.channels}: each width must be a multiple of {CHANNELS_PER_GROUP}")
        if len(self.blocks_by_level) != len(self.channels) or min(self.blocks_by_level) < 1:
            raise ValueError(
                f"blocks is {self.blocks}: it must be at least 1, or {len(self.channels)} such numbers, one per width"
            )
        for name, least in (("dim", 1), ("attention_heads", 1), ("middle_blocks", 0), ("extra_decoder_blocks", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least {least}")
        factors = [2**level for level in range(len(self.channels))]
        if not set(self.attention) <= set(factors):
            raise ValueError(f"attention is {self.attention}: choose factors of {', '.join(map(str, factors))}")
        if any(
            self.channels[factors.index(factor)] % self.attention_heads for factor in (*self.attention, self.factor)
        ):
            raise ValueError(
                f"attention_heads is {self.attention_heads}: it must divide the widths that have attention"
            )
        for name, choices in (("width_change", WIDTH_CHANGES), ("latent_norm", LATENT_NORMS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if self.latent_norm != "none" and self.dim < FEWEST_NORMALIZED:
            raise ValueError(f"dim is {self.dim}: with latent_norm {self.latent_norm} give {FEWEST_NORMALIZED} or more")

    @property
    def factor(self) -> int:
        """f: pixels along the side of one latent."""
        return 2 ** (len(self.channels) - 1)

    @property
    def blocks_by_level(self) -> tuple[int, ...]:
        """The encoder's residual blocks at each resolution, from the highest to the lowest."""
        return self.blocks if isinstance(self.blocks, tuple) else (self.blocks,) * len(self.channels)

    def width_after_resampling(self, before: int, after: int) -> int:
        """The width between two levels, between the layer that resamples and the first residual block."""
        return after if self.width_change == "resampling" else before


class Encoder(nn.Sequential):
    """Images [B, 3, S, S] → latents [B, D, S/f, S/f], normalised if the config says so.

    Initial weights are drawn from `generator`, by default torch's global one.
    """

    def __init__(self, config: BackboneConfig, generator: torch.Generator | None = None) -> None:
        width = config.channels[0]
        layers: list[nn.Module] = [conv2d(3, width, 3, generator)]
        for level, (following, blocks) in enumerate(zip(config.channels, config.blocks_by_level, strict=True)):
            if level > 0:
                between = config.width_after_resampling(width, following)
                layers.append(conv2d(width, between, 3, generator, stride=2))
                width = between
            layers += _stage(config, level, width, blocks, generator)
            width = following
        after = min(config.middle_blocks, 1)
        layers += _middle(config, config.middle_blocks - after, after, generator)
        layers += _head(width, config.dim, generator)
        if config.latent_norm == "layer":
            layers.append(LatentNorm(config.dim))
        super().__init__(*layers)


class Decoder(nn.Sequential):
    """Quantized latents [B, D, S/f, S/f] → images [B, 3, S, S] in about [-1, 1]. Initialised as the encoder."""

    def __init__(self, config: BackboneConfig, generator: torch.Generator | None = None) -> None:
        width = config.channels[-1]
        layers: list[nn.Module] = [conv2d(config.dim, width, 3, generator)]
        before = min(config.middle_blocks, 1)
        layers += _middle(config, before, config.middle_blocks - before, generator)
        for level in reversed(range(len(config.channels))):
            blocks = config.blocks_by_level[level] + config.extra_decoder_blocks
            layers += _stage(config, level, width, blocks, generator)
            width = config.channels[level]
            if level > 0:
                between = config.width_after_resampling(width, config.channels[level - 1])
                # Weights are named by the places of layers. Those of older runs count one for upsampling.
                layers += [nn.Identity(), UpsampledConvolution(width, between, generator)]
                width = between
        super().__init__(*layers, *_head(width, 3, generator))


class GroupNorm(nn.GroupNorm):
    """A GroupNorm in the precision of its weights, [B, C, H, W] → the same shape.

    Under autocast, PyTorch computes it in float32 on a GPU and in the precision of its input on a CPU. There its
    backward pass in bfloat16 takes two to six times as long as a conversion and that in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype))


class LatentNorm(nn.LayerNorm):
    """A LayerNorm of each latent over D, [B, D, H, W] → the same shape, as LGQ's runs had it for every method."""

    def forward(self, latents: Tensor) -> Tensor:
        return super().forward(latents.movedim(1, -1)).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """x + two normalised convolutions of x, [B, C, H, W] → [B, C', H, W].

    Where C' is not C, a convolution of one pixel takes x to the new width.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = nn.Sequential(*_head(inputs, outputs, generator))
        self.second = nn.Sequential(*_head(outputs, outputs, generator))
        self.shortcut = nn.Identity() if inputs == outputs else conv2d(inputs, outputs, 1, generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x))


class SelfAttention(nn.Module):
    """x + attention over all positions, [B, C, H, W] → the same shape; each of the heads has C/heads channels."""

    def __init__(self, width: int, generator: torch.Generator | None = None, *, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(width)
        self.query_key_value = conv2d(width, 3 * width, 1, generator)
        self.project = conv2d(width, width, 1, generator)

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        query, key, value = rearrange(
            self.query_key_value(self.norm(x)),
            "b (three heads c) h w -> three b heads (h w) c",
            three=3,
            heads=self.heads,
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.project(rearrange(mixed, "b heads (h w) c -> b (heads c) h w", h=height))


def _stage(
    config: BackboneConfig, level: int, inputs: int, blocks: int, generator: torch.Generator | None
) -> list[nn.Module]:
    """The residual blocks of one resolution, each with its attention if there is one."""
    width = config.channels[level]
    layers: list[nn.Module] = []
    for block in range(blocks):
        layers.append(ResidualBlock(width if block else inputs, width, generator))
        if 2**level in config.attention:
            layers.append(SelfAttention(width, generator, heads=config.attention_heads))
    return layers


def _middle(config: BackboneConfig, before: int, after: int, generator: torch.Generator | None) -> list[nn.Module]:
    """Attention at the lowest resolution, with residual blocks before and after it."""
    width = config.channels[-1]
    return [
        *(ResidualBlock(width, width, generator) for _ in range(before)),
        SelfAttention(width, generator, heads=config.attention_heads),
        *(ResidualBlock(width, width, generator) for _ in range(after)),
    ]


def _norm(width: int) -> GroupNorm:
    return GroupNorm(width // CHANNELS_PER_GROUP, width)


def _head(inputs: int, outputs: int, generator: torch.Generator | None) -> list[nn.Module]:
    return [_norm(inputs), nn.SiLU(), conv2d(inputs, outputs, 3, generator)]
