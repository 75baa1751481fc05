"""A control that holds the temperature by hand while a cell trains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import traitlets

from lgq_explore.errors import InputError
from lgq_explore.training.controls import Controls

from ..parts.page_part import PagePart, script

FOLDER = Path(__file__).parent


class TemperatureControl(PagePart):
    """A slider on a log scale, a box for a number, and one "by hand". The reader only sets `controls.temperature`.

    The reader's moves arrive as custom messages ``{"temperature": τ, "move": its name}``, with null for τ to go back to
    the schedule: trait changes don't reach a kernel whose cell awaits. The traits go the other way, for what is shown.

    lowest, highest: the slider's ends. why_disabled: a few words for a method that has no temperature.
    """

    _esm = script(FOLDER / "control.js")
    _css = FOLDER / "control.css"

    lowest = traitlets.Float(0.01).tag(sync=True)
    highest = traitlets.Float(10.0).tag(sync=True)
    held = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The temperature held by hand; None: the schedule decides."""
    in_force = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The temperature of the last logged step; None before it."""
    effective_codes = traitlets.Float(None, allow_none=True).tag(sync=True)
    """Codes that share a token at the temperature in force, exp(mean H(p))."""
    heard = traitlets.Unicode("").tag(sync=True)
    """The name of the last move that arrived: what was shown before it is out of date."""
    why_disabled = traitlets.Unicode("").tag(sync=True)
    notice = traitlets.Unicode("").tag(sync=True)
    """What was wrong with the last message; empty where nothing was."""

    def __init__(self, controls: Controls, **traits: Any) -> None:
        super().__init__(held=controls.temperature, **traits)
        self.controls = controls
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"TemperatureControl({self.lowest:g} to {self.highest:g})"

    def show(self, in_force: float | None, effective_codes: float | None) -> None:
        """Show what the last logged step had, and what is held by hand now."""
        with self.hold_sync():
            self.in_force, self.effective_codes = in_force, effective_codes
            self.held = self.controls.temperature

    @traitlets.observe("why_disabled")
    def _forget_notice(self, change: traitlets.Bunch) -> None:
        """What was said while nothing could be held, or before, is over."""
        self.notice = ""

    def _receive(self, widget: object, content: object, buffers: object) -> None:
        with self.hold_sync():
            try:
                if self.why_disabled:
                    raise InputError(self.why_disabled)
                self.controls.temperature = temperature_from(content, self.lowest, self.highest)
                self.notice = ""
            except InputError as error:
                self.notice = str(error)
            self.held = self.controls.temperature
            if isinstance(content, dict) and isinstance(content.get("move"), str):
                self.heard = content["move"]


def temperature_from(content: object, lowest: float, highest: float) -> float | None:
    """The temperature in a message, or None for the schedule's. Raises InputError for anything else."""
    if not isinstance(content, dict) or content.keys() - {"move"} != {"temperature"}:
        raise InputError(f"the message {content!r} is not understood: send {{'temperature': a number or null}}")
    temperature = content["temperature"]
    if temperature is None:
        return None
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    # The slider rounds to three digits, so that its ends may lie that much outside.
    if not is_number or not math.isfinite(temperature) or not 0.99 * lowest <= temperature <= 1.01 * highest:
        raise InputError(f"temperature {temperature!r}: give a number from {lowest:g} to {highest:g}")
    return float(temperature)
