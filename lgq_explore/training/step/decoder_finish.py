"""The last steps of a recipe with a `decoder_finish`, which train the decoder alone."""

from __future__ import annotations

from lgq_explore.models import Tokenizer


def train_decoder_alone(tokenizer: Tokenizer) -> None:
    """Put the encoder and the quantizer into eval mode, without gradients, from here on.

    So nothing moves them: no optimiser, no moving average, no restart. A quantizer in eval mode gives the decoder
    exactly `lookup` of its codes.
    """
    for part in (tokenizer.encoder, tokenizer.quantizer):
        part.requires_grad_(False).eval()
