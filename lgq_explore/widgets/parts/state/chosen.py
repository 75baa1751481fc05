"""Inputs for several of some values, for two of them, and sliders whose ends are known later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets
import traitlets

from lgq_explore.errors import printable

from .inputs import DIGITS, OWN_WIDTH, Input
from .unheard import unheard


class Toggles(ipywidgets.HBox):
    """A button for each value, and the trait `value` with those that are pressed."""

    value = traitlets.Any()

    def __init__(self, label: str, options: Mapping[str, Any]) -> None:
        self._buttons = {
            said: ipywidgets.ToggleButton(value=True, description=said, layout={"width": "auto"}) for said in options
        }
        self._options = dict(options)
        name = ipywidgets.Label(label)
        super().__init__([name, *self._buttons.values()], layout={"width": "auto"})
        self.value = list(options.values())
        for each in self._buttons.values():
            each.observe(self._read, "value")
        self.observe(self._write, "value")

    def __repr__(self) -> str:
        return f"Toggles({len(self._buttons)})"

    def _read(self, change: Any) -> None:
        self.value = [self._options[said] for said, each in self._buttons.items() if each.value]

    def _write(self, change: Any) -> None:
        for said, each in self._buttons.items():
            with unheard(each, self._read):
                each.value = self._options[said] in change["new"]


class PairMenus(ipywidgets.HBox):
    """Two lists of the same values, and the trait `value` with what is chosen; who chooses the other's swaps them."""

    value = traitlets.Any()

    def __init__(self, labels: tuple[str, str], options: Sequence[tuple[str, Any]], width: str) -> None:
        self._menus = [
            ipywidgets.Dropdown(options=options, description=label, style=OWN_WIDTH, layout={"width": width})
            for label in labels
        ]
        super().__init__(self._menus, layout={"width": "auto"})
        self.value = None
        self._menus[1].index = 1
        for menu in self._menus:
            menu.observe(self._read, "value")
        self.observe(self._write, "value")

    def __repr__(self) -> str:
        return f"PairMenus({', '.join(menu.description for menu in self._menus)})"

    def _read(self, change: Any) -> None:
        first, second = (menu.value for menu in self._menus)
        if first == second:
            before = change["old"]
            first, second = (first, before) if change["owner"] is self._menus[0] else (before, second)
        self.value = [first, second]

    def _write(self, change: Any) -> None:
        for menu, value in zip(self._menus, change["new"] or (), strict=False):
            with unheard(menu, self._read):
                menu.value = value


def toggles(label: str) -> Callable[[Any], Input | None]:
    """A button for each choice, any number of them pressed; none where there is nothing to choose."""

    def make(choices: Mapping[str, Any] | Iterable[Any]) -> Input | None:
        options = choices if isinstance(choices, Mapping) else {printable(each): each for each in choices}
        return Input(Toggles(label, options), label) if len(options) > 1 else None

    return make


def pair_menus(first: str, second: str, width: str = "230px") -> Callable[[Any], Input | None]:
    """Two menus over the choices; none where there are not two."""

    def make(choices: Iterable[Any]) -> Input | None:
        options = [(printable(each), each) for each in choices]
        return Input(PairMenus((first, second), options, width), "pair") if len(options) > 1 else None

    return make


def late_slider(label: str, most: float, width: str = "420px") -> Callable[[Any], Input]:
    """A slider over numbers up to `most` whose ends are set when they are known (`set_ends`)."""
    return lambda ends: Input(
        ipywidgets.FloatSlider(
            min=0, max=most, description=label, style=OWN_WIDTH, layout={"width": width}, readout_format=f".{DIGITS}f"
        ),
        label,
        in_force=0.0,
    )


def late_count_slider(label: str, most: int, width: str = "420px") -> Callable[[Any], Input]:
    """A slider over counts from 1 on, up to `most` until the true number is known (`set_ends`)."""
    return lambda ends: Input(
        ipywidgets.IntSlider(min=1, max=most, description=label, style=OWN_WIDTH, layout={"width": width}), label
    )


def reach(slider: ipywidgets.Widget, low: float, high: float) -> None:
    """Let a slider reach these ends, too, so that what it shows can be moved between them before `set_ends`."""
    slider.max = max(slider.max, high)
    slider.min = min(slider.min, low)


def set_ends(slider: ipywidgets.Widget, low: float, high: float, step: float) -> None:
    """Give a slider its ends, one after the other so that they never cross. What it shows should lie between them."""
    if (slider.min, slider.max, slider.step) != (low, high, step):
        slider.max = max(high, slider.min)
        slider.min = low
        slider.max = high
        slider.step = step
