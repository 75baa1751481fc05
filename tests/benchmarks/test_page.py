"""Tests of the page of benchmarks against the results that it names."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.page import (
    SECTION,
    SECTIONS,
    assignment_costs,
    digest,
    main,
    quantizer_shares,
    section_text,
    write_page,
)
from lgq_explore.bench.assignment_steps import AssignmentCase
from lgq_explore.bench.fresh_process import Cost
from lgq_explore.bench.soft_assignment import DROP, ratios, result_of
from lgq_explore.cli.entry import parser
from lgq_explore.errors import InputError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PAGE = BENCHMARKS / "README.md"
LARGEST_FIGURE = 250_000

TEXT = """# A page

<!-- soft-assignment results/a.json -->
what was here before
<!-- /soft-assignment -->

Between.

<!-- training results/b.json -->
<!-- /training -->
The end.
"""


def comparison() -> dict[str, Any]:
    lgq = AssignmentCase("lgq", 64, 32, 4, temperature=1.0)
    one_round = [Cost(0.5, 20.0)]
    results = []
    for codes in (32, 128):
        results += [
            result_of(replace(lgq, codes=codes, method="dense"), [Cost(codes / 16, 100.0)]),
            result_of(replace(lgq, codes=codes), one_round),
            result_of(replace(lgq, codes=codes, subnormals=False), [Cost(77.0, 77.0)]),
            result_of(replace(lgq, codes=codes, temperature=0.1), [Cost(88.0, 88.0)]),
            result_of(replace(lgq, codes=codes, drop=DROP), [Cost(99.0, 99.0)]),
            result_of(replace(lgq, codes=codes, method="FSQ", temperature=None), one_round),
        ]
    results.append(result_of(replace(lgq, codes=512, method="dense"), [], "too large"))
    results.append(result_of(replace(lgq, codes=512), one_round))
    results.append(result_of(replace(lgq, tokens=128), one_round))
    return {
        "benchmark": "soft-assignment",
        "date": "2020-02-29",
        "device": "a machine",
        "environment": {"versions": {"torch": "2.x"}},
        "protocol": {"clock": "CPU time", "threads": 1, "rounds": 1, "library_arguments": {"FSQ": {}}},
        "floors": [{"dim": 4, "median_ns_per_pair": 2.6}],
        "results": results,
        "ratios": ratios(results),
    }


def shares() -> dict[str, Any]:
    sizes = {"dim": 4, "image_size": 32, "batch_size": 4, "tokens": 256, "recipe_hash": "x"}
    costs = {"median_step_seconds": 0.4, "median_quantizer_seconds": 0.1, "share": 0.25, "not_run": None}
    failed = {**dict.fromkeys(costs), "not_run": "too large"}
    return {
        "benchmark": "training",
        "date": "2020-02-29",
        "device": "a machine",
        "protocol": {"clock": "CPU time", "threads": 1, "steps": 5},
        "recipes": {"x": {"data": "fake"}},
        "results": [
            {"quantizer": "lgq", "codebook_size": 16, **sizes, **costs},
            {"quantizer": "vq", "codebook_size": 16, **sizes, **failed},
            {"quantizer": "rotation", "codebook_size": 16, **sizes, **costs},
        ],
    }


BY_PRECISION = {
    "benchmark": "versions",
    "date": "2020-02-29",
    "device": "a machine",
    "environment": {"precision": "bf16-mixed"},
    "protocol": {"clock": "CPU time", "threads": 1, "rounds": 1, "steps": 5},
    "commits": {"before": "0123456789", "now": "9876543210"},
    "results": [
        {
            "preset": "small",
            "batch_size": 32,
            "step_seconds": {"before": [2.0], "now": [1.0]},
            "times_faster": 2.0,
            "times_faster_rounds": [2.0],
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text(json.dumps(comparison()))
    (tmp_path / "results" / "b.json").write_text(json.dumps(shares()))
    (tmp_path / "README.md").write_text(TEXT)
    return tmp_path


def test_sections_are_filled_in_and_the_rest_stays(folder: Path) -> None:
    figures = [folder / "soft_assignment.png", folder / "training_share.png"]
    assert write_page(folder) == [folder / "README.md", *figures]
    assert (
        (folder / "README.md").read_text()
        == f"""# A page

<!-- soft-assignment results/a.json -->
{section_text("soft-assignment", comparison())}
<!-- /soft-assignment -->

