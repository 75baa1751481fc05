"""Is every name shown letter by letter: no formula, no markup, nothing left out, nothing that a terminal obeys?"""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text

from lgq_explore import plots
from lgq_explore.errors import printable
from lgq_explore.frames.comparison import AGREEMENT, GROUP_NUMBERS, PRUNING
from lgq_explore.frames.geometry import CODE_CELLS, DENSITY_EXPONENTS, EFFICIENCY
from lgq_explore.frames.health import VERDICTS
from lgq_explore.frames.toys import CURVE, TABLE
from lgq_explore.frames.usage import ACCUMULATION, BY_RANK, DEFINITIONS, LORENZ, SUMMARY
from lgq_explore.plots.printing import new_figure, publication_style, publish_title
from lgq_explore.plots.style import Title, layout, live_text, printed_text
from tests.plots.filled_frames import filled

NAMES = ["_baseline", "a$1$", "a$b_{c$", "lr<b>2</b>", "R&D &lt; x", "50%_off ^2", "%{y} run", "esc\x1b[31m\nnew\udce4"]
"""What folders and photographs may be called."""

Figures = Callable[[str], tuple[go.Figure | None, Figure | None]]
PICTURE = np.zeros((1, 3, 8, 8), dtype=np.uint8)


def usage(name: str) -> dict[str, pd.DataFrame]:
    return {
        "ranks": filled(
            BY_RANK.of_several_runs, {"run": [name], "rank": [1], "code": [0], "count": [10], "share": [1.0]}
        ),
        "lorenz": filled(
            LORENZ.of_several_runs,
            {"run": name, "curve": ["counted"] * 2, "code_share": [0.0, 1.0], "token_share": [0.0, 1.0]},
        ),
        "summary": filled(SUMMARY.of_several_runs, {"run": [name], "gini": [0.25], "gini_uniform": [0.12]}),
        "accumulation": filled(
            ACCUMULATION.of_several_runs,
            {
                "run": name,
                "images": [1, 2],
                "tokens": [4, 8],
                "active_codes": [3.0, 5.0],
                "low": [2.5, 4.5],
                "high": [3.5, 5.5],
                "codebook_size": 8,
                "chao2": 9.0,
                "unit": "image",
            },
        ),
        "definitions": filled(
            DEFINITIONS,
            {
                "run": [name],
                "definition": ["whole set"],
                "tokens": [8],
                "codes": [5.0],
                "utilization": [0.6],
                "rank": [1.0],
                "why": [""],
            },
        ),
    }


def of_usage(name: str) -> Iterator[tuple[go.Figure | None, Figure | None]]:
    frames, methods = usage(name), {name: "vq"}
    yield plots.usage.draw_by_rank(frames["ranks"], methods), None
    yield plots.usage.draw_lorenz(frames["lorenz"], frames["summary"], methods), None
    yield plots.usage.draw_accumulation(frames["accumulation"], methods), None
    yield plots.usage.draw_definitions(frames["definitions"], methods), None
    together = plots.usage.UsageFrames(**frames)
    yield None, plots.usage.publish_comparison(together, methods, "N = 8")
    grid = pd.DataFrame([[3.0, 0.0], [1.0, 2.0]], index=[0, 2])
    yield None, plots.usage.publish_beside_map(together, methods, "ranks", grid, name)
    yield plots.usage.draw_grid(grid, run=name), plots.usage.publish_grid(grid, run=name)


def of_geometry(name: str) -> Iterator[tuple[go.Figure | None, Figure | None]]:
    efficiency = filled(
        EFFICIENCY.of_several_runs,
        {
            "run": [name],
            "measure": ["latents"],
            "efficiency": [0.8],
            "spread": [0.01],
            "cell_means_efficiency": [0.9],
            "restarts": [3],
            "images": [8],
            "tokens": [64],
            "fit_tokens": [64],
            "codebook_size": [8],
        },
    )
    methods = {name: "lgq"}
    yield None, plots.geometry.publish_efficiency(efficiency, methods)
    agreement = filled(
        AGREEMENT,
        {
            "first": [name],
            "second": ["b"],
            "agreement": [0.4],
            "null": [0.0],
            "null_spread": [0.1],
            "tokens": [64],
            "images": [4],
            "photographs": [2],
            "draws": [3],
        },
    )
    yield None, plots.comparison.publish_agreement(agreement)
    pruned = filled(PRUNING.of_several_runs, {"run": [name], "kept": [4], "psnr_db": [20.0], "crops": [2]})
    yield None, plots.comparison.publish_pruning(pruned, methods)
    numbers = {
        "group": [name] * 2,
        "method": [name] * 2,
        "number": ["psnr_db", "entropy_bits"],
        "estimate": [20.0, 3.0],
    }
    numbers |= {"low": [19.0, 2.0], "high": [21.0, 4.0]}
    yield None, plots.comparison.publish_rate_distortion(filled(GROUP_NUMBERS, numbers))
    cells = filled(
        CODE_CELLS,
        {
            "code": [0, 1],
            "count": [60, 40],
            "occupancy": [0.6, 0.4],
            "mean_log_density": [2.0, 1.0],
            "volume": [0.1, 0.2],
            "anisotropy": [1.2, 1.5],
            "tokens": 100,
            "dimension": 2.0,
            "shape_tokens": 10.0,
        },
    )
    exponents = filled(
        DENSITY_EXPONENTS,
        {
            "quantity": ["volume", "occupancy", "distortion_share"],
            "exponent": 0.1,
            "low": 0.0,
            "high": 0.2,
            "theory": 0.0,
            "cells": 2,
            "fewest_tokens": 5,
            "centre": 1.0,
            "level": 0.0,
        },
    )
    yield None, plots.geometry.publish_code_cells(cells, exponents, name=name)
    pane = plots.geometry.MapPane(
        heading=name,
        codes=pd.DataFrame({"code": [0, 1], "x": [0.0, 1.0], "y": [0.0, 1.0], "count": [1, 2]}),
        tokens=pd.DataFrame({"x": [0.2], "y": [0.1]}),
        edges=pd.DataFrame({"code": [0], "neighbour": [1]}),
        axes=("first", "second"),
        span=(0.0, 1.0, 0.0, 1.0),
    )
    yield plots.geometry.draw_latent_maps([pane])[0], plots.geometry.publish_latent_map([pane])


