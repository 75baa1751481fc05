"""Can methods be told apart, and does drawing leave nothing behind?"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from lgq_explore.plots import METHOD_COLOURS
from lgq_explore.plots.printing import EVEN_COLOURS, RARE_COLOURS, Palette, new_figure, publication_style
from lgq_explore.plots.style import method_colour

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


def test_each_method_has_a_colour_of_its_own_that_everybody_can_tell() -> None:
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS) == 7
    assert set(METHOD_COLOURS.values()) < OKABE_ITO


def test_any_other_method_has_a_colour_of_its_own_that_stays() -> None:
    names = [f"brought from elsewhere {number}" for number in range(20)]
    colours = [method_colour(name) for name in names]
    assert len({*colours, *METHOD_COLOURS.values()}) == 27
    assert colours == [method_colour(name) for name in names]
    assert method_colour("planted-cosine") == "#CE3B72"
    for colour in colours:
        red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.8  # seen on white


def test_publishing_leaves_no_style_and_no_figure_behind() -> None:
    before = dict(mpl.rcParams)
    with publication_style():
        figure = new_figure(3, 2)
        figure.subplots().plot([1, 2])
    assert dict(mpl.rcParams) == before
    pyplot = pytest.importorskip("matplotlib.pyplot")
    assert pyplot.get_fignums() == []


def test_a_notebook_shows_a_printed_figure_as_a_picture() -> None:
    with publication_style():
        figure = new_figure(3, 2)
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.subplots(1, 2)
    assert repr(figure) == "PrintedFigure(2 axes)"


@pytest.mark.parametrize("chosen", [RARE_COLOURS, EVEN_COLOURS])
def test_a_palette_makes_a_picture_small_and_keeps_its_colours(chosen: Palette) -> None:
    pictures = []
    for palette in (None, replace(chosen, colours=16)):
        figure = new_figure(3, 2, palette=palette)
        axes = figure.subplots()
        axes.scatter(*np.random.default_rng(0).random((2, 2000)), s=2, color="#0072B2")
        pictures.append(figure._repr_png_())
    full, small = (Image.open(BytesIO(picture)) for picture in pictures)
    assert len(pictures[1]) < len(pictures[0]) / 2
    assert small.size == full.size
    assert len(small.convert("RGB").getcolors()) <= 16
    assert np.abs(np.asarray(small.convert("RGB"), int) - np.asarray(full.convert("RGB"), int)).mean() < 4
