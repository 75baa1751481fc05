"""Tests of interrupts of the main thread during training."""

from __future__ import annotations

import _thread
import threading

import pytest

from lgq_explore.training.controls import Controls
from lgq_explore.training.interrupts import stopped_by_interrupts

pytestmark = pytest.mark.timeout(60)


def steps_until_stopped(controls: Controls, begun: threading.Event) -> list[str]:
    done = []
    while not controls.stop_asked_for:
        begun.set()
        done.append("step")
    return [*done, "saved"]


def interrupt_once_set(begun: threading.Event) -> threading.Thread:
    def wait_and_interrupt() -> None:
        begun.wait()
        _thread.interrupt_main()

    thread = threading.Thread(target=wait_and_interrupt)
    thread.start()
    return thread


def test_the_first_interrupt_asks_for_a_stop_and_the_work_ends_as_it_should() -> None:
    controls, begun = Controls(), threading.Event()
    interrupter = interrupt_once_set(begun)
    done = stopped_by_interrupts(lambda: steps_until_stopped(controls, begun), controls)
    interrupter.join()
    assert set(done[:-1]) == {"step"}
    assert done[-1] == "saved"


def test_the_second_interrupt_ends_the_work_before_it_returns() -> None:
    controls, ended = Controls(), threading.Event()
    begun, heard = threading.Event(), threading.Event()

    def deaf() -> None:
        try:
            begun.set()
            while True:
                if controls.stop_asked_for:
                    heard.set()
        finally:
            ended.set()

    interrupters = [interrupt_once_set(event) for event in (begun, heard)]
    with pytest.raises(KeyboardInterrupt):
        stopped_by_interrupts(deaf, controls)
    for interrupter in interrupters:
        interrupter.join()
    assert ended.is_set()


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("in step 3")

    def interrupt_itself() -> None:
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="in step 3"):
        stopped_by_interrupts(fail, Controls())
    with pytest.raises(KeyboardInterrupt):
        stopped_by_interrupts(interrupt_itself, Controls())


def test_the_main_thread_never_works_itself_and_another_one_always() -> None:
    assert stopped_by_interrupts(threading.current_thread, Controls()) is not threading.main_thread()
    workers: list[threading.Thread] = []
    other = threading.Thread(target=lambda: workers.append(stopped_by_interrupts(threading.current_thread, Controls())))
    other.start()
    other.join()
    assert workers == [other]
