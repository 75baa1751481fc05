"""A panel that shows a trained codebook go from soft to hard as the temperature is moved."""

from __future__ import annotations

import asyncio
import html
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.analysis.temperature import TemperatureView, TemperatureViews
from lgq_explore.analysis.temperature.softness import require_temperature
from lgq_explore.errors import InputError, printable
from lgq_explore.runs.study import Study

from ..charts import Picked
from ..codes_box import CodesBox, checked_codes
from ..explorer import Explorer, StudyLike, as_study, snapshots_caption, study_argument, study_caption
from ..parts.kernel_loop import running_loop

AHEAD = 12
"""Temperatures around the present one that are made ready while nobody moves, so that a move finds its answer."""

SNAPSHOTS_KEPT = 4

PICTURES_HEIGHT = 280
"""Screen pixels of three rows of six pictures in half a cell's width."""

TOP_FIGURE, MAP_FIGURE = 2, 4
"""Places of the figures that can be clicked."""


class TemperatureExplorer(Explorer):
    """Held-out tokens and pictures at any temperature, with the codebook of any snapshot of training.

    study: made before, or of a run: opened, its folder, or its name under data/runs; of a method with a temperature.
    temperature: by default the one that training ended with. snapshot: the step of a saved codebook, by default the
    newest; of many some are offered, evenly spread. Encoder and decoder are always the newest. token: one of the
    pictures', whose likeliest codes are shown; click another in the map, or type it.
    selection: joint codes, set by a click on a bar, or typed.

    Raises:
        InputError: a run that cannot be opened or has no temperature.
    """

    STATE = ("temperature", "snapshot", "token", "selection")

    temperature = traitlets.Float()
    snapshot = traitlets.Int()
    token = traitlets.Int()
    selection = traitlets.List(traitlets.Int())

    def __init__(
        self,
        study: StudyLike,
        temperature: float | None = None,
        snapshot: int | None = None,
        token: int = 0,
        selection: Sequence[int] = (),
    ) -> None:
        self.study = as_study(study)
        quantizer = analysis.temperature.require_soft(self.study.quantizer)
        self._views_of = lru_cache(maxsize=SNAPSHOTS_KEPT)(self._make_views)
        self._marks_of = lru_cache(maxsize=SNAPSHOTS_KEPT)(self._make_marks)
        newest = self.study.trained.finished_steps
        self._grid = self._views_of(newest).temperatures
        self._flips = analysis.temperature.flips_over_snapshots(self.study)
        self._ahead: asyncio.Task[None] | None = None
        self._awaits_the_rest = False
        self._build_controls(sorted({*self.study.snapshots, newest}))
        super().__init__([self._temperature_row, self._snapshot_row, self._choice_row])
        self.charts.on_select(self._pick)
        self._begin(
            temperature=self._nearest_on_slider(quantizer.temperature) if temperature is None else temperature,
            snapshot=newest if snapshot is None else snapshot,
            token=token,
            selection=list(selection),
        )

    def __repr__(self) -> str:
        return f"TemperatureExplorer({printable(self.study.name)})"

    def studies(self) -> list[Study]:
        return [self.study]

    def draw(self) -> list[go.Figure]:
        checked_codes(self.selection, self._views.quantizer.codebook_size)
        views, view = self._views, self._quickest_view()
        self._awaits_the_rest = len(view.tokens) < len(views.sample)
        self._say_numbers(view)
        pictures = plots.pictures.draw_images(_pictures(view))
        pictures.layout.height = PICTURES_HEIGHT
        return [
            plots.temperature.draw_sweep(views.sweep, views.flips, self._marks, self.temperature),
            plots.temperature.draw_softness(view.tokens, views.quantizer.codebook_size),
            plots.temperature.draw_top_responsibilities(views.top(self.token, self.temperature), self.token),
            pictures,
            plots.temperature.draw_token_map(view.placed, self.token),
        ]

    def figure(self) -> Figure:
        views, view = self._views, self._view
        return plots.temperature.publish_temperature(
            plots.temperature.TemperatureFrames(
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
        )

    def frame(self) -> pd.DataFrame:
        """One row per token of the sample, from `TemperatureProbe.at` at the present temperature and snapshot."""
        return self._view.tokens

    def summary(self) -> dict[str, int | float | str]:
        """`analysis.temperature.softness_summary` of the sample's N tokens, and the temperatures of the marks."""
        numbers = self._numbers_of(self._view)
        marks = dict(zip(self._marks["mark"], self._marks["temperature"], strict=True))
        return {"run": self.study.name, "snapshot": self.snapshot, **numbers, **marks}

    def caption(self) -> str:
        views, shown = self._views, len(self._quickest_view().tokens)
        following = "" if shown == len(views.sample) else f" (all {len(views.sample):,d} follow)"
        return (
            f"{study_caption(self.study)} · distributions of {shown:,d} of them{following}, curves of "
            f"{int(views.sweep['tokens'].iloc[0]):,d} · codebook of step {self.snapshot:,d}, encoder and decoder of "
            f"step {self.study.trained.finished_steps:,d}{snapshots_caption(self.study)}"
        )

    def subjects(self) -> list[str]:
        return [study_argument(self.study)]

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:
        require_temperature(proposal["value"])
        return proposal["value"]

    @traitlets.validate("snapshot")
    def _check_snapshot(self, proposal: Any) -> int:
        steps = self._snapshot_slider.options
        if proposal["value"] not in steps:
            raise InputError(
                f"there is no snapshot of step {proposal['value']}: choose one of {', '.join(map(str, steps))}"
            )
        return proposal["value"]

    @traitlets.validate("token")
    def _check_token(self, proposal: Any) -> int:
        self._views.require_token(proposal["value"])
        return proposal["value"]

    @property
    def _views(self) -> TemperatureViews:
        return self._views_of(self.snapshot)

    @property
    def _view(self) -> TemperatureView:
        return self._views.at(self.temperature)

    def _quickest_view(self) -> TemperatureView:
        """What is known of the present state, or a preview of it: where a loop runs, the rest follows by itself."""
        previews = self._is_followed and not self._views.is_known(self.temperature)
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

    def _build_controls(self, steps: list[int]) -> None:
        wide = {"style": {"description_width": "96px"}, "layout": {"width": "400px"}}
        self._temperature_slider = ipywidgets.SelectionSlider(
            options=[(f"{temperature:.3g}", temperature) for temperature in self._grid],
            description="temperature τ",
            **wide,
        )
        self._snapshot_slider = ipywidgets.SelectionSlider(
            options=steps, value=steps[-1], description="codebook of", **wide
        )
        self._token_box = ipywidgets.BoundedIntText(
            min=0,
            max=len(self._views_of(steps[-1]).pictured) - 1,
            description="token",
            style={"description_width": "initial"},
            layout={"width": "130px"},
        )
        codes_box = CodesBox("codes", self._views_of(steps[-1]).quantizer.codebook_size)
        self._numbers, self._change = ipywidgets.HTML(), ipywidgets.HTML()
        self._temperature_row = ipywidgets.HBox([self._temperature_slider, self._numbers])
        self._snapshot_row = ipywidgets.HBox([self._snapshot_slider, self._change])
        self._choice_row = ipywidgets.HBox([self._token_box, codes_box])
        self._temperature_slider.observe(self._slide, "value")
        self.snapshot = steps[-1]
        traitlets.link((self, "snapshot"), (self._snapshot_slider, "value"))
        traitlets.link((self, "token"), (self._token_box, "value"))
        traitlets.link((self, "selection"), (codes_box, "codes"))
        self.observe(self._follow_temperature, "temperature")

    def _slide(self, change: Any) -> None:
        if change["new"] != self._nearest_on_slider(self.temperature):
            self.temperature = change["new"]

    def _follow_temperature(self, change: Any) -> None:
        self._temperature_slider.value = self._nearest_on_slider(self.temperature)

    def _nearest_on_slider(self, temperature: float) -> float:
        """A temperature set from Python may lie between the slider's."""
        return self._from_near_to_far(temperature)[0]

    def _from_near_to_far(self, temperature: float) -> list[float]:
        return sorted(self._grid, key=lambda other: abs(math.log(other / temperature)))

    def _numbers_of(self, view: TemperatureView) -> dict[str, float]:
        return analysis.temperature.softness_summary(view.tokens, self.temperature, self._views.sample.spread)

    def _say_numbers(self, view: TemperatureView) -> None:
        numbers = self._numbers_of(view)
        self._numbers.value = html.escape(
            f"τ = {self.temperature:.3g}: {numbers['effective_codes']:.3g} effective codes · "
            f"mean p* {numbers['max_p']:.2f} · gap {numbers['relative_gap']:.1%} · gain {numbers['encoder_gain']:.2f}"
        )
        since = self._flips[self._flips["to_step"] == self.snapshot]
        self._change.value = "".join(
            f"{row.share:.1%} of the tokens changed their code since step {row.from_step:,d}"
            for row in since.itertuples()
        )

    def _pick(self, picked: Picked) -> None:
        if picked.figure == MAP_FIGURE and picked.codes:
            self.token = picked.codes[0]
        elif picked.figure == TOP_FIGURE:
            self.selection = picked.codes

    def _redraw(self) -> None:
        super()._redraw()
        loop = running_loop()
        if loop is not None and (self._ahead is None or self._ahead.done()):
            self._ahead = loop.create_task(self._look_ahead())

    async def _look_ahead(self) -> None:
        """Answer for the temperatures around the present one, nearest first, in a thread; draw what was awaited."""
        while True:
            if self._awaits_the_rest and self._views.is_known(self.temperature):
                self._follow()
            temperature = self._next_unknown()
            if temperature is None:
                return
            await asyncio.to_thread(self._views.at, temperature)

    def _next_unknown(self) -> float | None:
        # One set from Python may lie between those of the slider.
        nearest = [self.temperature, *self._from_near_to_far(self.temperature)[:AHEAD]]
        return next((near for near in nearest if not self._views.is_known(near)), None)


def _pictures(view: TemperatureView) -> dict[str, NDArray[np.uint8]]:
    shown = view.reconstructions
    assert shown.soft is not None
    return {"input": shown.images, "soft": shown.soft, "hard": shown.hard}
