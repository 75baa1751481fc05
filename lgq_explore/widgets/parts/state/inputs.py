"""What a reader sets pieces of a panel's state with: menus, sliders, boxes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from .codes_box import CodesBox
from .unheard import unheard

OWN_WIDTH = {"description_width": "initial"}
STOPS_PER_DECADE = 20

DIGITS = 3
"""After the point, of a number between two ends."""


@dataclass(frozen=True)
class Input:
    """A widget whose `value` is that of a piece of state. in_force: what it shows while the piece is None.

    A widget that makes its value of what is typed says by a trait `problem` why it can't: an InputError, or None.

    label: what readers call the piece; empty where that is its name. keeps_refused: whether what was refused stays in
    it, to be mended; otherwise it shows the piece again.
    """

    widget: ipywidgets.Widget
    label: str = ""
    in_force: float | None = None
    keeps_refused: bool = False

    def show(self, value: Any) -> None:
        self.widget.value = self.in_force if value is None else value


class TypedSlider(ipywidgets.HBox):
    """A slider over some numbers, a box beside it for any other, and the trait `value` that either sets.

    The slider shows a number between two stops by the stop that is nearest in ratio. What is typed and is no number
    becomes the value too: whoever follows it refuses that in words.
    """

    value = traitlets.Any()
    disabled = traitlets.Bool()

    def __init__(self, label: str, stops: Sequence[float], width: str) -> None:
        self.options = [(_digits(stop), stop) for stop in stops]
        self._slider = ipywidgets.SelectionSlider(
            options=self.options, description=label, style=OWN_WIDTH, layout={"width": width}
        )
        self._slider.add_class("lgq-stops")  # its own readout is for screen readers: the box has the same in sight
        self._box = ipywidgets.Text(continuous_update=False, description=label, layout={"width": "76px"})
        self._box.add_class("lgq-typed")  # its label is for screen readers: the slider has the same in sight
        super().__init__([self._slider, self._box], layout={"width": "auto"})
        self._slider.observe(self._slide, "value")
        self._box.observe(self._type, "value")
        self.observe(self._show, "value")
        for part in (self._slider, self._box):
            traitlets.link((self, "disabled"), (part, "disabled"))
        self.value = stops[0]

    def __repr__(self) -> str:
        return f"TypedSlider({self._slider.description})"

    def _slide(self, change: Any) -> None:
        self.value = change["new"]

    def _type(self, change: Any) -> None:
        self.value = _number_in(change["new"])

    def _show(self, change: Any) -> None:
        if isinstance(change["new"], str):
            return
        stops = [stop for _, stop in self.options]
        with unheard(self._slider, self._slide), unheard(self._box, self._type):
            self._slider.value = min(stops, key=lambda stop: abs(math.log(max(stop, 1e-9) / max(change["new"], 1e-9))))
            self._box.value = _digits(change["new"])


class PlaceBoxes(ipywidgets.HBox):
    """A box for each axis of an array, and the trait `value` with the place that they name together."""

    value = traitlets.List(traitlets.Int())

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._boxes = [
            ipywidgets.IntText(description=name, continuous_update=False, layout={"width": "170px"}) for name in lengths
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
            with unheard(box, self._read):
                box.value = value


def menu(label: str, width: str = "auto") -> Callable[[Any], Input | None]:
    """A list that opens, over the choices; none where there is nothing to choose."""
    return _where_there_is_a_choice(
        lambda options: ipywidgets.Dropdown(
            options=options, description=label, style=OWN_WIDTH, layout={"width": width}
        ),
        label,
    )


def tabs(label: str = "") -> Callable[[Any], Input | None]:
    """All choices in sight as buttons, one of them pressed; none where there is nothing to choose."""
    return _where_there_is_a_choice(
        lambda options: ipywidgets.ToggleButtons(
            options=options, description=label, style={"button_width": "auto", **OWN_WIDTH}, layout={"width": "auto"}
        ).add_class("lgq-tabs"),
        label,
    )


def step_slider(label: str, width: str = "330px") -> Callable[[Any], Input | None]:
    """A slider over the choices, which are whole numbers; none where there is nothing to choose."""
    return _where_there_is_a_choice(
        lambda options: ipywidgets.SelectionSlider(
            options=options, description=label, style=OWN_WIDTH, layout={"width": width}
        ),
        label,
    )


def steps_beside(steps: Sequence[int], step: int) -> list[int]:
    """The steps after and before one of them, which is where its slider goes next."""
    place = steps.index(step)
    return [*steps[place + 1 : place + 2], *steps[max(0, place - 1) : place]]


def _where_there_is_a_choice(
    widget: Callable[[list[Any]], ipywidgets.Widget], label: str
) -> Callable[[Any], Input | None]:
    def make(choices: Any) -> Input | None:
        options = list(choices.items()) if isinstance(choices, Mapping) else list(choices)
        return Input(widget(options), label) if len(options) > 1 else None

    return make


def button(label: str, tooltip: str, act: Callable[[], object], icon: str = "") -> ipywidgets.Button:
    """A button as wide as its words. act: called with each click."""
    made = ipywidgets.Button(description=label, tooltip=tooltip, icon=icon, layout={"width": "auto"})
    made.on_click(lambda clicked: act())
    return made


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets beside each other, and below each other where there is no room; None is passed over."""
    return ipywidgets.HBox([widget for widget in widgets if widget is not None]).add_class("lgq-row")


