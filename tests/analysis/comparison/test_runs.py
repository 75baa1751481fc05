"""Tests of the frame of all runs of a folder, and of means over seeds."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from lgq_explore.analysis.comparison import over_seeds, runs_in
from lgq_explore.errors import InputError
from lgq_explore.runs.run import open_run
from lgq_explore.training.loop import resume, train
from tests.analysis.runs_folder import SOFT, plant_metrics, plant_runs, stopping

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    return plant_runs(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def folder(planted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(planted, tmp_path / "runs")


def row(folder: Path, name: str) -> pd.Series:
    return runs_in(folder).set_index("run").loc[name]


def test_a_row_is_what_the_run_s_files_say(folder: Path) -> None:
    frame = runs_in(folder)
    assert frame["run"].tolist() == ["grid-0", "soft-0", "soft-1", "soft-2"]
    assert frame["opens"].all()
    one = row(folder, "soft-1")
    assert one["method":"image_size"].tolist() == ["lgq", 16.0, "fake", 32]
    assert (one["seed"], one["step"], one["steps"]) == (1, 4, 4)
    assert one["begun"] == datetime.fromtimestamp(int((folder / "soft-1" / "config.json").stat().st_mtime))
    assert one["recipe_hash"] == row(folder, "soft-0")["recipe_hash"] != row(folder, "grid-0")["recipe_hash"]
    assert (one["psnr_db"], one["active_codes"], one["tokens"]) == (22.0, 8, 1024)
    assert (one["fd"], one["fd_features"]) == (3.5, "inception")
    assert math.isnan(one["lpips"])
    last = open_run(folder / "soft-1").history().iloc[-1]
    assert one["loss"] == last["loss"]
    assert one["training_active_codes"] == last["active_codes_last_32_steps"]
    assert one["training_tokens"] == last["tokens_last_32_steps"] == 4 * 4 * 64
    assert one["remark"] == ""


def test_a_number_that_was_not_measured_is_missing_and_is_not_measured_now(folder: Path) -> None:
    one = row(folder, "soft-2")
    assert one[["psnr_db", "fd", "tokens"]].isna().all()
    assert (one["fd_features"], one["remark"]) == ("", "not evaluated")
    assert not (folder / "soft-2" / "metrics.json").exists()


def test_numbers_of_earlier_weights_are_not_those_of_the_run(tmp_path: Path) -> None:
    controls, stop = stopping(2)
    run = train(SOFT, tmp_path / "half", controls=controls, on_log=stop, progress=False)
    plant_metrics(run, psnr_db=20.0)
    assert row(tmp_path, "half")[["step", "psnr_db"]].tolist() == [2, 20.0]
    resume(run.path, progress=False)
    assert math.isnan(row(tmp_path, "half")["psnr_db"])
    assert row(tmp_path, "half")["remark"] == "evaluated at step 2, and trained on since"


def test_the_loss_is_that_of_the_step_whose_weights_would_be_opened(folder: Path) -> None:
    """A run that was killed has logged further than its checkpoint."""
    history = folder / "soft-0" / "history.csv"
    at_checkpoint = row(folder, "soft-0")[["step", "loss", "training_tokens"]].tolist()
    columns, *_, last = history.read_text().splitlines()
    later = ",".join(
        "5" if name == "step" else cell for name, cell in zip(columns.split(","), last.split(","), strict=True)
    )
    history.write_text(history.read_text() + later.replace(str(at_checkpoint[1]), "77.5") + "\n")
    assert open_run(folder / "soft-0").history()["loss"].tolist()[-1] == 77.5
    assert row(folder, "soft-0")[["step", "loss", "training_tokens"]].tolist() == at_checkpoint


def test_a_run_that_can_t_be_opened_stands_there_with_the_reason(folder: Path) -> None:
    (folder / "soft-0" / "config.json").write_text('{"recipe": {"st')
    (folder / "soft-1" / "weights.safetensors").write_bytes(b"torn")
    shutil.copy(folder / "grid-0" / "weights.safetensors", folder / "soft-2" / "weights.safetensors")
    (folder / "grid-0" / "weights.safetensors").unlink()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "notes").mkdir()
    frame = runs_in(folder).set_index("run")
    assert not frame["opens"].any()
    assert set(frame.index) == {"soft-0", "soft-1", "soft-2", "grid-0", "foreign"}
    assert frame.loc["soft-0", "remark"].startswith("config.json can't be used: it is not JSON")
    assert frame.loc["soft-1", "remark"] == "weights.safetensors can't be read: its header is damaged"
    assert frame.loc["soft-2", "remark"].startswith("weights.safetensors is of another run than")
    assert frame.loc["foreign", "remark"] == "config.json can't be used: it lacks 'recipe'"
    assert frame.loc["grid-0", ["method", "step", "remark"]].tolist() == ["fsq", 0, "no weights yet"]
    assert over_seeds(runs_in(folder)).empty


def test_what_can_t_be_read_of_a_run_is_said_and_the_rest_is_shown(folder: Path) -> None:
    (folder / "soft-0" / "history.csv").write_text("step,loss\n1,much\n")
    (folder / "soft-1" / "metrics.json").write_text("{")
    frame = runs_in(folder).set_index("run")
    assert frame["opens"].all()
    assert frame.loc["soft-0", "remark"] == "history.csv can't be used: its last line holds 'much' in its column loss"
    assert frame.loc["soft-0", "psnr_db"] == 20.0
    assert frame.loc["soft-1", "remark"].startswith("metrics.json can't be read")
    assert frame.loc["soft-1", "loss"] > 0


def test_a_folder_that_is_none_or_a_run_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="nowhere is not a folder"):
        runs_in(folder / "nowhere")
    with pytest.raises(InputError, match="soft-0 is itself a run: give the folder that holds it"):
        runs_in(folder / "soft-0")
    assert runs_in().empty
    assert over_seeds(runs_in()).empty


def test_means_are_over_the_finished_runs_of_a_recipe_that_have_the_number(folder: Path) -> None:
    controls, stop = stopping(2)
    half = train(replace(SOFT, seed=3), folder / "soft-3", controls=controls, on_log=stop, progress=False)
    plant_metrics(half, psnr_db=90.0)
    means = over_seeds(runs_in(folder)).set_index(["method", "number"])
    psnr = means.loc[("lgq", "psnr_db")]
    assert psnr["mean":"seeds"].tolist() == [21.0, pytest.approx(math.sqrt(2)), 2, 2]
    assert means.loc[("lgq", "loss"), "runs"] == 3
    assert means.loc[("fsq", "psnr_db"), "mean"] == 25.0
    assert math.isnan(means.loc[("fsq", "psnr_db"), "spread"])
    assert means.loc[("fsq", "lpips"), "why"] == "no finished run has it"


def test_there_is_no_mean_of_numbers_that_were_not_taken_alike(folder: Path) -> None:
    soft = [open_run(folder / f"soft-{seed}") for seed in range(3)]
    for run, features in zip(soft, ("inception", "inception", "efficientnet"), strict=True):
        plant_metrics(run, psnr_db=20.0, fd={"value": 1.0, "features": features})
    means = over_seeds(runs_in(folder)).set_index(["method", "number"]).loc["lgq"]
    assert means.loc["psnr_db", "mean"] == 20.0
    assert means.loc["fd", "why"] == "their features differ"
    plant_metrics(soft[0], psnr_db=20.0, tokens=64)
    means = over_seeds(runs_in(folder)).set_index(["method", "number"]).loc["lgq"]
    assert math.isnan(means.loc["psnr_db", "mean"])
    assert means.loc["psnr_db", "why"] == "their numbers of tokens differ"


def test_another_frame_is_refused() -> None:
    with pytest.raises(InputError, match=r"give one of analysis\.comparison\.runs_in"):
        over_seeds(pd.DataFrame({"run": ["a"]}))
