"""Tests of the benchmark of what a source of pictures costs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lgq_explore import InputError, TrainConfig
from lgq_explore.bench import data
from lgq_explore.bench.data import markdown_table, measure_data, measure_training
from lgq_explore.bench.fresh_process import ProcessFailed
from lgq_explore.cli import main
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.config import config_to_json
from tests.images.planted import decoding_children, noise

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture
def recipe(tmp_path: Path) -> TrainConfig:
    for number in range(6):
        noise(number).save(tmp_path / f"{number}.png")
    return TrainConfig(
        data=f"imagefolder:{tmp_path}",
        image_size=16,
        batch_size=4,
        steps=7,
        window_steps=3,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=FSQConfig((5, 4)),
        loss_weights={},
    )


def test_a_recipe_is_trained_and_its_source_is_watched(recipe: TrainConfig) -> None:
    result = measure_training({"recipe": config_to_json(recipe), "device": "cpu"})
    assert result["photographs"] == [4, 2]
    assert result["steps"] == 6  # whole windows
    assert 0 <= result["data_wait_share"] <= 1
    assert min(result["median_step_seconds"], result["seconds_to_first_step"]) > 0
    assert result["megabytes_above_imports"] > 10  # a process that decodes alone takes more
    assert result["images_per_second_without_training"] > 0
    assert decoding_children() == []


def test_the_command_writes_the_result_and_prints_its_table(
    recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data, "in_fresh_process", lambda measure, case: measure(case))
    config = tmp_path / "recipe.json"
    config.write_text(json.dumps(config_to_json(recipe)))
    assert main(["bench", "data", "--config", str(config), "--quantizer", "fsq", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"`imagefolder:{tmp_path}` | 4 + 2 |" in shown
    assert "6 steps of 4 crops of 16 px with fsq" in shown
    (written,) = tmp_path.glob("*-data.json")
    kept = json.loads(written.read_text())
    assert kept["benchmark"] == "data"
    assert markdown_table(kept) == shown.rstrip("\n")
    assert list(kept["recipes"]) == [result["recipe_hash"] for result in kept["results"]]


def test_too_few_steps_and_a_failed_process_are_told(recipe: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="steps is 2: give 3"):
        measure_data(replace(recipe, steps=2))

    def killed(*_: object) -> None:
        raise ProcessFailed("its process was ended by SIGKILL")

    monkeypatch.setattr(data, "in_fresh_process", killed)
    with pytest.raises(InputError, match="SIGKILL"):
        measure_data(recipe)


def test_memory_is_that_of_descendants_too() -> None:
    program = (
        "import subprocess, sys; print(flush=True); held = b'1' * (1 << 27)\n"
        "child = subprocess.Popen([sys.executable, '-c', \"held = b'1' * (1 << 27); print(flush=True); input()\"],"
        " stdin=0); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        assert 2 << 27 < data._resident_bytes_of_tree(process.pid) < 3 << 27
        process.communicate("\n")
    assert data._resident_bytes_of_tree(process.pid) == 0
