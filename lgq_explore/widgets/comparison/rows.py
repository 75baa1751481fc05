"""The rows of the table of runs: filtered, sorted, and grouped by recipe with mean and spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lgq_explore.analysis.comparison import over_seeds
from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import RECIPE

from .columns import COLUMNS, IS_TEXT, NUMBERS, written, written_mean

UNEQUAL = "unequal"
"""In place of a mean of numbers that were not taken alike (`analysis.comparison.over_seeds` says how)."""

TELLING_APART = ("data", "image_size", "steps", "gan_steps", "recipe")
"""What a table for papers says of recipes beside method and K, where it tells them apart."""


@dataclass(frozen=True)
class RunRow:
    """A run. cells: texts by column. opens: whether it can be ticked; `why` says why not."""

    run: str
    cells: dict[str, str]
    opens: bool
    why: str


@dataclass(frozen=True)
class Section:
    """Runs below each other, and the cells of the row above them; no cells where they are not grouped."""

    head: dict[str, str]
    rows: list[RunRow]


def sections(runs: pd.DataFrame, sort: str, descending: bool, grouped: bool) -> list[Section]:
    """The runs in sections, one for each recipe where they are grouped; those that can't be opened come last.

    Within a section, and the sections by their means, they are sorted by the column `sort`.
    """
    ordered = _ordered(runs, sort, descending)
    if not grouped:
        return [Section({}, _rows(ordered))] if len(ordered) else []
    known = ordered[ordered["recipe_hash"] != ""]
    summary = over_seeds(known)
    parts = {str(recipe): part for recipe, part in known.groupby("recipe_hash", sort=False)}
    found = [
        Section(_head(part, summary[summary["recipe_hash"] == recipe]), _rows(part))
        for recipe, part in ((recipe, parts[recipe]) for recipe in _recipes(known, summary, sort, descending))
    ]
    unknown = ordered[ordered["recipe_hash"] == ""]
    return [*found, Section({"run": "can't be opened"}, _rows(unknown))] if len(unknown) else found


def table_for_papers(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per recipe that has finished runs: its numbers as the table writes them, under the table's heads.

    Columns that are empty, or that tell recipes apart but not these, are left out.

    Raises:
        InputError: no run is finished.
    """
    rows = []
    for recipe, part in runs[runs["recipe_hash"] != ""].groupby("recipe_hash", sort=False):
        finished = part[part["opens"] & (part["step"] >= part["steps"]).fillna(False)]
        if len(finished):
            first = finished.iloc[0]
            facts = {
                "recipe": recipe,
                "steps": f"{first['steps']:,d}",
                "gan_steps": written("gan_steps", first.to_dict()) or "none",
                "seeds": finished["seed"].nunique(),
            }
            rows.append(_head(finished, over_seeds(finished)) | facts)
    if not rows:
        raise InputError("no finished run is shown: the table for papers has their means alone")
    table = pd.DataFrame(rows)[["method", "codebook_size", *TELLING_APART, "seeds", *NUMBERS]]
    is_needed = {name: table[name].nunique() > 1 for name in TELLING_APART}
    is_needed["recipe"] = bool(table.duplicated(["method", "codebook_size", *TELLING_APART[:-1]]).any())
    kept = [name for name in table if is_needed.get(str(name), bool((table[name] != "").any()))]
    return table[kept].rename(columns={name: COLUMNS[name].label for name in kept if name in COLUMNS})


def _ordered(runs: pd.DataFrame, sort: str, descending: bool) -> pd.DataFrame:
    """Sorted by a column; equal values by name, and missing ones last in either order."""
    keyed = runs.assign(_key=runs[sort].str.lower() if sort in IS_TEXT else runs[sort], _name=runs["run"].str.lower())
    if sort in IS_TEXT:
        keyed["_key"] = keyed["_key"].mask(keyed["_key"] == "")
    ordered = keyed.sort_values(["_key", "_name"], ascending=[not descending, True], na_position="last", kind="stable")
    return ordered.drop(columns=["_key", "_name"])


def _recipes(known: pd.DataFrame, summary: pd.DataFrame, sort: str, descending: bool) -> list[str]:
    """The recipes in the order of their means of `sort`; of their first runs where it has no mean."""
    first_seen = list(known["recipe_hash"].unique())
    if sort not in NUMBERS:
        by_method = known.groupby("recipe_hash")["method"].first()
        return first_seen if sort != "run" else sorted(first_seen, key=lambda recipe: by_method[recipe])
    means = summary[summary["number"] == sort].set_index("recipe_hash")["mean"].reindex(first_seen)
    return list(means.sort_values(ascending=not descending, na_position="last", kind="stable").index)


def _rows(runs: pd.DataFrame) -> list[RunRow]:
    return [
        RunRow(
            row["run"],
            {name: written(name, row) for name in COLUMNS},
            row["opens"],
            "" if row["opens"] else row["remark"],
        )
        for row in runs.to_dict("records")
    ]


def _head(part: pd.DataFrame, summary: pd.DataFrame) -> dict[str, str]:
    finished = int((part["opens"] & (part["step"] >= part["steps"]).fillna(False)).sum())
    common = part.iloc[0].to_dict()
    means = {row["number"]: row for row in summary.to_dict("records")}
    of_recipe = {name: written(name, common) for name in COLUMNS if name in RECIPE}
    return (
        {"run": _of_how_many(part, finished)}
        | of_recipe
        | {name: _mean(name, means.get(name), finished) for name in NUMBERS}
    )


def _of_how_many(part: pd.DataFrame, finished: int) -> str:
    runs = f"{len(part)} run{'s' if len(part) > 1 else ''}"
    if not finished:
        return f"{runs}, not finished"
    return f"mean of {runs}" if finished == len(part) else f"mean of {finished} of {runs}"


def _mean(name: str, row: Mapping[str, Any] | None, finished: int) -> str:
    if row is None or not row["runs"]:
        return ""
    if row["why"]:
        return UNEQUAL
    return written_mean(name, row["mean"], row["spread"], row["runs"], finished)
