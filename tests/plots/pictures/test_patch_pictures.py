"""Is the patch outlined where it is, in every picture, and does a click pick the patch under it?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.pictures import draw_patch_pictures, publish_patch_pictures

SIDE, GRID = 32, 8
NUMBERS = np.arange(GRID * GRID).reshape(GRID, GRID) + 100
PICTURES = {name: np.full((3, SIDE, SIDE), value, dtype=np.uint8) for name, value in (("input", 10), ("decoded", 20))}


def test_a_click_in_any_picture_picks_the_patch_under_it() -> None:
    strip, clicks = draw_patch_pictures(PICTURES, NUMBERS, 2, 5).data
    assert strip.source.startswith("data:image/png")
    picked = {
        (float(x), float(y)): int(number) for x, y, number in zip(clicks.x, clicks.y, clicks.customdata, strict=True)
    }
    cell = 224 / GRID
    assert picked[5.5 * cell, 2.5 * cell] == NUMBERS[2, 5]
    second = 224 + round(224 * 0.05)
    assert picked[second + 0.5 * cell, 7.5 * cell] == NUMBERS[7, 0]
    assert len(picked) == 2 * GRID * GRID


def test_the_patch_is_outlined_in_every_picture_of_both_forms() -> None:
    cell = 224 / GRID
    first, second = draw_patch_pictures(PICTURES, NUMBERS, 2, 5).layout.shapes
    assert (first.x0, first.x1, first.y0, first.y1) == (5 * cell, 6 * cell, 2 * cell, 3 * cell)
    assert second.x0 - first.x0 == 224 + round(224 * 0.05)
    printed = publish_patch_pictures(PICTURES, NUMBERS, 2, 5).axes[0]
    assert [patch.get_xy() for patch in printed.patches] == [(first.x0, first.y0), (second.x0, second.y0)]
    assert [label.get_text() for label in printed.get_xticklabels()] == ["input", "decoded"]


@pytest.mark.parametrize("draw", [draw_patch_pictures, publish_patch_pictures])
def test_nonsense_is_refused(draw) -> None:
    with pytest.raises(InputError, match="give a cell of it"):
        draw(PICTURES, NUMBERS, 8, 0)
    with pytest.raises(InputError, match="give a cell of it"):
        draw(PICTURES, np.zeros((5, 5), dtype=np.int64), 0, 0)
    for pictures in ({}, PICTURES | {"other": np.zeros((3, 8, 8), dtype=np.uint8)}):
        with pytest.raises(InputError, match="of \\[3, S, S\\]"):
            draw(pictures, NUMBERS, 0, 0)
