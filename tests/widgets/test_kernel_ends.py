"""Does a kernel that is interrupted or shut down leave a run that can be resumed from its last step?"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from lgq_explore.runs.run import open_run
from lgq_explore.runs.training_lock import is_held

TRAIN = """
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.widgets import TrainingMonitor
backbone = BackboneConfig(channels=(8, 8, 8), dim=4)
config = TrainConfig(data="fake", batch_size=4, steps=100_000, log_steps=1, backbone=backbone,
                     quantizer=LGQConfig(codebook_size=16))
monitor = TrainingMonitor(config, run={path!r})
"""

BUSY = """
import time
while True:  # as a long computation that no interrupt ends
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        continue
"""

IN_THE_CELL = """
import lgq_explore as lgq
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
config = lgq.TrainConfig(data="fake", batch_size=4, steps=100_000, log_steps=1, checkpoint_steps=100_000,
                         backbone=BackboneConfig(channels=(8, 8, 8), dim=4), quantizer=LGQConfig(codebook_size=16))
run = lgq.train(config, {path!r})
saved = run.finished_steps
"""


def reply_to(client: BlockingKernelClient, message: str) -> dict[str, object]:
    while True:
        reply = client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"]


def wait_for_rows(history: Path, rows: int) -> None:
    deadline = time.monotonic() + 60
    while not (history.exists() and history.read_text().count("\n") > rows):
        assert time.monotonic() < deadline, "training did not begin"
        time.sleep(0.1)


@pytest.mark.slow
def test_an_interrupted_cell_leaves_a_run_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        cell = client.execute(TRAIN.format(path=str(path)) + "run = await monitor.train()")
        wait_for_rows(path / "history.csv", 3)
        manager.interrupt_kernel()
        reply = reply_to(client, cell)
        assert reply["status"] == "error"
        assert reply["ename"] in ("CancelledError", "KeyboardInterrupt")
        stopped_at = open_run(path).finished_steps
        assert stopped_at >= 3
        resumed = client.execute("monitor.resume(); monitor.controls.stop(); run = await monitor.finished()")
        assert reply_to(client, resumed)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert open_run(path).finished_steps >= stopped_at


@pytest.mark.slow
def test_an_idle_kernel_that_is_shut_down_saves_what_it_has_trained(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        cell = client.execute(TRAIN.format(path=str(path)) + "monitor.start()")
        assert reply_to(client, cell)["status"] == "ok"
        wait_for_rows(path / "history.csv", 3)
        assert open_run(path).finished_steps == 0
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=False)
    assert_saved_to_the_last_step(path)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["await monitor.finished()", BUSY], ids=["awaited", "busy"])
def test_a_kernel_that_is_restarted_in_the_middle_of_a_cell_saves_what_it_has_trained(
    tmp_path: Path, then: str
) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        client.execute(TRAIN.format(path=str(path)) + "monitor.start()\n" + then)
        wait_for_rows(path / "history.csv", 3)
        client.stop_channels()
        manager.restart_kernel(now=False)
        assert_saved_to_the_last_step(path)
    finally:
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_kernel_that_is_killed_leaves_its_newest_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        client.execute(TRAIN.format(path=str(path)).replace("log_steps=1", "log_steps=1, checkpoint_steps=2"))
        client.execute("monitor.start()")
        wait_for_rows(path / "history.csv", 5)
        client.stop_channels()
        manager.signal_kernel(signal.SIGTERM)
    finally:
        manager.shutdown_kernel(now=True)
    run = open_run(path)
    assert not is_held(path)
    assert run.finished_steps >= 2
    assert run.newest_checkpoint() is not None


def assert_saved_to_the_last_step(path: Path) -> None:
    run = open_run(path)
    assert run.finished_steps == run.history()["step"].max() >= 3


@pytest.mark.slow
def test_an_interrupted_train_returns_with_its_step_saved(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        cell = client.execute(IN_THE_CELL.format(path=str(path)))
        wait_for_rows(path / "history.csv", 3)
        manager.interrupt_kernel()
        assert reply_to(client, cell)["status"] == "ok"
        checked = client.execute("assert saved == run.history()['step'].iloc[-1] == run.trained().finished_steps")
        assert reply_to(client, checked)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert open_run(path).finished_steps >= 3


@pytest.mark.slow
def test_a_kernel_that_is_shut_down_while_a_cell_trains_saves_its_step(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        client.execute(IN_THE_CELL.format(path=str(path)))
        wait_for_rows(path / "history.csv", 3)
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=False)
    run = open_run(path)
    assert run.finished_steps == run.history()["step"].max() >= 3
