"""Does all that `make gpu` does run, at toy size and without a GPU?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import assignment, checks, tiles
from benchmarks.gpu.__main__ import PARTS, main
from lgq_explore.quantizers.soft_assignment.triton_backend import Tile, measured_tiles, tile_for

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


@pytest.mark.slow
def test_every_part_leaves_a_dated_result(tmp_path: Path) -> None:
    environment = {**os.environ, "GPU_DRY_RUN": "1", "LGQ_EXPLORE_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path / "results")]
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
    assert all(each["images_per_second"] > 0 for each in results["gpu-training"]["results"])
    assert (ROOT / "lgq_explore" / "quantizers" / "soft_assignment" / "triton_tiles.json").read_bytes() == kept


def test_without_a_gpu_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("GPU_DRY_RUN", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path / "results")]) == 2
    assert "GPU_DRY_RUN" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_part_that_does_not_fit_the_time_left_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("GPU_DRY_RUN", "1")
    assert main(["--out", str(tmp_path), "--minutes", "0.5"]) == 0
    assert capsys.readouterr().out.count("not started") == len(PARTS)


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


def test_files_with_gpu_tests_are_found_by_their_marks() -> None:
    names = {path.name for path in checks.files_with_gpu_tests()}
    assert {"test_triton_assignment.py", "test_quantizer_contract.py", "test_loop.py"} <= names
    assert "test_environment.py" not in names
