"""Steps of training that are marked on every curve."""

from __future__ import annotations

import pandas as pd

from lgq_explore.frames.health import DECODER_ALONE, GAN_IN_FULL, GAN_STARTS, STEP_MARKS
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.gan import gan_settings


def step_marks(recipe: TrainConfig | None) -> pd.DataFrame:
    """When a recipe's GAN starts, its ramp ends, and its decoder is trained alone: `frames.health.STEP_MARKS`.

    In optimiser steps. No rows for what a recipe does not have, or for no recipe, and no end of a ramp that is not
    there. A run that was stopped may not have come to them.

    Raises:
        InputError: settings of the GAN that can't be used.
    """
    gan = None if recipe is None else gan_settings(recipe)
    rows = [] if gan is None else [{"step": gan.start_step, "mark": GAN_STARTS}]
    if gan is not None and gan.ramp_steps > 1:
        rows.append({"step": gan.full_weight_step, "mark": GAN_IN_FULL})
    if recipe is not None and recipe.finish_step < recipe.steps:
        rows.append({"step": recipe.finish_step, "mark": DECODER_ALONE})
    return STEP_MARKS.frame(rows)
