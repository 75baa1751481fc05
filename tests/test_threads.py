"""Limits of threads hold in their own thread alone, and no longer than their blocks last."""

from __future__ import annotations

import threading

import torch
from threadpoolctl import threadpool_limits

from lgq_explore.threads import at_most_threads, half_of_the_threads, one_thread


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


def test_half_of_the_threads_is_at_least_one_and_no_block_gives_more_than_there_were() -> None:
    for threads, half in ((8, 4), (3, 1), (1, 1)):
        with threadpool_limits(limits=threads, user_api="openmp"):
            with half_of_the_threads():
                assert torch.get_num_threads() == half
            with at_most_threads(64):
                assert torch.get_num_threads() == threads
