"""Has a method one colour and a run one look, and is a frame that does not fit refused?"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.lines import Line2D

from lgq_explore.errors import InputError
from lgq_explore.frames import Columns
from lgq_explore.plots import METHOD_COLOURS
from lgq_explore.plots.run_looks import rows_of_runs, run_looks, translucent

COLUMNS = Columns("analysis.x", {"x": ("int64", "a number")})


def test_runs_of_one_method_share_its_colour_and_differ_in_their_dash() -> None:
    looks = run_looks({"a": "lgq", "b": "fsq", "c": "lgq"})
    assert [look.colour for look in looks.values()] == [METHOD_COLOURS[name] for name in ("lgq", "fsq", "lgq")]
    assert [look.dash for look in looks.values()] == ["solid", "solid", "dash"]
    assert [look.linestyle for look in looks.values()] == ["-", "-", "--"]


def test_any_number_of_runs_of_a_method_differ_in_their_dash() -> None:
    looks = list(run_looks({f"run {number}": "lgq" for number in range(9)}).values())
    assert len({look.dash for look in looks}) == len({look.linestyle for look in looks}) == 9
    figure = go.Figure([go.Scatter(line={"dash": look.dash}) for look in looks])
    assert len(figure.data) == 9
    Line2D([0, 1], [0, 1], linestyle=looks[-1].linestyle)


def test_rows_come_in_the_order_of_the_methods_with_their_runs() -> None:
    frame = pd.DataFrame({"run": ["a", "b", "a"], "x": [1, 2, 3]})
    parts = list(rows_of_runs(frame, COLUMNS, {"b": "vq", "a": "lgq", "absent": "fsq"}))
    assert [(part.run, part.rows["x"].tolist()) for part in parts] == [("b", [2]), ("a", [1, 3])]


def test_a_missing_column_and_an_unknown_run_are_refused() -> None:
    frame = pd.DataFrame({"run": ["a"], "x": [1]})
    for column in frame:
        with pytest.raises(InputError, match=f"lacks {column}: give one of analysis.x, those of several runs by"):
            list(rows_of_runs(frame.drop(columns=column), COLUMNS, {"a": "lgq"}))
    with pytest.raises(InputError, match="'a' is not said"):
        list(rows_of_runs(frame, COLUMNS, {"b": "lgq"}))


def test_a_translucent_colour() -> None:
    assert translucent("#0072B2", 0.5) == "rgba(0, 114, 178, 0.5)"
