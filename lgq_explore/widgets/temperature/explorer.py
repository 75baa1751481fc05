"""A panel that shows a trained codebook go from soft to hard as the temperature is moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.analysis.temperature import TemperatureView, TemperatureViews
from lgq_explore.errors import printable
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts.widget import Picked
from ..parts.state.inputs import codes_box, number_box, row, step_slider, steps_beside, stop_slider, tabs, three_digits
from ..parts.state.pieces import Choice, Codes, Temperature, Whole
from ..parts.studies import StudyLike, as_study, snapshots_caption, study_arguments, study_caption
from ..parts.work.background import Abandoned, Piece, Work

AHEAD = 12
"""Temperatures around the present one that are made ready while nobody moves, so that a move finds its answer."""

SNAPSHOTS_KEPT = 4
FIGURES_KEPT = 4
"""Of the last temperatures and snapshots, for a reader who goes to and fro between them."""

MANY_CODES = 2**13
"""Codes from which on one temperature takes so long that it is computed in the background."""

PICTURES_HEIGHT = 240
"""Screen pixels of three rows of six pictures in half a cell's width."""

VIEWS = {"how decided": "decided", "shares": "shares", "pictures": "pictures"}
"""What is drawn below the curves, beside the map of tokens: as the buttons say it, and as the trait does."""

TOKEN_MAP = "token map"
"""The name of the chart whose tokens can be picked."""


