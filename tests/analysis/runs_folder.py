"""A folder of small runs with planted numbers, for tests of what reads such folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.evaluate import METRICS
from lgq_explore.runs.run import Run
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, train

SOFT = TrainConfig(
    data="fake",
    batch_size=4,
    steps=4,
    log_steps=1,
    checkpoint_steps=2,
    snapshot_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
GRID = replace(SOFT, quantizer=FSQConfig((4, 4)), loss_weights={})

ADVERSARIAL = replace(
    SOFT,
    loss_weights={**SOFT.loss_weights, "gan": 0.1},
    objectives={"gan": {"start_step": 2, "layers": 1, "width": 4}},
)
"""SOFT with a GAN from half of its steps on."""

PSNR = {"soft-0": 20.0, "soft-1": 22.0, "grid-0": 25.0}
"""What is planted as the result of an evaluation; soft-2 is left without."""


def plant_metrics(run: Run, **numbers: Any) -> None:
    """Keep a result as `evaluate` does."""
    result = {"steps": run.finished_steps, "tokens": 1024, **numbers}
    (run.path / METRICS).write_text(json.dumps({"identity": run.identity, "weights": "", "result": result}))


def plant_runs(folder: Path) -> Path:
    """Three seeds of one method, of which one was not evaluated, and one run of another."""
    for name, recipe in {
        "soft-0": SOFT,
        "soft-1": replace(SOFT, seed=1),
        "soft-2": replace(SOFT, seed=2),
        "grid-0": GRID,
    }.items():
        run = train(recipe, folder / name, progress=False)
        if name in PSNR:
            plant_metrics(
                run,
                psnr_db=PSNR[name],
                active_codes=8,
                fd={"value": 3.5, "features": "inception", "why": None},
                lpips={"value": None, "net": "alex", "why": "no weights"},
            )
    return folder


def plant_phases(folder: Path) -> Path:
    """Runs of one method at three GAN phases: without one, before its start, and two steps after it."""
    controls, stop = stopping(2)
    train(SOFT, folder / "plain", progress=False)
    train(ADVERSARIAL, folder / "before", controls=controls, on_log=stop, progress=False)
    train(ADVERSARIAL, folder / "after", progress=False)
    return folder


def stopping(step: int) -> tuple[Controls, Callable[[LogEvent], None]]:
    """Controls of a training, and what hears its log and stops it at a step."""
    controls = Controls()

    def stop(event: LogEvent) -> None:
        if event.row["step"] == step:
            controls.stop()

    return controls, stop
