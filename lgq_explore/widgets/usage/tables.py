"""Numbers of usage as tables, with the runs side by side."""

from __future__ import annotations

import pandas as pd

NUMBERS = {
    "tokens": "tokens N",
    "codebook_size": "codes K",
    "active_codes": "active codes",
    "utilization": "active, share of K",
    "chao2": "reachable, at least (Chao2)",
    "perplexity": "perplexity",
    "entropy_bits": "entropy, bits a token (plug-in)",
    "entropy_bits_miller_madow": "entropy, corrected (Miller–Madow)",
    "bits_active": "log₂ active codes",
    "bits_codebook": "log₂ K",
    "gini": "Gini",
    "gini_uniform": "Gini of uniform sampling",
    "top_1_percent": "tokens on the top 1 % of codes",
    "top_10_percent": "tokens on the top 10 % of codes",
}
"""The columns of `analysis.usage.summary` that are shown, and how they are called."""

FORMATS = {"utilization": "{:.1%}", "top_1_percent": "{:.1%}", "top_10_percent": "{:.1%}"}
FORMATS |= dict.fromkeys(["tokens", "codebook_size", "active_codes", "chao2", "perplexity"], "{:,.0f}")


def numbers_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per number, one column per run, in words and digits. summary: that of several runs."""
    columns = {
        row["run"]: [FORMATS.get(name, "{:.2f}").format(row[name]) for name in NUMBERS]
        for row in summary.to_dict("records")
    }
    return pd.DataFrame(columns, index=list(NUMBERS.values()))


def definitions_table(definitions: pd.DataFrame) -> pd.DataFrame:
    """One row per definition, one column per run: codes, their share of K, and the rank; or why there are none."""
    cells = definitions.assign(cell=[_cell(row) for row in definitions.to_dict("records")])
    names, runs = definitions["definition"].unique(), definitions["run"].unique()
    return cells.pivot(index="definition", columns="run", values="cell").loc[names, runs].rename_axis(None, axis=1)


def side_by_side(*tables: pd.DataFrame) -> str:
    """The tables as HTML, beside each other where there is room."""
    style = (
        ".lgq-tables { display: flex; flex-wrap: wrap; gap: 12px 48px; line-height: 1.5; }"
        ".lgq-tables th, .lgq-tables td { text-align: left; font-weight: normal; padding: 0 16px 0 0; }"
        ".lgq-tables thead th { font-weight: bold; }"
    )
    parts = "".join(table.to_html(border=0, index_names=False, justify="left") for table in tables)
    return f'<style>{style}</style><div class="lgq-tables">{parts}</div>'


def _cell(row: dict[str, object]) -> str:
    if row["why"]:
        return f"– ({row['why']})"
    rank = "" if pd.isna(row["rank"]) else f", rank {row['rank']:.0f}"
    return f"{row['codes']:,.0f} codes, {row['utilization']:.1%}{rank}"
