"""Does a block of one thread hold in its own thread alone, and no longer than it lasts?"""

from __future__ import annotations

import threading

import torch
from threadpoolctl import threadpool_limits

from lgq_explore.threads import one_thread


def threads_elsewhere() -> int:
    """The number of threads that torch would use in another thread."""
    found: list[int] = []

    def look() -> None:
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def test_the_limit_holds_in_the_thread_that_asked_and_while_the_block_runs() -> None:
    elsewhere = threads_elsewhere()
    with threadpool_limits(limits=2, user_api="openmp"):  # as a machine with two cores has
        assert torch.get_num_threads() == 2
        with one_thread():
            assert torch.get_num_threads() == 1
            assert threads_elsewhere() == elsewhere
        assert torch.get_num_threads() == 2
        assert threads_elsewhere() == elsewhere
