"""The kinds of controls that the toy lab has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets


def number_box(description: str, least: int, most: int, width: str = "130px") -> ipywidgets.BoundedIntText:
    return ipywidgets.BoundedIntText(
        value=least,
        min=least,
        max=most,
        description=description,
        style={"description_width": "initial"},
        layout={"width": width},
        continuous_update=False,
    )


def value_slider(description: str, values: tuple[float, ...], width: str = "300px") -> ipywidgets.SelectionSlider:
    return ipywidgets.SelectionSlider(
        options=[(f"{value:.3g}", value) for value in values],
        description=description,
        style={"description_width": "96px"},
        layout={"width": width},
    )


def icon_button(description: str, icon: str, tooltip: str, act: Callable[[Any], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=description, icon=icon, tooltip=tooltip, layout={"width": "90px"})
    button.on_click(act)
    return button


def nearest_option(slider: ipywidgets.SelectionSlider, value: float) -> float:
    """The value that the slider offers, nearest in ratio."""
    values = [option for _, option in slider.options]
    return min(values, key=lambda other: abs(math.log(max(other, 1e-9) / max(value, 1e-9))))
