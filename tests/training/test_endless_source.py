"""Tests of training on an endless source without names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lgq_explore.analysis.pictures import reconstruction_quality
from lgq_explore.errors import InputError
from lgq_explore.images.sources import SOURCES
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import Encoding, encode, encode_training
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.runs.study import Study
from lgq_explore.training.controls import Controls, Reading
from lgq_explore.training.loop import resume, train
from tests.images.planted import Noise, NoiseSource

RECIPE = TrainConfig(
    data="noise",
    image_size=16,
    backbone=BackboneConfig((8, 8, 8), dim=4),
    quantizer=LGQConfig(16),
    steps=8,
    batch_size=3,
    warmup_steps=2,
    log_steps=2,
    checkpoint_steps=4,
    snapshot_steps=4,
)


@pytest.fixture(autouse=True)
def _noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "noise", Noise())


class StopsAtTheSixth(Controls):
    def read(self, step: int) -> Reading:
        if step == 6:
            self.stop()
        return super().read(step)


def test_an_endless_source_trains_evaluates_and_is_resumed_to_the_same_weights(tmp_path: Path) -> None:
    whole = train(RECIPE, tmp_path / "whole", device="cpu", progress=False)
    environment = Run(whole.path).environment
    assert (environment.data_fingerprint, environment.training_photographs) == (NoiseSource.identity, None)
    stopped = train(RECIPE, tmp_path / "stopped", device="cpu", controls=StopsAtTheSixth(), progress=False)
    resumed = resume(stopped.path, device="cpu", progress=False)
    assert resumed.is_finished
    weights = [(run.path / "weights.safetensors").read_bytes() for run in (whole, resumed)]
    assert weights[0] == weights[1]
    other = train(replace(RECIPE, seed=1), tmp_path / "other", device="cpu", progress=False)
    assert (other.path / "weights.safetensors").read_bytes() != weights[0]

    result = evaluate(whole, crops=5)
    assert (result["images"], result["photographs"], result["scenes"]) == (5, 5, 5)
    encoding = encode(whole, crops=5)
    encoding.save(tmp_path / "encoding.npz")
    assert Encoding.load(tmp_path / "encoding.npz").photograph_names.tolist() == [f"picture {n}" for n in range(1, 6)]
    assert reconstruction_quality(Study(whole.trained(), encoding))["photograph"].tolist() == [
        f"picture {n}" for n in range(1, 6)
    ]
    trained = encode_training(whole, crops=5)
    assert (len(trained), trained.split) == (5, "training")
    assert not (trained.images == encoding.images).all()


def test_the_state_in_a_checkpoint_is_that_after_its_own_step(tmp_path: Path) -> None:
    """The batches that were made ahead of a checkpoint are not part of it."""
    run = train(RECIPE, tmp_path / "run", device="cpu", controls=StopsAtTheSixth(), progress=False)
    for step, checkpoint in ((4, "step-00000004"), (6, "step-00000006")):
        state = torch.load(run.path / "checkpoints" / checkpoint / "state.pt", weights_only=True)
        gathered = state["source"]["batches"] - step  # for the start of the codebook, before the first step
        assert gathered == 1


def test_a_source_that_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(RECIPE, tmp_path / "run", device="cpu", controls=StopsAtTheSixth(), progress=False)
    monkeypatch.setattr(NoiseSource, "identity", "coloured noise, version 2")
    with pytest.raises(InputError, match=r"the pictures of noise are no longer those that .*/run was trained on\.\n"):
        resume(run.path, device="cpu", progress=False)


def test_what_a_source_raises_ends_training_with_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(NoiseSource):
        def batch(self, step: int, rows: range) -> Tensor:
            if step == 5:
                raise InputError("shard 7 is damaged: fetch it again")
            return super().batch(step, rows)

    whole = train(RECIPE, tmp_path / "whole", device="cpu", progress=False)
    with monkeypatch.context() as patched:
        patched.setattr(Noise, "open", lambda self, argument, size, seed, split: Broken(size, seed))
        with pytest.raises(InputError, match="shard 7 is damaged"):
            train(RECIPE, tmp_path / "run", device="cpu", progress=False)
    assert RunWriter(tmp_path / "run").finished_steps == 4
    resumed = resume(tmp_path / "run", device="cpu", progress=False)
    assert (resumed.path / "weights.safetensors").read_bytes() == (whole.path / "weights.safetensors").read_bytes()
