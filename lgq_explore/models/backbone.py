"""The convolutional encoder and decoder, the same for all quantizers.

A small VQGAN (Esser et al. 2021, arXiv 2012.09841): residual blocks with GroupNorm, self-attention at the lowest
resolution, and the resolution halved between consecutive widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.quantizers.drawn_layers import conv2d

FACTORS = (4, 8, 16)
CHANNELS_PER_GROUP = 8


@dataclass(frozen=True)
class BackboneConfig:
    """Widths from the highest resolution to the lowest; each step between them halves the resolution."""

    channels: tuple[int, ...] = (16, 32, 64)  # feature maps, multiples of 8
    blocks: int = 1  # residual blocks at each resolution
    dim: int = 8  # D, width of the latents that reach the quantizer

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            lengths = ", ".join(str(factor.bit_length()) for factor in FACTORS)
            raise ValueError(f"channels is {self.channels}: give {lengths} widths, for a factor of {FACTORS}")
        if any(width < CHANNELS_PER_GROUP or width % CHANNELS_PER_GROUP for width in self.channels):
            raise ValueError(f"channels is {self.channels}: each width must be a multiple of {CHANNELS_PER_GROUP}")
        for name in ("blocks", "dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")

    @property
    def factor(self) -> int:
        """f: pixels along the side of one latent."""
        return 2 ** (len(self.channels) - 1)


class Encoder(nn.Sequential):
    """Images [B, 3, S, S] → latents [B, D, S/f, S/f], not normalised.

    Initial weights are drawn from `generator`, by default torch's global one.
    """

    def __init__(self, config: BackboneConfig, generator: torch.Generator | None = None) -> None:
        widths = config.channels
        layers: list[nn.Module] = [conv2d(3, widths[0], 3, generator)]
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(conv2d(widths[level - 1], width, 3, generator, stride=2))
            layers += [ResidualBlock(width, generator) for _ in range(config.blocks)]
        layers += [SelfAttention(widths[-1], generator), ResidualBlock(widths[-1], generator)]
        layers += _head(widths[-1], config.dim, generator)
        super().__init__(*layers)


class Decoder(nn.Sequential):
    """Quantized latents [B, D, S/f, S/f] → images [B, 3, S, S] in about [-1, 1]. Initialised as the encoder."""

    def __init__(self, config: BackboneConfig, generator: torch.Generator | None = None) -> None:
        widths = config.channels
        layers: list[nn.Module] = [
            conv2d(config.dim, widths[-1], 3, generator),
            ResidualBlock(widths[-1], generator),
            SelfAttention(widths[-1], generator),
        ]
        for level in reversed(range(len(widths))):
            layers += [ResidualBlock(widths[level], generator) for _ in range(config.blocks)]
            if level > 0:
                layers += [nn.Upsample(scale_factor=2), conv2d(widths[level], widths[level - 1], 3, generator)]
        super().__init__(*layers, *_head(widths[0], 3, generator))


class ResidualBlock(nn.Module):
    """x + two normalised convolutions of x, [B, C, H, W] → the same shape."""

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = nn.Sequential(*_head(width, width, generator))
        self.second = nn.Sequential(*_head(width, width, generator))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class SelfAttention(nn.Module):
    """x + one head of attention over all positions, [B, C, H, W] → the same shape."""

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.query_key_value = conv2d(width, 3 * width, 1, generator)
        self.project = conv2d(width, width, 1, generator)

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        query, key, value = rearrange(
            self.query_key_value(self.norm(x)), "b (three c) h w -> three b 1 (h w) c", three=3
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.project(rearrange(mixed, "b 1 (h w) c -> b c h w", h=height))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(width // CHANNELS_PER_GROUP, width)


def _head(inputs: int, outputs: int, generator: torch.Generator | None) -> list[nn.Module]:
    return [_norm(inputs), nn.SiLU(), conv2d(inputs, outputs, 3, generator)]
