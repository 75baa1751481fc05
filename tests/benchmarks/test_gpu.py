"""Tests of what `make gpu` runs, at toy size and without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import assignment, checks, comparison, throughput, tiles
from benchmarks.gpu.__main__ import PARTS, _KeptResult, main
from benchmarks.gpu.job import Job
from benchmarks.gpu.outcomes import read_outcomes
from lgq_explore.bench.fresh_process import ProcessFailed
from lgq_explore.errors import InputError
from lgq_explore.quantizers.soft_assignment.triton_backend import Tile, measured_tiles, tile_for
from lgq_explore.runs.config import config_from_json

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_part_leaves_a_dated_result(tmp_path: Path) -> None:
    environment = {**os.environ, "GPU_DRY_RUN": "1", "LGQ_EXPLORE_DATA": str(tmp_path / "data")}
    environment |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")  # no weights are looked for
    command = [sys.executable, "-m", "benchmarks.gpu", "--minutes", "25", "--out", str(tmp_path / "results")]
    kept = (ROOT / "lgq_explore" / "quantizers" / "soft_assignment" / "triton_tiles.json").read_bytes()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {}
    for path in (tmp_path / "results").iterdir():
        result = json.loads(path.read_bytes())
        assert path.name == f"{result['date']}-{result['benchmark']}.json"
        assert {"device", "environment", "protocol", "results"} <= result.keys()
        results[result["benchmark"]] = result
    assert results.keys() == {f"gpu-{name}" for name in PARTS}
    assert results["gpu-tests"]["counts"]["passed"] > 0
    assert results["gpu-tests"]["counts"]["failed"] == 0
    assert all(each["milliseconds"] for each in results["gpu-soft-assignment"]["results"])
    training, quantizers = results["gpu-training"], results["gpu-quantizers"]
    assert all(each["images_per_second"] > 0 for each in training["results"])
    assert {(each["preset"], each["quantizer"]) for each in training["results"]} == {
        (name, method) for name in throughput.PRESETS for method in ("lgq", "fsq")
    }
    assert all(min(each["parts"].values()) > 0 for each in training["results"])
    assert all(each["images_per_second"] > 0 for each in training["variants"])
    assert all(each["median_milliseconds"] > 0 for each in training["initializations"])
    assert [each["quantizer"] for each in quantizers["results"]] == ["lgq", "fsq"]
    assert {each["recipe_hash"] for each in quantizers["results"]} == quantizers["recipes"].keys()
    assert quantizers["not_run"] == []
    for each in quantizers["sharing"]:
        assert len(each["alone"]) == 2
        assert set(each["shared"]) == set(each["alone"]), "sharing the processor changed weights"
    assert (ROOT / "lgq_explore" / "quantizers" / "soft_assignment" / "triton_tiles.json").read_bytes() == kept


def test_without_a_gpu_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("GPU_DRY_RUN", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path / "results")]) == 2
    assert "GPU_DRY_RUN" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_photographs_that_are_not_there_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("GPU_DRY_RUN", "1")
    assert main(["--out", str(tmp_path / "results"), "--data", f"folder:{tmp_path}/nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_part_that_does_not_fit_the_time_left_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("GPU_DRY_RUN", "1")
    assert main(["--out", str(tmp_path), "--minutes", "0.5"]) == 0
    assert capsys.readouterr().out.count("not started") == len(PARTS)


def test_a_part_has_only_the_time_that_is_left_after_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def measure(job: Job) -> dict[str, Any]:
        given.append(job.seconds)
        return {"date": "2020-02-29", "benchmark": "gpu-x"}

    monkeypatch.setenv("GPU_DRY_RUN", "1")
    monkeypatch.setitem(PARTS, "training", replace(PARTS["training"], measure=measure))
    end = time.time() + 50
    assert main(["--out", str(tmp_path), "--parts", "training", "--until", str(end)]) == 0
    assert given[0] <= 50


def test_the_fastest_tile_of_each_kernel_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triton.runtime.jit import JITFunction

    monkeypatch.setattr(JITFunction, "run", lambda *_, **__: None)
    result = tiles.tune(CPU, seconds=60, toy=True)
    assert set(result["best"]["16"]) == set(tiles.KERNELS)
    for kernel, tile in result["best"]["16"].items():
        of_kernel = [each for each in result["results"] if each["kernel"] == kernel]
        assert len(of_kernel) == 2
        assert tile == min(of_kernel, key=lambda each: each["milliseconds"])["tile"]
    path = tmp_path / "tiles.json"
    path.write_text(json.dumps({"tiles": {"another": {}}}))
    tiles.keep_tiles(result, path)
    assert json.loads(path.read_bytes()) == {"tiles": {"another": {}, result["device"]: result["best"]}}


def test_the_kernels_take_the_tiles_that_were_measured() -> None:
    for device, bodies in measured_tiles().items():
        for body, kernels in bodies.items():
            assert set(kernels) == set(tiles.KERNELS)
            assert all(tile_for(device, int(body), kernel) == Tile(**tile) for kernel, tile in kernels.items())
            assert all(tile["own"] % 64 == 0 for tile in kernels.values())
    assert tile_for(None, 16, "find_largest") == tile_for("unknown", 16, "find_largest")


def test_a_case_without_time_or_memory_says_so() -> None:
    case = assignment.Case("tiled", "both", 32, 16, 4)
    assert assignment._obstacle(case, CPU, deadline=0.0) == "no time was left"
    assert assignment._obstacle(case, CPU, deadline=float("inf")) is None


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(CPU, 60.0, toy=True, data="fake", steps=None, earlier=None, keep=lambda result: None)


def test_a_comparison_keeps_every_cell_at_once_and_tells_what_is_missing(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(measure: Any, case: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        if measure is comparison.weights_after:
            return {"digests": {"lgq": ["a"] * case["times"], "fsq": ["b"] * case["times"]}}
        recipe = config_from_json(case["recipe"])
        if recipe.quantizer.method == "fsq":
            raise ProcessFailed("no time was left for it to finish")
        result = {"quantizer": "lgq", "seed": recipe.seed, "recipe_hash": recipe.recipe_hash}
        environment = {"device": "a GPU", "threads": 1}
        return {"result": result, "environment": environment, "training_seconds": 1.0}

    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(comparison, "in_fresh_process", measured)
    result = comparison.compare(replace(job, keep=lambda result: kept.append(json.loads(json.dumps(result)))))
    assert [len(each["results"]) for each in kept][-1] == 1
    assert [each["quantizer"] for each in result["results"]] == ["lgq"]
    assert result["not_run"] == [
        {
            "quantizer": "fsq",
            "codebook_size": 16,
            "seed": 0,
            "rounding_replicate": 0,
            "why": "no time was left for it to finish",
        }
    ]
    assert result["device"] == "a GPU"
    assert result["sharing"][1] == {"quantizer": "fsq", "alone": ["b", "b"], "shared": ["b"]}
    assert sum(len(split) for split in result["photographs"].values()) == 16


def test_cells_come_in_the_order_of_replicates_then_sizes_then_seeds_then_methods(job: Job) -> None:
    cells = comparison._cells(replace(job, toy=False))
    sizes = [cell.quantizer.size for cell in cells]
    assert (len(cells), len({cell.recipe_hash for cell in cells})) == (72, 12)
    assert [cell.rounding_replicate for cell in cells] == [0] * 36 + [1] * 36
    assert cells[36:] == [replace(cell, rounding_replicate=1) for cell in cells[:36]]
    assert [cell.quantizer.method for cell in cells[:4]] == ["lgq", "fsq", "simvq", "vq"]
    assert [cell.seed for cell in cells[:12]] == [0] * 4 + [1] * 4 + [2] * 4
    assert set(sizes[:12]) == {1024, 1000}
    alike = {(cell.steps, cell.learning_rate, cell.batch_size, cell.image_size, cell.backbone) for cell in cells}
    assert len(alike) == 1, "one recipe for all"


NUMBERS = {"psnr_db": 20.0, "l1": 0.1, "active_codes": 15, "entropy_bits": 3.0}


@pytest.fixture
def earlier_result(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy comparison of two seeds, without the second of FSQ."""
    monkeypatch.setattr(comparison, "TOY_SEEDS", (0, 1))
    recipes = comparison._cells(job)
    results = [
        {"quantizer": recipe.quantizer.method, "seed": recipe.seed, "recipe_hash": recipe.recipe_hash, **NUMBERS}
        for recipe in recipes[:3]
    ]
    path = tmp_path / "2020-02-28-gpu-quantizers.json"
    head = {"benchmark": "gpu-quantizers", "environment": {"device": "a GPU", "threads": 1}}
    path.write_text(json.dumps({**head, "photographs": comparison._photographs(recipes[0]), "results": results}))
    return path


