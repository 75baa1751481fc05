"""Tests of the comparison of a training step by two versions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import versions
from benchmarks.versions import HERE, compare_versions, main, markdown_table
from lgq_explore.bench.fresh_process import in_fresh_process
from lgq_explore.bench.training import measure_share
from lgq_explore.runs.config import config_to_json
from lgq_explore.training.presets import preset

PLANTED = 'import sys; print(\'{"from": "%s", "target": "%s"}\' % (__file__, sys.argv[1]))'
ITS_PRESET = {"image_size": 32, "steps": 200}


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A folder whose package answers with its own place."""
    package = tmp_path / "lgq_explore"
    (package / "bench").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "bench" / "__init__.py").touch()
    (package / "bench" / "fresh_process.py").write_text(PLANTED)
    (package / "training" / "presets").mkdir(parents=True)
    (package / "training" / "presets" / "tiny.json").write_text(json.dumps(ITS_PRESET))
    return tmp_path


def test_a_process_in_the_folder_of_another_version_runs_that_version(before: Path) -> None:
    answer = in_fresh_process(measure_share, {}, folder=before)
    assert Path(answer["from"]).is_relative_to(before)
    assert answer["target"] == "lgq_explore.bench.training:measure_share"


def test_versions_take_turns_and_ratios_are_those_within_a_round(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((2.0, 1.0, 9.0, 3.0, 4.0, 4.0))
    recipes: list[tuple[Path, dict[str, Any]]] = []

    def measured(_: object, case: dict[str, Any], *, folder: Path) -> dict[str, Any]:
        recipes.append((folder, case["recipe"]))
        middle = next(seconds)
        environment = {"device": "cpu", "threads": 1, "precision": case["recipe"].get("precision", "32-true")}
        return {"environment": environment, "step_seconds": [0.5 * middle, middle, 7.0 * middle]}

    monkeypatch.setattr(versions, "in_fresh_process", measured)
    monkeypatch.setattr(versions, "commit_of", lambda folder: "now" if folder == HERE else "before")
    comparison = compare_versions(before, ["tiny"], rounds=3, precision="bf16-mixed", progress=False)
    recipe = replace(preset("tiny"), precision="bf16-mixed")
    assert recipes == [(before, ITS_PRESET), (HERE, config_to_json(recipe))] * 3
    (result,) = comparison["results"]
    assert result["step_seconds"] == {"before": [2.0, 9.0, 4.0], "now": [1.0, 3.0, 4.0]}
    assert (result["times_faster"], result["times_faster_rounds"]) == (2.0, [2.0, 3.0, 1.0])
    assert list(comparison["recipes"]) == [result["recipe_hash"]] == [recipe.recipe_hash]
    lines = markdown_table({**comparison, "date": "2020-02-29", "device": "a machine"}).splitlines()
    assert lines == [
        "| preset | images/s before | images/s now | × faster | by round |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| `tiny` | 8 | 10.7 | 2.000 | 2.000 · 3.000 · 1.000 |",
        "",
        "Whole steps of training by before (before) and now (now): CPU time on 1 thread, the median of 5 steps a "
        "process, and of 3 rounds. In bf16-mixed now. 2020-02-29, a machine.",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rounds", "0"], "0 rounds of 2 presets measure nothing"),
        (["--presets", "tinny"], "unknown preset 'tinny'"),
        (["--presets", "small"], "has no preset small"),
        (["--presets", "tiny"], "is no checkout of a commit"),
    ],
)
def test_what_can_not_be_compared_is_refused(
    options: list[str], told: str, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(before), *options, "--results", str(before)]) == 2
    assert told in capsys.readouterr().err


def test_a_folder_without_the_package_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "has no lgq_explore" in capsys.readouterr().err
