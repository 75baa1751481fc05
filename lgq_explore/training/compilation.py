"""Encoder and decoder by torch.compile, where the recipe asks for it."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from lgq_explore.models import Tokenizer


def compiled(tokenizer: Tokenizer, backend: str = "inductor") -> Tokenizer:
    """A tokenizer with the same weights, whose encoder and decoder torch compiles at their first call.

    The quantizer is not compiled: its kernels are written by hand. The given tokenizer stays as it is, so that names of
    weights, and passes outside of training steps, do not depend on the recipe's `compile`.
    """
    encoder, decoder = (
        cast(nn.Module, torch.compile(part, backend=backend)) for part in (tokenizer.encoder, tokenizer.decoder)
    )
    return Tokenizer(encoder, tokenizer.quantizer, decoder)


def is_of_the_compiler(error: BaseException) -> bool:
    """Whether torch.compile raised the error, such as where there is no C++ compiler."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
