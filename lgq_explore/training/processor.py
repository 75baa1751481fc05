"""On which processor, and by how many threads of it, are numbers rounded?"""

from __future__ import annotations

import platform
import re
from pathlib import Path

import torch


def processor_name() -> str:
    """The CPU's model and the widest vector instructions that PyTorch uses on it, such as "AMD EPYC (AVX512)"."""
    return f"{_model()} ({torch.backends.cpu.get_cpu_capability()})"


def _model() -> str:
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # only Linux has it
        model = None
    return model[1] if model else platform.processor() or platform.machine()
