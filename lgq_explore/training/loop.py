"""Training from a recipe, and from where a run stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from lgq_explore.devices import require_known_device
from lgq_explore.errors import InputError, lacks_memory, printable
from lgq_explore.files import remove_folder
from lgq_explore.images.opening import open_source
from lgq_explore.images.source import Source
from lgq_explore.progress import tell
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import source_of
from lgq_explore.runs.outputs import require_folder_to_make
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_paths import new_run_path, path_of_run
from lgq_explore.runs.run_writer import RunWriter

from .controls import Controls
from .energy import energy_meter
from .interrupts import stopped_by_interrupts
from .loggers.of_run import require_loggers
from .machine import (
    environment_of,
    fabric_on,
    report_emulated_precision,
    report_other_rounding,
    require_trainable,
)
from .objectives.of_recipe import require_objectives
from .session import LogEvent, TrainingFailed, TrainingSession
from .step.compilation import is_of_the_compiler

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    config: TrainConfig,
    run: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    on_log: Callable[[LogEvent], None] | None = None,
    controls: Controls | None = None,
    progress: bool = True,
    loggers: Sequence[str] = (),
) -> Run:
    """Train from a recipe into a new run folder (`run`, or one under data/runs) and return it opened.

    device: auto (CUDA if available), cpu, cuda or cuda:I.
    on_log: called after every logged step, in the thread that trains.
    A call from the main thread trains in a worker thread, since an interrupt is raised in the main thread.
    controls: lets another thread hold a temperature or stop.
    loggers: names in LOGGERS, such as tensorboard, that get every row of the history, too. One that fails is reported.
    The first interrupt (Ctrl-C) finishes the step, saves and returns; a second one is raised without saving.
    Raises InputError for data or a folder that cannot be used, and for a loss that becomes NaN or infinite.
    """
    if not isinstance(config, TrainConfig):
        raise InputError(f"{config!r} is no recipe: give a TrainConfig, such as preset('tiny', 'lgq')")
    fabric = fabric_on(device, config.precision)
    require_trainable(config, fabric.device)
    require_objectives(config)
    require_loggers(loggers)
    given_path = None if run is None else new_run_path(run)  # before minutes of decoding pictures
    if given_path is not None:
        require_folder_to_make(given_path)
    source = open_source(config.data, config.image_size, seed=config.seed, division=config.split)
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
        return _train_on(writer, fabric, source, controls, on_log, progress, loggers)
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
    loggers: Sequence[str] = (),
) -> Run:
    """Continue a run from its newest whole checkpoint, or from step 0; a finished run is returned as it is.

    On a CPU the weights are exactly those of an uninterrupted run if processor, threads and versions are those that the
    run began with. Others round differently, which is reported on stderr. A temperature that was held when the run
    stopped is held again unless `controls` are given. Arguments and errors are those of `train`; InputError is also
    raised if the data are no longer those that the run started with.
    """
    require_known_device(device)
    require_loggers(loggers)
    writer = RunWriter(path_of_run(run))
    if writer.is_finished:
        return open_run(writer.path)
    fabric = fabric_on(device, writer.config.precision)
    require_objectives(writer.config)
    source = source_of(writer)
    if progress:
        report_other_rounding(writer.environment, environment_of(fabric, source, writer.config))
    if progress and writer.newest_checkpoint() is None:
        with writer.claimed():  # of a run that another process trains, this would not be true
            tell(f"{printable(writer.path)} has no checkpoint yet: training starts at step 0")
    return _train_on(writer, fabric, source, controls, on_log, progress, loggers)


def _train_on(
    writer: RunWriter,
    fabric: Fabric,
    source: Source,
    controls: Controls | None,
    on_log: Callable[[LogEvent], None] | None,
    progress: bool,
    loggers: Sequence[str],
) -> Run:
    steering = controls or Controls()

    def session() -> Run:
        try:
            training = TrainingSession(
                writer,
                fabric,
                source,
                steering,
                controls_given=controls is not None,
                on_log=on_log,
                progress=progress,
                logger_names=loggers,
                energy=energy_meter(fabric.device),
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