Between.

<!-- training results/b.json -->
{section_text("training", shares())}
<!-- /training -->
The end.
"""
    )
    for figure, result in zip(figures, ("a.json", "b.json"), strict=True):
        with Image.open(figure) as picture:
            assert picture.info["Source"] == digest(folder / "results" / result)
    once = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    write_page(folder)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == once


def test_a_benchmark_without_a_figure_may_have_several_sections(folder: Path) -> None:
    (folder / "results" / "c.json").write_text(json.dumps(BY_PRECISION))
    section = "<!-- versions results/c.json -->\n<!-- /versions -->\n"
    page = folder / "README.md"
    page.write_text(page.read_text() + section + section)
    write_page(folder)
    assert page.read_text().count(section_text("versions", BY_PRECISION)) == 2


def test_the_figure_has_plain_costs_where_the_most_numbers_of_codes_were_measured() -> None:
    costs = assignment_costs(comparison())
    assert costs[["tokens", "dim"]].drop_duplicates().to_numpy().tolist() == [[64, 4]]
    measured = costs.dropna(subset=["seconds"])
    assert list(zip(measured["method"], measured["codes"], measured["seconds"], strict=True)) == [
        *(("dense", 32, 2.0), ("lgq", 32, 0.5), ("FSQ", 32, 0.5)),
        *(("dense", 128, 8.0), ("lgq", 128, 0.5), ("FSQ", 128, 0.5)),
        ("lgq", 512, 0.5),
    ]
    ours = costs[costs["method"] == "lgq"]
    np.testing.assert_array_equal(ours["times_faster"], [4.0, 16.0, np.nan])
    np.testing.assert_array_equal(ours["times_less_memory"], [5.0, 5.0, np.nan])
    (not_run,) = costs[costs["seconds"].isna()].itertuples()
    assert (not_run.method, not_run.computed_megabytes) == ("dense", 6 * 4 * 64 * 512 / 1e6)


def test_the_figure_has_few_methods_and_shares_that_were_not_measured_are_no_numbers() -> None:
    frame = quantizer_shares(shares())
    assert frame["method"].tolist() == ["lgq", "vq"]
    np.testing.assert_array_equal(frame["share"], [0.25, np.nan])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("results/a.json", "results/lost.json"), "lost.json can't be read"),
        (("results/a.json", "results/b.json"), "not a result of lgq-explore bench soft-assignment"),
        (("training", "speed"), "unknown benchmark 'speed'"),
        (("<!--", "<!-"), "no section"),
        (("Between.", "<!-- training results/b.json -->\n<!-- /training -->"), "two sections of training"),
    ],
)
def test_a_page_that_can_not_be_filled_in_stays_as_it_was(
    folder: Path, change: tuple[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "README.md"
    page.write_text(TEXT.replace(*change))
    before = page.read_bytes()
    assert main([str(folder)]) == 2
    assert told in capsys.readouterr().err
    assert page.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "results"]


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        write_page(tmp_path)


# The page of this repository


def test_the_page_has_every_section() -> None:
    named = dict.fromkeys(section["benchmark"] for section in SECTION.finditer(PAGE.read_text()))
    assert list(named) == list(SECTIONS)


@pytest.mark.parametrize("section", list(SECTION.finditer(PAGE.read_text())), ids=lambda section: section["result"])
def test_the_page_says_what_the_result_it_names_says(section: re.Match[str]) -> None:
    benchmark = section["benchmark"]
    path = BENCHMARKS / section["result"]
    expected = section_text(benchmark, json.loads(path.read_bytes()))
    assert section[0] == f"{section['start']}{expected}\n{section['end']}"
    figure = SECTIONS[benchmark].figure
    if figure is not None:
        with Image.open(BENCHMARKS / figure.file) as picture:
            assert picture.info["Source"] == digest(path)
        assert (BENCHMARKS / figure.file).stat().st_size < LARGEST_FIGURE


def test_the_page_s_commands_are_understood_and_its_links_lead_somewhere() -> None:
    text = PAGE.read_text()
    commands = [line for line in text.splitlines() if line.startswith("lgq-explore ")]
    assert len(commands) >= 2
    for command in commands:
        parser().parse_args(shlex.split(command, comments=True)[1:])
    local = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if not target.startswith("http")]
    assert [target for target in local if not (BENCHMARKS / target).exists()] == []
