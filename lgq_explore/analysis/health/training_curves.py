"""Losses, usage, softness, temperature, and the state of the discriminator, over the steps of training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames.health import (
    ACTIVE_CODES,
    ADAPTIVE_WEIGHT,
    BALANCE,
    BY_HAND,
    CODEBOOK_SIZE,
    EFFECTIVE_CODES,
    GAIN_MEAN,
    GAIN_MEDIAN,
    IN_FORCE,
    LECAM,
    LOGITS,
    LOSSES,
    PANELS,
    PENALTIES,
    PERPLEXITY,
    R1,
    REAL,
    RECONSTRUCTED,
    SHARES,
    SOFTNESS,
    TEMPERATURE,
    TOKENS,
    TRAINING_CURVES,
    USAGE,
    WEIGHTED_SUM,
    over_window,
)

LARGEST_HISTORY = 2_000
"""Rows of a history that are kept: more than a screen has pixels for, and few enough to redraw at once."""

_WINDOWED = re.compile(r"(?P<what>active_codes|perplexity|tokens)_last_(?P<steps>\d+)_steps")

_QUANTITIES = {
    "effective_codes": (SOFTNESS, EFFECTIVE_CODES),
    "encoder_gain_mean": (SOFTNESS, GAIN_MEAN),
    "encoder_gain_median": (SOFTNESS, GAIN_MEDIAN),
    "temperature": (TEMPERATURE, IN_FORCE),
    "temperature_override": (TEMPERATURE, BY_HAND),
    "gan_logits_real": (LOGITS, REAL),
    "gan_logits_reconstructed": (LOGITS, RECONSTRUCTED),
    "gan_adaptive_weight": (ADAPTIVE_WEIGHT, BALANCE),
    "gan_lecam": (PENALTIES, LECAM),
    "gan_r1": (PENALTIES, R1),
}
_COUNTED = {"active_codes": ACTIVE_CODES, "perplexity": PERPLEXITY, "tokens": TOKENS}


@dataclass(frozen=True)
class _Curve:
    column: str
    panel: str
    quantity: str


def training_curves(history: pd.DataFrame, codebook_size: int | None = None) -> pd.DataFrame:
    """The history of a run as a tidy frame: `frames.health.TRAINING_CURVES`.

    It has what the run's history holds: fixed grids have no temperature, and only recipes with a GAN a discriminator.
    Losses and penalties are unweighted, except for the "weighted sum" that is minimised. Logits are means over the
    crops of a step. Shares are those of each term in the gradient at the decoder's last layer. Usage is counted over
    the window that its quantity names, and the quantity `tokens` says over how many tokens. With `codebook_size` (K)
    the panel of active codes also holds K, their upper limit. Values that a history leaves empty stay as NaN, so that a
    run has the same quantities from its first row to its last. A history of more than `LARGEST_HISTORY` rows is thinned
    evenly; its first and last row stay.

    Raises:
        InputError: a history without steps, or with a loss or diagnostic that is not a number.
    """
    if "step" not in history.columns:
        raise InputError(f"a history with the columns {list(history.columns)} has no step: give that of a run")
    history = _thinned(history)
    curves = sorted(_curves(history), key=lambda curve: PANELS.index(curve.panel))
    parts = [_part(curve, history["step"], _numbers(history[curve.column])) for curve in curves]
    if codebook_size is not None:
        ceiling = _Curve("", USAGE, CODEBOOK_SIZE)
        after = sum(PANELS.index(curve.panel) <= PANELS.index(ceiling.panel) for curve in curves)
        parts.insert(after, _part(ceiling, history["step"], float(codebook_size)))
    return TRAINING_CURVES.frame(pd.concat(parts, ignore_index=True) if parts and len(history) else {})


def _curves(history: pd.DataFrame) -> Iterator[_Curve]:
    """The columns of the history that are shown, and where."""
    for column in history.columns:
        if column == "loss":
            yield _Curve(column, LOSSES, WEIGHTED_SUM)
        elif column.startswith("loss_"):
            yield _Curve(column, LOSSES, column.removeprefix("loss_"))
        elif column.startswith("gradient_share_"):
            yield _Curve(column, SHARES, column.removeprefix("gradient_share_"))
        elif windowed := _WINDOWED.fullmatch(column):
            yield _Curve(column, USAGE, over_window(_COUNTED[windowed["what"]], windowed["steps"]))
        elif column in _QUANTITIES:
            yield _Curve(column, *_QUANTITIES[column])


def _part(curve: _Curve, steps: pd.Series, values: pd.Series | float) -> pd.DataFrame:
    return pd.DataFrame({"step": steps, "panel": curve.panel, "quantity": curve.quantity, "value": values})


def _numbers(column: pd.Series) -> pd.Series:
    try:
        return column.astype("float64")
    except (TypeError, ValueError) as error:
        raise InputError(f"column {column.name} of the history is not made of numbers: {error}") from error


def _thinned(history: pd.DataFrame) -> pd.DataFrame:
    if len(history) <= LARGEST_HISTORY:
        return history
    return history.iloc[np.linspace(0, len(history) - 1, LARGEST_HISTORY).round().astype(int)]
