"""Do the figures of the temperature show what their frames hold?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import (
    FLIPS,
    MARKS,
    SWEEP,
    TOKEN_MAP,
    TOKENS,
    TOP_RESPONSIBILITIES,
)
from lgq_explore.plots.paper import Width, printed_width
from lgq_explore.plots.style import ON_TOP
from lgq_explore.plots.temperature import (
    TemperatureFrames,
    draw_softness,
    draw_sweep,
    draw_token_map,
    draw_top_responsibilities,
    mark_temperature,
    publish_sweep,
    publish_temperature,
)
from tests.plots.filled_frames import filled

TEMPERATURES = [0.01, 0.1, 1.0]


def sweep() -> pd.DataFrame:
    return filled(
        SWEEP,
        {
            "temperature": TEMPERATURES,
            "relative_gap": [0.0, 0.1, 0.5],
            "relative_bound": [0.0, 0.4, 2.0],
            "relative_free_energy_gap": [0.0, 0.2, 3.0],
            "encoder_gain": [0.9, 0.8, 0.4],
            "encoder_gain_median": [0.0, 0.8, 0.4],
            "tokens": [512] * 3,
        },
    )


def flips() -> pd.DataFrame:
    return filled(
        FLIPS,
        {"from_temperature": [0.01, 0.1], "to_temperature": [0.1, 1.0], "hard": [0.0, 0.0], "soft": [0.1, 0.3]},
    )


def marks() -> pd.DataFrame:
    return filled(MARKS, {"mark": ["training ended", "critical"], "temperature": [0.1, 1.0]})


def tokens() -> pd.DataFrame:
    return filled(TOKENS, {"token": range(8), "code": 0, "max_p": [0.1] * 6 + [1.0] * 2, "entropy": np.log(2)})


def top() -> pd.DataFrame:
    return filled(
        TOP_RESPONSIBILITIES, {"rank": [1, 2], "code": [7, 3], "responsibility": [0.6, 0.3], "distance": [0.1, 0.2]}
    )


def placed() -> pd.DataFrame:
    """Two pictures of 2 × 2 tokens."""
    place = np.arange(8)
    return filled(TOKEN_MAP, tokens().assign(picture=place // 4, row=place // 2 % 2, column=place % 2))


def test_a_sweep_has_a_line_a_quantity_at_its_temperatures() -> None:
    figure = draw_sweep(sweep(), flips(), marks())
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["LGQ, mean"].y) == [0.9, 0.8, 0.4]
    assert list(lines["straight-through: 1"].y) == [1, 1, 1]
    gap = lines["gap |q_soft − q_hard|"]
    assert list(gap.x) == TEMPERATURES
    assert np.isnan(gap.y[0])  # nothing is not drawn on a log axis
    assert list(gap.y[1:]) == [0.1, 0.5]
    np.testing.assert_allclose(lines["code nearest to q_soft"].x, [10**-1.5, 10**-0.5])
    assert "N = 512 tokens" in figure.layout.title.text


def test_marks_and_the_present_temperature_are_lines_in_every_panel() -> None:
    figure = draw_sweep(sweep(), flips(), marks())
    assert [shape.x0 for shape in figure.layout.shapes] == [0.1, 1.0] * 3
    lines = mark_temperature(0.2).layout.shapes
    assert [(line.x0, line.x1, line.xref, line.yref, line.name) for line in lines] == [
        (0.2, 0.2, "x" + panel, f"y{panel} domain", ON_TOP) for panel in ("", "2", "3")
    ]
    assert {note.text for note in figure.layout.annotations} >= {"training ended", "τ<sub>c</sub>"}


def test_names_of_marks_that_are_close_stand_at_different_ends_of_their_lines() -> None:
    named = {"training began": 1.0, "critical": 1.5, "training ended": 0.1}
    crowded = filled(MARKS, {"mark": list(named), "temperature": list(named.values())})
    wide = sweep().assign(temperature=[1e-3, 1.0, 10.0])
    notes = {note.text: note for note in draw_sweep(wide, flips(), crowded).layout.annotations}
    anchors = {name: notes[name].yanchor for name in ("training ended", "training began", "τ<sub>c</sub>")}
    assert anchors == {"training ended": "bottom", "training began": "bottom", "τ<sub>c</sub>": "top"}
    _, printed, _ = publish_sweep(wide, flips(), crowded, 0.2).axes
    placed = {text.get_text(): text.get_va() for text in printed.texts}
    assert placed == {"training ended": "bottom", "training began": "bottom", r"$\tau_c$": "top"}


def test_distributions_are_shares_of_all_tokens() -> None:
    largest, entropy = draw_softness(tokens(), codebook_size=16).data
    assert sum(largest.y) == pytest.approx(1)
    assert largest.y[-1] == 0.25  # p* = 1 belongs to the last bar
    assert largest.y[4] == 0.75
    (bit,) = np.flatnonzero(entropy.y)
    assert entropy.x[bit] <= 1 <= entropy.x[bit] + entropy.width
    assert entropy.width == pytest.approx(4 / 40)  # log2 16 bits at most


def test_the_top_codes_can_be_clicked() -> None:
    figure = draw_top_responsibilities(top(), token=5)
    (bars,) = figure.data
    assert list(bars.x) == ["7", "3"]
    assert list(bars.customdata) == [7, 3]
    assert "token 5" in figure.layout.title.text
    assert "other codes 10%" in figure.layout.title.text


def test_a_map_has_a_clickable_cell_a_token_and_a_gap_between_pictures() -> None:
    figure = draw_token_map(placed(), token=6)
    (cells,) = figure.data
    np.testing.assert_array_equal(cells.customdata, [[0, 1, -1, 4, 5], [2, 3, -1, 6, 7]])
    assert np.isnan(cells.z[:, 2]).all()
    assert cells.z[1][3] == 1.0
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.y0, frame.name) == (2.5, 0.5, ON_TOP)
    assert not draw_token_map(placed(), token=99).layout.shapes


def test_the_printed_figures_hold_all_panels() -> None:
    assert len(publish_sweep(sweep(), flips(), marks()).axes) == 3
    pictures = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    rows = {"input": pictures, "soft": pictures, "hard": pictures}
    figure = publish_temperature(
        TemperatureFrames(sweep(), flips(), marks(), 0.2, tokens(), 16, top(), 5, placed(), rows)
    )
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 9  # three of the sweep, two distributions, one token, pictures, map and its colours
    assert [label.get_text() for label in figure.axes[6].get_yticklabels()] == ["input", "soft", "hard"]


@pytest.mark.parametrize(("view", "panels"), [("decided", 2), ("shares", 1), ("pictures", 1)])
@pytest.mark.parametrize("width", ["screen", "column"])
def test_a_single_view_is_printed_with_the_sweep_and_the_map(view: str, panels: int, width: Width) -> None:
    pictures = {"input": np.zeros((2, 3, 8, 8), dtype=np.uint8)}
    frames = TemperatureFrames(sweep(), flips(), marks(), 0.2, tokens(), 16, top(), 5, placed(), pictures)
    with printed_width(width):
        assert len(publish_temperature(frames, view).axes) == 3 + panels + 2
    with pytest.raises(InputError, match="view is 'all': choose one of decided, shares, pictures"):
        publish_temperature(frames, "all")
