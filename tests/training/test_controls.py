"""Tests of steering a trainer from another thread, and of replaying it from the history."""

from __future__ import annotations

import math
import threading

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.training.controls import Controls, ReplayedControls


def test_nothing_is_steered_at_first() -> None:
    reading = Controls().read(0)
    assert reading.held_temperature is None
    assert not reading.stop


def test_what_is_set_is_read_until_it_is_given_back() -> None:
    controls = Controls(0.5)
    assert controls.read(0).held_temperature == 0.5
    controls.temperature = 0.25
    assert controls.read(7).held_temperature == controls.temperature == 0.25
    controls.temperature = None
    assert controls.read(8).held_temperature is None


def test_a_history_without_a_temperature_cannot_be_replayed() -> None:
    with pytest.raises(InputError, match="no temperature_override"):
        ReplayedControls(pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]}))


def test_a_wish_to_stop_holds_until_it_is_taken_back() -> None:
    controls = Controls()
    controls.stop()
    assert controls.read(0).stop
    assert controls.read(1).stop
    controls.clear_stop()
    assert not controls.read(2).stop


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused_and_the_old_one_kept(value: float) -> None:
    controls = Controls(2.0)
    with pytest.raises(ValueError, match=f"temperature is {value}: "):
        controls.temperature = value
    assert controls.temperature == 2.0
    with pytest.raises(ValueError, match="positive"):
        Controls(value)


def test_a_signal_handler_may_stop_a_trainer_that_holds_the_lock() -> None:
    """The handler of Ctrl-C runs in the trainer's own thread, between any two of its instructions."""

    def interrupted_read(controls: Controls) -> None:
        with controls._lock:
            controls.stop()

    controls = Controls()
    trainer = threading.Thread(target=interrupted_read, args=(controls,), daemon=True)
    trainer.start()
    trainer.join(timeout=20)
    assert not trainer.is_alive()
    assert controls.read(0).stop


def history(rows: list[tuple[int, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["step", "temperature_override"]).astype({"temperature_override": float})


def test_a_replay_gives_each_step_the_temperature_it_had() -> None:
    """A row s is of the step counted s − 1 from 0; what it says holds until the next row says otherwise."""
    replayed = ReplayedControls(history([(1, None), (4, 0.5), (6, 0.5), (7, 0.1), (9, None), (20, None)]))
    temperatures = [replayed.read(step).held_temperature for step in range(12)]
    assert temperatures == [None] * 3 + [0.5] * 3 + [0.1] * 2 + [None] * 4


def test_a_replay_may_be_stopped() -> None:
    replayed = ReplayedControls(history([(1, 0.5)]))
    replayed.stop()
    assert replayed.read(0).stop
    assert replayed.read(0).held_temperature == 0.5


def test_before_the_first_row_nothing_was_taken_by_hand() -> None:
    assert ReplayedControls(history([(5, 0.5)])).read(0).held_temperature is None
