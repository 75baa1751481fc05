"""Every interactive figure that a test makes is checked by plotly, which is left out where it is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from lgq_explore.plots import live


@pytest.fixture(autouse=True)
def checked_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where a figure of `live_figure` has a property that plotly refuses, or would store in another form."""
    made: list[tuple[dict[str, Any], Any, Any]] = []

    def recorded(traces: Any, layout: Any, **settings: Any) -> go.Figure:
        figure = go.Figure(traces, layout, **settings)
        made.append((figure.to_dict(), traces, layout))
        return figure

    monkeypatch.setattr(live, "go", SimpleNamespace(Figure=recorded))
    yield
    # Not while they are made: a panel would show the error as a sentence, and the test could pass.
    for drawn, traces, layout in made:
        assert not refused(drawn, traces, layout)


def refused(drawn: dict[str, Any], traces: Any, layout: Any) -> str:
    """What plotly says against these parts of a figure, or where it stores them otherwise than drawn; else empty."""
    try:
        checked = go.Figure(traces, layout).to_dict()
    except ValueError as error:
        return str(error)
    return "; ".join(differences(drawn, checked, "figure"))


def differences(drawn: Any, checked: Any, place: str) -> Iterator[str]:
    if isinstance(drawn, dict) and isinstance(checked, dict):
        for key in {**drawn, **checked}:
            yield from differences(drawn.get(key, "absent"), checked.get(key, "absent"), f"{place}.{key}")
    elif type(drawn) is type(checked) and isinstance(drawn, list | np.ndarray) and len(drawn) == len(checked):
        for number, (part, other) in enumerate(zip(drawn, checked, strict=True)):
            yield from differences(part, other, f"{place}[{number}]")
    elif not _is_same(drawn, checked):
        yield f"{place} is {drawn!r} instead of {checked!r}"


def _is_same(drawn: Any, checked: Any) -> bool:
    if isinstance(drawn, float) and isinstance(checked, float) and math.isnan(drawn):
        return math.isnan(checked)
    return not isinstance(drawn, np.ndarray) and not isinstance(checked, np.ndarray) and bool(drawn == checked)
