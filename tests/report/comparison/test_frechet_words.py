"""Do tables and sentences say what was found by FD, how sure it is, and what of it is bias?"""

from __future__ import annotations

from lgq_explore.analysis.comparison import Comparison, frechet_sizes, group_differences, group_numbers, group_ratios
from lgq_explore.analysis.comparison.findings import findings
from lgq_explore.analysis.comparison.groups import GroupedRuns
from lgq_explore.frames.comparison import CONDITION, CURVE_DIFFERENCES, ledger_columns
from lgq_explore.report.comparison.tables import frechet_remark, frechet_sizes_table, numbers_table, ratios_table
from tests.analysis.comparison.test_frechet import compared


def comparison_of(groups: GroupedRuns) -> Comparison:
    names = [run.name for group in groups.groups for run in group.runs]
    return Comparison(
        {},
        groups,
        ledger_columns(names).frame(
            [{"field": "steps", "kind": CONDITION, "differs": False} | dict.fromkeys(names, "4")]
        ),
        group_numbers(groups),
        group_differences(groups),
        CURVE_DIFFERENCES.frame([]),
        40,
        group_ratios(groups),
        frechet_sizes(groups),
    )


def test_a_planted_difference_is_said_with_its_interval() -> None:
    comparison = comparison_of(compared(more=0.15))
    told = " ".join(findings(comparison))
    assert "By features of EfficientNet-Lite0, lgq has the lowest FD, " in told
    assert "FD of fsq is 2." in told
    assert "it holds 1" not in told
    assert "FD is biased by the number of pictures: that of lgq is " in told
    assert "on 5 photographs and" in told
    assert "on all 20" in told
    (row,) = ratios_table(comparison.ratios).rows
    assert row[:2] == ("lgq / fsq", "FD")
    assert row[2].startswith("0.4")
    assert "], p = " in row[2]
    sizes = frechet_sizes_table(comparison.frechet_sizes)
    assert sizes.head == ("group", "5 photographs, 10 crops", "10 photographs, 20 crops", "20 photographs, 40 crops")
    assert [row[0] for row in sizes.rows] == ["lgq", "fsq"]
    assert numbers_table(comparison.numbers, frechet_remark(comparison)).note.endswith("EfficientNet-Lite0.")


def test_methods_that_are_alike_may_be_so_by_chance() -> None:
    told = " ".join(findings(comparison_of(compared())))
    assert "; it holds 1, so that chance may have made it)" in told
