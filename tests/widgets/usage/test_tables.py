"""Do a dozen runs fit below the charts, with their seeds summed up?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.widgets.usage.tables import definitions_note, definitions_table, numbers_beside


def summary(runs: list[str]) -> pd.DataFrame:
    """Run number i has i + 1 active codes."""
    return pd.DataFrame({"run": runs, "active_codes": range(1, len(runs) + 1), "gini": 0.5})


@pytest.mark.parametrize("name", ["{}, seed {}", "{}-1024-seed{}"])
def test_seeds_of_a_method_are_one_row_with_mean_and_spread(name: str) -> None:
    runs = [name.format(method, seed) for method in ("lgq", "vq") for seed in range(3)]
    table = numbers_beside(summary(runs), ["active_codes", "gini"])
    assert [row.split(",")[0].split("-")[0] for row in table.index] == ["lgq", "vq"]
    assert table["active codes"].tolist() == ["2 ± 1", "5 ± 1"]
    assert table["Gini"].tolist() == ["0.50", "0.50"]
    assert all("3 seeds" in row for row in table.index)


def test_few_runs_and_runs_that_are_no_seeds_have_a_row_each() -> None:
    for runs in (["lgq, seed 0", "lgq, seed 1"], ["a", "b", "c", "d", "e"]):
        assert numbers_beside(summary(runs), ["active_codes"]).index.tolist() == runs


def test_a_run_alone_among_seeds_keeps_its_name() -> None:
    runs = [*(f"lgq, seed {seed}" for seed in range(4)), "vq, seed 7"]
    assert numbers_beside(summary(runs), ["active_codes"]).index.tolist() == ["lgq, 4 seeds", "vq, seed 7"]


def test_a_cell_is_a_line_and_why_there_are_none_is_said_once() -> None:
    why = "23,552 tokens were encoded: encode more crops"
    definitions = pd.DataFrame(
        {
            "run": ["lgq", "lgq", "vq", "vq"],
            "definition": ["window of 65,536 tokens", "whole set"] * 2,
            "codes": [float("nan"), 1542.4, float("nan"), 852.0],
            "utilization": [float("nan"), 0.529, float("nan"), 0.832],
            "rank": [float("nan"), 2.0, float("nan"), 1.0],
            "why": [why, ""] * 2,
        }
    )
    table = definitions_table(definitions)
    assert table.loc["lgq"].tolist() == ["too few tokens", "1,542 (52.9%), rank 2"]
    assert definitions_note(definitions).count(why) == 1
    assert definitions_note(definitions).startswith("Codes (share of K)")
    assert why not in definitions_note(definitions[definitions["why"] == ""])
