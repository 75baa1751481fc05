"""A tokenizer of encoder, quantizer and decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lgq_explore.quantizers import Quantizer, QuantizerConfig, QuantizerOutput

from .backbone import BackboneConfig, Decoder, Encoder


# Not frozen: Lightning Fabric casts the fields of what a wrapped module returns.
@dataclass
class TokenizerOutput:
    """reconstruction: [B, 3, S, S] in about [-1, 1]. latents: [B, D, H, W], raw. coded: the quantizer's output."""

    reconstruction: Tensor
    latents: Tensor
    coded: QuantizerOutput


class Tokenizer(nn.Module):
    """Images [B, 3, S, S] in [-1, 1] → codes → images, with three independent parts."""

    def __init__(self, encoder: nn.Module, quantizer: Quantizer, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder

    def forward(self, images: Tensor) -> TokenizerOutput:
        latents = self.encode(images)
        # Under autocast, only the encoder and the decoder compute in its precision: codes and losses would suffer.
        latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
        with torch.autocast(latents.device.type, enabled=False):
            coded = self.quantizer(latents)
        return TokenizerOutput(self.decode(coded.quantized), latents, coded)

    def encode(self, images: Tensor) -> Tensor:
        """Images [B, 3, S, S] → raw latents [B, D, H, W]."""
        return self.encoder(images)

    def decode(self, quantized: Tensor) -> Tensor:
        """Vectors [B, D, H, W], as the quantizer gives them → images [B, 3, S, S]."""
        return self.decoder(quantized)


def build_tokenizer(backbone: BackboneConfig, quantizer: QuantizerConfig, seed: int) -> Tokenizer:
    """A new tokenizer; for one seed, encoder and decoder have the same initial weights with every quantizer."""
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = Encoder(backbone, generator), Decoder(backbone, generator)
    built = quantizer.build(backbone.dim, generator)
    return Tokenizer(encoder, built, decoder).to(memory_format=torch.channels_last)
