"""Is an interactive figure like any other of plotly's, though plotly doesn't check it while it is made?"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from lgq_explore import plots
from lgq_explore.plots.live import Trace, live_figure
from lgq_explore.plots.style import BLUE, TEMPLATE, Title, axis, layout
from tests.plots.conftest import refused

SETTINGS = layout(Title("a figure", "N = 3"), height=200, xaxis=axis("step", range=[0, 4]), yaxis=axis("loss"))


def points() -> Trace:
    return {"type": "scatter", "x": np.arange(3.0), "y": [1, 2, 3], "marker": {"color": "#0072B2"}}


def test_it_reads_as_the_figure_that_plotly_checks() -> None:
    figure = live_figure([points()], SETTINGS)
    assert isinstance(figure.data[0], go.Scatter)
    assert (figure.data[0].marker.color, list(figure.data[0].x)) == (BLUE, [0, 1, 2])
    assert (figure.layout.xaxis.range, figure.layout.yaxis.title.text) == ((0, 4), "loss")
    assert figure == go.Figure([points()], SETTINGS)


CHANGES: dict[str, Callable[[go.Figure], object]] = {
    "layout": lambda figure: figure.update_layout(bogus=1),
    "height": lambda figure: figure.update_layout(height="tall"),
    "axis": lambda figure: figure.update_xaxes(bogus=1),
    "trace": lambda figure: setattr(figure.data[0], "bogus", 1),
    "traces": lambda figure: figure.update_traces(mode="bogus"),
    "marker": lambda figure: setattr(figure.data[0].marker, "bogus", 1),
    "another trace": lambda figure: figure.add_trace({"type": "scatter", "bogus": 1}),
    "shape": lambda figure: figure.add_shape(bogus=1),
    "path": lambda figure: figure.update({"layout": {"bogus": 1}}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_in_it_is_checked(change: Callable[[go.Figure], object]) -> None:
    figure = live_figure([points()], SETTINGS)
    with pytest.raises(ValueError, match=r"Invalid (property|value|element)"):
        change(figure)
    figure.update_layout(height=300)
    assert figure.layout.height == 300


def test_it_never_has_a_template_of_plotlys() -> None:
    figure = live_figure([], {"shapes": [{"type": "line", "x0": 1, "x1": 1}]})
    assert figure.to_dict()["layout"]["template"] == TEMPLATE


@pytest.mark.parametrize(
    ("trace", "settings"),
    [
        ({"type": "scatter", "bogus": 1}, {}),
        ({"type": "scatter", "mode": "bogus"}, {}),
        ({"type": "heatmap", "colorscale": "Cividis"}, {}),
        ({"type": "bar"}, {"xaxis": {"domain": (0.0, 1.0)}}),
        ({"type": "bar", "marker": {"color": None}}, {}),
        ({"type": "bar", "text": np.arange(3)}, {}),
        ({"type": "bar"}, {"bogus": 1}),
    ],
)
def test_the_check_of_all_tests_finds_what_plotly_would_refuse_or_change(trace: Trace, settings: dict) -> None:
    assert refused(go.Figure([trace], settings, _validate=False).to_dict(), [trace], settings)


def test_every_figure_is_made_in_one_place() -> None:
    folder = Path(plots.__file__).parent
    made = {
        f"{path.relative_to(folder)}: {ast.unparse(node.func)}"
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("go.")
    }
    assert made == {"live.py: go.Figure"}
