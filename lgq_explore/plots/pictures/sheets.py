"""Axes of a sheet of pixels, and targets for clicks on it."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ..live import Trace


def across(width: float) -> dict[str, Any]:
    """The x axis of a sheet of `width` pixels, which stays at the left."""
    return {"range": [0, width], "constrain": "domain", "constraintoward": "left", "fixedrange": True}


def downwards(height: float) -> dict[str, Any]:
    """The y axis of a sheet of `height` pixels, square as those of the x axis, which stays at the top."""
    return {
        "range": [height, 0],
        "scaleanchor": "x",
        "constrain": "domain",
        "constraintoward": "top",
        "fixedrange": True,
    }


def click_targets(x: ArrayLike, y: ArrayLike, numbers: ArrayLike, side: float, **looks: Any) -> Trace:
    """Invisible squares, `side` screen pixels wide, each with a number."""
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "customdata": numbers,
        "mode": "markers",
        "marker": {"size": side, "symbol": "square", "color": "rgba(0,0,0,0)"},
        "showlegend": False,
        **looks,
    }
