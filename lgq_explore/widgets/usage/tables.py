"""Numbers of usage as tables, with a row for each run."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lgq_explore.plots.line_ends import SEED

NUMBERS = {
    "tokens": "tokens N",
    "codebook_size": "codes K",
    "active_codes": "active codes",
    "utilization": "active, share of K",
    "chao2": "reachable, at least (Chao2)",
    "perplexity": "perplexity",
    "entropy_bits": "entropy, bits per token (plug-in)",
    "entropy_bits_miller_madow": "entropy, corrected (Miller–Madow)",
    "bits_active": "log₂ active codes",
    "bits_codebook": "log₂ K",
    "gini": "Gini",
    "gini_uniform": "Gini of uniform sampling",
    "top_1_percent": "on the top 1 %",
    "top_10_percent": "on the top 10 %",
}
"""The columns of `analysis.usage.summary` that are shown, and how a table's head calls them."""

FORMATS = {"utilization": "{:.1%}", "top_1_percent": "{:.1%}", "top_10_percent": "{:.1%}"}
FORMATS |= dict.fromkeys(["tokens", "codebook_size", "active_codes", "chao2", "perplexity"], "{:,.0f}")


def numbers_table(summary: pd.DataFrame, names: Iterable[str] = NUMBERS) -> pd.DataFrame:
    """One row per run, one column per number, in words and digits. summary: that of several runs."""
    columns = {NUMBERS[name]: summary[name].map(FORMATS.get(name, "{:.2f}").format) for name in names}
    return pd.DataFrame(columns).set_axis(summary["run"].tolist(), axis=0)


MOST_ROWS = 4
"""Rows that fit below the charts; of more runs, seeds are summed up."""


def numbers_beside(summary: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """As `numbers_table`; of more than MOST_ROWS runs, one row for those whose names differ in their seed alone.

    Such a row has the mean of the runs ± their standard deviation.
    """
    groups = summary.groupby(summary["run"].str.replace(SEED, "", regex=True), sort=False)
    if len(summary) <= MOST_ROWS or groups.ngroups == len(summary):
        return numbers_table(summary, names)
    rows = {
        f"{name}, {len(runs)} seeds" if len(runs) > 1 else runs["run"].iloc[0]: {
            NUMBERS[number]: _mean(number, runs[number]) for number in names
        }
        for name, runs in groups
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _mean(name: str, values: pd.Series) -> str:
    written = FORMATS.get(name, "{:.2f}").format
    spread = "" if values.nunique() == 1 else f" ± {written(values.std())}"
    return f"{written(values.mean())}{spread}"


def definitions_table(definitions: pd.DataFrame) -> pd.DataFrame:
    """One row per run, one column per definition: codes, their share of K in brackets, and the rank, in a line each."""
    cells = definitions.assign(cell=[_cell(row) for row in definitions.to_dict("records")])
    names, runs = definitions["definition"].unique(), definitions["run"].unique()
    return cells.pivot(index="run", columns="definition", values="cell").loc[runs, names].rename_axis(None, axis=1)


def definitions_note(definitions: pd.DataFrame) -> str:
    """What the cells of `definitions_table` say, and why some say nothing."""
    reasons = definitions.loc[definitions["why"] != "", ["definition", "why"]].drop_duplicates()
    said = [f"{row.definition.capitalize()}: {row.why}." for row in reasons.itertuples()]
    return " ".join(["Codes (share of K), and the run's rank.", *said])


def _cell(row: dict[str, object]) -> str:
    if row["why"]:
        return "too few tokens"
    rank = "" if pd.isna(row["rank"]) else f", rank {row['rank']:.0f}"
    return f"{row['codes']:,.0f} ({row['utilization']:.1%}){rank}"
