"""Are joules added up over sessions and over counters that begin anew, and left out where they are not known?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lgq_explore.training.energy import GPU, PROCESSORS, EnergyCounter, EnergyMeter


def counter(*readings: float, part: str = PROCESSORS, begins_anew_at: float = 1000.0) -> EnergyCounter:
    """A counter with these readings; one that is NaN fails."""
    left: Iterator[float] = iter(readings)

    def read() -> float:
        value = next(left)
        if value != value:
            raise OSError("it can't be read any more")
        return value

    return EnergyCounter(part, read, begins_anew_at)


def metered(*counters: EnergyCounter, reads: int = 2) -> EnergyMeter:
    meter = EnergyMeter(counters)
    meter.start()
    for _ in range(reads):
        meter.read()
    return meter


def test_what_was_counted_since_the_start_is_added_up() -> None:
    assert metered(counter(100.0, 130.0, 190.0)).joules == {PROCESSORS: 90.0}
    assert EnergyMeter().joules == {}
    assert metered(counter(5.0, 5.0, 5.0)).joules == {PROCESSORS: 0.0}


def test_a_counter_may_begin_anew() -> None:
    assert metered(counter(900.0, 980.0, 40.0)).joules == {PROCESSORS: 140.0}


def test_two_processors_are_one_part_and_the_gpu_another() -> None:
    meter = metered(counter(0.0, 1.0, 2.0), counter(10.0, 20.0, 30.0), counter(0.0, 100.0, 200.0, part=GPU))
    assert meter.joules == {PROCESSORS: 22.0, GPU: 200.0}


@pytest.mark.parametrize("fails", [(float("nan"), 20.0, 30.0), (10.0, float("nan"), 30.0), (10.0, 20.0, float("nan"))])
def test_a_part_of_which_a_counter_failed_is_not_known(fails: tuple[float, ...]) -> None:
    meter = metered(counter(0.0, 1.0, 2.0), counter(*fails), counter(0.0, 100.0, 200.0, part=GPU))
    assert meter.joules == {GPU: 200.0}


def test_a_counter_that_was_set_back_is_not_known() -> None:
    assert metered(counter(900.0, 980.0, 40.0, begins_anew_at=float("inf"))).joules == {}


def test_sessions_are_added_up_and_one_that_could_not_count_is_not_left_out_silently() -> None:
    meter = EnergyMeter([counter(100.0, 130.0), counter(0.0, 7.0, part=GPU)])
    meter.continue_from({PROCESSORS: 1000.0})
    meter.start()
    meter.read()
    assert meter.joules == {PROCESSORS: 1030.0}


def test_nothing_is_counted_before_the_start() -> None:
    meter = EnergyMeter([counter(100.0, 130.0)])
    meter.read()
    assert meter.joules == {PROCESSORS: 0.0}
