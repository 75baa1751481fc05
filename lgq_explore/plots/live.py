"""Interactive figures, made at a fraction of what plotly takes to check them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from .style import TEMPLATE

Trace = dict[str, Any]
"""A trace by plotly's names of its properties, its `type` among them."""


def live_figure(traces: Sequence[Trace], layout: dict[str, Any]) -> go.Figure:
    """A figure of these, with TEMPLATE where the layout has none.

    plotly checks every property while a figure is made. That takes longer than all the rest, at every move of a slider,
    so it is left out here; the tests check the figures of all drawing functions instead. Afterwards the figure is like
    any other: whatever is changed in it is checked.

    Values have the form in which plotly would store them: arrays of numpy or lists, not tuples nor columns of frames;
    colours, not the name of a scale.
    """
    given = {name: value for name, value in layout.items() if value != []}  # as plotly does
    figure = go.Figure(list(traces), {"template": TEMPLATE} | given, _validate=False)
    for part in (figure, figure.layout, *figure.data):
        part._validate = True
    return figure
