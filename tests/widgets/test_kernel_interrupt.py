"""Does interrupting the kernel end the cell that waits, and leave a run that can be resumed?"""

from __future__ import annotations

import time
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from lgq_explore.training.run import open_run

TRAIN = """
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.training.config import TrainConfig
from lgq_explore.widgets import TrainingMonitor
backbone = BackboneConfig(channels=(8, 8, 8), dim=4)
config = TrainConfig(data="fake", batch_size=4, steps=100_000, log_steps=1, backbone=backbone,
                     quantizer=LGQConfig(codebook_size=16))
monitor = TrainingMonitor(config, run={path!r})
run = await monitor.train()
"""


def reply_to(client: BlockingKernelClient, message: str) -> dict[str, object]:
    while True:
        reply = client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"]


def test_an_interrupted_cell_leaves_a_run_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "run"
    manager, client = start_new_kernel()
    try:
        cell = client.execute(TRAIN.format(path=str(path)))
        history = path / "history.csv"
        deadline = time.monotonic() + 60
        while not (history.exists() and history.read_text().count("\n") > 3):
            assert time.monotonic() < deadline, "training did not begin"
            time.sleep(0.1)
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
