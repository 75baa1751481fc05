"""Losses, usage, softness and temperature over the steps of training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError

PANELS = ("losses", "active codes", "effective codes and gain", "temperature")
"""The panels of the frame, in the order they are drawn."""

LARGEST_HISTORY = 2_000
"""Rows of a history that are kept: more than a screen has pixels for, and few enough to redraw at once."""

_WINDOWED = re.compile(r"(?P<what>active_codes|perplexity|tokens)_last_(?P<steps>\d+)_steps")

_QUANTITIES = {
    "effective_codes": ("effective codes and gain", "effective codes"),
    "encoder_gain_mean": ("effective codes and gain", "encoder gain, mean"),
    "encoder_gain_median": ("effective codes and gain", "encoder gain, median"),
    "temperature": ("temperature", "temperature"),
    "temperature_override": ("temperature", "temperature, set by hand"),
}


@dataclass(frozen=True)
class _Curve:
    column: str
    panel: str
    quantity: str


def training_curves(history: pd.DataFrame, codebook_size: int | None = None) -> pd.DataFrame:
    """The history of a run as a tidy frame: step (finished optimiser steps), panel, quantity, value.

    Only what the method's history holds: fixed grids have no temperature. Losses are unweighted, but for the "weighted
    sum" that is minimised; usage is counted over the window that its quantity names, in which `tokens` were seen.
    With `codebook_size` (K) the panel of active codes holds it too, as their ceiling. Values that a history leaves
    empty stay as NaN, so that a method's quantities are the same from its first row to its last.
    A history of more than `LARGEST_HISTORY` rows is thinned evenly; its first and last row stay.

    Raises:
        InputError: a history without steps, or with a loss or diagnostic that is not a number.
    """
    if "step" not in history.columns:
        raise InputError(f"a history with the columns {list(history.columns)} has no step: give that of a run")
    history = _thinned(history)
    curves = sorted(_curves(history), key=lambda curve: PANELS.index(curve.panel))
    parts = [_part(curve, history["step"], _numbers(history[curve.column])) for curve in curves]
    if codebook_size is not None:
        ceiling = _Curve("", "active codes", "codebook size")
        after = sum(PANELS.index(curve.panel) <= PANELS.index(ceiling.panel) for curve in curves)
        parts.insert(after, _part(ceiling, history["step"], float(codebook_size)))
    empty = pd.DataFrame({"step": [], "panel": [], "quantity": [], "value": []})
    types = {"step": "int64", "panel": "str", "quantity": "str", "value": "float64"}
    return (pd.concat(parts, ignore_index=True) if parts and len(history) else empty).astype(types)


def _curves(history: pd.DataFrame) -> Iterator[_Curve]:
    """What of the history's columns is shown, and where."""
    for column in history.columns:
        if column == "loss":
            yield _Curve(column, "losses", "weighted sum")
        elif column.startswith("loss_"):
            yield _Curve(column, "losses", column.removeprefix("loss_"))
        elif windowed := _WINDOWED.fullmatch(column):
            what = windowed["what"].replace("_", " ")
            yield _Curve(column, "active codes", f"{what}, last {windowed['steps']} steps")
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
