"""Does a trainer's thread tell its state, train alone, stop when asked, and save before the process ends?"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.parts.work.trainer_thread import State, TrainerThread

WHOLE = 3
"""Steps of the planted work."""


class Counter(TrainerThread[int, int]):
    """Makes up to WHOLE steps. It begins each one when it is told to, and stops before one that it is asked to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on, self.published = threading.Semaphore(0), threading.Semaphore(0)
        self.made = 0

    def is_whole(self, result: int) -> bool:
        return result == WHOLE

    def count(self) -> int:
        while self.made < WHOLE:
            assert self.go_on.acquire(timeout=60)
            if self.controls.stop_asked_for:
                break
            self.made += 1
            self.publish(self.made)
            self.published.release()
        return self.made

    def make(self, steps: int) -> None:
        for _ in range(steps):
            self.go_on.release()
            assert self.published.acquire(timeout=60)

    def end(self) -> None:
        self.stop()
        self.go_on.release()
        self.join()


def test_it_tells_how_far_it_is_until_it_is_finished() -> None:
    trainer = Counter()
    assert (trainer.state, trainer.newest(), trainer.result, trainer.error) == (State.NEW, None, None, None)
    trainer.join()  # of a thread that never began
    trainer.begin(trainer.count)
    trainer.make(2)
    assert (trainer.state, trainer.newest(), trainer.result) == (State.TRAINING, 2, None)
    assert not trainer.is_stopping
    trainer.make(1)
    trainer.join()
    assert (trainer.state, trainer.newest(), trainer.result) == (State.FINISHED, WHOLE, WHOLE)


def test_stop_keeps_the_result_and_more_work_goes_on_from_there() -> None:
    trainer = Counter()
    trainer.begin(trainer.count)
    trainer.make(1)
    trainer.stop()
    assert trainer.is_stopping
    trainer.end()
    assert (trainer.state, trainer.result, trainer.is_stopping) == (State.STOPPED, 1, False)
    trainer.begin(trainer.count)
    assert (trainer.state, trainer.result, trainer.is_stopping) == (State.TRAINING, 1, False)
    trainer.make(2)
    trainer.join()
    assert (trainer.state, trainer.result) == (State.FINISHED, WHOLE)


@pytest.mark.parametrize("error", [ValueError("no memory left"), KeyboardInterrupt(), SystemExit(1)])
def test_what_ends_the_work_is_kept_and_more_work_forgets_it(error: BaseException) -> None:
    def fail() -> int:
        raise error

    trainer = Counter()
    trainer.begin(fail)
    trainer.join()
    assert (trainer.state, trainer.result) == (State.FAILED, None)
    assert trainer.error is error
    trainer.begin(trainer.count)
    trainer.make(WHOLE)
    trainer.join()
    assert (trainer.state, trainer.error) == (State.FINISHED, None)
    trainer.begin(fail)
    trainer.join()
    assert (trainer.state, trainer.result) == (State.FAILED, WHOLE)  # what was trained before is still there


def test_only_one_trains_at_a_time_and_the_next_may_begin_when_it_has_ended() -> None:
    first, second = Counter(), Counter()
    first.begin(first.count)
    for trainer in (first, second):
        with pytest.raises(InputError, match="another panel is training in this kernel"):
            trainer.begin(trainer.count)
    assert (first.state, second.state) == (State.TRAINING, State.NEW)
    first.end()
    second.begin(second.count)
    second.end()
    assert second.state is State.STOPPED


ENDS_WHILE_TRAINING = """
import sys
import threading
import time
from pathlib import Path

from lgq_explore.widgets.parts.work.trainer_thread import TrainerThread

began = threading.Event()

class Saving(TrainerThread[None, None]):
    def is_whole(self, result):
        return True

    def save_when_stopped(self):
        began.set()
        while not self.controls.stop_asked_for:
            time.sleep(0.01)
        Path(sys.argv[1]).write_text("saved")

trainer = Saving()
trainer.begin(trainer.save_when_stopped)
began.wait()
"""


@pytest.mark.slow
def test_a_process_that_ends_stops_the_thread_and_waits_until_it_has_saved(tmp_path: Path) -> None:
    saved = tmp_path / "saved.txt"
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_TRAINING, str(saved)], timeout=120, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert saved.read_text() == "saved"
