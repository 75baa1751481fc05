"""The number of threads that a piece of work uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def at_most_threads(most: int) -> Iterator[None]:
    """Let torch and scikit-learn compute in at most so many threads while the block runs, the calling one included.

    Only OpenMP's limit is set, which each thread has for itself; other threads keep theirs.
    """
    with _libraries(len(sys.modules)).limit(limits=min(most, torch.get_num_threads()), user_api="openmp"):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and scikit-learn compute in the calling thread alone while the block runs.

    For work on arrays so small that a second thread saves nothing. Where other programs keep the cores busy, it costs:
    each operation then waits until both threads had their turn.
    """
    with at_most_threads(1):
        yield


@contextmanager
def half_of_the_threads() -> Iterator[None]:
    """Leave half of the cores to other programs while the block runs, such as the browser that shows a panel."""
    with at_most_threads(max(1, torch.get_num_threads() // 2)):
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """The libraries with threads, as of so many imported modules. To look for them takes longer than many a redraw."""
    return ThreadpoolController()
