"""A check that a block of code leaves the state that all threads of a process share as it found it."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import numpy as np
import torch

# These add filters of warnings, and Fabric variables of the environment, as they are imported, which is when they are
# first needed. The first two are not there where only training is.
for _module in ("plotly.graph_objs._deprecations", "plotly.tools", "torchmetrics.image.fid", "lightning_fabric"):
    with suppress(ModuleNotFoundError):
        import_module(_module)


@contextmanager
def process_untouched() -> Iterator[None]:
    """Fail where the block left another state of the process than it found, or drew from a global generator."""
    before = _state()
    yield
    after = _state()
    for name, value in before.items():
        assert after[name] == value, f"{name} changed"


def _state() -> dict[str, Any]:
    numpys = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one is what is asked about
    return {
        "torch's global generator": torch.get_rng_state().tolist(),
        "numpy's global generator": {name: np.asarray(value).tolist() for name, value in numpys["state"].items()},
        "Python's global generator": random.getstate(),
        "the environment": dict(os.environ),
        "the filters of warnings": list(warnings.filters),
        "a standard stream": (sys.stdin, sys.stdout, sys.stderr),
        "a signal's handler": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "the working directory": os.getcwd(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default type": torch.get_default_dtype(),
        "a kernel of attention": (
            torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.math_sdp_enabled(),
            torch.backends.cuda.mem_efficient_sdp_enabled(),
        ),
    }
