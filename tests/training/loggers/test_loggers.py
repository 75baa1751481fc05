"""Tests of loggers: they get the rows of history.csv, and never decide whether or what is trained."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.runs.config import config_to_json
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.loggers import LOGGERS
from lgq_explore.training.loggers.base import LoggedRun
from lgq_explore.training.loop import LogEvent, resume, train
from tests.training.test_loop import Crash, StopsBefore, assert_same_weights, recipe

Rows = dict[int, dict[str, float]]
"""Logged numbers by step and name."""


@dataclass
class Service:
    """Stands for a service with wandb's interface: keeps what it is sent. fails: the call that raises an error."""

    fails: str = ""
    begun: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    finished: int = 0

    def init(self, *, project: str, config: dict[str, Any], **settings: Any) -> Service:
        self._fail("init")
        self.begun.append({"project": project, "config": config, **settings})
        self.rows.append({})
        return self

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        if self.rows[-1]:
            self._fail("log")
        self.rows[-1][step] = numbers

    def finish(self) -> None:
        self._fail("finish")
        self.finished += 1

    def _fail(self, call: str) -> None:
        if call == self.fails:
            raise ConnectionError(f"no network in {call}\nand more")


@pytest.fixture(params=["wandb", "trackio"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, name: str) -> Service:
    service, module = Service(), ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.init = service.init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    return service


def trained(path: Path, *loggers: str, **arguments: Any) -> Run:
    return train(recipe(), path, device="cpu", progress=False, loggers=loggers, **arguments)


def rows_of(history: pd.DataFrame) -> Rows:
    """A history as it is logged: without the cells that are empty."""
    return {
        int(row["step"]): {column: value for column, value in row.items() if column != "step" and not math.isnan(value)}
        for row in history.astype(float).to_dict("records")
    }


def kill_at(step: int):
    def kill(event: LogEvent) -> None:
        if event.row["step"] == step:
            raise Crash

    return kill


def test_a_service_gets_the_rows_of_the_history(tmp_path: Path, name: str, service: Service) -> None:
    run = trained(tmp_path / "run", name)
    (rows,) = service.rows
    assert rows == rows_of(run.history())
    assert len(rows) > 2
    (begun,) = service.begun
    assert begun["project"] == "lgq-explore"
    assert begun["config"] == config_to_json(run.config)
    assert begun["name"].startswith("run")
    assert service.finished == 1


def test_a_resumed_run_goes_on_in_the_same_place(tmp_path: Path, name: str, service: Service) -> None:
    trained(tmp_path / "run", name, controls=StopsBefore(5))
    run = resume(tmp_path / "run", device="cpu", progress=False, loggers=[name])
    assert {**service.rows[0], **service.rows[1]} == rows_of(run.history())
    first, second = service.begun
    assert first == second
    assert first["resume"] == "allow"
    trained(tmp_path / "other" / "run", name)
    assert service.begun[-1] != first  # of equal recipes and names, but another folder


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_a_service_that_fails_is_reported_once_and_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, service: Service, fails: str
) -> None:
    service.fails = fails
    run = trained(tmp_path / "run", name)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"the logger {name} failed (no network in {fails}): training goes on without it")
    assert run.is_finished
    assert rows_of(run.history()).keys() >= {1, 3, 6, 8}


def test_loggers_change_neither_weights_nor_recipe(tmp_path: Path, service: Service, name: str) -> None:
    logged, plain = trained(tmp_path / "logged", name, "tensorboard"), trained(tmp_path / "plain")
    assert_same_weights(logged, plain)
    assert logged.config.recipe_hash == plain.config.recipe_hash


def visible(folder: Path) -> Rows:
    """What TensorBoard shows of event files: a session that begins at a step hides the earlier ones from there on."""
    rows: Rows = {}
    files = [list(events(file.read_bytes())) for file in folder.iterdir()]
    # By when they were begun: the writer of a killed run may touch its file once more when Python drops it.
    for recorded in sorted(files, key=lambda recorded: recorded[0].wall_time):
        for event in recorded:
            if event.HasField("session_log"):
                rows = {step: row for step, row in rows.items() if step < event.step}
            for value in event.summary.value:
                rows.setdefault(event.step, {})[value.tag] = value.simple_value
    return rows


def events(content: bytes) -> Iterator[Any]:
    """Records of TensorFlow's format: length, its check, an event, and its check."""
    from tensorboardX.proto.event_pb2 import Event

    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def in_float32(rows: Rows) -> dict[int, Any]:
    return {step: pytest.approx(row, rel=1e-6) for step, row in rows.items()}


def test_tensorboard_shows_the_rows_of_the_history(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "tensorboard")
    assert visible(run.path / "tensorboard") == in_float32(rows_of(run.history()))


def test_tensorboard_hides_what_a_killed_run_had_logged_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Crash):
        trained(path, "tensorboard", on_log=kill_at(6))
    assert max(visible(path / "tensorboard")) == 6
    assert open_run(path).newest_checkpoint().name == "step-00000004"
    controls = StopsBefore(5)
    resume(path, device="cpu", progress=False, loggers=["tensorboard"], controls=controls)
    assert 6 not in visible(path / "tensorboard")
    run = resume(path, device="cpu", progress=False, loggers=["tensorboard"])
    assert visible(path / "tensorboard") == in_float32(rows_of(run.history()))


def test_tensorboard_hides_what_a_run_that_begins_anew_had_logged(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Crash):
        trained(path, "tensorboard", on_log=kill_at(3))  # before its first checkpoint
    assert max(visible(path / "tensorboard")) == 3
    resume(path, device="cpu", progress=False, loggers=["tensorboard"], controls=StopsBefore(2))
    assert set(visible(path / "tensorboard")) == {1}


def test_tensorboard_keeps_what_was_logged_in_the_second_in_which_a_run_continues(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    rows: Rows = {step: {"loss": 1 / step} for step in (1, 2, 3)}
    for step, row in rows.items():  # three in far less than a second: two of them at least share one
        logger = LOGGERS["tensorboard"].open(LoggedRun(tmp_path, {}, "identity", step - 1))
        logger.log(step, row)
        logger.close()
    assert len(list((tmp_path / "tensorboard").iterdir())) == 3
    assert visible(tmp_path / "tensorboard") == in_float32(rows)


@pytest.mark.parametrize("kind", LOGGERS)
def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(sys.modules, LOGGERS[kind].package, None)
    with pytest.raises(InputError, match=f"logger {kind} needs the package (.+): pip install \\1$"):
        trained(tmp_path / "run", kind)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("loggers", "said"),
    [
        (["tensorbord"], r"unknown logger 'tensorbord' \(did you mean tensorboard\?\): choose from"),
        (["tensorboard", "tensorboard"], "tensorboard is named twice"),
        ("tensorboard", r"loggers is 'tensorboard': give a list of names"),
    ],
)
def test_unusable_loggers_are_refused(tmp_path: Path, loggers, said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(recipe(), tmp_path / "run", device="cpu", progress=False, loggers=loggers)


def test_what_loggers_import_is_imported_when_asked_for_alone() -> None:
    program = "import sys, lgq_explore.training.loop; print({'tensorboardX', 'wandb', 'trackio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
