"""The number of threads that a piece of work uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and scikit-learn compute in the calling thread alone while the block runs.

    For work on arrays so small that a second thread saves nothing. Where other programs keep the cores busy, it costs:
    each operation then waits until both threads had their turn.

    Only OpenMP's limit is set, which each thread has for itself; other threads keep theirs.
    """
    with threadpool_limits(limits=1, user_api="openmp"):
        yield
