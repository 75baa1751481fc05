"""Does a picture of several figures hold all of them, without a gap where two fit beside each other?"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lgq_explore.plots.printing import EVEN_COLOURS, new_figure
from lgq_explore.widgets.parts.frame.stacked import PICTURE_DPI, stacked_png

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (0, 0, 0)


def block(width: float, height: float, colour: str) -> Figure:
    """A figure in inches that is one colour all over."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.zeros((1, 1, 3)), aspect="auto")
    axes.set_axis_off()
    axes.axvspan(-1, 1, color=colour)
    return figure


def test_figures_lie_under_each_other_and_narrow_ones_beside() -> None:
    png = stacked_png([block(6, 1, "red"), block(2, 2, "green"), block(2, 1, "blue"), block(5, 1, "black")])
    sheet = Image.open(BytesIO(png))
    inch = PICTURE_DPI
    assert abs(sheet.width - 6 * inch) < inch / 2
    assert abs(sheet.height - 4 * inch) < inch
    centres = {RED: (3, 0.5), GREEN: (1, 2), BLUE: (3.2, 1.6), BLACK: (2, 3.6)}
    assert {colour: sheet.getpixel((round(x * inch), round(y * inch))) for colour, (x, y) in centres.items()} == {
        colour: colour for colour in centres
    }


def test_a_sheet_has_few_colours_only_if_all_of_its_figures_have_the_same() -> None:
    few_colours = replace(EVEN_COLOURS, colours=8)
    figures = [new_figure(2, 2, palette=palette) for palette in (few_colours, few_colours, None)]
    for figure in figures:
        figure.subplots().imshow(np.random.default_rng(0).random((64, 64)), cmap="viridis")
    few, all_of_them = (Image.open(BytesIO(stacked_png(shown))) for shown in (figures[:2], figures))
    assert len(few.convert("RGB").getcolors()) <= 8
    assert all_of_them.getcolors(256) is None
