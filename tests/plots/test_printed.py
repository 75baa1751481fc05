"""Is what printed figures say true, legible and in sight, at each width?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import get_args

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames.health import BY_HAND, IN_FORCE, TEMPERATURE
from lgq_explore.plots.contrast import contrast
from lgq_explore.plots.paper import PAGE_INCHES, PAPERS, Width, exact_percent, legend_above, printed_width, tick_label
from lgq_explore.plots.printing import new_figure, panel_grid, publication_style, publish_title
from lgq_explore.plots.style import Title
from tests.plots.printed_examples import EXAMPLES

WIDTHS = get_args(Width)
Printed = tuple[Figure, Width, np.ndarray]


LAID_OUT = [
    pytest.param((name, width), marks=[pytest.mark.slow] if width == "text" else [], id=f"{name}-{width}")
    for name in EXAMPLES
    for width in WIDTHS
]


@pytest.fixture(scope="module", params=LAID_OUT)
def printed(request: pytest.FixtureRequest) -> Printed:
    """Each printed figure at each width, drawn."""
    name, width = request.param
    with printed_width(width):
        figure = EXAMPLES[name]()
    target = BytesIO()
    figure.savefig(target, format="png")
    return figure, width, np.asarray(Image.open(target).convert("L"))


def number(label: str) -> float | None:
    """The number that a tick's label says; None for words."""
    plain = label.replace("\N{MINUS SIGN}", "-").replace(",", "")
    power = re.fullmatch(r"\$\\mathdefault\{(?:(.*)\\times)?10\^\{(.*)\}\}\$", plain)
    if power:
        return float(power[1] or 1) * 10 ** float(power[2])
    percent = plain.removesuffix("%").strip()
    try:
        return float(percent) / (100 if plain.endswith("%") else 1)
    except ValueError:
        return None


