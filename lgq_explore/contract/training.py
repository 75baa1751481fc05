"""A short training run that is killed and resumed."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pandas import DataFrame

from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers.post_hoc import PostHocConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.training.presets import with_quantizer

from .method import Check, Method, require, require_equal

SAVED, KILLED, STEPS = 2, 4, 6


class _Killed(BaseException):
    """What nobody catches, as when the process is killed."""


def killed_run_comes_to_the_same_weights(method: Method) -> None:
    """A run that was killed between two checkpoints and resumed has the weights and history of one that was not."""
    recipe = _recipe(method)
    with tempfile.TemporaryDirectory() as folder:
        whole = train(recipe, Path(folder) / "whole", device="cpu", progress=False)
        again = _killed_and_resumed(recipe, Path(folder) / "killed")
        found = again.tokenizer().state_dict()
        for name, tensor in whole.tokenizer().state_dict().items():
            require_equal(found[name], tensor, f"{name} differs after a run was killed and resumed")
        snapshots, expected = list(again.codebook_snapshots()), list(whole.codebook_snapshots())
        require(
            snapshots == expected, f"after a run was resumed, snapshots are of the steps {snapshots}, not {expected}"
        )
        same = _without_times(again.history()).equals(_without_times(whole.history()))
        require(same, "after a run was killed and resumed, its history has other values")


def _killed_and_resumed(recipe: TrainConfig, path: Path) -> Run:
    def kill(event: LogEvent) -> None:
        if event.row["step"] == KILLED:
            raise _Killed

    with suppress(_Killed):
        train(recipe, path, device="cpu", on_log=kill, progress=False)
    finished = open_run(path).finished_steps
    require(finished == SAVED, f"a run that was killed after step {KILLED} was saved at step {finished}")
    return resume(path, device="cpu", progress=False)


def _without_times(history: DataFrame) -> DataFrame:
    return history[[column for column in history if "second" not in column]]


def _recipe(method: Method) -> TrainConfig:
    recipe = TrainConfig(
        data="fake",
        image_size=16,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        steps=STEPS,
        batch_size=4,
        warmup_steps=2,
        log_steps=2,
        window_steps=2,
        checkpoint_steps=SAVED,
        snapshot_steps=3,
    )
    return fitted_to_few(with_quantizer(recipe, method.config.method, 64))


def fitted_to_few(recipe: TrainConfig) -> TrainConfig:
    """The recipe, with codes that are fitted after training fitted to the fewest latents that K codes may have."""
    if not isinstance(recipe.quantizer, PostHocConfig):
        return recipe
    return replace(recipe, quantizer=replace(recipe.quantizer, fit_tokens=0))


CHECKS: list[Check] = [killed_run_comes_to_the_same_weights]
