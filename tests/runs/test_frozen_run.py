"""Tests of frozen runs and of the watch on their folders."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import lgq_explore as lgq
from lgq_explore.analysis.usage import code_history
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import encode
from lgq_explore.runs.frozen_run import MOST_SNAPSHOTS, FrozenRun, frozen, spread_over
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    log_steps=1,
    snapshot_steps=1,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))


def stopped_after(steps: int, path: Path) -> Run:
    controls = Controls()

    def stop(event: LogEvent) -> None:
        if event.row["step"] == steps:
            controls.stop()

    return train(RECIPE, path, controls=controls, on_log=stop, progress=False)


def scale_weights(run: Run) -> None:
    """Other weights of the same step, written as a trainer writes them."""
    path = run.path / "weights.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    other = path.with_name("other")
    save_file({name: 1.5 * value for name, value in load_file(path).items()}, other, metadata=metadata)
    other.replace(path)


def test_it_stays_as_it_was_while_training_goes_on(tmp_path: Path) -> None:
    live = stopped_after(3, tmp_path / "mine")
    then = frozen(live)
    weights = {name: value.clone() for name, value in then.tokenizer().state_dict().items()}
    resume(live.path, progress=False)
    assert live.finished_steps == 6
    assert (then.finished_steps, then.trained().finished_steps) == (3, 3)
    assert sorted(then.codebook_snapshots()) == [0, 1, 2, 3]
    assert then.history()["step"].tolist() == [1, 2, 3]
    assert all(torch.equal(value, then.tokenizer().state_dict()[name]) for name, value in weights.items())
    assert frozen(then) is then
    assert frozen(live).finished_steps == 6
    assert then.watch.moved_on("look") == "mine has since been trained on, to step 6: look."


def test_what_was_written_ahead_of_the_weights_does_not_belong_to_them(tmp_path: Path) -> None:
    live = stopped_after(3, tmp_path / "mine")
    RunWriter(live.path).save_codebooks(4, [torch.zeros(16, 4)])
    RunWriter(live.path).append_history({**live.history().iloc[-1], "step": 4})
    then = frozen(live)
    assert max(then.codebook_snapshots()) == 3
    assert then.history()["step"].max() == 3


def test_another_run_at_the_same_path_is_told_from_it(tmp_path: Path) -> None:
    live = train(RECIPE, tmp_path / "mine", progress=False)
    then = frozen(live)
    first = np.array(then.codebook_snapshots()[0][0])
    assert then.watch.moved_on("look") == ""
    shutil.rmtree(live.path)
    assert then.watch.moved_on("look").startswith("The folder of mine was moved since")
    again = train(replace(RECIPE, seed=1), live.path, progress=False)
    assert then.watch.moved_on("look") == ("Another run has since been trained in the place of mine, to step 6: look.")
    assert then.identity != again.identity
    assert np.array_equal(first, then.codebook_snapshots()[0][0])
    # What was opened before is not taken for what is there now.
    with pytest.raises(InputError, match=r"mine holds another run now .*\nOpen it again: lgq\.open_run"):
        frozen(live)
    assert frozen(open_run(live.path)).config.seed == 1
    assert frozen(then) is then


def test_history_that_is_first_asked_for_after_a_retraining_is_still_its_own(tmp_path: Path) -> None:
    live = train(RECIPE, tmp_path / "mine", progress=False)
    then, expected = frozen(live), live.history()
    shutil.rmtree(live.path)
    train(replace(RECIPE, steps=9), live.path, progress=False)
    assert then.history().equals(expected)
    assert then.remarks() == []


def test_a_damaged_history_is_told_by_those_who_ask_for_it_alone(tmp_path: Path) -> None:
    live = train(RECIPE, tmp_path / "mine", progress=False)
    with (live.path / "history.csv").open("a") as file:
        file.write("7,8\n")
    then = frozen(live)
    with pytest.raises(InputError, match="line 8 has 2 columns"):
        then.history()
    (remark,) = then.remarks()
    assert "line 8 has 2 columns" in remark


def test_other_weights_of_the_same_step_are_told_from_it(tmp_path: Path) -> None:
    live = train(RECIPE, tmp_path / "mine", progress=False)
    then, encoding = frozen(live), encode(live, crops=2)
    content = (live.path / "weights.safetensors").read_bytes()
    scale_weights(live)
    with pytest.raises(InputError, match=r"made with weights .*, and these are .* of step 6"):
        lgq.study(live, encoding=encoding)
    assert then.watch.moved_on("look") == "mine has since got other weights of step 6: look."
    other = live.path / "other"
    other.write_bytes(content)
    other.replace(live.path / "weights.safetensors")
    assert then.watch.moved_on("look") == ""  # written anew, and the same
    assert lgq.study(then, encoding=encoding).run is then


def test_of_many_snapshots_some_are_read_the_first_and_the_last_among_them(tmp_path: Path) -> None:
    live = train(replace(RECIPE, steps=60), tmp_path / "mine", progress=False)
    then = frozen(live)
    steps = sorted(then.codebook_snapshots())
    assert (len(steps), steps[0], steps[-1], then.saved_snapshots) == (MOST_SNAPSHOTS, 0, 60, 61)
    assert set(np.diff(steps)) == {1, 2}
    history = code_history(lgq.study(live, crops=2), [3])
    assert history["step"].tolist() == steps
    assert spread_over([5, 6, 7, 8, 9], 3) == [5, 7, 9]
    assert spread_over(range(13), 8) == [0, 2, 3, 5, 7, 9, 10, 12]
    assert spread_over([0, 50, 300], 8) == [0, 50, 300]
    assert spread_over([], 3) == []


def test_a_run_without_weights_is_refused(tmp_path: Path) -> None:
    live = train(RECIPE, tmp_path / "mine", progress=False)
    (live.path / "weights.safetensors").unlink()
    with pytest.raises(InputError, match="no weights yet"):
        FrozenRun(open_run(live.path).path)
