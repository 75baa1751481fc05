"""Encoder, decoder, and the tokenizer that combines them with a quantizer."""

from __future__ import annotations

from .backbone import BackboneConfig, Decoder, Encoder
from .tokenizer import Tokenizer, TokenizerOutput, build_tokenizer

__all__ = ["BackboneConfig", "Decoder", "Encoder", "Tokenizer", "TokenizerOutput", "build_tokenizer"]
