"""The columns of the table of runs: what they are called, how they are written, and how a filter names them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lgq_explore.frames.comparison import HELD_OUT, LOGGED, RUNS


@dataclass(frozen=True)
class Column:
    """A column as a reader sees it. label: its head. write: a value that is not missing, as text."""

    label: str
    write: Callable[[Any], str] = str


def _digits(places: int) -> Callable[[Any], str]:
    return lambda value: f"{value:,.{places}f}"


COLUMNS: Mapping[str, Column] = {
    "run": Column("run"),
    "method": Column("method"),
    "codebook_size": Column("K", _digits(0)),
    "data": Column("data"),
    "image_size": Column("px"),
    "seed": Column("seed"),
    "step": Column("step", _digits(0)),
    "gan_steps": Column("GAN_steps", _digits(0)),
    "remark": Column("remark"),
    "psnr_db": Column("PSNR", _digits(2)),
    "ssim": Column("SSIM", _digits(3)),
    "lpips": Column("LPIPS", _digits(3)),
    "fd": Column("FD", _digits(1)),
    "active_codes": Column("active", _digits(0)),
    "perplexity": Column("perplexity", _digits(1)),
    "entropy_bits": Column("bits", _digits(2)),
    "loss": Column("loss", _digits(3)),
    "begun": Column("begun", lambda moment: f"{moment:%Y-%m-%d %H:%M}"),
}
"""The columns of `analysis.comparison.runs_in` that are shown, in their order."""

NUMBERS = tuple(name for name in COLUMNS if name in HELD_OUT or name in LOGGED)
"""Those of which a recipe has a mean."""

IS_TEXT = frozenset(name for name, (dtype, _) in RUNS.described.items() if dtype == "str")


NOT_COMPARED = "; a sum of other terms with each method, so that it ranks runs of one method only"

SAID_ONCE = ("method", "codebook_size", "data", "image_size", "step")
"""Columns that need no place where all runs have one value in them."""


def meaning(name: str) -> str:
    """What the column holds, as its frame declares it, and over what it is taken."""
    over = "; on held-out pictures" if name in HELD_OUT else ""
    return f"{RUNS.described[name][1]}{over}{NOT_COMPARED if name == 'loss' else ''}"


def written(name: str, row: Mapping[str, Any]) -> str:
    """A cell of a run's row; empty where the value is missing."""
    value = row[name]
    if pd.isna(value):
        return ""
    if name == "step" and not pd.isna(row["steps"]):
        return f"{value:,d} of {row['steps']:,d}"
    return COLUMNS[name].write(value)


def written_mean(name: str, mean: float, spread: float, runs: int, of_runs: int) -> str:
    """A recipe's mean ± its spread, with the number of runs where it is not that of all its finished ones."""
    if pd.isna(mean):
        return ""
    around = "" if pd.isna(spread) else f" ± {COLUMNS[name].write(spread)}"
    return f"{COLUMNS[name].write(mean)}{around}" + (f" (n = {runs})" if runs != of_runs else "")


def split_columns(runs: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """The columns that tell these runs apart or may be sorted by, and the texts of those that all runs share."""
    known = runs[runs["recipe_hash"] != ""]
    alike = known.assign(step=known["step"].astype(str) + known["steps"].astype(str))  # as it is written
    shared = [name for name in SAID_ONCE if len(known) > 1 and alike[name].nunique() == 1]
    empty = [name for name in (*NUMBERS, "gan_steps", "remark") if runs[name].replace("", math.nan).isna().all()]
    texts = {name: f"{COLUMNS[name].label} {written(name, known.iloc[0].to_dict())}" for name in shared}
    return [name for name in COLUMNS if name not in (*shared, *empty)], texts