def of_pictures(name: str) -> Iterator[tuple[go.Figure | None, Figure | None]]:
    yield plots.pictures.draw_images({name: PICTURE}), plots.pictures.publish_images({name: PICTURE})
    beside = {name: PICTURE[0]}, np.array([[0]]), 0, 0
    yield plots.pictures.draw_patch_pictures(*beside), plots.pictures.publish_patch_pictures(*beside)
    input_of = {"input": PICTURE[0]}, np.array([[0]]), 0, 0, f"picture 0 ({name})"
    yield plots.pictures.draw_patch_pictures(*input_of), plots.pictures.publish_patch_pictures(*input_of)


def of_toys(name: str) -> Iterator[tuple[go.Figure | None, Figure | None]]:
    curve = filled(CURVE, {"step": [1, 2], "ratio": [3.0, 2.0]})
    curves = {name: curve, "other": curve}
    yield plots.toys.draw_toy_distance(curves, "N = 3", 2), plots.toys.publish_toy_distance(curves, "N = 3", 2)
    table = filled(TABLE, {"data": ["ring"], "method": [name], "ratio": [2.0], "tokens": [9], "seed": [0]})
    yield None, plots.toys.publish_toy_table(table)
    table = table.assign(method="lgq", data=name)
    yield None, plots.toys.publish_toy_table(table)


def of_health(name: str) -> Iterator[tuple[go.Figure | None, Figure | None]]:
    verdicts = filled(
        VERDICTS, {"rule": ["r"], "state": ["fine"], "finding": [f"in {name}"], "advice": "", "settings": ""}
    )
    curves = pd.DataFrame({"rule": [], "quantity": [], "step": [], "value": [], "lower": [], "upper": []})
    yield None, plots.health.publish_verdicts(curves, verdicts)
    yield plots.health.draw_verdicts(curves, verdicts, name), plots.health.publish_verdicts(curves, verdicts, name)


def texts_of(figure: dict[str, Any] | list[Any] | str) -> Iterator[str]:
    match figure:
        case str():
            yield figure
        case list():
            for part in figure:
                yield from texts_of(part)
        case dict():
            for part in figure.values():
                yield from texts_of(part)


def without_bold(text: str) -> str:
    """What is read of a text of matplotlib: its bold words, and dollars."""
    bold = re.sub(r"(?<!\\)\$\\bf\{(.*?)\}\$", lambda found: found[1].replace(r"\ ", " "), text)
    return bold.replace(r"\$", "$").replace("\N{WORD JOINER}", "")


def closed_up(text: str) -> str:
    """A text without its spaces and the ends of its lines, where titles are wrapped."""
    return text.replace(" ", "").replace("\n", "")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", [of_usage, of_geometry, of_pictures, of_toys, of_health])
def test_a_name_is_plain_text_in_every_figure(family: Callable[[str], Iterator[Any]], name: str) -> None:
    for live, printed in family(name):
        if live is not None:
            texts = list(texts_of(json.loads(live.to_json())))
            shown = [text for text in texts if live_text(name) in text]
            assert shown, live.layout.title.text
            assert printable(name) in html.unescape(shown[0])
            if live_text(name) != name:
                assert not any(name in text for text in texts)
            live.to_json().encode()
        if printed is not None:
            printed.savefig(BytesIO(), format="png", dpi=20)  # a formula that is none raises here
            texts = [text.get_text() for text in printed.findobj(Text)]
            shown = [text for text in texts if closed_up(printable(name)) in closed_up(without_bold(text))]
            assert shown, texts
            assert not any(is_math_text(text) for text in shown if r"\bf" not in text)
            labels = [line.get_label() for axes in printed.axes for line in axes.lines]
            assert not any(label.startswith(name) for label in labels if name.startswith("_"))


def test_a_title_keeps_its_bold_words_and_what_is_no_letter() -> None:
    figure = new_figure(4, 3)
    publish_title(figure, Title("Usage of a_$b$ {c}", "N = $3"))
    assert figure.get_suptitle() == r"$\bf{Usage\ of\ a}$_\$$\bf{b}$\$$\bf{\ }${$\bf{c}$}  N = \$3"
    figure.savefig(BytesIO())
    drawn = layout(Title("<i>a</i>", "%{x} & b"), height=100)
    assert drawn["title"]["text"].startswith("<b>&lt;i&gt;a&lt;/i&gt;</b>")
    assert "&#37;{x} &amp; b" in drawn["title"]["text"]


def test_plain_names_stay_as_they_are() -> None:
    for name in ("lgq, seed 0", "lake-at-night.png", "Ünïcode 湖", "N = 3 (≥ 2)"):
        assert live_text(name) == printed_text(name) == name


def test_threads_that_draw_at_once_put_back_the_style_they_found() -> None:
    before = dict(matplotlib.rcParams)
    entered = threading.Event()

    def draw_meanwhile() -> None:
        entered.set()
        with publication_style():
            pass

    with publication_style():
        assert dict(matplotlib.rcParams) != before
        other = threading.Thread(target=draw_meanwhile)
        other.start()
        entered.wait()
    other.join()
    assert dict(matplotlib.rcParams) == before
