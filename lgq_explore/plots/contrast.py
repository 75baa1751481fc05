"""Colours of words that can be read: on paper, in the dark theme, and on markers."""

from __future__ import annotations

from matplotlib.colors import to_hex, to_rgb

LEAST_CONTRAST = 4.5
"""Of small text with what is behind it, by WCAG 2.2, success criterion 1.4.3."""

WHITE, DARK_PAPER = "#FFFFFF", "#111111"
"""What words stand on: in print and in the light theme, and in JupyterLab's dark theme."""

STEPS = 50
"""From a colour to black or white. The panels' theme.js takes the same steps."""


def luminance(colour: str) -> float:
    """The relative luminance of a colour, from 0 (black) to 1 (white), by WCAG's formula."""
    red, green, blue = map(_linear, to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21, by WCAG's formula."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_colour(colour: str, paper: str = WHITE) -> str:
    """The colour for words on this paper: as it is, or mixed with as little black or white as makes it readable."""
    end = 0.0 if luminance(paper) > 0.2 else 1.0
    mixes = (_mixed(colour, end, step / STEPS) for step in range(STEPS + 1))
    return next(mix for mix in mixes if contrast(mix, paper) >= LEAST_CONTRAST)


def ink_on(colour: str) -> str:
    """White or black: what can be read on a marker of this colour.

    By names of CSS, which charts leave as they are in the dark theme. There, what is black takes the colour of words,
    and what stands on it that of paper.
    """
    if luminance(colour) == 0:
        return WHITE
    return "white" if contrast(colour, "white") >= contrast(colour, "black") else "black"


def _mixed(colour: str, end: float, share: float) -> str:
    red, green, blue = (part + (end - part) * share for part in to_rgb(colour))
    return to_hex((red, green, blue))


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
