"""Tests of the average of weights: its closed form, and runs that keep, evaluate and resume it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import VQConfig
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.training.step.weight_average import WeightAverage
from tests.training.objectives.planted import PLAIN
from tests.training.objectives.test_gan import PENALTIES, recipe
from tests.training.objectives.test_learned import StopsBefore

DECAY = 0.7
RECIPE = replace(PLAIN, ema_decay=DECAY, steps=6)


def closed_form(weights: list[Tensor], decay: float) -> Tensor:
    """The mean with the weights dⁿ⁻ᵏ, in float64."""
    shares = [decay ** (len(weights) - 1 - step) for step in range(len(weights))]
    return sum(share * each.double() for share, each in zip(shares, weights, strict=True)) / sum(shares)


def counting_tokenizer() -> Tokenizer:
    """A tokenizer of numbers alone, with a buffer of each kind."""
    parts = [nn.Linear(2, 2) for _ in range(3)]
    parts[1].register_buffer("codes", torch.zeros(3))
    parts[1].register_buffer("seen", torch.tensor(0))
    return Tokenizer(*parts)


def files_of(run: Run, step: int) -> dict[str, dict[str, Tensor]]:
    folder = run.path / "checkpoints" / f"step-{step:08d}"
    return {path.stem: load_file(path) for path in folder.glob("*.safetensors")}


def test_after_n_steps_it_is_the_closed_form_and_holds_nothing_of_the_first_weights() -> None:
    tokenizer, generator = counting_tokenizer(), torch.Generator().manual_seed(0)
    average = WeightAverage(tokenizer, 0.9)
    kept: dict[str, list[Tensor]] = {name: [] for name in tokenizer.state_dict()}
    for step in range(1, 31):
        for name, tensor in tokenizer.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            else:
                tensor.fill_(step)
            kept[name].append(tensor.clone())
        average.update(tokenizer, step)
        if step == 1:
            assert all(torch.equal(average.weights[name], tensors[0]) for name, tensors in kept.items())
    assert average.weights.pop("quantizer.seen") == 30
    for name, tensor in average.weights.items():
        torch.testing.assert_close(tensor.double(), closed_form(kept[name], 0.9), rtol=1e-5, atol=1e-6)


def test_what_does_not_change_stays_to_the_bit() -> None:
    tokenizer = counting_tokenizer()
    average = WeightAverage(tokenizer, 0.999)
    for step in range(1, 200):
        average.update(tokenizer, step)
    assert all(torch.equal(average.weights[name], tensor) for name, tensor in tokenizer.state_dict().items())


@pytest.mark.parametrize("quantizer", [PLAIN.quantizer, VQConfig(32, decay=0.5)])
def test_a_run_publishes_the_average_of_its_weights_and_keeps_both(tmp_path: Path, quantizer: object) -> None:
    kept: list[dict[str, Tensor]] = []

    def keep(event: LogEvent) -> None:
        kept.append({name: tensor.clone() for name, tensor in event.tokenizer.state_dict().items()})

    config = replace(RECIPE, quantizer=quantizer, loss_weights={})
    run = train(config, tmp_path / "run", device="cpu", on_log=keep, progress=False)
    found, files = run.tokenizer().state_dict(), files_of(run, 6)
    for name, tensor in found.items():
        assert torch.equal(files["weights"][name], kept[-1][name]), name
        assert torch.equal(files["ema"][name], tensor), name
        if tensor.is_floating_point():
            expected = closed_form([weights[name] for weights in kept], DECAY)
            torch.testing.assert_close(tensor.double(), expected, rtol=1e-4, atol=1e-6)


def test_training_itself_does_not_depend_on_the_average(tmp_path: Path) -> None:
    with_average = train(RECIPE, tmp_path / "ema", device="cpu", progress=False)
    without = train(replace(RECIPE, ema_decay=0.0), tmp_path / "last", device="cpu", progress=False)
    assert set(files_of(without, 6)) == {"weights"}
    last, expected = files_of(with_average, 6)["weights"], files_of(without, 6)["weights"]
    assert all(torch.equal(last[name], tensor) for name, tensor in expected.items())
    assert with_average.history()["loss"].equals(without.history()["loss"])
    for run, kind in ((with_average, "ema"), (without, "last")):
        assert (run.kind_of_weights, evaluate(run, crops=4)["weights"]) == (kind, kind)


@pytest.mark.parametrize("stopped_before", [5, 11])
@pytest.mark.slow
def test_a_run_with_all_of_a_vqgan_is_stopped_and_goes_on_to_the_same_weights(
    tmp_path: Path, stopped_before: int
) -> None:
    config = replace(recipe(**PENALTIES), ema_decay=DECAY)
    whole = train(config, tmp_path / "whole", device="cpu", progress=False)
    stopped = train(config, tmp_path / "run", device="cpu", controls=StopsBefore(stopped_before), progress=False)
    assert stopped.finished_steps == stopped_before
    # As if the process had been killed between the checkpoint and the run's weights.
    (stopped.path / "weights.safetensors").unlink()
    resumed = resume(stopped.path, device="cpu", progress=False)
    for name in ("weights.safetensors", f"checkpoints/step-{config.steps:08d}/weights.safetensors"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_checkpoint_without_its_average_is_none(tmp_path: Path) -> None:
    run = train(RECIPE, tmp_path / "run", device="cpu", controls=StopsBefore(5), progress=False)
    (run.path / "checkpoints" / "step-00000005" / "ema.safetensors").unlink()
    assert run.newest_checkpoint() == run.path / "checkpoints" / "step-00000004"


def test_a_damaged_average_is_told(tmp_path: Path) -> None:
    run = train(RECIPE, tmp_path / "run", device="cpu", controls=StopsBefore(5), progress=False)
    (run.path / "checkpoints" / "step-00000005" / "ema.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="step-00000005 can't be read"):
        resume(run.path, device="cpu", progress=False)
