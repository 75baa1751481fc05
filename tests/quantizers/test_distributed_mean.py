"""Tests of quantizer gradients, noise and counts in two processes that share a batch."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from lgq_explore.quantizers import (
    DiVeQConfig,
    GumbelConfig,
    LGQConfig,
    QuantizerConfig,
    SoftToHardConfig,
    SQVAEConfig,
    TemperatureSchedule,
)
from lgq_explore.quantizers.distributed_mean import mean_over_processes, world_size
from lgq_explore.quantizers.usage_regularizers import USAGE_FORMS

pytestmark = pytest.mark.slow

RANKS, IMAGES, DIM, SIDE = 2, 6, 4, 5
LOSS_WEIGHTS = {"quantization": 1.0, "peakedness": 0.3, "usage": 0.7}
STEPS = 4
SHARED: dict[str, QuantizerConfig] = {
    "soft-to-hard": SoftToHardConfig(32),
    "sq-vae": SQVAEConfig(32),
    "gumbel": GumbelConfig(32),
    "diveq": DiVeQConfig(32, replacement_steps=2, replace_below=0.9),
}
"""Methods that draw noise for each token of the batch, or count the codes that it uses."""


def quantizer_gradients(usage_form: str, rank: int | None = None) -> dict[str, Tensor]:
    """Of the centres, of the norm's weight and of the latents this process has: all, or a rank's share of them."""
    torch.manual_seed(0)
    module: torch.nn.Module = LGQConfig(32, usage_form=usage_form).build(DIM).double()
    latents = torch.randn(IMAGES, DIM, SIDE, SIDE, dtype=torch.float64)
    direction = torch.randn(latents.shape, dtype=torch.float64)
    if rank is not None:
        module = DistributedDataParallel(module)
        latents, direction = (tensor.chunk(RANKS)[rank].clone() for tensor in (latents, direction))
    latents.requires_grad_()
    coded = module(latents)
    loss = (coded.quantized * direction).mean() + sum(LOSS_WEIGHTS[name] * coded.losses[name] for name in LOSS_WEIGHTS)
    loss.backward()
    gradients = {name.removeprefix("module."): weight.grad for name, weight in module.named_parameters()}
    return {**gradients, "latents": latents.grad, "usage": coded.losses["usage"].detach()}


def state_after_steps(method: str, rank: int | None = None) -> dict[str, Tensor]:
    """Weights and buffers after steps against the gradient, of all images or a rank's share of them."""
    quantizer = SHARED[method].build(DIM, torch.Generator().manual_seed(0)).double()
    latents = torch.randn(IMAGES, DIM, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    module = quantizer if rank is None else DistributedDataParallel(quantizer)
    latents = latents if rank is None else latents.chunk(RANKS)[rank]
    for _ in range(STEPS):
        coded = module(latents)
        loss = (coded.quantized - latents).square().mean() + 0.1 * sum(coded.losses.values())
        module.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in module.parameters():
                weight -= weight.grad
    return quantizer.state_dict()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    """What two processes answer that meet at a file and talk over the loopback device."""
    folder = tmp_path_factory.mktemp("ranks")
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(folder)]
    processes = [subprocess.Popen([*command, str(rank)], env=environment) for rank in range(RANKS)]
    assert [process.wait(timeout=300) for process in processes] == [0] * RANKS
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize("usage_form", USAGE_FORMS)
def test_two_processes_have_the_gradients_of_one_with_the_whole_batch(
    answers: list[dict[str, dict[str, Tensor]]], usage_form: str
) -> None:
    first, second = (answer[usage_form] for answer in answers)
    whole = quantizer_gradients(usage_form)
    for name in ("centres", "norm.weight", "norm.bias", "usage"):
        torch.testing.assert_close(first[name], whole[name], rtol=1e-12, atol=1e-14)
        assert torch.equal(first[name], second[name])
    # A rank's latents feel its own loss, of which the whole is the mean.
    latents = torch.cat([first["latents"], second["latents"]]) / RANKS
    torch.testing.assert_close(latents, whole["latents"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", SHARED)
def test_two_processes_train_to_the_weights_of_one_with_the_whole_batch(
    answers: list[dict[str, dict[str, Tensor]]], method: str
) -> None:
    whole = state_after_steps(method)
    for answer in answers:
        assert answer[method].keys() == whole.keys()
        for name, weight in whole.items():
            torch.testing.assert_close(answer[method][name], weight, rtol=1e-9, atol=1e-12, msg=name)


def test_the_gradient_of_the_mean_is_the_mean_of_the_gradients(answers: list[dict[str, dict[str, Tensor]]]) -> None:
    for answer in answers:
        assert answer["mean"]["mean"].tolist() == [0.5, 5.0]
        assert answer["mean"]["gradient"].tolist() == [1.5, 1.5]  # of 1 in the first process and 2 in the second


def test_two_processes_solve_and_revive_as_one_does(answers: list[dict[str, dict[str, Tensor]]]) -> None:
    alone = solved_and_revived()
    for answer in answers:
        for name, value in alone.items():
            torch.testing.assert_close(answer["followed"][name], value, rtol=1e-9, atol=1e-12)


def test_alone_the_mean_is_the_tensor_itself() -> None:
    tensor = torch.ones(3, requires_grad=True)
    assert world_size() == 1
    assert mean_over_processes(tensor) is tensor


def mean_and_gradient(rank: int) -> dict[str, Tensor]:
    """Of [rank, 10 rank], where the first process weighs the mean by 1 and the second by 2."""
    tensor = torch.tensor([1.0, 10.0]).mul(rank).requires_grad_()
    mean = mean_over_processes(tensor)
    (mean * (rank + 1)).sum().backward()
    return {"mean": mean.detach(), "gradient": tensor.grad}


def solved_and_revived(rank: int | None = None) -> dict[str, Tensor]:
    """The temperature by likelihood, and centres, most of which are dead, after steps without a gradient."""
    schedule = TemperatureSchedule(1.0, 1.0, "constant", "likelihood")
    config = LGQConfig(32, schedule, norm="none", learned_prior=True, revival=0.7)
    quantizer = config.build(DIM, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        quantizer.centres[4:] += 100
    quantizer.revival.shares[4:] = 0
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        latents = torch.randn(IMAGES, DIM, SIDE, SIDE, generator=generator, dtype=torch.float64)
        quantizer(latents if rank is None else latents.chunk(RANKS)[rank])
    temperature = torch.tensor(quantizer.temperature, dtype=torch.float64)
    return {"centres": quantizer.centres.detach(), "temperature": temperature, "prior": quantizer.components.prior}


def main(folder: Path, rank: int) -> None:
    """One of the processes."""
    meeting, patience = f"file://{folder / 'meeting'}", timedelta(minutes=2)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=RANKS, timeout=patience)
    answers = {form: quantizer_gradients(form, rank) for form in USAGE_FORMS}
    answers["followed"] = solved_and_revived(rank)
    trained = {method: state_after_steps(method, rank) for method in SHARED}
    torch.save({**answers, **trained, "mean": mean_and_gradient(rank)}, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
