"""Whether compared runs have been trained with a GAN for equally many steps.

Starting a GAN lowers the PSNR for a while, and improves the visible quality: runs are comparable only in the same
phase.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lgq_explore.frames.comparison import GAN_PHASES
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.study import Study
from lgq_explore.training.objectives.gan import gan_settings

MOST_NAMED = 3
"""Runs of one phase that are named; of more there is the number."""


def gan_phases(studies: Mapping[str, Study]) -> pd.DataFrame:
    """The GAN phase of each study by the run's name, one row each: `frames.comparison.GAN_PHASES`.

    A study without a run has no row: nothing is known of how it was trained.

    Raises:
        InputError: settings of a GAN that can't be used.
    """
    return GAN_PHASES.frame(
        [
            {"run": name, **phase_of(study.run.config, study.encoding.steps)}
            for name, study in studies.items()
            if study.run is not None
        ]
    )


def phase_of(recipe: TrainConfig, finished_steps: int) -> dict[str, object]:
    """The columns `frames.comparison.PHASE` of weights that have seen so many steps. Raises InputError."""
    gan = gan_settings(recipe)
    if gan is None:
        return {"gan_start": pd.NA, "gan_steps": pd.NA}
    return {"gan_start": gan.start_step, "gan_steps": max(0, finished_steps - gan.start_step)}


def unequal_phases(phases: pd.DataFrame) -> str:
    """A sentence on how the GAN phases of runs differ; empty where all are the same.

    phases: of `gan_phases`, or of `runs_in`.

    Raises:
        InputError: a column is missing.
    """
    GAN_PHASES.require(phases)
    groups: dict[str, list[str]] = {}
    for row in phases.itertuples():
        groups.setdefault(in_words(row.gan_steps), []).append(row.run)
    if len(groups) < 2:
        return ""
    told = "; ".join(f"{named(runs)}: {words}" for words, runs in groups.items())
    return f"These runs are at different GAN phases. {told}."


def in_words(steps: int) -> str:
    """A GAN phase: the steps since its start, NA without a GAN."""
    if pd.isna(steps):
        return "no GAN"
    return f"{steps:,d} steps since it started" if steps else "before it starts"


def named(runs: list[str], counted_as: str = "runs") -> str:
    """The names of at most MOST_NAMED runs, or their number, followed by `counted_as`."""
    return ", ".join(runs) if len(runs) <= MOST_NAMED else f"{len(runs)} {counted_as}"
