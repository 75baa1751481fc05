"""Tests of training on picture files that are decoded meanwhile."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.images import picture_files
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.history import history_content
from lgq_explore.runs.run import Run
from lgq_explore.training.controls import Controls, Reading
from lgq_explore.training.loop import LogEvent, resume, train
from tests.images.planted import decoding_children, noise

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

STEPS = 8


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six pictures to train on, of which one is cut off, and two held out. Not to be written to."""
    folder = tmp_path_factory.mktemp("pictures")
    for side, numbers in (("train", range(6)), ("val", range(6, 8))):
        (folder / side).mkdir()
        for number in numbers:
            noise(number, 60, 70).save(folder / side / f"{number}.png")
    cut = folder / "train" / "5.png"
    cut.write_bytes(cut.read_bytes()[:200])
    return folder


def recipe(pictures: Path) -> TrainConfig:
    return TrainConfig(
        data=f"imagefolder:{pictures}",
        image_size=16,
        backbone=BackboneConfig((8, 8, 8), dim=4),
        quantizer=LGQConfig(16),
        steps=STEPS,
        batch_size=4,
        warmup_steps=2,
        log_steps=2,
        window_steps=4,
        checkpoint_steps=4,
        snapshot_steps=4,
    )


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Run:
    """A run that was not interrupted, trained by a single process for the pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DECODERS", "1")
        return train(recipe(pictures), tmp_path_factory.mktemp("whole") / "run", device="cpu", progress=False)


def same_weights(run: Run, other: Run) -> bool:
    return (run.path / "weights.safetensors").read_bytes() == (other.path / "weights.safetensors").read_bytes()


class StopsAt(Controls):
    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def read(self, step: int) -> Reading:
        if step == self._step:
            self.stop()
        return super().read(step)


def test_stopped_and_resumed_with_another_number_of_processes_the_weights_are_the_same(
    whole: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DECODERS", "2")
    stopped = train(recipe(pictures), tmp_path / "run", device="cpu", controls=StopsAt(6), progress=False)
    assert stopped.finished_steps == 6
    monkeypatch.setenv("LGQ_EXPLORE_DECODERS", "3")
    assert same_weights(resume(stopped.path, device="cpu", progress=False), whole)
    assert decoding_children() == []


def test_processes_that_are_killed_change_nothing(whole: Run, pictures: Path, tmp_path: Path) -> None:
    killed = []

    def kill(event: LogEvent) -> None:
        for process in decoding_children():
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    run = train(recipe(pictures), tmp_path / "run", device="cpu", on_log=kill, progress=False)
    assert len(set(killed)) > 1
    assert same_weights(run, whole)


def test_a_corrupt_file_is_named_once_at_the_end_and_in_the_run_s_folder(
    whole: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    for session in (lambda: train(recipe(pictures), path, device="cpu", controls=StopsAt(6)), lambda: resume(path)):
        session()
        notes = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
        assert len(notes) == 1
        assert "1 file skipped (train/5.png: it cannot be decoded: the file is cut off)" in notes[0]
    for run in (path, whole.path):
        with (run / "skipped.csv").open(newline="") as table:
            assert list(csv.reader(table)) == [
                ["file", "why"],
                ["train/5.png", "it cannot be decoded: the file is cut off"],
            ]
    assert Run(path).environment.skipped_files == 0  # what was known at the start
    assert (Run(path).environment.training_photographs, Run(path).environment.held_out_photographs) == (6, 2)


def test_held_out_pictures_are_evaluated(whole: Run, pictures: Path, tmp_path: Path) -> None:
    result = evaluate(whole, crops=6, without=("lpips", "fd"), progress=False)
    assert (result["images"], result["photographs"]) == (6, 2)
    moved = tmp_path / "moved"
    moved.symlink_to(pictures)
    assert evaluate(whole, f"imagefolder:{pictures}", crops=6, without=("lpips", "fd"), progress=False)["images"] == 6
    assert evaluate(whole, f"imagefolder:{moved}", crops=99, without=("lpips", "fd"))["photographs"] == 7


def test_steps_are_quicker_without_the_time_waited_for_pictures(whole: Run) -> None:
    history = whole.history()
    speed, without_waiting = (history[f"images_per_second_{which}last_4_steps"] for which in ("", "without_waiting_"))
    assert (without_waiting >= speed).all()
    assert without_waiting.iloc[0] > speed.iloc[0]  # the processes were started then


def test_a_history_of_an_older_version_is_continued_without_the_column(pictures: Path, tmp_path: Path) -> None:
    run = train(recipe(pictures), tmp_path / "run", device="cpu", controls=StopsAt(6), progress=False)
    history = run.path / "history.csv"
    older = run.history().drop(columns="images_per_second_without_waiting_last_4_steps")
    older.to_csv(history, index=False)
    assert resume(run.path, device="cpu", progress=False).is_finished
    assert b"without_waiting" not in history_content(history)
    assert run.history()["step"].tolist() == [1, 2, 4, 6, 8]


def test_where_the_pictures_go_away_training_ends_with_what_it_has_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    (folder / "train").mkdir(parents=True)
    (folder / "val").mkdir()
    for number in range(3):
        noise(number).save(folder / "train" / f"{number}.png")
        noise(number + 9).save(folder / "val" / f"{number}.png")

    def unmount(event: LogEvent) -> None:
        if event.row["step"] == 6:
            folder.rename(tmp_path / "unmounted")

    monkeypatch.setattr(picture_files, "MOST_REPLACED", 3)
    with pytest.raises(InputError, match="gave no picture 3 times in a row"):
        train(replace(recipe(folder), steps=40), tmp_path / "run", device="cpu", on_log=unmount, progress=False)
    assert decoding_children() == []
    assert Run(tmp_path / "run").finished_steps >= 4
    (tmp_path / "unmounted").rename(folder)
    again = resume(tmp_path / "run", device="cpu", controls=StopsAt(20), progress=False)
    once = train(
        replace(recipe(folder), steps=40), tmp_path / "once", device="cpu", controls=StopsAt(20), progress=False
    )
    assert same_weights(again, once)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_signal_leaves_a_process_behind(
    number: signal.Signals, pictures: Path, tmp_path: Path, own_data_and_no_network: None
) -> None:
    """Also where the program is read from standard input, and has no main module that a copy could import."""
    config = tmp_path / "recipe.json"
    config.write_text(json.dumps(config_to_json(replace(recipe(pictures), steps=10**6, checkpoint_steps=10**6))))
    arguments = ["train", "--config", str(config), "--device", "cpu", "--run", str(tmp_path / "run")]
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from lgq_explore.cli import main\n"
        f"sys.exit(main({arguments!r}))\n"
    )
    environment = {**os.environ, "LGQ_EXPLORE_DECODERS": "2"}
    with subprocess.Popen(
        [sys.executable, "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(program.encode())
        process.stdin.close()
        history = tmp_path / "run" / "history.csv"
        while not (history.exists() and history.read_bytes().count(b"\n") > 4):
            assert process.poll() is None
            time.sleep(0.1)
        children = decoding_children(process.pid)
        assert len(children) == 2
        os.kill(process.pid, number)
        status = process.wait(60)
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert any(not any(Path(f"/proc/{child}").exists() for child in children) or time.sleep(0.1) for _ in range(100))
    assert (Run(tmp_path / "run").finished_steps > 0) == (number is not signal.SIGKILL)
