"""Controls for pieces of a panel's state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets
import traitlets

from .codes_box import CodesBox

OWN_WIDTH = {"description_width": "initial"}


class Control:
    """A widget whose `value` stands for a piece of state. One that can't show every value shows a near one."""

    def __init__(self, widget: ipywidgets.Widget) -> None:
        self.widget = widget

    def nearest(self, value: Any) -> Any:
        """The value of the widget that stands for this value of the piece."""
        return value

    def show(self, value: Any) -> None:
        self.widget.value = self.nearest(value)


class _NearestStop(Control):
    """A slider over positive numbers; of those between two stops it shows the stop nearest in ratio."""

    def nearest(self, value: Any) -> Any:
        stops = [stop for _, stop in self.widget.options]
        return min(stops, key=lambda stop: abs(math.log(max(stop, 1e-9) / max(value, 1e-9))))


class _AddedStop(Control):
    """A slider over whole numbers that takes up another one among its stops while it shows it."""

    def __init__(self, widget: ipywidgets.SelectionSlider, offered: Iterable[int]) -> None:
        super().__init__(widget)
        self._offered = frozenset(offered)

    def show(self, value: Any) -> None:
        self.widget.options = [(f"{stop:,d}", stop) for stop in sorted({*self._offered, value})]
        self.widget.value = value


class _InForce(Control):
    """A control of a number that shows the one in force while the piece is None."""

    def __init__(self, widget: ipywidgets.Widget, in_force: float) -> None:
        super().__init__(widget)
        self._in_force = in_force

    def nearest(self, value: Any) -> Any:
        return self._in_force if value is None else value


class PlaceBoxes(ipywidgets.HBox):
    """A box for each axis of an array, and the trait `value` with the place that they name together."""

    value = traitlets.List(traitlets.Int())

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._boxes = [
            ipywidgets.BoundedIntText(description=name, min=0, max=length - 1, layout={"width": "170px"})
            for name, length in lengths.items()
        ]
        super().__init__(self._boxes)
        for box in self._boxes:
            box.observe(self._read, "value")
        self.observe(self._write, "value")

    def __repr__(self) -> str:
        return f"PlaceBoxes({', '.join(box.description for box in self._boxes)})"

    def _read(self, change: Any) -> None:
        self.value = [box.value for box in self._boxes]

    def _write(self, change: Any) -> None:
        for box, value in zip(self._boxes, change["new"], strict=True):
            box.unobserve(self._read, "value")
            box.value = value
            box.observe(self._read, "value")


def menu(label: str, width: str = "auto") -> Callable[[Any], Control]:
    """A list that opens, over the choices."""
    return lambda choices: Control(
        ipywidgets.Dropdown(options=_options(choices), description=label, style=OWN_WIDTH, layout={"width": width})
    )


def radio_buttons(label: str) -> Callable[[Any], Control | None]:
    """All choices in sight; none where there is nothing to choose."""

    def make(choices: Any) -> Control | None:
        options = _options(choices)
        if len(options) < 2:
            return None
        return Control(
            ipywidgets.RadioButtons(
                options=options, description=label, orientation="horizontal", layout={"width": "auto"}
            )
        )

    return make


def step_slider(label: str, width: str = "330px") -> Callable[[Sequence[int]], Control]:
    """A slider over the choices, which are whole numbers."""
    return lambda steps: Control(_slider(label, list(steps), width))


def stop_slider(label: str, width: str = "300px") -> Callable[[Sequence[float]], Control]:
    """A slider over positive numbers, offered with three digits; numbers between them are shown by the nearest."""
    return lambda stops: _NearestStop(_slider(label, [(f"{stop:.3g}", stop) for stop in stops], width))


def count_slider(label: str, offered: Sequence[int], width: str = "32%") -> Callable[[Any], Control]:
    """A slider over counts, and over the one that the piece has if it is another."""
    return lambda ends: _AddedStop(_slider(label, list(offered), width), offered)


def number_box(label: str, width: str = "130px") -> Callable[[tuple[int, int]], Control]:
    """A box for a whole number between two ends."""
    return lambda ends: Control(
        ipywidgets.BoundedIntText(
            value=ends[0],
            min=ends[0],
            max=ends[1],
            description=label,
            style=OWN_WIDTH,
            layout={"width": width},
            continuous_update=False,
        )
    )


def decade_slider(label: str, lowest: int, highest: int) -> Callable[[float | None], Control | None]:
    """A logarithmic slider between two powers of ten, at the number in force to begin with; none where none is."""

    def make(in_force: float | None) -> Control | None:
        if in_force is None:
            return None
        slider = ipywidgets.FloatLogSlider(
            value=in_force,
            min=lowest,
            max=highest,
            step=0.05,
            description=label,
            readout_format=".3g",
            style=OWN_WIDTH,
        )
        return _InForce(slider, in_force)

    return make


def codes_box(label: str) -> Callable[[int], Control]:
    """A box of text for numbers of codes."""
    return lambda codebook_size: Control(CodesBox(label, codebook_size))


def check_box(label: str) -> Callable[[Any], Control]:
    """A box to tick, for a choice between False and True."""
    return lambda choices: Control(ipywidgets.Checkbox(description=label, indent=False, layout={"width": "auto"}))


def text_box(label: str, placeholder: str, width: str = "auto") -> Callable[[Any], Control]:
    """A box of text, which is taken by Enter or when it is left."""
    return lambda domain: Control(
        ipywidgets.Text(
            description=label,
            placeholder=placeholder,
            style=OWN_WIDTH,
            layout={"width": width},
            continuous_update=False,
        )
    )


def place_boxes(lengths: Mapping[str, int]) -> Control:
    """A box for each axis."""
    return Control(PlaceBoxes(lengths))


def _slider(label: str, options: list[Any], width: str) -> ipywidgets.SelectionSlider:
    return ipywidgets.SelectionSlider(options=options, description=label, style=OWN_WIDTH, layout={"width": width})


def _options(choices: Any) -> list[Any]:
    return list(choices.items()) if isinstance(choices, Mapping) else list(choices)
