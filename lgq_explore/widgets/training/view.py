"""What the training monitor shows of a run."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.analysis.pictures import Reconstructions
from lgq_explore.frames.health import CODE_PANELS, OBJECTIVE_PANELS
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.controls import Controls

from ..panel import ERROR_COLOUR, QUIET_COLOUR, spoken
from ..parts.charts.widget import Charts
from ..parts.frame.foot import Foot
from ..parts.frame.saving import FORMATS, SavedFile
from ..parts.frame.tables import as_read, numbers_in_full, tables_as_html
from ..parts.state.inputs import button, row
from ..temperature.control import TemperatureControl
from .latest_step import LatestStep
from .situation import Situation, in_two_lines

PANELS = {"codes": CODE_PANELS, "objectives": OBJECTIVE_PANELS}
"""Which curves are in sight, by the monitor's view."""

USAGE_HEIGHT, PICTURES_HEIGHT = 284, 222
"""Screen pixels of the charts that stand above each other beside the curves."""


@dataclass(frozen=True)
class Actions:
    """What the buttons do. save: makes the file of a format, in any thread."""

    start: Callable[[], None]
    stop: Callable[[], None]
    resume: Callable[[], None]
    prepare_file: Callable[[str], Callable[[], SavedFile]]


class TrainingView:
    """Buttons, a line of numbers, the temperature, curves, the usage of codes and reconstructions; it only shows.

    tabs: what chooses the curves; None where there is nothing to choose. widgets: from top to bottom.
    """

    def __init__(
        self, config: TrainConfig, controls: Controls, actions: Actions, tabs: ipywidgets.Widget | None
    ) -> None:
        self.config = config
        self._marks = analysis.health.step_marks(config)
        self._window = f"last {config.window_steps} steps"
        self._start = button("Start", "train this recipe into a new run", actions.start, "play")
        what_stop_does = "finish the step, save, and keep the run for Resume; of a run that rests: read no further"
        self._stop = button("Stop", what_stop_does, actions.stop, "stop")
        self._resume = button("Resume", "continue the stopped run", actions.resume, "forward")
        self._status = ipywidgets.HTML()
        self._message = ipywidgets.HTML()
        self.temperature = _temperature_control(config, controls)
        self._without_temperature = self.temperature.why_disabled
        self.charts = Charts().add_class("lgq-tall-first")
        buttons = row(self._start, self._stop, self._resume, tabs, self._status)
        self.foot = Foot(FORMATS, actions.prepare_file)
        self.widgets = [buttons, self.temperature, self._message, self.charts, self.foot]

    def draw(self, history: pd.DataFrame, latest: LatestStep, view: str) -> None:
        """Bring charts, temperature and numbers to the newest logged step. view: one of PANELS."""
        curves = self._curves(history, latest)
        curves = curves[curves["panel"].isin(PANELS[view])]
        figures = {view: plots.health.draw_training_curves(curves, self._marks, columns=1)}
        shown = latest.shown
        if shown is not None and shown.usage is not None:
            grid = analysis.usage.grid(shown.usage)
            figures["usage"] = plots.usage.draw_grid(grid, groups=shown.codes_per_token, window=self._window)
            figures["usage"].update_layout(height=USAGE_HEIGHT)
        if shown is not None and shown.reconstructions is not None:
            figures["pictures"] = plots.pictures.draw_images(_rows(shown.reconstructions))
            figures["pictures"].update_layout(height=PICTURES_HEIGHT)
        self.charts.show(figures)
        self.temperature.show(latest.row.get("temperature"), latest.row.get("effective_codes"))
        self.foot.line = self._line(latest.row)
        self.foot.details = tables_as_html(as_read(numbers_of(latest.row)))

    def publish(self, history: pd.DataFrame, latest: LatestStep) -> list[Figure]:
        """The same charts as static figures, from top to bottom."""
        figures = [plots.health.publish_training_curves(self._curves(history, latest), self._marks)]
        shown = latest.shown
        if shown is not None and shown.usage is not None:
            grid = analysis.usage.grid(shown.usage)
            figures.append(plots.usage.publish_grid(grid, groups=shown.codes_per_token, window=self._window))
        if shown is not None and shown.reconstructions is not None:
            figures.append(plots.pictures.publish_images(_rows(shown.reconstructions)))
        return figures

    def offer(self, code: str) -> None:
        """What can be copied."""
        self.foot.copied = {"copy code": code}

    def show_situation(self, situation: Situation, latest: LatestStep | None) -> None:
        """Say where the run stands, and let only those buttons be pressed that do something."""
        self._start.disabled, self._resume.disabled = not situation.can_start, not situation.can_resume
        self._stop.disabled = not situation.can_stop
        self.temperature.why_disabled = self._without_temperature or situation.why_not_steered
        self._status.value = html.escape(self._sentence(situation, latest))
        self._message.value = spoken(situation.told, ERROR_COLOUR if situation.is_error else QUIET_COLOUR)

    def show_error(self, error: BaseException) -> None:
        """What is wrong, in two lines at most."""
        self._message.value = spoken(in_two_lines(error), ERROR_COLOUR)

    def _curves(self, history: pd.DataFrame, latest: LatestStep) -> pd.DataFrame:
        is_joint = latest.shown is None or latest.shown.codes_per_token == 1
        has_ceiling = is_joint and self.config.quantizer.has_codes
        return analysis.health.training_curves(history, self.config.quantizer.size if has_ceiling else None)

    def _line(self, row: Mapping[str, float | None]) -> str:
        if not self.config.quantizer.has_codes:
            return f"{self.config.quantizer.method} has no codes: the decoder sees the latents themselves"
        window = f"last_{self.config.window_steps}_steps"
        active, perplexity, tokens = (row[f"{name}_{window}"] for name in ("active_codes", "perplexity", "tokens"))
        numbers = (
            f"{active:,.0f} of {self.config.quantizer.size:,d} codes active, perplexity {perplexity:,.0f}, "
            f"in the {self._window}, N = {tokens:,.0f} tokens"
        )
        return "; ".join(filter(None, (numbers, self.config.quantizer.training_differs)))

    def _sentence(self, situation: Situation, latest: LatestStep | None) -> str:
        config = self.config
        if latest is None:
            return f"{situation.label} · {config.steps} steps of {config.batch_size} images"
        row = latest.row
        done, rate = row["step"], row[f"images_per_second_last_{config.window_steps}_steps"]
        assert done is not None
        assert rate is not None
        assert row["loss"] is not None
        parts = [situation.label, f"step {done:.0f} of {config.steps}", f"loss {row['loss']:.3f}"]
        if situation.is_training:
            left = (config.steps - done) * config.batch_size / rate
            parts += [f"{rate:.0f} images/s", f"{_duration(left)} left"]
        return " · ".join(parts)


def numbers_of(row: Mapping[str, float | None]) -> pd.DataFrame:
    """A row of the history as a table with a row per number that it has, in full."""
    given = {name: float(value) for name, value in row.items() if value is not None}
    return numbers_in_full({name: int(value) if value.is_integer() else value for name, value in given.items()})


def _rows(shown: Reconstructions) -> dict[str, NDArray[np.uint8] | None]:
    return {"input": shown.images, "soft": shown.soft, "hard": shown.hard}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"


def _temperature_control(config: TrainConfig, controls: Controls) -> TemperatureControl:
    temperatures = config.quantizer.temperatures(config.backbone.dim)
    if temperatures is None:
        why = f"{config.quantizer.method} chooses its codes without a temperature: nothing to hold here."
        return TemperatureControl(controls, why_disabled=why)
    # A decade around the schedule, on whole powers of ten, so that the same slider suits units of any size.
    lowest, highest = math.floor(math.log10(min(temperatures))) - 1, math.ceil(math.log10(max(temperatures))) + 1
    return TemperatureControl(controls, lowest=10.0**lowest, highest=10.0**highest)
