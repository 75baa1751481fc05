"""What the training monitor shows of a run."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.controls import Controls

from ..panel import ERROR_COLOUR, QUIET_COLOUR, spoken
from ..parts.charts import Charts
from ..parts.trainer_thread import State
from ..temperature.control import TemperatureControl
from .trainer import LatestStep, Trainer

ERROR_LINES = 2


@dataclass(frozen=True)
class _Tables:
    """What is drawn: tidy curves, the grid of usage and how many codes a token has in it, rows of pictures by name."""

    curves: pd.DataFrame
    usage: pd.DataFrame
    groups: int
    pictures: dict[str, NDArray[np.uint8] | None]


class TrainingView(ipywidgets.VBox):
    """Buttons, a line of numbers, the temperature, curves, the usage of codes and reconstructions; it only shows."""

    def __init__(self, config: TrainConfig, controls: Controls) -> None:
        self.config = config
        self._start = _button("Start", "play", "train this recipe into a new run")
        self._stop = _button("Stop", "stop", "finish the step, save, and keep the run for Resume")
        self._resume = _button("Resume", "forward", "continue the stopped run")
        self._status = ipywidgets.HTML()
        self._message = ipywidgets.HTML()
        self.temperature = _temperature_control(config, controls)
        self._without_temperature = self.temperature.why_disabled
        self.charts = Charts()
        buttons = ipywidgets.HBox([self._start, self._stop, self._resume, self._status])
        super().__init__([buttons, self.temperature, self._message, self.charts])

    def __repr__(self) -> str:
        return "TrainingView()"

    def on_start(self, act: Callable[[], None]) -> None:
        self._start.on_click(lambda button: act())

    def on_stop(self, act: Callable[[], None]) -> None:
        self._stop.on_click(lambda button: act())

    def on_resume(self, act: Callable[[], None]) -> None:
        self._resume.on_click(lambda button: act())

    def draw(self, history: pd.DataFrame, latest: LatestStep) -> None:
        """Bring the charts and the temperature to the newest logged step."""
        tables = _tables(self.config, history, latest)
        usage = plots.usage.draw_grid(tables.usage, groups=tables.groups)
        usage.update_layout(title={"xref": "container", "pad_l": 8})  # in half a panel the title needs all its width
        self.charts.show(
            {
                "curves": plots.health.draw_training_curves(tables.curves),
                "usage": usage,
                "pictures": plots.pictures.draw_images(tables.pictures),
            }
        )
        self.temperature.show(latest.row.get("temperature"), latest.row.get("effective_codes"))

    def publish(self, history: pd.DataFrame, latest: LatestStep) -> list[Figure]:
        """The same charts as static figures, from top to bottom."""
        tables = _tables(self.config, history, latest)
        return [
            plots.health.publish_training_curves(tables.curves),
            plots.usage.publish_grid(tables.usage, groups=tables.groups),
            plots.pictures.publish_images(tables.pictures),
        ]

    def show_state(self, trainer: Trainer, latest: LatestStep | None) -> None:
        """Say how far training is, let only those buttons be pressed that do something, and show what went wrong."""
        state, error = trainer.state, trainer.error
        self._start.disabled, self._resume.disabled = not trainer.can_start, not trainer.can_resume
        self._stop.disabled = state is not State.TRAINING or trainer.is_stopping
        finished = "the run is finished" if state is State.FINISHED else ""
        self.temperature.why_disabled = self._without_temperature or finished
        self._status.value = html.escape(self._sentence(state, latest))
        if error is not None:
            self.show_error(error)
        elif trainer.is_stopping:
            self.show_stopping()
        elif latest is None:
            self._message.value = spoken(_before_the_first_step(state), QUIET_COLOUR)
        else:
            self._message.value = ""

    def show_stopping(self) -> None:
        """Say that the wish to stop was heard."""
        self._stop.disabled = True
        self._message.value = spoken("Stopping: the step that is being made is finished and saved …", QUIET_COLOUR)

    def show_error(self, error: BaseException) -> None:
        """The error in two lines at most; the cell that awaits shows the rest."""
        lines = (str(error) or type(error).__name__).splitlines()[:ERROR_LINES]
        self._message.value = spoken("\n".join(lines), ERROR_COLOUR)

    def _sentence(self, state: State, latest: LatestStep | None) -> str:
        if latest is None:
            return f"{state} · {self.config.steps} steps of {self.config.batch_size} images"
        row = latest.row
        done, rate = row["step"], row[f"images_per_second_last_{self.config.window_steps}_steps"]
        assert done is not None
        assert rate is not None
        assert row["loss"] is not None
        parts = [str(state), f"step {done:.0f} of {self.config.steps}", f"loss {row['loss']:.3f}"]
        if state is State.TRAINING:
            left = (self.config.steps - done) * self.config.batch_size / rate
            parts += [f"{rate:.0f} images/s", f"{_duration(left)} left"]
        return " · ".join(parts)


def _before_the_first_step(state: State) -> str:
    if state is State.TRAINING:
        return "Loading the pictures and spreading the first codebook over them: the charts come with the first step."
    return "Nothing to see yet: press Start, or run a cell with run = await monitor.train()."


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"


def _tables(config: TrainConfig, history: pd.DataFrame, latest: LatestStep) -> _Tables:
    shown, groups = latest.reconstructions, latest.codes_per_token
    return _Tables(
        curves=analysis.health.training_curves(history, config.quantizer.size if groups == 1 else None),
        usage=analysis.usage.grid(latest.usage),
        groups=groups,
        pictures={"input": shown.images, "soft": shown.soft, "hard": shown.hard},
    )


def _temperature_control(config: TrainConfig, controls: Controls) -> TemperatureControl:
    temperatures = config.quantizer.temperatures(config.backbone.dim)
    if temperatures is None:
        why = f"{config.quantizer.method} chooses its codes without a temperature: nothing to hold here."
        return TemperatureControl(controls, why_disabled=why)
    # A decade around the schedule, on whole powers of ten, so that the same slider suits units of any size.
    lowest, highest = math.floor(math.log10(min(temperatures))) - 1, math.ceil(math.log10(max(temperatures))) + 1
    return TemperatureControl(controls, lowest=10.0**lowest, highest=10.0**highest)


def _button(label: str, icon: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=label, icon=icon, tooltip=tooltip, layout={"width": "96px"})
