"""Which convolutional encoder and decoder stand around the quantizer, the same for all methods?

A small VQGAN (Esser et al. 2021, arXiv 2012.09841): residual blocks with GroupNorm, self-attention at the lowest
resolution, one halving of the resolution between neighbouring widths.
"""

from __future__ import annotations

from dataclasses import dataclass

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

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
    """Images [B, 3, S, S] → latents [B, D, S/f, S/f], not normalised."""

    def __init__(self, config: BackboneConfig) -> None:
        widths = config.channels
        layers: list[nn.Module] = [_conv(3, widths[0])]
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(nn.Conv2d(widths[level - 1], width, 3, stride=2, padding=1))
            layers += [ResidualBlock(width) for _ in range(config.blocks)]
        layers += [SelfAttention(widths[-1]), ResidualBlock(widths[-1]), *_head(widths[-1], config.dim)]
        super().__init__(*layers)


class Decoder(nn.Sequential):
    """Quantized latents [B, D, S/f, S/f] → images [B, 3, S, S] in about [-1, 1]."""

    def __init__(self, config: BackboneConfig) -> None:
        widths = config.channels
        layers: list[nn.Module] = [
            _conv(config.dim, widths[-1]),
            ResidualBlock(widths[-1]),
            SelfAttention(widths[-1]),
        ]
        for level in reversed(range(len(widths))):
            layers += [ResidualBlock(widths[level]) for _ in range(config.blocks)]
            if level > 0:
                layers += [nn.Upsample(scale_factor=2), _conv(widths[level], widths[level - 1])]
        super().__init__(*layers, *_head(widths[0], 3))


class ResidualBlock(nn.Module):
    """x + two normalised convolutions of x, [B, C, H, W] → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_head(width, width))
        self.second = nn.Sequential(*_head(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class SelfAttention(nn.Module):
    """x + one head of attention over all positions, [B, C, H, W] → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.query_key_value = nn.Conv2d(width, 3 * width, 1)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        query, key, value = rearrange(
            self.query_key_value(self.norm(x)), "b (three c) h w -> three b 1 (h w) c", three=3
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.project(rearrange(mixed, "b 1 (h w) c -> b c h w", h=height))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(width // CHANNELS_PER_GROUP, width)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _head(inputs: int, outputs: int) -> list[nn.Module]:
    return [_norm(inputs), nn.SiLU(), _conv(inputs, outputs)]
