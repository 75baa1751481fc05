"""Tests of batches made ahead of the step by a worker thread."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from lgq_explore.images.batches_ahead import AHEAD, BatchesAhead
from tests.images.planted import NoiseSource

ROWS = range(4)


class Watched(NoiseSource):
    """Says which steps were begun, and waits before some of them until it is let go."""

    def __init__(self, held: Sequence[int] = ()) -> None:
        super().__init__(8, seed=0)
        self.held = set(held)
        self.begun: list[int] = []
        self.waiting, self.let_go = threading.Event(), threading.Event()
        self.threads: set[int] = set()

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        self.begun.append(step)
        self.threads.add(threading.get_ident())
        if step in self.held:
            self.waiting.set()
            assert self.let_go.wait(60)
        return super().batch(step, rows)


def batch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lgq batches"]


def test_batches_are_those_of_the_source_in_the_order_of_their_steps() -> None:
    source = Watched()
    with BatchesAhead(source, range(3, 9), ROWS) as batches:
        taken = [batches.take() for _ in range(3, 9)]
    assert [batch.step for batch in taken] == list(range(3, 9))
    for batch in taken:
        assert torch.equal(batch.images, NoiseSource(8, seed=0).batch(batch.step, ROWS))
    assert [batch.state["batches"] for batch in taken] == [1, 2, 3, 4, 5, 6]
    assert threading.get_ident() not in source.threads


def test_images_are_pinned_by_the_worker_thread_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def pinned(images: Tensor) -> Tensor:
        threads.append(threading.get_ident())
        return images.clone()

    monkeypatch.setattr(Tensor, "pin_memory", pinned)
    source = Watched()
    for pin, count in ((False, 0), (True, 3)):
        with BatchesAhead(source, range(3), ROWS, pin=pin) as batches:
            taken = [batches.take().images for _ in range(3)]
        assert all(torch.equal(images, NoiseSource(8, seed=0).batch(step, ROWS)) for step, images in enumerate(taken))
        assert len(threads) == count
    assert set(threads) <= source.threads


@pytest.mark.gpu
def test_pinned_images_are_in_page_locked_memory() -> None:
    with BatchesAhead(Watched(), range(2), ROWS, pin=True) as batches:
        assert batches.take().images.is_pinned()
    with BatchesAhead(Watched(), range(2), ROWS) as batches:
        assert not batches.take().images.is_pinned()


def test_no_more_are_made_than_may_wait() -> None:
    asked_for: list[int] = []

    class Counted(Watched):
        def batch(self, step: int, rows: Sequence[int]) -> Tensor:
            assert step < len(asked_for) + AHEAD
            return super().batch(step, rows)

    source = Counted()
    with BatchesAhead(source, range(200), ROWS) as batches:
        for step in range(150):
            asked_for.append(step)
            assert batches.take().step == step
    assert len(source.begun) <= 150 + AHEAD


def test_the_thread_has_ended_after_the_block_however_it_ends() -> None:
    source = Watched()
    with pytest.raises(KeyboardInterrupt), BatchesAhead(source, range(100), ROWS) as batches:  # noqa: PT012
        batches.take()
        raise KeyboardInterrupt
    assert not batch_threads()
    begun = len(source.begun)
    assert begun <= 1 + AHEAD
    with BatchesAhead(Watched(), range(0), ROWS):
        pass
    assert not batch_threads()


def test_what_the_source_raises_is_raised_where_the_batch_is_wanted() -> None:
    class Broken(Watched):
        def batch(self, step: int, rows: Sequence[int]) -> Tensor:
            if step == 1:
                raise OSError("the disk is gone")
            return super().batch(step, rows)

    with BatchesAhead(Broken(), range(100), ROWS) as batches:
        assert batches.take().step == 0
        with pytest.raises(OSError, match="the disk is gone"):
            batches.take()
    assert not batch_threads()


def test_taking_more_than_there_are_is_an_error_and_no_endless_wait() -> None:
    with BatchesAhead(Watched(), range(1), ROWS) as batches:
        batches.take()
        with pytest.raises(LookupError, match=r"range\(0, 1\)"):
            batches.take()


def test_an_interrupt_reaches_who_waits_for_a_slow_batch() -> None:
    """As a second Ctrl-C does: raised by another thread in the one that trains."""
    source, takes, caught = Watched(held=[0]), threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with BatchesAhead(source, range(2), ROWS) as batches:
            try:
                takes.set()
                batches.take()
            except KeyboardInterrupt:
                caught.set()
                source.let_go.set()

    trainer = threading.Thread(target=wait_for_it)
    trainer.start()
    assert takes.wait(60)
    assert source.waiting.wait(60)
    assert trainer.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(trainer.ident), ctypes.py_object(KeyboardInterrupt))
    assert caught.wait(60)
    trainer.join(60)
    assert not trainer.is_alive()
    assert not batch_threads()
