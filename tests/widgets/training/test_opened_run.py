"""Does a monitor open any run: finished, cut off, trained by another process, or gone?"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.runs.training_lock import is_held
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.widgets import TrainingMonitor
from lgq_explore.widgets.training import reader
from tests.widgets.training.monitor_parts import (
    button,
    enabled,
    figures,
    logged,
    temperature_control,
    text_of,
    trace_names,
    until,
)


class CutOff(Exception):
    """Training that is ended as by a kill: nothing is saved."""


def cut_off(config: TrainConfig, path: Path, at: int, controls: Controls | None = None) -> Run:
    """A run whose process was killed at this step."""

    def kill(event: LogEvent) -> None:
        if event.row["step"] == at:
            raise CutOff

    with pytest.raises(CutOff):
        train(config, path, on_log=kill, progress=False, controls=controls)
    return open_run(path)


def same_weights(run: Run, other: Run) -> bool:
    ours, theirs = run.tokenizer().state_dict(), other.tokenizer().state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_finished_run_is_shown_at_once_in_a_script(recipe: TrainConfig, tmp_path: Path) -> None:
    run = train(recipe, tmp_path / "run", progress=False)
    for given in (run, run.path, str(run.path)):
        monitor = TrainingMonitor(run=given, pictures=3)
        curves, usage, pictures = figures(monitor)
        assert {"weighted sum", "active", "in force"} <= trace_names(curves)
        assert usage["data"][0]["type"] == "heatmap"
        assert [trace["name"] for trace in pictures["data"]] == ["input", "soft", "hard"]
        assert "finished · step 6 of 6" in text_of(monitor)
        assert enabled(monitor) == []
        assert temperature_control(monitor).why_disabled == "the run is finished"
        assert temperature_control(monitor).in_force == pytest.approx(0.1)
        assert "image/png" in monitor.still()
    assert monitor.config == run.config
    assert repr(monitor) == "TrainingMonitor(lgq, 16 codes, 6 steps)"
    assert asyncio.run(TrainingMonitor(run=run).train()).path == run.path


def test_what_is_shown_of_a_rested_run_is_what_its_trainer_showed(recipe: TrainConfig, tmp_path: Path) -> None:
    trained = TrainingMonitor(recipe, run=tmp_path / "run")
    asyncio.run(trained.train())
    assert figures(TrainingMonitor(run=tmp_path / "run")) == figures(trained)


def test_a_name_under_data_runs_opens_and_an_unknown_one_is_named(recipe: TrainConfig) -> None:
    run = train(recipe, progress=False)
    assert TrainingMonitor(run=run.name).run.path == run.path
    with pytest.raises(InputError, match="nowhere"):
        TrainingMonitor(run="nowhere")


def test_what_can_not_be_opened_names_the_remedy(recipe: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"give a recipe, or a run, as TrainingMonitor\(run=…\)"):
        TrainingMonitor()
    with pytest.raises(InputError, match=r"open a run with TrainingMonitor\(run=…\)"):
        TrainingMonitor(str(tmp_path))
    run = train(recipe, tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="open the run without a recipe"):
        TrainingMonitor(recipe, run=run)
    with pytest.raises(
        InputError, match=r"run exists already, and holds a run.\nOpen it with TrainingMonitor\(run=…\)"
    ):
        asyncio.run(TrainingMonitor(recipe, run=run.path).train())


def test_a_run_that_was_cut_off_goes_on_to_the_weights_of_an_uninterrupted_one(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    recipe = replace(recipe, steps=9, checkpoint_steps=4)
    cut_off(recipe, tmp_path / "run", at=6)
    monitor = TrainingMonitor(run=tmp_path / "run")
    assert "stopped · step 6 of 9" in text_of(monitor)
    told = "cut off at step 6: Resume goes on from the checkpoint of step 4, whose codes and pictures are shown"
    assert told in text_of(monitor)
    assert "or lgq.widgets.TrainingMonitor(run=" in monitor.how_to_make_it_live()
    assert enabled(monitor) == ["Resume"]
    run = asyncio.run(monitor.train())
    assert run.is_finished
    assert "finished · step 9 of 9" in text_of(monitor)
    assert same_weights(run, train(recipe, tmp_path / "alone", progress=False))


def test_a_click_on_resume_goes_on_and_a_run_without_a_checkpoint_begins(recipe: TrainConfig, tmp_path: Path) -> None:
    cut_off(recipe, tmp_path / "run", at=2)

    async def click() -> TrainingMonitor:
        monitor = TrainingMonitor(run=tmp_path / "run")
        assert "no checkpoint yet: Resume begins with the first step" in text_of(monitor)
        button(monitor, "Resume").click()
        await until(lambda: "finished" in text_of(monitor))
        return monitor

    assert asyncio.run(click()).run.is_finished


def test_a_temperature_that_was_held_is_held_again_as_by_resume(recipe: TrainConfig, tmp_path: Path) -> None:
    recipe = replace(recipe, steps=8, checkpoint_steps=3)
    for name in ("here", "there"):
        cut_off(recipe, tmp_path / name, at=5, controls=Controls(temperature=0.3))

    async def at_once() -> Run:
        return await TrainingMonitor(run=tmp_path / "here").train()  # before its checkpoint was read

    here, there = asyncio.run(at_once()), resume(tmp_path / "there", progress=False)
    assert (here.history()["temperature_override"] == 0.3).all()
    assert same_weights(here, there)
    opened = TrainingMonitor(run=cut_off(recipe, tmp_path / "shown", at=5, controls=Controls(temperature=0.3)))
    assert temperature_control(opened).held == 0.3
    given = TrainingMonitor(run=opened.run, controls=Controls(temperature=0.7))
    assert asyncio.run(given.train()).history()["temperature_override"].iloc[-1] == 0.7


def test_a_reader_decides_on_the_temperature_at_which_an_opened_run_goes_on(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    cut_off(replace(recipe, steps=8, checkpoint_steps=3), tmp_path / "run", at=5, controls=Controls(temperature=0.3))
    monitor = TrainingMonitor(run=tmp_path / "run")
    monitor.controls.temperature = None
    assert asyncio.run(monitor.train()).history()["temperature_override"].tolist()[3:] != [0.3] * 5


TRAINS = """
import sys
from lgq_explore.cli import main
sys.exit(main(["train", "--config", sys.argv[1], "--run", sys.argv[2]]))
"""


@contextmanager
def another_process(config: TrainConfig, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that trains this recipe; it is killed at the end."""
    file = path.with_suffix(".json")
    file.write_text(json.dumps(config_to_json(config)))
    with subprocess.Popen([sys.executable, "-c", TRAINS, str(file), str(path)], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_run_of_another_process_is_watched_until_it_ends_and_then_goes_on_here(
    endless: TrainConfig, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    endless = replace(endless, checkpoint_steps=2, log_steps=1)

    async def watch(process: subprocess.Popen[bytes]) -> TrainingMonitor:
        await until(lambda: (path / "config.json").exists() and is_held(path))
        monitor = TrainingMonitor(run=path)
        await until(lambda: len(figures(monitor)) == 3)
        assert "training elsewhere · step" in text_of(monitor)
        assert "Another process" in text_of(monitor)
        assert enabled(monitor) == []
        assert temperature_control(monitor).why_disabled == "another process trains this run"
        with pytest.raises(InputError, match="run is being trained already"):
            await monitor.train()
        before = figures(monitor)
        seen = step_said(monitor)
        await until(lambda: step_said(monitor) > seen)
        await until(lambda: all(now != then for now, then in zip(figures(monitor), before, strict=True)))
        process.send_signal(signal.SIGTERM)
        await until(lambda: enabled(monitor) == ["Resume"])
        saved = open_run(path).finished_steps
        assert f"stopped · step {saved} of" in text_of(monitor)
        button(monitor, "Resume").click()
        await until(lambda: logged(monitor) > saved)
        button(monitor, "Stop").click()
        await monitor.finished()
        return monitor

    with another_process(endless, path) as process:
        monitor = asyncio.run(watch(process))
    assert monitor.run.history()["step"].is_monotonic_increasing


def step_said(monitor: TrainingMonitor) -> int:
    return int(re.search(r"step (\d+) of", text_of(monitor))[1])


@pytest.mark.slow
def test_a_killed_process_is_noticed(endless: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "run"

    async def watch(process: subprocess.Popen[bytes]) -> None:
        await until(lambda: (path / "history.csv").exists())
        monitor = TrainingMonitor(run=path)
        await until(lambda: "training elsewhere" in text_of(monitor))
        process.kill()
        await until(lambda: enabled(monitor) == ["Resume"])
        assert "no checkpoint yet" in text_of(monitor)

    with another_process(endless, path) as process:
        asyncio.run(watch(process))


def test_a_run_that_goes_on_elsewhere_after_it_was_stopped_here_is_watched(
    endless: TrainConfig, tmp_path: Path
) -> None:
    async def stop_and_watch() -> None:
        monitor = TrainingMonitor(endless, run=tmp_path / "run")
        monitor.start()
        await until(lambda: logged(monitor) >= 2)
        monitor.controls.stop()
        stopped = await monitor.finished()
        writer = RunWriter(stopped.path)
        with writer.claimed():
            await until(lambda: "training elsewhere" in text_of(monitor))
            assert enabled(monitor) == []
            row = stopped.history().iloc[-1:].astype(object).where(lambda frame: frame.notna(), None)
            (last,) = row.to_dict("records")
            writer.append_history({**last, "step": last["step"] + 1})
            await until(lambda: f"step {last['step'] + 1} of" in text_of(monitor))
            assert len(figures(monitor)) == 3
        await until(lambda: enabled(monitor) == ["Resume"])

    asyncio.run(stop_and_watch())


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_that_is_gone_or_holds_another_run_says_so_in_a_line(
    recipe: TrainConfig, tmp_path: Path, finished: bool
) -> None:
    path = tmp_path / "run"
    other = train(replace(recipe, seed=5), tmp_path / "other", progress=False)
    if finished:
        train(recipe, path, progress=False)
    else:
        cut_off(recipe, path, at=4)

    async def lose() -> None:
        monitor = TrainingMonitor(run=path)
        shown = figures(monitor)
        path.rename(tmp_path / "elsewhere")
        await until(lambda: "was moved or deleted since it was opened." in text_of(monitor))
        assert enabled(monitor) == []
        shutil.copytree(other.path, path)
        await until(lambda: "holds another run now than when it was opened." in text_of(monitor))
        assert "lgq.open_run" not in text_of(monitor)
        assert len(figures(monitor)) >= len(shown)
        shutil.rmtree(path)
        (tmp_path / "elsewhere").rename(path)
        await until(lambda: enabled(monitor) == ([] if finished else ["Resume"]) and "since" not in text_of(monitor))

    asyncio.run(lose())


def test_a_run_whose_photographs_are_gone_shows_the_rest(recipe: TrainConfig, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(8):
        Image.effect_noise((64, 64), 60 + number).convert("RGB").save(pictures / f"{number}.png")
    run = train(replace(recipe, data=f"folder:{pictures}"), tmp_path / "run", progress=False)
    shutil.rmtree(pictures)
    monitor = TrainingMonitor(run=run)
    assert len(figures(monitor)) == 2
    assert "No pictures: " in text_of(monitor)
    assert "finished" in text_of(monitor)


def test_a_fixed_grid_opens_without_a_temperature(recipe: TrainConfig, tmp_path: Path) -> None:
    run = train(replace(recipe, quantizer=FSQConfig(), loss_weights={}), tmp_path / "run", progress=False)
    monitor = TrainingMonitor(run=run)
    assert temperature_control(monitor).why_disabled.startswith("fsq ")
    assert [trace["name"] for trace in figures(monitor)[2]["data"]] == ["input", "hard"]


def test_reading_a_checkpoint_can_be_stopped_and_newer_ones_are_read(
    recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cut_off(replace(recipe, checkpoint_steps=2), tmp_path / "run", at=5)
    monkeypatch.setattr("lgq_explore.widgets.training.watch.LOOK_SECONDS", 0.0)
    may_read, has_begun = threading.Event(), threading.Event()
    summary = reader.newest_checkpoint_summary

    def slowly(*arguments: Any) -> Any:
        has_begun.set()
        may_read.wait(60)
        return summary(*arguments)

    monkeypatch.setattr(reader, "newest_checkpoint_summary", slowly)

    async def stop_reading() -> TrainingMonitor:
        monitor = TrainingMonitor(run=run)
        await until(has_begun.is_set)
        assert "Reading codes and pictures of its newest checkpoint" in text_of(monitor)
        assert enabled(monitor) == ["Stop", "Resume"]
        button(monitor, "Stop").click()
        assert reader.NOT_READ in text_of(monitor)
        assert enabled(monitor) == ["Resume"]
        may_read.set()
        assert monitor._watch is not None
        await monitor._watch._checkpoints.finished()
        monitor._draw()
        assert reader.NOT_READ in text_of(monitor)
        assert len(figures(monitor)) == 1  # the curves, of what was logged
        await asyncio.to_thread(resume, run.path, progress=False)
        await until(lambda: len(figures(monitor)) == 3)
        return monitor

    assert reader.NOT_READ not in text_of(asyncio.run(stop_reading()))


def test_a_closed_panel_looks_no_more(recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(recipe, tmp_path / "run", progress=False)
    monkeypatch.setattr("lgq_explore.widgets.training.watch.LOOK_SECONDS", 0.0)

    async def close() -> set[asyncio.Task[object]]:
        monitor = TrainingMonitor(run=run)
        await until(lambda: len(figures(monitor)) == 3)
        monitor.close()
        await until(lambda: len(asyncio.all_tasks()) == 1)
        return asyncio.all_tasks()

    assert len(asyncio.run(close())) == 1
