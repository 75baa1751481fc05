"""Do the figures of an audit show what its frame says?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames.audit import AUDIT
from lgq_explore.plots.paper import printed_width
from tests.plots.filled_frames import filled

FIRST = {"data": "photographs", "unit": "photographs", "methods": 2, "seeds": 4, "first": "lgq", "second": "vq"}


def audit() -> pd.DataFrame:
    unknown = dict.fromkeys(("rank_correlation", "rank_low", "rank_high"), np.nan)
    rows = [
        {"metric": "fd", "size": 4, "tokens": 256, "bias": 200.0, "set_noise": 20.0, "seed_noise": 5.0, "auc": 0.6},
        {"metric": "fd", "size": 8, "tokens": 512, "bias": np.nan, "set_noise": np.nan, "seed_noise": 4.0, "auc": 0.8},
        {"metric": "l1", "size": 4, "tokens": 256, "bias": -0.01, "set_noise": 2.0, "seed_noise": 1.0, "auc": 0.0},
        {"metric": "l1", "size": 8, "tokens": 512, "bias": np.nan, "set_noise": np.nan, "seed_noise": 1.0, "auc": 0.0},
    ]
    ends = [{"auc_low": row["auc"] / 2, "auc_high": (row["auc"] + 1) / 2} for row in rows]
    return filled(AUDIT, [FIRST | unknown | row | end for row, end in zip(rows, ends, strict=True)])


def with_truth() -> pd.DataFrame:
    values = {"rank_correlation": -0.5, "rank_low": -0.75, "rank_high": 0.25, "auc": np.nan, "data": "mixtures"}
    return audit().assign(**values, first="", second="")


def test_the_live_figure_has_marks_of_every_size_in_every_panel() -> None:
    figure = plots.audit.draw_audit(audit())
    marks = {(trace.name, trace.xaxis, trace.marker.symbol or "circle"): trace for trace in figure.data if trace.x.size}
    bias = next(trace for (name, axis, _), trace in marks.items() if name == "256" and axis == "x")
    assert bias.x.tolist() == [200.0, 0.1]  # magnitudes, the least at 0.1
    assert list(bias.marker.symbol) == ["triangle-up", "triangle-down"]
    auc = marks["512, all", "x3", "circle"]
    assert auc.x.tolist() == [0.8, 0.0]
    assert auc.error_x.array.tolist() == pytest.approx([0.1, 0.5])
    assert auc.error_x.arrayminus.tolist() == pytest.approx([0.4, 0.0])
    seeds = marks["256", "x2", "line-ns-open"]
    assert seeds.x.tolist() == [5.0, 1.0]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["256", "512, all"]
    assert list(figure.layout.yaxis.ticktext) == ["fd", "l1"]
    assert "lgq over vq" in figure.layout.title.text


def test_the_truth_has_its_panel_where_it_is_known() -> None:
    live = plots.audit.draw_audit(with_truth())
    assert [note.text for note in live.layout.annotations] == [
        "<b>Bias</b>",
        "<b>Noise</b>",
        "<b>Follows the truth</b>",
    ]
    assert list(live.data[-1].x) == [-0.5, -0.5]


def test_several_audits_are_printed_in_rows_and_drawn_one_by_one() -> None:
    both = pd.concat([with_truth(), audit()])
    figure = plots.audit.publish_audit(both)
    headings = [axes.get_title(loc="left") for axes in figure.axes]
    assert headings == [
        *("mixtures: bias", "Noise", "Follows the truth"),
        *("photographs: bias", "Noise", "Tells apart"),
    ]
    marks = figure.axes[5].get_lines()[0]
    np.testing.assert_allclose(marks.get_xdata(), [0.6, 0.0])
    assert [label.get_text() for label in figure.axes[3].get_yticklabels()] == ["fd", "l1"]
    with pytest.raises(InputError, match="2 audits in one frame: give the rows of one"):
        plots.audit.draw_audit(both)
    with printed_width("column"), pytest.raises(InputError, match="2 audits don't fit the width of a column"):
        plots.audit.publish_audit(both)


def test_a_higher_row_is_of_fewer_tokens() -> None:
    small, large = (
        next(trace for trace in plots.audit.draw_audit(audit()).data if trace.name == name)
        for name in ("256", "512, all")
    )
    assert (small.y < large.y).all()  # the axis points down
    assert np.rint(small.y).tolist() == [0, 1]