def said_and_meant(axis: Axis) -> list[tuple[float, float]]:
    """What each tick in view says, and where it stands. Words are left out."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    said = [(number(tick.label1.get_text()), float(tick.get_loc())) for tick in ticks]
    return [(says, place) for says, place in said if says is not None]


def names_cells(axis: Axis) -> bool:
    """Whether the ticks are the names of cells, bars or rows, in their middles."""
    return bool((np.asarray(axis.get_majorticklocs()) * 2 % 1 == 0).all()) and not says_exactly(axis)


def says_exactly(axis: Axis) -> bool:
    return getattr(axis.get_major_formatter(), "func", None) in (tick_label, exact_percent)


def test_ticks_say_where_they_stand(printed: Printed) -> None:
    for axes in printed[0].axes:
        for axis in (axes.xaxis, axes.yaxis):
            for said, place in said_and_meant(axis) if not names_cells(axis) else []:
                meant = [place] if says_exactly(axis) else [place, 10**place]  # colours may be logarithmic
                assert any(said == pytest.approx(value, rel=1e-9, abs=1e-12) for value in meant)


def lines_within(axes: Axes) -> Iterator[np.ndarray]:
    """The drawn lines of axes in pixels, as points close to each other."""
    for line in axes.get_lines():
        points = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float))
        points = points[np.isfinite(points).all(1)]
        for start, end in pairwise(points):
            steps = int(np.clip(np.abs(end - start).max(), 1, 2000)) + 1
            yield np.linspace(start, end, steps)


def test_no_line_goes_through_a_legend(printed: Printed) -> None:
    figure, _, _ = printed
    legends = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
    boxes = [legend.get_window_extent() for legend in legends if legend is not None]
    for axes in figure.axes:
        for points in lines_within(axes):
            seen = points[[axes.bbox.contains(*point) for point in points]]
            for box in boxes:
                inside = (seen > [box.x0 + 1, box.y0 + 1]) & (seen < [box.x1 - 1, box.y1 - 1])
                assert not inside.all(1).any()


def shown_texts(figure: Figure) -> Iterator[Text]:
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and (text.axes is None or text.axes.get_visible()):
            yield text


def test_no_words_are_cut_off(printed: Printed) -> None:
    figure, _, _ = printed
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-6 * (high - low)
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not axes.axison or not low - slack <= tick.get_loc() <= high + slack:
                    hidden |= {tick.label1, tick.label2}
    room = figure.bbox.padded(2)
    for text in shown_texts(figure):
        if text not in hidden:
            box = text.get_window_extent()
            assert (np.maximum(box.max, room.max) == room.max).all(), text
            assert (np.minimum(box.min, room.min) == room.min).all(), text


def test_a_paper_gets_its_width_and_letters_of_7_to_9_points(printed: Printed) -> None:
    figure, width, _ = printed
    paper = PAPERS[width]
    if paper.inches is not None:
        assert figure.get_figwidth() <= paper.inches + 1e-9
        sizes = {text.get_fontsize() for text in shown_texts(figure)}
        assert min(sizes) >= 7
        assert max(sizes) <= 9


def test_a_paper_s_figure_fits_a_page(printed: Printed) -> None:
    figure, width, picture = printed
    if width != "screen":
        assert figure.get_figheight() <= PAGE_INCHES == 9
        assert picture.shape[0] <= PAGE_INCHES * figure.dpi


def test_all_words_can_be_read(printed: Printed) -> None:
    for text in shown_texts(printed[0]):
        colour = to_hex(text.get_color())
        assert colour == "#ffffff" or contrast(colour, "#ffffff") >= 4.5, text  # white ones stand on something dark


def test_little_of_a_figure_is_empty(printed: Printed) -> None:
    white = printed[2] > 250
    assert white.all(1).mean() < 0.45
    assert white.all(0).mean() < 0.25


def test_a_tick_says_all_digits() -> None:
    numbers = [0.125, 0.12, -2.5, 1000.5, 65536, 1e-5, 0.1 + 0.2, 0.0]
    said = ["0.125", "0.12", "\N{MINUS SIGN}2.5", "1,000.5", "65,536", "0.00001", "0.3", "0"]
    assert [tick_label(value) for value in numbers] == said


def test_steps_held_by_hand_are_not_joined_across_others() -> None:
    by_hand = [np.nan, 0.5, 0.5, np.nan, np.nan, 0.3, np.nan]
    rows = [
        {"step": step, "panel": TEMPERATURE, "quantity": quantity, "value": value}
        for quantity, values in ((IN_FORCE, [1.0] * 7), (BY_HAND, by_hand))
        for step, value in enumerate(values)
    ]
    (axes,) = plots.health.publish_training_curves(pd.DataFrame(rows)).axes
    line = next(line for line in axes.get_lines() if line.get_label() == "set by hand")
    np.testing.assert_array_equal(line.get_ydata(), by_hand)
    assert line.get_markevery() == [5]  # a single step would not be seen as a line
    assert line.get_marker() == "o"


def test_narrow_panels_stand_under_each_other() -> None:
    sizes = {}
    for width in WIDTHS:
        with printed_width(width), publication_style():
            figure, axes = panel_grid(3, 3, 4, 3)
        shape = axes[0].get_subplotspec().get_gridspec()
        sizes[width] = (shape.nrows, shape.ncols, figure.get_figwidth())
    assert sizes == {"screen": (1, 3, 12), "column": (3, 1, 3.25), "text": (1, 3, 6.75)}


def test_another_width_is_refused_and_none_is_left_behind() -> None:
    with pytest.raises(InputError, match="width is 'wide': choose one of screen, column, text"), printed_width("wide"):  # type: ignore[arg-type]
        pass
    with printed_width("column"):
        pass
    assert new_figure(5, 3).get_figwidth() == 5


def test_a_long_title_is_wrapped() -> None:
    with printed_width("column"), publication_style():
        figure = new_figure(5, 3)
        before = figure.get_figheight()
        publish_title(figure, Title("A subject of several words", "N = 65,536 tokens of 1,024 crops"))
    said = figure.get_suptitle().split("\n")
    assert len(said) == 2
    assert "N = 65,536" in figure.get_suptitle()
    assert figure.get_figheight() > before


def test_a_legend_takes_the_columns_that_fit() -> None:
    columns = []
    for label in ("a", "a name of forty letters, which fills a row"):
        with publication_style():
            axes = new_figure(5, 3).subplots()
            for number_of_line in range(3):
                axes.plot([0, 1], label=f"{label} {number_of_line}")
            legend_above(axes, "heading")
        legend = axes.get_legend()
        assert legend is not None
        columns.append(legend._ncols)
        assert legend.get_title().get_text() == "heading"
    assert columns == [3, 1]


def test_a_legend_is_read_in_rows() -> None:
    labels = ["weighted sum", "l1", "quantization", "peakedness", "usage"]
    with publication_style():
        axes = new_figure(5, 3).subplots()
        for label in labels:
            axes.plot([0, 1], label=label)
        legend_above(axes)
    legend = axes.get_legend()
    assert legend is not None
    assert 1 < legend._ncols < len(labels)
    axes.get_figure(root=True).draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in legend.get_texts()}
    assert sorted(labels, key=lambda label: (-round(boxes[label].y0), boxes[label].x0)) == labels


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_a_file_holds_text_and_is_the_same_each_time(kind: str) -> None:
    before = dict(mpl.rcParams)
    files = []
    for _ in range(2):
        with publication_style():
            figure = new_figure(3, 2)
            figure.subplots().plot([0, 1], label="x")
            publish_title(figure, Title("Some words", "to read"))
        target = BytesIO()
        figure.savefig(target, format=kind)
        files.append(target.getvalue())
    assert files[0] == files[1]
    assert dict(mpl.rcParams) == before
    if kind == "pdf":
        assert b"/Type3" not in files[0]
        assert b"/CIDFontType2" in files[0]
    else:
        assert "<text" in files[0].decode()
        assert "to read" in files[0].decode()
