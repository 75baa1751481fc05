"""Tests of the benchmark of the soft assignment: its grid, its ratios and its table."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lgq_explore import InputError
from lgq_explore.bench import soft_assignment
from lgq_explore.bench.assignment_steps import LIBRARY_ARGUMENTS, AssignmentCase, measure_floor
from lgq_explore.bench.fresh_process import Cost
from lgq_explore.bench.soft_assignment import (
    DROP,
    SHAPES,
    TARGETS,
    Shape,
    cases_of,
    compare_assignments,
    obstacle,
    ratios,
    result_of,
)
from lgq_explore.bench.soft_assignment_table import markdown_table
from lgq_explore.cli import main

LGQ = AssignmentCase("lgq", 1000, 2000, 16, temperature=1.0)
DENSE = replace(LGQ, method="dense")
SIMVQ = replace(LGQ, method="SimVQ", temperature=None)
FSQ = replace(SIMVQ, method="FSQ")


def costs(*rounds: tuple[float, float | None]) -> list[Cost]:
    return [Cost(seconds, megabytes) for seconds, megabytes in rounds]


# The plan


def test_every_size_of_the_protocol_is_in_the_grid() -> None:
    asked_for = {(4096, 1024, 16), (4096, 4096, 64), (4096, 16384, 16), (16384, 1024, 16), (16384, 16384, 16)}
    assert {(shape.tokens, shape.codes, shape.dim) for shape in SHAPES} >= {*asked_for, (16384, 65536, 16)}
    assert len(set(SHAPES)) == len(SHAPES)
    assert set(TARGETS) < set(SHAPES)


@pytest.mark.parametrize("shape", TARGETS)
def test_a_target_is_measured_at_all_temperatures_with_and_without_subnormals(shape: Shape) -> None:
    planned = [(case.method, case.temperature, case.subnormals, case.drop) for case in cases_of(shape)]
    assert planned == [
        *(("dense", 1.0, True, 0.0), ("lgq", 1.0, True, 0.0)),
        *(("dense", 0.3, True, 0.0), ("lgq", 0.3, True, 0.0)),
        *(("dense", 0.1, True, 0.0), ("lgq", 0.1, True, 0.0)),
        *(("dense", 1.0, False, 0.0), ("lgq", 1.0, False, 0.0)),
        ("lgq", 0.1, True, DROP),
        *((method, None, True, 0.0) for method in ("VectorQuantize", "SimVQ", "FSQ")),
    ]


def test_elsewhere_the_highest_and_the_lowest_temperature_are() -> None:
    cases = cases_of(Shape(64, 32, 4), rivals=("dense", "FSQ"))
    planned = [(case.method, case.temperature, case.drop) for case in cases]
    assert planned == [
        *(("dense", 1.0, 0.0), ("lgq", 1.0, 0.0), ("dense", 0.1, 0.0), ("lgq", 0.1, 0.0)),
        *(("lgq", 0.1, DROP), ("FSQ", None, 0.0)),
    ]
    assert all((case.tokens, case.codes, case.dim) == (64, 32, 4) for case in cases)
    assert [case.method for case in cases_of(Shape(64, 32, 4), rivals=())] == ["lgq", "lgq", "lgq"]


def test_what_does_not_fit_is_not_tried_and_says_how_much_it_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_assignment, "_available_bytes", lambda: 10**12)
    largest = {case.method: obstacle(case) for case in cases_of(Shape(16384, 65536, 16))}
    assert largest["dense"] == "its N×K arrays take 25.8 GB, more than the 16.0 GB it may take"
    assert largest["VectorQuantize"] == largest["dense"]
    assert largest["lgq"] is largest["SimVQ"] is largest["FSQ"] is None
    assert {obstacle(case) for shape in SHAPES[:-1] for case in cases_of(shape)} == {None}
    monkeypatch.setattr(soft_assignment, "_available_bytes", lambda: 10**9)
    assert "6.4 GB, more than the 1.0 GB" in str(obstacle(replace(DENSE, tokens=16384, codes=16384)))


def test_without_the_library_its_classes_are_left_out_and_a_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "vector_quantize" in name else find(name))
    floor, cost = {"ns_per_pair": 1.0}, {"seconds": 1.0, "megabytes": 2.0}
    monkeypatch.setattr(
        soft_assignment, "in_fresh_process", lambda measure, _: floor if measure is measure_floor else cost
    )
    comparison = compare_assignments([Shape(64, 32, 4)], rounds=1, progress=False)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "pip install" in told
    not_run = {result["method"] for result in comparison["results"] if result["not_run"]}
    assert not_run == set(LIBRARY_ARGUMENTS)
    assert {ratio["rival"] for ratio in comparison["ratios"]} == {"dense"}
    assert "(not installed)" in markdown_table(comparison)


# Results


def test_a_result_has_every_round_and_medians() -> None:
    result = result_of(LGQ, costs((0.4, 30.0), (0.2, 50.0), (0.3, 40.0)))
    assert result["seconds"] == [0.4, 0.2, 0.3]
    assert result["megabytes"] == [30.0, 50.0, 40.0]
    assert (result["median_seconds"], result["median_megabytes"]) == (0.3, 40.0)
    assert result["ns_per_pair"] == pytest.approx(0.3e9 / 2e6)
    assert (result["codebook_size"], result["needed_megabytes"], result["not_run"]) == (2000, 0, None)
    assert (result["temperature"], result["subnormals"], result["drop"]) == (1.0, True, 0.0)


def test_a_result_that_failed_uses_none_of_its_rounds() -> None:
    result = result_of(DENSE, costs((0.4, 30.0)), "its process was ended by SIGKILL")
    assert result["seconds"] == result["megabytes"] == []
    assert result["median_seconds"] is result["median_megabytes"] is result["ns_per_pair"] is None
    assert result["needed_megabytes"] == 6 * 4 * 2.0
    assert result["not_run"] == "its process was ended by SIGKILL"
    assert result.keys() == result_of(LGQ, costs((1.0, None))).keys()


def test_hard_methods_have_no_temperature_and_fsq_a_product_of_levels() -> None:
    simvq, fsq = result_of(SIMVQ, costs((1.0, 1.0))), result_of(FSQ, costs((1.0, 1.0)))
    assert simvq["temperature"] is simvq["subnormals"] is simvq["drop"] is None
    assert (simvq["codebook_size"], fsq["codes"]) == (2000, 2000)
    assert fsq["codebook_size"] == 2016  # 6·6·7·8
    assert fsq["ns_per_pair"] is None


def test_ratios_are_medians_of_those_within_the_rounds() -> None:
    ours = result_of(LGQ, costs((1.0, 10.0), (2.0, 20.0), (4.0, 10.0)))
    dense = result_of(DENSE, costs((5.0, 100.0), (20.0, 100.0), (8.0, 300.0)))
    simvq = result_of(SIMVQ, costs((0.5, 40.0), (1.0, None), (1.0, 40.0)))
    to_dense, to_simvq = ratios([dense, ours, simvq])
    assert to_dense["rival"] == "dense"
    assert to_dense["times_faster_rounds"] == [5.0, 10.0, 2.0]
    assert to_dense["times_faster"] == 5.0  # that of the medians would be 4
    assert to_dense["times_less_memory_rounds"] == [10.0, 5.0, 30.0]
    assert to_dense["times_less_memory"] == 10.0
    assert (to_simvq["rival"], to_simvq["times_faster"]) == ("SimVQ", 0.5)
    assert to_simvq["times_less_memory_rounds"] == [4.0, None, 4.0]
    assert to_simvq["times_less_memory"] is None


def test_dense_is_compared_on_the_same_data_only_and_hard_methods_with_all() -> None:
    one_round = costs((1.0, 1.0))
    soft = [replace(LGQ, temperature=0.1), replace(LGQ, subnormals=False), replace(LGQ, temperature=0.1, drop=DROP)]
    results = [result_of(case, one_round) for case in (LGQ, *soft, DENSE, replace(DENSE, temperature=0.1), SIMVQ)]
    results.append(result_of(replace(SIMVQ, dim=8), one_round))
    found = [(each["rival"], each["temperature"], each["subnormals"], each["drop"]) for each in ratios(results)]
    assert found == [
        *(("dense", 1.0, True, 0.0), ("SimVQ", 1.0, True, 0.0)),
        *(("dense", 0.1, True, 0.0), ("SimVQ", 0.1, True, 0.0)),
        ("SimVQ", 1.0, False, 0.0),
        *(("dense", 0.1, True, DROP), ("SimVQ", 0.1, True, DROP)),
    ]
    assert ratios([result_of(LGQ, one_round), result_of(DENSE, [], "too large")]) == []


def test_the_table_shows_losses_in_bold_and_what_was_not_run() -> None:
    dropped = replace(LGQ, temperature=0.1, drop=DROP)
    results = [
        result_of(DENSE, costs((0.6, 300.0), (0.66, 300.0))),
        result_of(LGQ, costs((0.1, 20.0), (0.12, 20.0))),
        result_of(replace(LGQ, subnormals=False), costs((0.1, 20.0), (0.1, 20.0))),
        result_of(replace(DENSE, subnormals=False), [], "its N×K arrays take 25.8 GB"),
        result_of(dropped, costs((0.05, None), (0.05, None))),
        result_of(SIMVQ, costs((0.025, 50.0), (0.024, 50.0))),
    ]
    comparison = {
        "date": "2020-02-29",
        "device": "a machine",
        "environment": {"versions": {"torch": "2.x", "vector-quantize-pytorch": "1.y"}},
        "protocol": {
            "clock": "CPU time",
            "threads": 1,
            "rounds": 2,
            "library_arguments": {"SimVQ": {"a": 1}, "FSQ": {}},
        },
        "floors": [{"dim": 16, "median_ns_per_pair": 2.6}],
        "results": results,
        "ratios": ratios(results),
    }
    lines = markdown_table(comparison).splitlines()
    assert lines[:4] == [
        "Exact LGQ against",
        "",
        "- `dense`: 5.75 to 5.75 times as fast, faster in 1 of 1 cases, 15 to 15 times less memory.",
        "- `SimVQ`: 0.225 to 0.245 times as fast, faster in 0 of 2 cases, 2.5 to 2.5 times less memory.",
    ]
    assert [line for line in lines if line.startswith("| 1000 ")] == [
        "| 1000 | 2000 | 16 | 1 | 0.63 s, 300 MB | 0.11 s, 20 MB | 55 | 5.75 | 15 | – | **0.225** | – |",
        "| 1000 | 2000 | 16 | 1, no subnormals | not run (48 MB) | 0.1 s, 20 MB | 50 | – | – | – | **0.245** | – |",
        "| 1000 | 2000 | 16 | 0.1, drop 1e-09 | – | 0.05 s, – MB | 25 | – | – | – | **0.49** | – |",
    ]
    assert "| `lgq` | 1 | 1000 | 2000 | 16 | 0.1 · 0.12 | 20 · 20 |" in lines
    assert "| `dense` | 1, no subnormals | 1000 | 2000 | 16 | its N×K arrays take 25.8 GB |  |" in lines
    assert "| `SimVQ` | – | 1000 | 2000 | 16 | 0.025 · 0.024 | 50 · 50 |" in lines
    (caption,) = (line for line in lines if line.startswith("Forward, "))
    for told in (
        "on 1 thread, median of 2 rounds",
        "2.6 ns at D = 16",
        "1.y",
        "`SimVQ(a=1)`, `FSQ()`",
        "2020-02-29, a machine",
    ):
        assert told in caption


# The command


@pytest.mark.slow
def test_the_command_measures_in_processes_and_keeps_what_it_prints(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ("bench", "soft-assignment", "--cases", "600x300x4", "--rivals", "dense", "--rounds", "1")
    assert main([*command, "--json", "--results", str(tmp_path)]) == 0
    streams = capfd.readouterr()
    comparison: dict[str, Any] = json.loads(streams.out)
    (file,) = tmp_path.iterdir()
    assert str(file) in streams.err
    assert json.loads(file.read_bytes()) == comparison
    assert file.name == f"{comparison['date']}-soft-assignment.json"

    cases = cases_of(Shape(600, 300, 4), rivals=("dense",))
    results = comparison["results"]
    for case, result in zip(cases, results, strict=True):
        told = {name: value for name, value in asdict(case).items() if value is not None and name in result}
        assert told.items() <= {**result, "drop": result["drop"] or 0.0}.items()
        assert result["not_run"] is None
        assert len(result["seconds"]) == 1
        assert result["median_seconds"] == statistics.median(result["seconds"]) > 0
        if sys.platform == "linux":
            assert result["median_megabytes"] > 0
    assert comparison["ratios"] == ratios(results)
    assert len(comparison["ratios"]) == 3
    assert [floor["dim"] for floor in comparison["floors"]] == [4]
    assert comparison["protocol"]["threads"] == 1
    assert markdown_table(comparison).count("| 600 | 300 | 4 |") == 3 + len(cases)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a terminal's Ctrl-C is a signal to a process group")
def test_ctrl_c_ends_it_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lgq_explore", "bench", "soft-assignment", "--cases", "16384x16384x16"]
    with subprocess.Popen(
        [*command, "--results", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        shown = ""
        while "floor" not in shown:  # a process that measures has begun
            shown += process.stderr.read(1)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1].endswith("lgq-explore: interrupted")
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rounds", "0"], "0 rounds"),
        (["--cases", "4096x1024"], "'4096x1024': give tokens, codes (3 or more) and dim as in 4096x1024x16"),
        (["--cases", "64x32x4,"], "case ''"),
        (["--cases", "64x2x4"], "'64x2x4'"),
        (["--cases", "0x32x4"], "'0x32x4'"),
        (["--cases", "64x32x4,64x32x4"], "64x32x4, 64x32x4: give each once"),
        (["--rivals", "dense", "dense"], "dense, dense: give each once"),
        (["--rivals", "faiss"], "unknown rival 'faiss': choose from dense, VectorQuantize, SimVQ, FSQ"),
        (["--results", "a-file/results"], "can't hold results"),
    ],
)
def test_what_can_not_be_measured_is_refused(
    options: list[str], told: str, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("not mine")
    assert main(["bench", "soft-assignment", *options]) == 2
    streams = capfd.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) <= 2
    assert told in streams.err


def test_a_shape_is_read_as_it_is_written() -> None:
    assert Shape.parse("4096x1024x16") == Shape(4096, 1024, 16)
    with pytest.raises(InputError, match="'4096 x 1024 x 16'"):
        Shape.parse("4096 x 1024 x 16")
