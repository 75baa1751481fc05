"""Encoder and decoder by torch.compile, where the recipe asks for it."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from lgq_explore.models import Tokenizer


def compiled(tokenizer: Tokenizer, backend: str = "inductor") -> Tokenizer:
    """A tokenizer with the same weights, whose encoder and decoder torch compiles at their first call.

    The quantizer is not compiled: its kernels are written by hand. Nor is the decoder's last layer, where gradients of
    single terms are taken before those of their sum: what is compiled can be run backwards once only, since it gives
    its buffers away. The given tokenizer stays as it is, so that names of weights, and passes outside of training
    steps, do not depend on the recipe's `compile`.
    """
    *layers, last = cast(nn.Sequential, tokenizer.decoder)
    encoder, trunk = (
        cast(nn.Module, torch.compile(part, backend=backend)) for part in (tokenizer.encoder, nn.Sequential(*layers))
    )
    return Tokenizer(encoder, tokenizer.quantizer, nn.Sequential(trunk, last))


def is_of_the_compiler(error: BaseException) -> bool:
    """Whether torch.compile raised the error, such as where there is no C++ compiler."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
