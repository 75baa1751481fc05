"""Tests of measurements in a fresh process."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from lgq_explore.bench import fresh_process
from lgq_explore.bench.fresh_process import ProcessFailed, cost_of, in_fresh_process

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its memory")
MEGABYTES = 64


def hold() -> None:
    torch.ones(MEGABYTES * 250_000)  # float32


def nothing() -> None:
    pass


def test_seconds_are_the_median_of_the_steps_without_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0
    takes: Iterator[float] = iter((100.0, 5.0, 1.0, 3.0))

    def work() -> None:
        nonlocal passed
        passed += next(takes)

    monkeypatch.setattr(time, "process_time", lambda: passed)
    assert cost_of(work, steps=3, warm_up=work).seconds == 3.0


@on_linux
@pytest.mark.parametrize(("step", "warm_up"), [(hold, nothing), (nothing, hold)])
def test_memory_is_the_peak_of_any_step_above_what_was_there_before(step, warm_up) -> None:
    kept = torch.ones(MEGABYTES * 250_000)
    larger = torch.ones(3 * MEGABYTES * 250_000)
    del larger  # a higher peak, but before
    megabytes = cost_of(step, steps=2, warm_up=warm_up).megabytes
    assert megabytes == pytest.approx(MEGABYTES, abs=8)
    assert len(kept)


def test_where_the_system_does_not_tell_memory_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(fresh_process, "PROCESS", tmp_path / "no-such-folder")
    assert cost_of(hold, steps=1, warm_up=nothing).megabytes is None


@pytest.mark.slow
def test_a_process_that_fails_or_is_killed_says_so() -> None:
    with pytest.raises(ProcessFailed, match=r"^TypeError: the JSON object must be str"):
        in_fresh_process(json.loads, 1)  # type: ignore[arg-type]
    with pytest.raises(ProcessFailed, match=r"^its process was ended by SIGKILL$"):
        in_fresh_process(signal.raise_signal, signal.SIGKILL)  # type: ignore[arg-type]


def test_a_process_that_does_not_end_in_time_is_ended() -> None:
    with pytest.raises(ProcessFailed, match="no time was left"):
        in_fresh_process(json.loads, {}, seconds=0.01)
