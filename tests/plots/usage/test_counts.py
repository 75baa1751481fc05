"""Do bars and cells stand for the counts they were made of?"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots import METHOD_COLOURS
from lgq_explore.plots.usage import draw_grid, draw_per_code, publish_grid, publish_per_code
from lgq_explore.plots.usage.counts import BINS, MOST_BARS


def usage_of(counts: np.ndarray | list[int]) -> pd.DataFrame:
    return pd.DataFrame({"code": np.arange(len(counts)), "count": counts, "share": np.array(counts) / np.sum(counts)})


def grid_of(counts: list[list[float]]) -> pd.DataFrame:
    columns = len(counts[0])
    return pd.DataFrame(counts, index=pd.RangeIndex(0, len(counts) * columns, columns))


def annotations(figure: go.Figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations if annotation.visible]


def test_a_small_codebook_has_a_bar_a_code_and_the_uniform_count() -> None:
    bars, line = draw_per_code(usage_of([4, 0, 1, 3])).data
    assert list(bars.x) == [0, 1, 2, 3]
    assert list(bars.y) == [4, 0, 1, 3]
    assert list(line.y) == [2, 2]
    assert "N/K = 2" in line.name


def test_by_rank_the_most_used_comes_first_whatever_the_order_of_the_frame() -> None:
    usage = usage_of([4, 0, 1, 9]).sample(frac=1, random_state=1)
    assert list(draw_per_code(usage, by="rank").data[0].y) == [9, 4, 1, 0]
    assert list(draw_per_code(usage, by="code").data[0].y) == [4, 0, 1, 9]


@pytest.mark.parametrize("codebook_size", [MOST_BARS + 1, 1024, 4375, 65536])
@pytest.mark.parametrize("by", ["code", "rank"])
def test_a_large_codebook_is_binned_and_loses_no_token(codebook_size: int, by: str) -> None:
    counts = np.random.default_rng(0).poisson(3, codebook_size)
    figure = draw_per_code(usage_of(counts), by=by)
    bars, line = figure.data
    assert len(bars.y) == BINS
    assert float(np.dot(bars.y, bars.width)) == pytest.approx(counts.sum())
    assert bars.width.sum() == codebook_size
    assert line.y[0] == pytest.approx(counts.mean())
    assert "mean of" in figure.layout.yaxis.title.text


def test_a_bin_is_the_mean_of_neighbouring_codes() -> None:
    counts = np.zeros(1024, dtype=np.int64)
    counts[[10, 11]] = 3, 4
    bars = draw_per_code(usage_of(counts)).data[0]
    assert bars.y[5] == 3.5
    assert bars.customdata[5].tolist() == [10, 11]
    assert np.count_nonzero(bars.y) == 1


def test_the_title_says_codes_and_tokens() -> None:
    assert "2 of 3 codes used, N = 1,205 tokens" in draw_per_code(usage_of([1200, 0, 5])).layout.title.text
    assert "2 of 3 codes used, N = 1,205 tokens" in draw_grid(grid_of([[1200, 0], [5, np.nan]])).layout.title.text


def test_the_title_of_a_map_names_the_run() -> None:
    assert "<b>Code usage of vq</b>" in draw_grid(grid_of([[1, 0]]), run="vq").layout.title.text


def test_bars_have_their_methods_colour() -> None:
    assert draw_per_code(usage_of([1, 2]), method="fsq").data[0].marker.color == METHOD_COLOURS["fsq"]


def test_codes_without_a_token_of_a_window_are_not_called_dead() -> None:
    figure = draw_grid(grid_of([[1200, 0]]), window="last 32 steps")
    assert "1 of 2 codes used in the last 32 steps, N = 1,200 tokens" in figure.layout.title.text
    assert figure.data[0].colorbar.ticktext[0] == "unused"
    assert "dead" not in str(figure)


def test_cells_are_logarithms_with_dead_codes_below_all_others() -> None:
    heatmap = draw_grid(grid_of([[100, 0, 1], [10, 1, np.nan]])).data[0]
    levels = np.asarray(heatmap.z)
    # In single precision, whose last digit depends on the processor.
    assert levels[0, 0] == pytest.approx(2, rel=1e-6)
    assert levels[1, 0] == pytest.approx(1, rel=1e-6)
    assert levels[0, 2] == levels[1, 1] == 0
    assert levels[0, 1] == pytest.approx(heatmap.zmin)
    assert heatmap.zmin < 0
    assert np.isnan(levels[1, 2])


def test_dead_codes_are_grey_and_the_least_used_are_not() -> None:
    heatmap = draw_grid(grid_of([[100, 0]])).data[0]
    position_of_one = -heatmap.zmin / (heatmap.zmax - heatmap.zmin)
    dead, *_ = heatmap.colorscale
    (least_used,) = [colour for position, colour in heatmap.colorscale if position == pytest.approx(position_of_one)]
    assert dead[1][1:3] == dead[1][3:5] == dead[1][5:7]
    assert least_used != dead[1]


def test_selected_codes_are_marked_in_their_cells() -> None:
    grid = grid_of([[100, 0, 1], [10, 1, 7]])
    marks = draw_grid(grid, [5, 1]).data[1]
    assert list(zip(marks.x, marks.y, strict=True)) == [(2, 3), (1, 0)]
    (axes, _) = publish_grid(grid, [5, 1]).axes
    assert [patch.get_xy() for patch in axes.patches] == [(2, 1), (1, 0)]
    assert not len(draw_grid(grid).data[1].x)
    marked, plain = draw_grid(grid, [5, 1]).layout, draw_grid(grid).layout
    assert (
        (marked.xaxis.range, marked.yaxis.range) == (plain.xaxis.range, plain.yaxis.range) == ((-0.5, 2.5), (4.5, -1.5))
    )


def test_hover_names_the_code_and_its_tokens() -> None:
    heatmap = draw_grid(grid_of([[100, 0, 1], [10, 1, 7]])).data[0]
    assert heatmap.customdata.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert heatmap.text.tolist() == [[100, 0, 1], [10, 1, 7]]


@pytest.mark.parametrize("most", [1, 2, 979, 100_000])
def test_the_colour_bar_is_labelled_in_tokens(most: int) -> None:
    bar = draw_grid(grid_of([[0, most]])).data[0].colorbar
    assert bar.ticktext[:2] == ("dead", "1")
    counts = [int(label.replace(",", "")) for label in bar.ticktext[1:]]
    assert bar.tickvals[1:] == pytest.approx(np.log10(counts))
    assert counts[-1] <= most < 10 * counts[-1]


def test_updates_keep_number_order_and_kind_of_traces_from_the_empty_figure_on() -> None:
    usage = usage_of([1, 2, 3])
    for draw, frame in ((draw_per_code, usage), (draw_grid, grid_of([[1, 0]]))):
        full, empty = draw(frame), draw(frame.iloc[:0])
        assert [trace.type for trace in full.data] == [trace.type for trace in empty.data]
        assert len(full.layout.annotations) == len(empty.layout.annotations)
        assert annotations(full) == []
        assert annotations(empty) == ["No tokens have been counted yet."]
        assert full.layout.xaxis.visible
        assert not empty.layout.xaxis.visible


def test_the_printed_bars_are_those_of_the_interactive_ones() -> None:
    usage = usage_of(np.random.default_rng(0).poisson(3, 2048))
    axes = publish_per_code(usage, by="rank", method="vq").axes[0]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(draw_per_code(usage, by="rank").data[0].y)
    assert axes.get_xlabel() == "rank of the code, most used first"


def test_the_printed_grid_is_that_of_the_interactive_one() -> None:
    grid = grid_of([[100, 0, 1], [10, 1, np.nan]])
    printed = publish_grid(grid).axes[0].collections[0].get_array()
    np.testing.assert_array_equal(printed.filled(np.nan), draw_grid(grid).data[0].z)


@pytest.mark.parametrize("publish", [publish_per_code, publish_grid])
def test_an_empty_frame_can_be_printed_too(publish) -> None:
    empty = usage_of([1]).iloc[:0] if publish is publish_per_code else grid_of([[1]]).iloc[:0]
    target = BytesIO()
    figure = publish(empty)
    figure.savefig(target)
    assert [text.get_text() for text in figure.texts] == ["No tokens have been counted yet."]


def test_another_order_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="'size': choose one of code, rank"):
        draw_per_code(usage_of([1]), by="size")
