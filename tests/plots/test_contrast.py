"""Can words be read in every colour that figures use, on white, in the dark theme and on markers?"""

from __future__ import annotations

import pytest

from lgq_explore.plots.contrast import DARK_PAPER, WHITE, contrast, ink_on, text_colour
from lgq_explore.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GUIDE,
    INK,
    METHOD_COLOURS,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    method_colour,
)

OTHERS = [method_colour(f"method {number}") for number in range(24)]
COLOURS = [BLACK, BLUE, GREEN, GUIDE, INK, ORANGE, PURPLE, SKY_BLUE, VERMILION, *METHOD_COLOURS.values(), *OTHERS]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.005)
    assert contrast("#FF0000", "#FFFFFF") == pytest.approx(4.00, abs=0.005)
    assert contrast(BLUE, DARK_PAPER) == pytest.approx(3.64, abs=0.005)  # too little for words


@pytest.mark.parametrize("paper", [WHITE, DARK_PAPER])
def test_words_in_every_colour_can_be_read(paper: str) -> None:
    for colour in COLOURS:
        assert contrast(text_colour(colour, paper), paper) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert text_colour(BLUE) == BLUE.lower()
    assert text_colour(BLUE, DARK_PAPER) != BLUE.lower()
    assert text_colour(SKY_BLUE, DARK_PAPER) == SKY_BLUE.lower()


def test_what_stands_on_a_marker_can_be_read() -> None:
    for colour in COLOURS:
        assert contrast(ink_on(colour), colour) >= 4.5
    assert ink_on(BLUE) == "white"
    assert ink_on(ORANGE) == "black"
    assert ink_on(BLACK) == WHITE  # both change places in the dark theme
