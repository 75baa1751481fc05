"""Does every patch arrive in its code's row, with its own pixels outlined, and can it be picked?"""

from __future__ import annotations

import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.plots.pictures import PatchRow, draw_code_patches, publish_code_patches
from lgq_explore.plots.pictures.patches import NO_CODES

SIDE, REACH = 16, 4
SCALE = 4


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (count, 3, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def rows() -> list[PatchRow]:
    live = PatchRow("code 3", *pictures(3, 0), pictures(5, 1), np.arange(10, 15))
    dead = PatchRow("code 7", pictures(1, 2)[0], None, None, pictures(0, 3), np.arange(0))
    return [live, dead]


def pixels_of(trace: go.Image) -> np.ndarray:
    """RGBA."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(trace.source.partition(",")[2]))))


def test_a_click_on_a_patch_picks_its_number(rows: list[PatchRow]) -> None:
    strip, _, clicks = draw_code_patches(rows, REACH).data
    assert list(clicks.customdata) == [10, 11, 12, 13, 14]
    for x, y, patch in zip(clicks.x, clicks.y, rows[0].patches, strict=True):
        half = SIDE * SCALE // 2
        left, top = int(x) - half, int(y) - half - int(strip.y0 - 0.5)
        shown = pixels_of(strip)[top : top + 2 * half : SCALE, left : left + 2 * half : SCALE]
        np.testing.assert_array_equal(shown[:2, :, :3], patch.transpose(1, 2, 0)[:2])


def test_only_pixels_of_pictures_hide_the_page(rows: list[PatchRow]) -> None:
    inside = np.ones((5, SIDE, SIDE), dtype=bool)
    inside[2, :3] = False
    strip, *_ = draw_code_patches([replace(rows[0], inside=inside)], REACH).data
    is_clear = pixels_of(strip)[..., 3] == 0
    side, gaps = SIDE * SCALE, 2 + 4 + 2  # the summaries' patches, two more after these, the patches'
    assert is_clear.sum() == side * 6 * gaps + 3 * SCALE * side
    assert set(np.unique(pixels_of(strip)[..., 3])) == {0, 255}


def test_only_the_outline_is_added_to_a_patch(rows: list[PatchRow]) -> None:
    plain, outlined = (pixels_of(draw_code_patches(rows, reach).data[0]) for reach in (0, REACH))
    changed = (plain != outlined).any(axis=2)
    assert (outlined[changed] == 255).all()
    own = (SIDE - 2 * REACH) * SCALE
    around = (own + 4) ** 2 - own**2
    assert changed.sum() == 5 * around


def test_a_dead_code_has_a_blank_where_its_means_would_be(rows: list[PatchRow]) -> None:
    _, strip, _ = draw_code_patches(rows, REACH).data
    shown = pixels_of(strip)
    assert (shown[:, SIDE * SCALE :, 3] == 0).all()
    np.testing.assert_array_equal(shown[::SCALE, : SIDE * SCALE : SCALE, :3], rows[1].alone.transpose(1, 2, 0))


def test_rows_are_named_in_both_forms(rows: list[PatchRow]) -> None:
    assert draw_code_patches(rows, REACH).layout.yaxis.ticktext == ("code 3", "code 7")
    labels = publish_code_patches(rows, REACH).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["code 3", "code 7"]


def test_no_codes_say_what_to_do_in_both_forms() -> None:
    figure = draw_code_patches([], REACH)
    assert figure.layout.annotations[0].visible
    assert figure.layout.annotations[0].text == NO_CODES
    assert [text.get_text() for text in publish_code_patches([], REACH).texts] == [NO_CODES]


@pytest.mark.parametrize("draw", [draw_code_patches, publish_code_patches])
def test_a_reach_that_leaves_nothing_is_refused(draw, rows: list[PatchRow]) -> None:
    with pytest.raises(InputError, match="reach 8"):
        draw(rows, 8)
