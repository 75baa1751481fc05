"""Where a run's training continues from, and which codes were used last, read from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lgq_explore.metrics import GroupedCodeCounts
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_files import as_damage_of, step_of

from .restoring import RestoredProgress
from .window import StepWindow


@dataclass(frozen=True)
class CheckpointSummary:
    """The newest checkpoint without its weights.

    step: finished optimiser steps. held_temperature: the one held by hand then, and held again by `resume`; None where
    the schedule decided. counts: of codes in the history's window of steps; None if it was read without levels.
    """

    step: int
    held_temperature: float | None
    counts: GroupedCodeCounts | None


def newest_checkpoint_summary(run: Run, levels: Sequence[int] | None = None) -> CheckpointSummary | None:
    """Of the run's newest whole checkpoint; None where there is none. Raises InputError for a damaged one.

    levels: of the run's quantizer; without them codes are not counted.
    """
    checkpoint = run.newest_checkpoint()
    if checkpoint is None:
        return None
    counts = None
    with as_damage_of(checkpoint):
        # Mapped, so that the optimiser's moments are not read.
        state = torch.load(checkpoint / "state.pt", map_location="cpu", mmap=True, weights_only=True)
        progress = RestoredProgress.read(state, step_of(checkpoint))
        if levels is not None:
            window = StepWindow(run.config.window_steps, levels)
            window.load(state["window"], torch.device("cpu"))
            counts = window.counts()
    return CheckpointSummary(progress.step, progress.held_temperature, counts)