def stop_slider(label: str, width: str = "300px") -> Callable[[Sequence[float]], Input]:
    """A slider over numbers, with a box for others."""
    return lambda stops: Input(TypedSlider(label, stops, width), label)


def count_slider(label: str, offered: Sequence[int], width: str = "190px") -> Callable[[Any], Input]:
    """A slider over counts, with a box for others; the piece's own ends decide which are refused."""
    return lambda ends: Input(TypedSlider(label, offered, width), label)


def decade_slider(label: str, lowest: int, highest: int) -> Callable[[float | None], Input | None]:
    """A logarithmic slider between two powers of ten, at the number in force to begin with; none where none is."""

    def make(in_force: float | None) -> Input | None:
        if in_force is None:
            return None
        decades = range(lowest * STOPS_PER_DECADE, highest * STOPS_PER_DECADE + 1)
        stops = three_digits(10 ** (tenth / STOPS_PER_DECADE) for tenth in decades)
        return Input(TypedSlider(label, stops, "300px"), label, in_force)

    return make


def number_box(label: str, width: str = "130px") -> Callable[[Any], Input]:
    """A box for a whole number; what else is typed reaches the piece as it is, which refuses it."""
    # An IntText takes 1e3 for 1.
    return lambda ends: Input(
        ipywidgets.FloatText(description=label, style=OWN_WIDTH, layout={"width": width}, continuous_update=False),
        label,
    )


def three_digits(numbers: Iterable[float]) -> list[float]:
    """The numbers rounded to three significant digits, as a reader sees them."""
    return [float(f"{number:.3g}") for number in numbers]


def codes_box(label: str, width: str = "360px") -> Callable[[Callable[[str], list[int]]], Input]:
    """A box of text for codes, or for rules that choose them."""
    return lambda read: Input(CodesBox(label, read, width), label)


def check_box(label: str) -> Callable[[Any], Input]:
    """A box to tick, for a choice between False and True."""
    return lambda choices: Input(ipywidgets.Checkbox(description=label, indent=False, layout={"width": "auto"}), label)


def text_box(label: str, placeholder: str, width: str = "auto") -> Callable[[Any], Input]:
    """A box of text, which is taken by Enter or when it is left."""
    return lambda domain: Input(
        ipywidgets.Text(
            description=label,
            placeholder=placeholder,
            style=OWN_WIDTH,
            layout={"width": width},
            continuous_update=False,
        ),
        label,
        keeps_refused=True,
    )


def place_boxes() -> Callable[[Mapping[str, int]], Input]:
    """A box for each axis."""
    return lambda lengths: Input(PlaceBoxes(lengths))


def _digits(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.3g}"


def _number_in(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text.replace(",", "").strip())
        except ValueError:
            continue
    return text
