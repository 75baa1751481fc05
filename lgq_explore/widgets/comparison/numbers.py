"""Numbers of a comparison as a panel names, sums up and tabulates them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from lgq_explore import analysis, plots
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.groups import Group
from lgq_explore.errors import printable
from lgq_explore.frames.quantities import QUANTITIES, counted, mean_text
from lgq_explore.runs.run import Run

from .comparing import PlannedRun


def highlights(
    groups: Mapping[str, Sequence[PlannedRun]],
) -> tuple[dict[str, str], plots.comparison.Numbered, dict[str, int]]:
    """What can be highlighted, as a menu says it and as it is kept; and the numbers that charts know it by."""
    runs = [run.name for members in groups.values() for run in members]
    numbered = plots.comparison.Numbered.of(list(groups), runs)
    number_of: dict[str, int] = {}
    for name, members in groups.items():
        number_of.setdefault(name, numbered.groups[name])
        for run in sorted(members, key=lambda run: (run.config.seed, run.config.rounding_replicate)):
            replicate = f", replicate {run.config.rounding_replicate}" if run.config.rounding_replicate else ""
            said = f"{name}, seed {run.config.seed}{replicate}"
            number_of[f"{said}, {run.name}" if said in number_of else said] = numbered.runs[run.name]
    return {"nothing": "", **{printable(said): said for said in number_of}}, numbered, number_of


def numbers_summary(comparison: Comparison, bits: float | None) -> dict[str, int | float | str]:
    """Each number of each group with its interval, and the methods at some bits."""
    grouped = comparison.grouped
    found: dict[str, int | float | str] = {
        "runs": len(comparison.runs),
        "photographs": len(grouped.digests),
        "crops": int(grouped.crops.sum()),
    }
    for _, row in comparison.numbers.dropna(subset="estimate").iterrows():
        name = f"{row['group']} {row['number']}"
        found[name] = float(row["estimate"])
        if math.isfinite(row["low"]):
            found |= {f"{name} low": float(row["low"]), f"{name} high": float(row["high"])}
    if bits is not None:
        found["bits"] = bits
        at_bits = analysis.comparison.at_equal_bits(grouped, bits).dropna(subset="psnr_db")
        found |= {f"{row['method']} psnr_db at bits": float(row["psnr_db"]) for _, row in at_bits.iterrows()}
    return found


def numbers_table(numbers: pd.DataFrame) -> pd.DataFrame:
    """A row per group and a column per number that any of them has, with intervals where there are some."""
    measured = numbers.dropna(subset="estimate")
    shown = [number for number in QUANTITIES if number in set(measured["number"])]
    rows = {
        printable(name): {
            QUANTITIES[number].heading: _cell(rows.loc[number]) if number in rows.index else "–" for number in shown
        }
        for name, rows in ((name, rows.set_index("number")) for name, rows in numbers.groupby("group", sort=False))
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _cell(row: pd.Series) -> str:
    return mean_text(QUANTITIES[str(row.name)], row["estimate"], row["spread"], row["low"], row["high"])


def caption_of(comparison: Comparison) -> str:
    """Which runs of which seeds were measured on how much."""
    grouped = comparison.grouped
    groups = "; ".join(_of_group(comparison, group) for group in grouped.groups)
    crops = int(grouped.crops.sum())
    first = next(iter(comparison.runs.values()))
    measured = (
        f"N = {_tokens(first, crops):,d} tokens of {counted(crops, 'held-out crop')} from "
        f"{counted(len(grouped.digests), 'photograph')} that all runs share"
    )
    left = f"; {counted(grouped.left_out, 'photograph')} left out" if grouped.left_out else ""
    return (
        f"{groups}. {measured}{left}. Intervals are over seeds and photographs at 95 %; where there are none, either "
        "are too few. Curves between codebook sizes are interpolated by PCHIP."
    )


def _of_group(comparison: Comparison, group: Group) -> str:
    runs = ", ".join(
        f"{printable(run.name)} (seed {run.config.seed}, step {comparison.runs[run.name].finished_steps:,d})"
        for run in group.runs
    )
    return f"{printable(group.name)}: {runs}"


def _tokens(run: Run, crops: int) -> int:
    return crops * (run.config.image_size // run.config.backbone.factor) ** 2
