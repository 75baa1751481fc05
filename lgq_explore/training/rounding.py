"""Training repeated with other rounding, to show the floor of comparisons."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import torch

from lgq_explore.models import Tokenizer

ROUNDING_CHANGE = 1e-6
"""Relative change of the encoder's initial weights by one rounding replicate: eight times float32's resolution."""


def processor_name() -> str:
    """The CPU's model and the widest vector instructions that PyTorch uses on it, such as "AMD EPYC (AVX512)"."""
    return f"{_model()} ({torch.backends.cpu.get_cpu_capability()})"


@torch.no_grad()
def round_otherwise(tokenizer: Tokenizer, replicate: int) -> None:
    """Let every later step round otherwise: the encoder's weights change by some units in their last places."""
    for weight in tokenizer.encoder.parameters() if replicate else ():
        weight.mul_(1 + replicate * ROUNDING_CHANGE)


def _model() -> str:
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # only Linux has it
        model = None
    return model[1] if model else platform.processor() or platform.machine()
