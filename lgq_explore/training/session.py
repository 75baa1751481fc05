"""A session of training in a run folder, in the order things happen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgq_explore.errors import InputError, printable
from lgq_explore.images.batches_ahead import BatchesAhead
from lgq_explore.images.ranges import to_model_range
from lgq_explore.images.source import Source
from lgq_explore.metrics import GroupedCodeCounts
from lgq_explore.models import Tokenizer, build_tokenizer
from lgq_explore.progress import Progress, tell
from lgq_explore.quantizers import HasTemperature
from lgq_explore.runs.config import config_to_json
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_files import as_damage_of, step_of
from lgq_explore.runs.run_writer import RunWriter

from .codes_from_data import CodesFromData
from .controls import Controls
from .energy import EnergyMeter
from .loggers import LoggedRun
from .loggers.of_run import Loggers
from .numerical_noise import perturb_first_weights
from .restoring import RestoredProgress, load_optimizer
from .step.decoder_finish import train_decoder_alone
from .step.steps_in_flight import StepDiverged, StepInFlight, StepsInFlight
from .step.training_step import StepMade, TrainingStep
from .step.weight_average import WeightAverage
from .window import StepWindow

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class LogEvent:
    """A logged step: its row of the history, the counts of codes in the window, and the live tokenizer.

    counts: None for a method without codes, and while codes that are fitted later are not there.
    The tokenizer may be used inside the callback only; the loop puts it back into training mode afterwards.
    """

    row: dict[str, float | None]
    counts: GroupedCodeCounts | None
    tokenizer: Tokenizer


class TrainingFailed(InputError):
    """A training step failed. nothing_is_kept: no step before it was logged, and there is no checkpoint."""

    def __init__(self, what: str, writer: RunWriter) -> None:
        path, has_checkpoint = printable(writer.path), writer.newest_checkpoint() is not None
        self.nothing_is_kept = not has_checkpoint and writer.history().empty
        kept = f"\n{path} stays, with a history and no checkpoint: delete it, or name another folder."
        if has_checkpoint:
            kept = f"\n{path} keeps its last checkpoint."
        super().__init__(what + ("" if self.nothing_is_kept else kept))


class _Stopped(Exception):
    """A stop was requested before the first step."""


@dataclass
class TrainingSession:
    """One session of training in a run folder, from its start or its newest checkpoint."""

    writer: RunWriter
    fabric: Fabric
    source: Source
    controls: Controls
    controls_given: bool  # by the caller; if not, the temperature held at the checkpoint is held again
    on_log: Callable[[LogEvent], None] | None
    progress: bool
    logger_names: Sequence[str] = ()
    energy: EnergyMeter = field(default_factory=EnergyMeter)
    tokenizer: Tokenizer = field(init=False)
    stepping: TrainingStep = field(init=False)
    window: StepWindow = field(init=False)
    in_flight: StepsInFlight = field(default_factory=StepsInFlight)
    loggers: Loggers = field(default_factory=Loggers)  # open while steps are made
    average: WeightAverage | None = None  # where the recipe has an ema_decay
    step: int = 0  # finished optimiser steps
    saved_step: int = -1
    seconds: float = 0.0  # spent in steps, over all sessions
    held_temperature: float | None = None  # at the last step; None where the schedule decided
    source_state: dict[str, Any] = field(default_factory=dict)  # after the batch of the last step

    def __post_init__(self) -> None:
        self.config = self.writer.config
        self.tokenizer = build_tokenizer(self.config.backbone, self.config.quantizer, self.config.seed)
        perturb_first_weights(self.tokenizer, self.config.rounding_replicate)
        self.stepping = TrainingStep(self.tokenizer, self.config, self.fabric)
        self.window = StepWindow(self.config.window_steps, self.tokenizer.quantizer.levels)
        if self.config.ema_decay:
            self.average = WeightAverage(self.tokenizer, self.config.ema_decay)

    def run(self) -> Run:
        with self.writer.claimed(), closing(self.source):
            notes_before = self.source.notes
            with suppress(_Stopped):
                self._restore_or_initialize()
                self.energy.start()
                with Loggers.of(self.logger_names, self._logged_run) as self.loggers:
                    self._make_steps()
            self._save()
            self._tell_notes(notes_before)
        return open_run(self.writer.path)

    def _restore_or_initialize(self) -> None:
        checkpoint = self.writer.newest_checkpoint()
        if checkpoint is None:
            self.writer.rewind_to(0)
            self._codes_from_data.start()
            self._snapshot()
            return
        state = self.writer.load_checkpoint(checkpoint, self.tokenizer)
        average = self.writer.load_average(checkpoint) if self.average is not None else {}
        with as_damage_of(checkpoint):
            progress = RestoredProgress.read(state, step_of(checkpoint))
            load_optimizer(self.stepping.optimizer, state["optimizer"])
            if self.average is not None:
                self.average.load(average)
            self.stepping.objectives.load_state_dict(state.get("objectives", {}))  # older checkpoints have none
            self.source_state = state.get("source", {})
            self.source.load_state_dict(self.source_state)
            self.window.load(state["window"], self.fabric.device)
        self.step = self.saved_step = progress.step
        self.seconds, self.held_temperature = progress.seconds, progress.held_temperature
        self.energy.continue_from(progress.joules)
        if not self.controls_given:
            self.controls.temperature = self.held_temperature
        self.writer.rewind_to(self.step)
        self.writer.publish_weights(checkpoint)

    @property
    def _logged_run(self) -> LoggedRun:
        return LoggedRun(self.writer.path, config_to_json(self.config), self.writer.identity, self.step)

    @property
    def _codes_from_data(self) -> CodesFromData:
        return CodesFromData(
            self.tokenizer,
            self.source,
            self._rows,
            self.config.seed,
            self._on_device,
            self._raise_if_stopped,
            self.progress,
        )

    def _raise_if_stopped(self) -> None:
        if self.controls.stop_asked_for:
            raise _Stopped

    def _make_steps(self) -> None:
        """The steps that are left: those of the whole tokenizer, and then those of its decoder alone."""
        self._make_steps_until(self.config.finish_step)
        if self.config.finish_step <= self.step < self.config.steps:
            self._begin_finish()
            self._make_steps_until(self.config.steps)

    def _make_steps_until(self, end: int) -> None:
        if self.step >= end:
            return
        steps = range(self.step, end)
        ahead = BatchesAhead(self.source, steps, self._rows, pin=self.fabric.device.type == "cuda")
        with self._progress_bar() as bar, ahead as batches:
            while self.step < end:
                reading = self.controls.read(self.step)
                if reading.stop:
                    break
                self._make_step(batches, reading.held_temperature, bar)

    @torch.no_grad()
    def _begin_finish(self) -> None:
        """Train the decoder alone from here on.

        It goes on from the weights that are evaluated, so that its codes are those of the evaluated encoder, and from
        codes that are fitted to that encoder, if they are.
        """
        if self.step == self.config.finish_step:
            self._land()
            if self.average is not None:
                self.tokenizer.load_state_dict(self.average.weights)
            self._codes_from_data.fit()
            if self.average is not None:
                self.average.load(self.tokenizer.state_dict())
        self._set_training_mode()

    def _set_training_mode(self) -> None:
        self.tokenizer.train()
        if self.step >= self.config.finish_step:
            train_decoder_alone(self.tokenizer)

    def _make_step(self, batches: BatchesAhead, held_temperature: float | None, bar: Progress) -> None:
        started = time.perf_counter()
        config, quantizer = self.config, self.tokenizer.quantizer
        quantizer.anneal(config.annealing_progress(self.step))
        if isinstance(quantizer, HasTemperature):
            quantizer.temperature = held_temperature

        asked = time.perf_counter()
        batch = batches.take()
        waited = time.perf_counter() - asked
        # A step at which the held temperature changes is always logged, so that the history can be replayed.
        steered = held_temperature != self.held_temperature
        is_logged = self.step == 0 or steered or self._is_due(config.log_steps, self.step + 1)
        images = self._on_device(batch.images)
        made = self.stepping.make(self.step, images, is_logged=is_logged)
        self.in_flight.add(StepInFlight(self.step + 1, started, made.codes, len(images), made.losses, waited))

        self.step += 1
        if self.average is not None:
            self.average.update(self.tokenizer, self.step)
        self.held_temperature = held_temperature
        self.source_state = batch.state
        bar.advance(len(images))
        if len(self.in_flight) >= config.window_steps:
            self._land()
        if is_logged:
            self._log(made, bar)
        if self._is_due(config.snapshot_steps, self.step):
            self._snapshot()
        if self._is_due(config.checkpoint_steps, self.step):
            self._save()

    def _land(self) -> None:
        """Wait for the device. Raises InputError if a step diverged, so that nothing is written of its weights."""
        try:
            traces = self.in_flight.landed()
        except StepDiverged as error:
            raise TrainingFailed(f"{error} at step {error.number}: lower {error.remedy}", self.writer) from error
        for trace in traces:
            self.window.add(trace)
            self.seconds += trace.seconds
        self.energy.read()

    def _tell_notes(self, before: Sequence[str]) -> None:
        """Say what the source met while it trained, such as files that gave no picture."""
        for note in self.source.notes if self.progress else ():
            if note not in before:
                tell(note)

    def _is_due(self, interval: int, step: int) -> bool:
        return step % interval == 0 or step == self.config.steps

    @property
    def _rows(self) -> range:
        return range(self.config.batch_size)

    def _on_device(self, images: Tensor) -> Tensor:
        # Fabric copies to a GPU without waiting, where the images lie in page-locked memory.
        return to_model_range(self.fabric.to_device(images)).to(memory_format=torch.channels_last)

    def _log(self, made: StepMade, bar: Progress) -> None:
        self._land()
        loss = made.minimised.total.item()
        counts = self.window.counts()
        usage_and_speed = self.window.columns(counts)
        row: dict[str, float | None] = {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            **{part: round(joules, 3) for part, joules in self.energy.joules.items()},
            "learning_rate": self.stepping.optimizer.param_groups[0]["lr"],
            "loss": loss,
            **self.stepping.objectives.columns(made.minimised, made.learned),
            **usage_and_speed,
            **{name: value.item() for name, value in made.diagnostics.items()},
        }
        if isinstance(self.tokenizer.quantizer, HasTemperature):
            row["temperature_override"] = self.held_temperature
        self.writer.append_history(row)
        self.loggers.log(row)
        used = "" if counts is None else f", {counts.usage().active_codes} of {counts.codebook_size} codes active"
        bar.note(f"loss {loss:.3f}{used}")
        if self.on_log is not None:
            self.on_log(LogEvent(row, counts, self.tokenizer))
            self._set_training_mode()

    def _snapshot(self) -> None:
        self._land()
        learned = self.tokenizer.quantizer.learned_codebooks()
        if learned:
            self.writer.save_codebooks(self.step, learned)

    def _save(self) -> None:
        """Save a checkpoint of the finished steps, unless there is one."""
        if self.step in (0, self.saved_step):
            return
        self._land()
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "joules": self.energy.joules,
            "override": self.held_temperature,
            "optimizer": self.stepping.optimizer.state_dict(),
            "objectives": self.stepping.objectives.state_dict(),
            "source": self.source_state,
            "window": self.window.state(),
        }
        average = None if self.average is None else self.average.weights
        self.writer.save_skipped(self.source.skipped)
        self.writer.save_checkpoint(self.step, self.tokenizer, state, average)
        self.saved_step = self.step

    def _progress_bar(self) -> Progress:
        config = self.config
        return Progress(
            f"{config.quantizer.method}, {config.quantizer.size} codes",
            total=config.steps * config.batch_size,
            unit="images",
            done=self.step * config.batch_size,
            shown=self.progress,
        )
