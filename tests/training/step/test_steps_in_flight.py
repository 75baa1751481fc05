"""Tests of steps that the device may still be working on."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
import torch

from lgq_explore.training.step.steps_in_flight import LossInFlight, StepDiverged, StepInFlight, StepsInFlight
from lgq_explore.training.window import StepWindow


def loss_of(name: str, loss: float, norm: float = 1.0) -> LossInFlight:
    return LossInFlight(name, torch.tensor(loss), torch.tensor(norm), f"the rate of {name}")


def step(
    number: int, seconds_ago: float = 1.0, loss: float = 1.0, norm: float = 1.0, own: float | None = None
) -> StepInFlight:
    codes, started = torch.full((1, 1, 1, 1), number), time.perf_counter() - seconds_ago
    losses = [loss_of("the loss", loss, norm)] + ([] if own is None else [loss_of("the own loss", own)])
    return StepInFlight(number, started, codes, 3, losses)


def in_flight(*steps: StepInFlight) -> StepsInFlight:
    flying = StepsInFlight()
    for each in steps:
        flying.add(each)
    return flying


def test_steps_land_once_in_order_and_share_their_seconds() -> None:
    flying = in_flight(step(4, 600.0), step(5, 500.0), step(6, 10.0))
    assert len(flying) == 3
    traces = flying.landed()
    assert [trace.codes.item() for trace in traces] == [4, 5, 6]
    assert [trace.images for trace in traces] == [3, 3, 3]
    assert len({trace.seconds for trace in traces}) == 1
    assert traces[0].seconds >= 200.0  # since the first began, the wait included
    assert flying.landed() == []


def test_steps_share_what_they_waited_so_that_a_window_that_cuts_a_flight_has_made_something() -> None:
    """The last step alone waited, for nearly all of the time."""
    flying = in_flight(step(4, 10.0), step(5), replace(step(6), waited=9.9))
    window = StepWindow(1, levels=(8,))
    for trace in flying.landed():
        window.add(trace)
    columns = window.columns(window.counts())
    speed, without = (columns[f"images_per_second_{of}last_1_steps"] for of in ("", "without_waiting_"))
    assert speed == pytest.approx(3 * 3 / 10, rel=0.1)
    assert without == pytest.approx(3 * 3 / 0.1, rel=0.5)


@pytest.mark.parametrize(
    ("loss", "norm", "told"),
    [(math.nan, 1.0, "the loss is nan"), (1.0, math.inf, "the loss is 1, the norm of its gradient inf")],
)
def test_the_first_step_that_diverged_is_told(loss: float, norm: float, told: str) -> None:
    flying = in_flight(step(4), step(5, loss=loss, norm=norm), step(6, loss=math.nan))
    with pytest.raises(StepDiverged, match=told) as error:
        flying.landed()
    assert (error.value.number, error.value.remedy) == (5, "the rate of the loss")


def test_a_loss_of_a_term_is_told_after_the_tokenizer_s_of_its_step_and_before_later_ones() -> None:
    flying = in_flight(step(4, own=2.0), step(5), step(6, own=math.nan), step(7, loss=math.nan))
    with pytest.raises(StepDiverged, match="the own loss is nan, the norm of its gradient 1") as error:
        flying.landed()
    assert (error.value.number, error.value.remedy) == (6, "the rate of the own loss")
    with pytest.raises(StepDiverged, match=r"^the loss is inf"):
        in_flight(step(4, loss=math.inf, own=math.nan)).landed()
