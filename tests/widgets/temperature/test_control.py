"""Does the temperature control set what its messages say, and nothing else?"""

from __future__ import annotations

import math

import pytest

from lgq_explore.training.controls import Controls
from lgq_explore.widgets import TemperatureControl


def send(control: TemperatureControl, content: object) -> None:
    """What arrives when the page calls model.send(content)."""
    control._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_a_message_holds_the_temperature_and_null_gives_it_back() -> None:
    controls = Controls()
    control = TemperatureControl(controls)
    send(control, {"temperature": 0.5})
    assert controls.temperature == 0.5
    send(control, {"temperature": None})
    assert controls.temperature is None
    assert control.notice == ""


@pytest.mark.parametrize(
    "content",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"temperature": 1e9},
        {"temperature": math.nan},
        {"temperature": True},
        {"temperature": "1"},
        {"temperature": 1.0, "stop": True},
        {},
        "warm",
        None,
    ],
)
def test_any_other_message_is_refused_with_a_reason(content: object) -> None:
    controls = Controls(temperature=0.5)
    control = TemperatureControl(controls)
    send(control, content)
    assert controls.temperature == 0.5
    assert "give a number" in control.notice or "is not understood" in control.notice
    send(control, {"temperature": 1.0})
    assert controls.temperature == 1.0
    assert control.notice == ""


def test_each_move_is_answered_by_its_name_with_what_is_held_then() -> None:
    control = TemperatureControl(Controls())
    send(control, {"temperature": 0.0126, "move": "first"})
    assert (control.heard, control.held) == ("first", 0.0126)
    send(control, {"temperature": 99.0, "move": "too warm"})
    assert (control.heard, control.held) == ("too warm", 0.0126)
    assert control.notice == "temperature 99.0: give a number from 0.01 to 10"
    send(control, {"temperature": "warm", "move": "typed"})
    assert (control.heard, control.held) == ("typed", 0.0126)
    assert control.notice == "temperature 'warm': give a number from 0.01 to 10"
    send(control, {"temperature": None, "move": "back"})
    assert (control.heard, control.held, control.notice) == ("back", None, "")


def test_the_ends_of_the_slider_are_taken() -> None:
    controls = Controls()
    control = TemperatureControl(controls, lowest=0.0123456, highest=9.87654)
    for end in (0.0123, 9.88):  # three digits, as the page rounds
        send(control, {"temperature": end})
        assert controls.temperature == end


def test_a_disabled_control_takes_nothing() -> None:
    controls = Controls()
    send(TemperatureControl(controls, why_disabled="fsq has none"), {"temperature": 1.0})
    assert controls.temperature is None


def test_a_notice_goes_with_what_it_was_about() -> None:
    control = TemperatureControl(Controls())
    send(control, {"temperature": 99.0})
    control.why_disabled = "the run is finished"
    assert control.notice == ""
    send(control, {"temperature": 1.0})
    assert control.notice == "the run is finished"
    control.why_disabled = ""
    assert control.notice == ""


def test_what_is_in_force_is_shown_beside_what_is_held() -> None:
    controls = Controls(temperature=2.0)
    control = TemperatureControl(controls)
    assert control.held == 2.0
    controls.temperature = None
    control.show(in_force=0.7, effective_codes=3.4)
    assert (control.held, control.in_force, control.effective_codes) == (None, 0.7, 3.4)


def test_the_text_of_a_control_is_the_same_in_every_run() -> None:
    assert (
        repr(TemperatureControl(Controls())) == repr(TemperatureControl(Controls())) == "TemperatureControl(0.01 to 10)"
    )