class TemperatureExplorer(Explorer):
    """Held-out tokens and pictures at any temperature, with the codebook of any snapshot of training.

    study: made before, or of a run: opened, its folder, or its name under data/runs, looked at through at most `crops`
    held-out crops, or crops of `data`: the SPEC of other pictures, such as folder:PATH. Its method has a temperature.
    temperature: by default the one that training ended with. snapshot: the step of a saved codebook, by default the
    newest; of many some are offered, evenly spread. Encoder and decoder are always the newest. token: one of the
    pictures', whose likeliest codes are shown; click another in the map, or type it.
    selection: joint codes, set by a click on a bar, or typed. view: what is drawn below the curves: `decided`, the
    distributions over the tokens; `shares`, the codes that share the token; `pictures`, soft and hard.

    Raises:
        InputError: a run that cannot be opened or has no temperature.
    """

    WIDE = ("sweep",)

    view = Choice(VIEWS, "decided", tabs())
    temperature = Temperature(
        lambda panel: panel.offered_temperatures,
        lambda panel: panel.last_temperature,
        stop_slider("temperature τ", "330px"),
    )
    snapshot = Choice(lambda panel: panel.steps, lambda panel: panel.steps[-1], step_slider("codebook of", "330px"))
    token = Whole(lambda panel: (0, panel.pictured_tokens - 1), 0, number_box("token", "105px"))
    selection = Codes(lambda panel: panel.study.quantizer.codebook_size, codes_box("codes"))

    def __init__(self, study: StudyLike, crops: int = CROPS, data: str | None = None, **state: Any) -> None:
        self.study = as_study(study, crops, data)
        in_force = analysis.temperature.require_soft(self.study.quantizer).temperature
        self._views_of = lru_cache(maxsize=SNAPSHOTS_KEPT)(self._make_views)
        self._marks_of = lru_cache(maxsize=SNAPSHOTS_KEPT)(self._make_marks)
        self._sweep_of = lru_cache(maxsize=SNAPSHOTS_KEPT)(self._draw_sweep)
        self._softness_of = lru_cache(maxsize=FIGURES_KEPT)(_draw_softness)
        self._token_map_of = lru_cache(maxsize=FIGURES_KEPT)(_draw_token_map)
        newest = self.study.trained.finished_steps
        self.offered_temperatures = three_digits(self._views_of(newest).temperatures)
        self.last_temperature = _nearest_first(self.offered_temperatures, in_force)[0]
        self.pictured_tokens = len(self._views_of(newest).pictured)
        self.steps = sorted({*self.study.snapshots, newest})
        self._flips = analysis.temperature.flips_over_snapshots(self.study)
        self._awaits_the_rest = False
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"TemperatureExplorer({printable(self.study.name)})"

    def above(self) -> Sequence[ipywidgets.Widget]:
        return [
            row(self.inputs["temperature"], self.inputs.get("snapshot")),
            row(self.inputs["view"], self.inputs["token"], self.inputs["selection"]),
        ]

    def pick(self, picked: Picked) -> None:
        if picked.figure == TOKEN_MAP and picked.codes:
            self.token = picked.codes[0]
        elif picked.figure == "shares":
            self.selection = picked.of(self.selection)

    def studies(self) -> list[Study]:
        return [self.study]

    def draw(self) -> dict[str, go.Figure]:
        views, view = self._views, self._quickest_view()
        self._awaits_the_rest = len(view.tokens) < len(views.sample)
        return {
            "sweep": self._sweep_of(self.snapshot),
            self.view: self._draw_view(view),
            TOKEN_MAP: self._token_map_of(view, self.token),
        }

    def marks(self) -> dict[str, go.Figure]:
        return {"sweep": plots.temperature.mark_temperature(self.temperature)}

    def _draw_sweep(self, snapshot: int) -> go.Figure:
        views = self._views_of(snapshot)
        return plots.temperature.draw_sweep(views.sweep, views.flips, self._marks_of(snapshot))

    def _draw_view(self, view: TemperatureView) -> go.Figure:
        match self.view:
            case "decided":
                return self._softness_of(view, self._views.quantizer.codebook_size)
            case "shares":
                top = self._views.top(self.token, self.temperature)
                return plots.temperature.draw_top_responsibilities(top, self.token)
            case _:
                pictures = plots.pictures.draw_images(_pictures(view))
                pictures.layout.height = PICTURES_HEIGHT
                return pictures

    def printed(self) -> Figure:
        return plots.temperature.publish_temperature(self._frames(), self.view)

    def figures(self) -> list[Figure]:
        """With every view: where it is shown, none can be chosen."""
        return [plots.temperature.publish_temperature(self._frames())]

    def _frames(self) -> plots.temperature.TemperatureFrames:
        views, view = self._views, self._view
        return plots.temperature.TemperatureFrames(
            sweep=views.sweep,
            flips=views.flips,
            marks=self._marks,
            temperature=self.temperature,
            tokens=view.tokens,
            codebook_size=views.quantizer.codebook_size,
            top=views.top(self.token, self.temperature),
            token=self.token,
            placed=view.placed,
            pictures=_pictures(view),
        )

    def frame(self) -> pd.DataFrame:
        """One row per token of the sample, from `TemperatureProbe.at` at the present temperature and snapshot."""
        return self._view.tokens

    def summary(self) -> dict[str, int | float | str]:
        """`analysis.temperature.softness_summary` of the sample's N tokens, and the temperatures of the marks."""
        numbers = self._numbers_of(self._view)
        marks = dict(zip(self._marks["mark"], self._marks["temperature"], strict=True))
        return {"run": self.study.name, "snapshot": self.snapshot, **numbers, **marks}

    def line(self) -> str:
        view = self._quickest_view()
        numbers = self._numbers_of(view)
        return (
            f"τ = {self.temperature:.3g}: {numbers['effective_codes']:.3g} effective codes · "
            f"mean p* {numbers['max_p']:.2f} · gap {numbers['relative_gap']:.1%} · "
            f"gain {numbers['encoder_gain']:.2f} · "
            f"N = {len(view.tokens):,d} tokens"
        )

    def caption(self) -> str:
        views, shown = self._views, len(self._quickest_view().tokens)
        following = "" if shown == len(views.sample) else f" (all {len(views.sample):,d} follow)"
        return (
            f"{study_caption(self.study)} · distributions of {shown:,d} of them{following}, curves of "
            f"{int(views.sweep['tokens'].iloc[0]):,d} · codebook of step {self.snapshot:,d}, encoder and decoder of "
            f"step {self.study.trained.finished_steps:,d}{snapshots_caption(self.study)}"
        )

    def hint(self) -> str:
        """How many tokens changed their code since the snapshot before this one."""
        since = self._flips[self._flips["to_step"] == self.snapshot]
        return "".join(
            f"{row.share:.1%} of the tokens changed their code since step {row.from_step:,d}."
            for row in since.itertuples()
        )

    def arguments_as_code(self) -> list[str]:
        return study_arguments(self.study)

    @property
    def _views(self) -> TemperatureViews:
        return self._views_of(self.snapshot)

    @property
    def _view(self) -> TemperatureView:
        return self._views.at(self.temperature)

    def _quickest_view(self) -> TemperatureView:
        """What is known of the present state, or a preview of it: where a loop runs, the rest follows by itself."""
        previews = self._loop.is_running and not self._views.is_known(self.temperature)
        return self._views.preview(self.temperature) if previews else self._view

    @property
    def _marks(self) -> pd.DataFrame:
        return self._marks_of(self.snapshot)

    def _make_views(self, snapshot: int) -> TemperatureViews:
        return TemperatureViews(self.study, snapshot)

    def _make_marks(self, snapshot: int) -> pd.DataFrame:
        views, run = self._views_of(snapshot), self.study.run
        history = None if run is None else run.history()
        return analysis.temperature.temperature_marks(views.sample, views.sweep, history)

    def _numbers_of(self, view: TemperatureView) -> dict[str, float]:
        return analysis.temperature.softness_summary(view.tokens, self.temperature, self._views.sample.spread)

    def missing(self) -> Work | None:
        views, temperature = self._views, self.temperature
        if not views.is_prepared:
            return Work(f"what the codebook of step {self.snapshot:,d} does", partial(self._prepare, self.snapshot))
        if views.quantizer.codebook_size >= MANY_CODES and not views.is_previewed(temperature):
            return Work(f"τ = {temperature:.3g}", partial(views.preview, temperature))
        return None

    def _prepare(self, snapshot: int) -> None:
        """Compute the curves of a snapshot; called in another thread."""

        def heed(done: int, temperatures: int) -> None:
            self._background.require_wanted()
            if self.snapshot != snapshot:
                raise Abandoned

        self._views_of(snapshot).prepare(heed)
        self._marks_of(snapshot)

    def ahead(self) -> Piece | None:
        """The nearest temperature around the present one that is not answered yet, then the snapshots beside this."""
        # One set from Python may lie between those of the slider.
        nearest = [self.temperature, *_nearest_first(self.offered_temperatures, self.temperature)[:AHEAD]]
        asked = [(self._views, near) for near in nearest]
        if self._views.quantizer.codebook_size < MANY_CODES:
            asked += [(self._views_of(step), self.temperature) for step in steps_beside(self.steps, self.snapshot)]
        with_pictures = self.view == "pictures"
        unknown = next((each for each in asked if not _is_answered(*each, with_pictures)), None)
        return None if unknown is None else partial(_answer, *unknown, with_pictures)

    def computed(self) -> None:
        if self._awaits_the_rest and self._views.is_known(self.temperature):
            self._state_changed()


def _draw_softness(view: TemperatureView, codebook_size: int) -> go.Figure:
    return plots.temperature.draw_softness(view.tokens, codebook_size)


def _draw_token_map(view: TemperatureView, token: int) -> go.Figure:
    return plots.temperature.draw_token_map(view.placed, token)


def _is_answered(views: TemperatureViews, temperature: float, with_pictures: bool) -> bool:
    is_decoded = not with_pictures or views.is_reconstructed(temperature)
    return views.is_prepared and views.is_known(temperature) and is_decoded


def _answer(views: TemperatureViews, temperature: float, with_pictures: bool) -> None:
    """Compute what the panel shows at a temperature; called in another thread."""
    views.prepare()
    view = views.at(temperature)
    if with_pictures:
        view.reconstruct()


def _nearest_first(temperatures: Sequence[float], temperature: float) -> list[float]:
    return sorted(temperatures, key=lambda other: abs(math.log(other / temperature)))


def _pictures(view: TemperatureView) -> dict[str, NDArray[np.uint8]]:
    shown = view.reconstructions
    assert shown.soft is not None
    return {"input": shown.images, "soft": shown.soft, "hard": shown.hard}
