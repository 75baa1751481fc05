"""The training loop, in the order things happen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgq_explore.errors import InputError, lacks_memory, printable
from lgq_explore.files import remove_folder
from lgq_explore.images.batches_ahead import BatchesAhead
from lgq_explore.images.opening import open_source
from lgq_explore.images.ranges import to_model_range
from lgq_explore.images.source import Source, initialization_step
from lgq_explore.metrics import GroupedCodeCounts
from lgq_explore.models import Tokenizer, TokenizerOutput, build_tokenizer
from lgq_explore.progress import Progress, tell
from lgq_explore.quantizers import HasTemperature, StartsFromData, to_tokens
from lgq_explore.runs.config import TrainConfig, progress_at
from lgq_explore.runs.encoding import source_of
from lgq_explore.runs.outputs import require_folder_to_make
from lgq_explore.runs.run import Run, RunWriter, open_run
from lgq_explore.runs.run_files import as_damage_of, step_of
from lgq_explore.runs.run_paths import new_run_path, path_of_run

from .accumulation import Accumulated, accumulated
from .clipping import clip_gradients
from .compilation import compiled, is_of_the_compiler
from .controls import Controls
from .interrupts import stopped_by_interrupts
from .machine import (
    environment_of,
    fabric_on,
    report_emulated_precision,
    report_other_rounding,
    require_known_device,
    require_trainable,
)
from .numerical_noise import perturb_first_weights
from .objectives.base import TrainingPass
from .objectives.last_layer import last_layer_of
from .objectives.learned import OwnLossDiverged
from .objectives.of_recipe import Objectives, require_objectives
from .optimizer import adamw, learning_rate
from .restoring import RestoredProgress, load_optimizer
from .steps_in_flight import StepDiverged, StepInFlight, StepsInFlight
from .weight_average import WeightAverage
from .window import StepWindow

if TYPE_CHECKING:
    from lightning_fabric import Fabric

QUICK_SECONDS = 1.0
"""Seconds that a stage before the first step may take before it shows a progress bar."""


@dataclass(frozen=True)
class LogEvent:
    """A logged step: its row of the history, the counts of codes in the window, and the live tokenizer.

    counts: None for a method without codes.
    The tokenizer may be used inside the callback only; the loop puts it back into training mode afterwards.
    """

    row: dict[str, float | None]
    counts: GroupedCodeCounts | None
    tokenizer: Tokenizer


def train(
    config: TrainConfig,
    run: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    on_log: Callable[[LogEvent], None] | None = None,
    controls: Controls | None = None,
    progress: bool = True,
) -> Run:
    """Train from a recipe into a new run folder (`run`, or one under data/runs) and return it opened.

    device: auto (CUDA if available), cpu or cuda. on_log: called after every logged step, in the thread that trains.
    A call from the main thread trains in a worker thread, since an interrupt is raised in the main thread.
    controls: lets another thread hold a temperature or stop.
    The first interrupt (Ctrl-C) finishes the step, saves and returns; a second one is raised without saving.
    Raises InputError for data or a folder that cannot be used, and for a loss that becomes NaN or infinite.
    """
    fabric = fabric_on(device, config.precision)
    require_trainable(config, fabric.device)
    require_objectives(config)
    given_path = None if run is None else new_run_path(run)  # before minutes of decoding pictures
    if given_path is not None:
        require_folder_to_make(given_path)
    source = open_source(config.data, config.image_size, seed=config.seed)
    for note in source.notes if progress else ():
        tell(note)
    config = replace(config, data=source.spec)  # with an absolute path, for any working directory
    environment = environment_of(fabric, source, config)
    if progress:
        report_emulated_precision(environment)
    if given_path is None:
        writer = RunWriter.create_by_default(config, environment)
    else:
        writer = RunWriter.create(given_path, config, environment)
    try:
        return _train_on(writer, fabric, source, controls, on_log, progress)
    except TrainingFailed as failure:
        if failure.nothing_is_kept:  # so that the command can be repeated with a better value
            with suppress(OSError):
                remove_folder(writer.path)
        raise


def resume(
    run: str | os.PathLike[str],
    *,
    device: str = "auto",
    on_log: Callable[[LogEvent], None] | None = None,
    controls: Controls | None = None,
    progress: bool = True,
) -> Run:
    """Continue a run from its newest whole checkpoint, or from step 0; a finished run is returned as it is.

    On a CPU the weights are exactly those of an uninterrupted run if processor, threads and versions are those that the
    run began with. Others round differently, which is reported on stderr. A temperature that was held when the run
    stopped is held again unless `controls` are given. Arguments and errors are those of `train`; InputError is also
    raised if the data are no longer those that the run started with.
    """
    require_known_device(device)
    writer = RunWriter(path_of_run(run))
    if writer.is_finished:
        return open_run(writer.path)
    fabric = fabric_on(device, writer.config.precision)
    require_objectives(writer.config)
    source = source_of(writer)
    if progress:
        report_other_rounding(writer.environment, environment_of(fabric, source, writer.config))
    if progress and writer.newest_checkpoint() is None:
        tell(f"{printable(writer.path)} has no checkpoint yet: training starts at step 0")
    return _train_on(writer, fabric, source, controls, on_log, progress)


def _train_on(
    writer: RunWriter,
    fabric: Fabric,
    source: Source,
    controls: Controls | None,
    on_log: Callable[[LogEvent], None] | None,
    progress: bool,
) -> Run:
    steering = controls or Controls()

    def session() -> Run:
        try:
            training = _Training(
                writer, fabric, source, steering, controls_given=controls is not None, on_log=on_log, progress=progress
            )
            return training.run()
        except (MemoryError, RuntimeError) as error:
            if lacks_memory(error):
                what = "memory ran out: make image_size, batch_size, channels or the codebook smaller"
            elif is_of_the_compiler(error):
                what = f"torch.compile fails here ({str(error).strip().splitlines()[0]}): set compile to false"
            else:
                raise
            raise TrainingFailed(what, writer) from error

    return stopped_by_interrupts(session, steering)


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
class _Training:
    """One session of training in a run folder, from its start or its newest checkpoint."""

    writer: RunWriter
    fabric: Fabric
    source: Source
    controls: Controls
    controls_given: bool  # by the caller; if not, the temperature held at the checkpoint is held again
    on_log: Callable[[LogEvent], None] | None
    progress: bool
    tokenizer: Tokenizer = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    objectives: Objectives = field(init=False)
    last_layer: Tensor = field(init=False)  # of the decoder
    window: StepWindow = field(init=False)
    in_flight: StepsInFlight = field(default_factory=StepsInFlight)
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
        self.optimizer = adamw(self.tokenizer, self.config)
        self.objectives = Objectives(self.config)
        self.window = StepWindow(self.config.window_steps, self.tokenizer.quantizer.levels)
        stepped = compiled(self.tokenizer) if self.config.compile else self.tokenizer
        self.model, self.fabric_optimizer = self.fabric.setup(stepped, self.optimizer)
        self.objectives.set_up(self.fabric)
        self.last_layer = last_layer_of(self.tokenizer.decoder)
        if self.config.ema_decay:
            self.average = WeightAverage(self.tokenizer, self.config.ema_decay)

    def run(self) -> Run:
        with self.writer.claimed():
            with suppress(_Stopped):
                self._restore_or_initialize()
                self._make_steps()
            self._save()
        return open_run(self.writer.path)

    def _restore_or_initialize(self) -> None:
        checkpoint = self.writer.newest_checkpoint()
        if checkpoint is None:
            self.writer.rewind_to(0)
            self._initialize_codebook()
            self._snapshot()
            return
        state = self.writer.load_checkpoint(checkpoint, self.tokenizer)
        average = self.writer.load_average(checkpoint) if self.average is not None else {}
        with as_damage_of(checkpoint):
            progress = RestoredProgress.read(state, step_of(checkpoint))
            load_optimizer(self.optimizer, state["optimizer"])
            if self.average is not None:
                self.average.load(average)
            self.objectives.load_state_dict(state.get("objectives", {}))  # older checkpoints have none
            self.source_state = state.get("source", {})
            self.source.load_state_dict(self.source_state)
            self.window.load(state["window"], self.fabric.device)
        self.step = self.saved_step = progress.step
        self.seconds, self.held_temperature = progress.seconds, progress.held_temperature
        if not self.controls_given:
            self.controls.temperature = self.held_temperature
        self.writer.rewind_to(self.step)
        self.writer.publish_weights(checkpoint)

    @torch.no_grad()
    def _initialize_codebook(self) -> None:
        """Initialise a quantizer that starts from data, with as many batches of latents as it needs."""
        quantizer = self.tokenizer.quantizer
        if not isinstance(quantizer, StartsFromData):
            return
        collected: list[Tensor] = []
        gathered = 0
        wanted = quantizer.init_tokens
        with Progress("gathering tokens", wanted, "tokens", shown=self.progress, delay=QUICK_SECONDS) as bar:
            while gathered < wanted:
                self._raise_if_stopped()
                batch = self._on_device(self.source.batch(initialization_step(len(collected)), self._rows))
                collected.append(to_tokens(self.tokenizer.encode(batch)).float())
                gathered += len(collected[-1])
                bar.advance(len(collected[-1]))
        with Progress("spreading the codes", None, "rounds", shown=self.progress, delay=QUICK_SECONDS) as bar:

            def on_round(finished: int, rounds: int) -> None:
                bar.move_to(finished, rounds)
                self._raise_if_stopped()

            generator = torch.Generator().manual_seed(self.config.seed)
            quantizer.initialize(torch.cat(collected), generator, on_round)

    def _raise_if_stopped(self) -> None:
        if self.controls.stop_asked_for:
            raise _Stopped

    def _make_steps(self) -> None:
        steps = range(self.step, self.config.steps)
        with self._progress_bar() as bar, BatchesAhead(self.source, steps, self._rows) as batches:
            while self.step < self.config.steps:
                reading = self.controls.read(self.step)
                if reading.stop:
                    break
                self._make_step(batches, reading.held_temperature, bar)

    def _make_step(self, batches: BatchesAhead, held_temperature: float | None, bar: Progress) -> None:
        started = time.perf_counter()
        config, quantizer = self.config, self.tokenizer.quantizer
        quantizer.anneal(progress_at(self.step, config.steps))
        if isinstance(quantizer, HasTemperature):
            quantizer.temperature = held_temperature
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.step)

        batch = batches.take()
        # A step at which the held temperature changes is always logged, so that the history can be replayed.
        steered = held_temperature != self.held_temperature
        is_logged = self.step == 0 or steered or self._is_due(config.log_steps, self.step + 1)

        def forward(images: Tensor) -> TrainingPass:
            return TrainingPass(self.step, images, self._forward(images), self.last_layer, is_logged)

        images = self._on_device(batch.images)
        self.fabric_optimizer.zero_grad()
        done = accumulated(images, config.accumulation, forward, self.objectives.minimised, self.fabric.backward)
        gradient_norm = clip_gradients(self.fabric, self.model, self.fabric_optimizer, config)
        self.fabric_optimizer.step()
        loss = done.minimised.total
        self.in_flight.add(StepInFlight(self.step + 1, started, done.codes, len(images), loss, gradient_norm))
        learned = self._learn(done.passes)

        self.step += 1
        if self.average is not None:
            self.average.update(self.tokenizer, self.step)
        self.held_temperature = held_temperature
        self.source_state = batch.state
        bar.advance(len(images))
        if len(self.in_flight) >= config.window_steps:
            self._land()
        if is_logged:
            self._log(done, learned, bar)
        if self._is_due(config.snapshot_steps, self.step):
            self._snapshot()
        if self._is_due(config.checkpoint_steps, self.step):
            self._save()

    def _forward(self, images: Tensor) -> TokenizerOutput:
        try:
            return self.model(images)
        except FloatingPointError as error:
            self._land()  # perhaps a step before has diverged
            raise self._diverged("the latents contain NaN or infinity", self.step + 1) from error

    def _learn(self, passes: Sequence[TrainingPass]) -> dict[str, Tensor]:
        try:
            return self.objectives.learn(passes)
        except OwnLossDiverged as error:
            self._land()  # perhaps it is the tokenizer that diverged
            raise self._diverged(str(error), self.step + 1, error.remedy) from error

    def _land(self) -> None:
        """Wait for the device. Raises InputError if a step diverged, so that nothing is written of its weights."""
        try:
            traces = self.in_flight.landed()
        except StepDiverged as error:
            raise self._diverged(str(error), error.number) from error
        for trace in traces:
            self.window.add(trace)
            self.seconds += trace.seconds

    def _diverged(self, what: str, step: int, too_high: str = "") -> TrainingFailed:
        too_high = too_high or f"learning_rate ({self.config.learning_rate:g})"
        return TrainingFailed(f"{what} at step {step}: lower {too_high}", self.writer)

    def _is_due(self, interval: int, step: int) -> bool:
        return step % interval == 0 or step == self.config.steps

    @property
    def _rows(self) -> range:
        return range(self.config.batch_size)

    def _on_device(self, images: Tensor) -> Tensor:
        return to_model_range(self.fabric.to_device(images)).to(memory_format=torch.channels_last)

    def _log(self, done: Accumulated, learned: dict[str, Tensor], bar: Progress) -> None:
        self._land()
        loss = done.minimised.total.item()
        counts = self.window.counts()
        usage_and_speed = self.window.columns(counts)
        row: dict[str, float | None] = {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "loss": loss,
            **self.objectives.columns(done.minimised, learned),
            **usage_and_speed,
            **{name: value.item() for name, value in done.diagnostics.items()},
        }
        if isinstance(self.tokenizer.quantizer, HasTemperature):
            row["temperature_override"] = self.held_temperature
        self.writer.append_history(row)
        used = "" if counts is None else f", {counts.usage().active_codes} of {counts.codebook_size} codes active"
        bar.note(f"loss {loss:.3f}{used}")
        if self.on_log is not None:
            self.on_log(LogEvent(row, counts, self.tokenizer))
            self.tokenizer.train()

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
            "override": self.held_temperature,
            "optimizer": self.optimizer.state_dict(),
            "objectives": self.objectives.state_dict(),
            "source": self.source_state,
            "window": self.window.state(),
        }
        average = None if self.average is None else self.average.weights
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