@pytest.mark.parametrize(("psnr_now", "taken"), [(20.0, True), (20.0 + 1e-9, False)])
def test_earlier_runs_are_taken_if_the_first_of_their_method_still_gives_the_same_numbers(
    job: Job, earlier_result: Path, psnr_now: float, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = []

    def measured(measure: Any, case: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        if measure is comparison.weights_after:
            return {"digests": {"lgq": ["a"] * case["times"], "fsq": ["b"] * case["times"]}}
        recipe = config_from_json(case["recipe"])
        run.append((recipe.quantizer.method, recipe.seed))
        result = {"quantizer": recipe.quantizer.method, "seed": recipe.seed, **NUMBERS, "psnr_db": psnr_now}
        return {"result": result, "environment": {"device": "this GPU", "threads": 1}, "training_seconds": 1.0}

    monkeypatch.setattr(comparison, "in_fresh_process", measured)
    result = comparison.compare(replace(job, earlier=earlier_result))
    assert run == [("lgq", 0), ("fsq", 0), ("fsq", 1)] + ([] if taken else [("lgq", 1)])
    assert [(each["quantizer"], each["seed"]) for each in result["results"]] == [
        *(("lgq", 0), ("fsq", 0), ("lgq", 1), ("fsq", 1))
    ]
    source = earlier_result.name if taken else None
    assert [each.get("measured_in") for each in result["results"]] == [None, None, source, None]
    assert result["device"] == "this GPU"
    assert result["not_run"] == []


def test_an_earlier_result_on_other_photographs_is_refused(
    job: Job, earlier_result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "in_fresh_process", pytest.fail)
    monkeypatch.setattr(comparison, "_photographs", lambda recipe: {"training": {"another": "digest"}})
    with pytest.raises(InputError, match=f"{earlier_result.name} was measured on other photographs"):
        comparison.compare(replace(job, earlier=earlier_result))


def test_an_earlier_result_of_something_else_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("GPU_DRY_RUN", "1")
    other = ROOT / "benchmarks" / "results" / "2026-11-27-gpu-training.json"
    assert main(["--out", str(tmp_path), "--earlier", str(other)]) == 2
    assert "2026-11-27-gpu-training.json is not a result" in capsys.readouterr().err


def test_a_cell_without_time_is_not_begun(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "in_fresh_process", pytest.fail)
    (recipe, *_) = comparison._cells(job)
    assert comparison._cell(recipe, job, 8, deadline=0.0)["not_run"]["why"] == "no time was left to start it"


@pytest.mark.slow
def test_a_recipe_without_time_or_memory_says_so(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: Any, **__: Any) -> None:
        raise InputError("memory ran out: make image_size smaller\nand more")

    monkeypatch.setattr(throughput, "train", train)
    result = throughput.measure_training(job)
    assert [each["not_run"] for each in result["results"]] == ["memory ran out: make image_size smaller"] * 6
    late = throughput.measure_training(replace(job, seconds=0.0))
    assert late["results"][1]["not_run"] == "no time was left"
    assert late["results"][1]["images_per_second"] is None


def test_a_result_that_grows_has_one_file(tmp_path: Path) -> None:
    kept = _KeptResult(tmp_path)
    head = {"date": "2020-02-29", "benchmark": "gpu-x"}
    kept.write({**head, "results": [1]})
    kept.write({**head, "results": [1, 2]})
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_bytes())["results"] == [1, 2]
    _KeptResult(tmp_path).write({**head, "results": []})  # another day's run takes another name
    assert sorted(each.name for each in tmp_path.iterdir()) == ["2020-02-29-gpu-x-2.json", "2020-02-29-gpu-x.json"]


TESTS_OF_ALL_KINDS = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2
@pytest.mark.skip(reason="not now")
def test_is_skipped(): pass
@pytest.fixture
def broken(): raise ValueError("set-up")
def test_has_a_broken_set_up(broken): pass
@pytest.fixture
def left():
    yield
    raise ValueError("teardown")
def test_has_a_broken_teardown(left): pass
"""


@pytest.mark.parametrize("parallel", [[], ["-n", "2"]])
@pytest.mark.slow
def test_outcomes_are_written_as_they_come(parallel: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_all_kinds.py").write_text(TESTS_OF_ALL_KINDS)
    (tmp_path / "test_broken.py").write_text("import no_such_module")
    kept = tmp_path / "outcomes"
    command = [sys.executable, "-m", "pytest", "-p", "benchmarks.gpu.outcomes", "--outcomes", str(kept), *parallel]
    command += ["--continue-on-collection-errors", f"--rootdir={tmp_path}", "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    collected, outcomes = read_outcomes(kept)
    assert collected == 5
    assert {each["test"].partition("::")[2] or each["test"]: each["outcome"] for each in outcomes} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_is_skipped": "skipped",
        "test_has_a_broken_set_up": "failed",
        "test_has_a_broken_teardown": "failed",
        "test_broken.py": "failed",
    }
    told = {each["test"].partition("::")[2]: each["told"] for each in outcomes}
    assert told["test_passes"] is None
    assert "1 == 2" in told["test_fails"]
    assert "ValueError: teardown" in told["test_has_a_broken_teardown"]


def test_tests_that_ran_out_of_time_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], timeout: float, **_: Any) -> None:
        path = Path(command[command.index("--outcomes") + 1])
        path.write_text('{"collected": 3}\n{"test": "a", "outcome": "passed", "seconds": 1.0, "told": null}\n')
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(checks.subprocess, "run", run)
    result = checks.run_checks(CPU, 1.0, toy=True)
    assert result["counts"] == {"passed": 1, "failed": 0, "skipped": 0, "not_run": 2}
    assert result["protocol"]["exit_status"] is None
    assert [each["test"] for each in result["results"]] == ["a"]


def test_files_with_gpu_tests_are_found_by_their_marks() -> None:
    names = {path.name for path in checks.files_with_gpu_tests()}
    assert {"test_triton_backend.py", "test_on_gpu.py", "test_loop.py"} <= names
    assert "test_environment.py" not in names
