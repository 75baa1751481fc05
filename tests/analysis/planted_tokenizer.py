"""Which tokenizer can be followed by hand? One whose codes are colours that its decoder paints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import (
    QUANTIZERS,
    Quantizer,
    QuantizerConfig,
    StartsFromData,
    VQConfig,
    methods_with_codes,
)
from lgq_explore.runs.encoding import encode_pictures
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study

SIDE, GRID = 16, 4
FACTOR = SIDE // GRID


class Painter(nn.Module):
    """[B, D, H, W] → [B, 3, S, S]: the first three dimensions are the colour of a square."""

    def forward(self, quantized: Tensor) -> Tensor:
        return nn.functional.interpolate(quantized[:, :3], scale_factor=FACTOR)


def colour_tokenizer(colours: list[list[float]]) -> Tokenizer:
    """VQ whose codes are these colours, each [3] in [-1, 1]; a latent is the mean colour of its square."""
    quantizer = replace(VQConfig(), codebook_size=len(colours)).build(3)
    quantizer.codebook.copy_(torch.tensor(colours))
    # A module with a parameter, so that the tokenizer has a device.
    encoder = nn.Conv2d(3, 3, FACTOR, stride=FACTOR, bias=False)
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(3)[:, :, None, None].expand(-1, -1, FACTOR, FACTOR) / FACTOR**2)
    return Tokenizer(encoder, quantizer, Painter()).eval()


def methods_with_geometry() -> list[str]:
    """The names in QUANTIZERS of methods with codes, in which the distance of a token to its code has a meaning."""
    return [name for name in methods_with_codes() if not QUANTIZERS[name].for_codebook_size(16).build(4).no_geometry]


def method_tokenizer(method: str, size: int = 64, dim: int = 4) -> Tokenizer:
    """Any method between an encoder of one convolution and the painter, its codebook taken from noise."""
    return config_tokenizer(QUANTIZERS[method].for_codebook_size(size), dim)


def config_tokenizer(config: QuantizerConfig, dim: int = 4) -> Tokenizer:
    """As `method_tokenizer`, of a method that need not be registered."""
    size = config.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        quantizer: Quantizer = config.build(dim)
        noise = torch.randn(max(256, 2 * size), dim)
        if isinstance(quantizer, StartsFromData):
            quantizer.initialize(noise)
        encoder = nn.Conv2d(3, dim, FACTOR, stride=FACTOR)
    return Tokenizer(encoder, quantizer, Painter()).eval()


def study_of(tokenizer: Tokenizer, images: np.ndarray) -> Study:
    """The tokenizer with its encoding of pictures uint8 [N, 3, S, S], each its own photograph."""
    trained = TrainedTokenizer.of(tokenizer)
    return Study(trained, encode_pictures(trained, images))


def noise_pictures(count: int, seed: int = 0) -> np.ndarray:
    """Squares of one colour each, at random: what the painter can paint."""
    squares = np.random.default_rng(seed).integers(0, 256, (count, 3, GRID, GRID), dtype=np.uint8)
    return squares.repeat(FACTOR, axis=2).repeat(FACTOR, axis=3)
