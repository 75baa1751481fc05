"""The time that the temperature panel takes to respond to a move of its slider.

The panel's work is measured without a browser: its numbers, its pictures and the JSON text of its five figures, for
tokens and a codebook of a published size. A move to a new temperature first shows a preview of a few tokens; the result
for all tokens follows from another thread. Temperatures near the current one are computed while the slider rests, and a
move to one of them shows the complete result at once. Weights and pictures are random, which does not affect the
amount of work. A case runs in a fresh process on one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer
from lgq_explore.models.tokenizer import build_tokenizer
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.encoding import encode_pictures
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study

from .fresh_process import THREADS, in_fresh_process
from .markdown import number, table
from .results import device_name, today

if TYPE_CHECKING:
    from lgq_explore.analysis.temperature import TemperatureView, TemperatureViews

TOKENS, CODES, MOVES = 4096, 16384, 20
IMAGE_SIZE = 32
KINDS = ("preview", "whole", "ready")
"""The timed kinds of work: the preview of a new temperature, its computation for all tokens, and the response to a
temperature that was computed in advance."""
LOWEST_MOVE = 0.02
"""Moves start here and go up from one temperature of the grid to the next."""


def measure_explorers(tokens: int = TOKENS, codes: int = CODES, moves: int = MOVES) -> dict[str, Any]:
    """Measure the temperature panel as described above: a JSON object with one result.

    Raises:
        InputError: sizes below 1, fewer than 2 codes, or more moves than temperatures of the slider.
    """
    for name, value, least in (("tokens", tokens, 1), ("codes", codes, 2), ("moves", moves, 1)):
        if value < least:
            raise InputError(f"{name} is {value}: give at least {least}")
    measured = in_fresh_process(measure_temperature_panel, {"tokens": tokens, "codes": codes, "moves": moves})
    medians = {f"median_{kind}_seconds": statistics.median(measured[f"{kind}_seconds"]) for kind in KINDS}
    return {
        "benchmark": "explorers",
        "date": today(),
        "device": device_name("cpu", THREADS),
        "versions": {"torch": torch.__version__},
        "protocol": {"clock": "CPU time", "threads": THREADS, "moves": moves},
        "results": [{"panel": "temperature", "tokens": tokens, "codes": codes, **measured, **medians}],
    }


def measure_temperature_panel(case: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds to open, and of each move, by KINDS; to be run in a fresh process."""
    from lgq_explore import plots
    from lgq_explore.analysis.temperature import TemperatureViews, temperature_marks

    backbone = BackboneConfig()
    tokenizer = build_tokenizer(backbone, LGQConfig(codebook_size=case["codes"]), seed=0).eval()
    study = _random_study(tokenizer, case["tokens"], backbone.factor)
    started = time.process_time()
    views = TemperatureViews(study, tokens=case["tokens"])
    marks = temperature_marks(views.sample, views.sweep)

    def preview(temperature: float) -> list[str]:
        return _figures(views, views.preview(temperature))

    def ready(temperature: float) -> list[str]:
        return _figures(views, views.at(temperature))

    assert plots.temperature.draw_sweep(views.sweep, views.flips, marks).to_json()
    assert all(preview(views.temperatures[0]))
    opened = time.process_time() - started
    chosen = [temperature for temperature in views.temperatures if temperature > LOWEST_MOVE][: case["moves"]]
    if len(chosen) < case["moves"]:
        raise InputError(f"moves is {case['moves']}: the slider has {len(chosen)} temperatures to move to")
    return {
        "dim": backbone.dim,
        "pictures": len(views.images),
        "opening_seconds": opened,
        "preview_seconds": [_seconds(preview, temperature) for temperature in chosen],
        "whole_seconds": [_seconds(views.at, temperature) for temperature in chosen],
        "ready_seconds": [_seconds(ready, temperature) for temperature in chosen],
    }


def _random_study(tokenizer: Tokenizer, tokens: int, factor: int) -> Study:
    """A study of random pictures with at least this many tokens."""
    count = -(-tokens // (IMAGE_SIZE // factor) ** 2)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (count, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8, generator=generator)
    trained = TrainedTokenizer.of(tokenizer)
    return Study(trained, encode_pictures(trained, pictures.numpy()))


def _figures(views: TemperatureViews, view: TemperatureView) -> list[str]:
    """The JSON texts of the panel's figures that depend on the temperature."""
    from lgq_explore import plots

    shown = view.reconstructions
    temperature = shown.temperature
    assert temperature is not None
    figures = [
        plots.temperature.mark_temperature(temperature),
        plots.temperature.draw_softness(view.tokens, views.quantizer.codebook_size),
        plots.temperature.draw_top_responsibilities(views.top(0, temperature), 0),
        plots.pictures.draw_images({"input": shown.images, "soft": shown.soft, "hard": shown.hard}),
        plots.temperature.draw_token_map(view.placed, 0),
    ]
    return [figure.to_json() for figure in figures]


def _seconds(act: Callable[[float], object], temperature: float) -> float:
    started = time.process_time()
    act(temperature)
    return time.process_time() - started


def markdown_table(measured: Mapping[str, Any]) -> str:
    """One row per panel: opening, and the medians of each kind of move; below it, what was measured."""
    rows = [
        [
            result["panel"],
            f"{result['tokens']:,d}",
            f"{result['codes']:,d}",
            *(number(1000 * result[f"{name}_seconds"]) for name in ("opening", *(f"median_{kind}" for kind in KINDS))),
        ]
        for result in measured["results"]
    ]
    header = ["panel", "tokens N", "codes K", "opening, ms", "move, ms", "all tokens follow, ms", "move made ready, ms"]
    protocol = measured["protocol"]
    caption = (
        f"Numbers, pictures and figures of the panel without the browser: {protocol['clock']}, {protocol['threads']} "
        f"thread, medians of {protocol['moves']} moves. {measured['date']}, {measured['device']}."
    )
    return table(header, rows, left=1) + "\n\n" + caption
