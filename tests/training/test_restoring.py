"""Tests of restoring a trainer's state from a checkpoint."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lgq_explore.training.restoring import RestoredProgress, load_optimizer
from lgq_explore.training.window import StepTrace, StepWindow

CPU = torch.device("cpu")

REFUSED = (KeyError, TypeError, ValueError, AttributeError, RuntimeError)
PROGRESS = {"step": 9, "seconds": 1.5, "override": None}


def optimizer(steps: int = 0) -> torch.optim.Optimizer:
    torch_parameters = [torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(3))]
    made = torch.optim.AdamW(torch_parameters, lr=0.1, betas=(0.9, 0.95), weight_decay=1e-4)
    for step in range(steps):
        for parameter in torch_parameters:
            parameter.grad = torch.full_like(parameter, step + 1.0)
        made.step()
    return made


def test_progress_is_read() -> None:
    assert RestoredProgress.read(PROGRESS, 9) == RestoredProgress(9, 1.5, None)
    assert RestoredProgress.read({**PROGRESS, "override": 0.5, "other": 1}, 9).held_temperature == 0.5
    assert RestoredProgress.read({**PROGRESS, "joules": {"gpu_joules": 2.5}}, 9).joules == {"gpu_joules": 2.5}


@pytest.mark.parametrize(
    "change",
    [
        {"step": 3},
        {"step": 10**9},
        {"step": 9.0},
        {"seconds": None},
        {"seconds": math.nan},
        {"seconds": -1.0},
        {"override": 0.0},
        {"override": "0.5"},
        {"joules": {"gpu_joules": math.nan}},
        {"joules": {"gpu_joules": -1.0}},
        {"joules": {"gpu_joules": "many"}},
        {"joules": 5.0},
    ],
)
def test_progress_of_another_step_or_kind_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(REFUSED):
        RestoredProgress.read({**PROGRESS, **change}, 9)


@pytest.mark.parametrize("name", PROGRESS)
def test_progress_that_lacks_something_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        RestoredProgress.read({key: value for key, value in PROGRESS.items() if key != name}, 9)


def test_moments_are_taken_over() -> None:
    trained, fresh = optimizer(steps=2), optimizer()
    load_optimizer(fresh, copy.deepcopy(trained.state_dict()))
    for number, moments in trained.state_dict()["state"].items():
        for name, moment in moments.items():
            assert torch.equal(fresh.state_dict()["state"][number][name], moment)


def lack(state: dict[str, Any], name: str) -> None:
    del state["state"][0][name]


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a moment of another shape": lambda state: state["state"][0].update(exp_avg=torch.zeros(3)),
    "a moment that is broadcast": lambda state: state["state"][0].update(exp_avg=torch.zeros(1, 3)),
    "a moment that is a number": lambda state: state["state"][1].update(exp_avg_sq=0.5),
    "one moment too few": lambda state: lack(state, "exp_avg_sq"),
    "no step": lambda state: lack(state, "step"),
    "another decay": lambda state: state["param_groups"][0].update(weight_decay=0.5),
    "no betas": lambda state: state["param_groups"][0].pop("betas"),
    "no groups": lambda state: state.update(param_groups=[]),
    "no state": lambda state: state.pop("state"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_moments_that_do_not_fit_are_refused(change: Callable[[dict[str, Any]], object]) -> None:
    state = copy.deepcopy(optimizer(steps=2).state_dict())
    change(state)
    with pytest.raises(REFUSED):
        load_optimizer(optimizer(), state)


def test_moments_of_another_optimiser_have_their_parameters_shape() -> None:
    def momentum(size: int, steps: int = 0) -> torch.optim.SGD:
        parameter = torch.nn.Parameter(torch.ones(size))
        made = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
        for _ in range(steps):
            parameter.grad = torch.ones(size)
            made.step()
        return made

    trained, fresh = momentum(3, steps=2), momentum(3)
    load_optimizer(fresh, copy.deepcopy(trained.state_dict()))
    assert fresh.state_dict()["state"][0]["momentum_buffer"].tolist() == pytest.approx([1.9] * 3)
    with pytest.raises(ValueError, match=r"momentum_buffer has the shape \(3,\), not \(2,\)"):
        load_optimizer(momentum(2), trained.state_dict())


@pytest.mark.parametrize(
    "trace",
    [
        {"codes": 1},
        {"codes": torch.tensor([[[0, 4]]]), "images": 1, "seconds": 0.1},
        {"codes": torch.tensor([0, 3]), "images": 1, "seconds": 0.1},
        {"codes": torch.tensor([[[-1]]]), "images": 1, "seconds": 0.1},
        {"codes": torch.tensor([[[0.5]]]), "images": 1, "seconds": 0.1},
        {"codes": torch.tensor([[[0]]]), "images": 0, "seconds": 0.1},
        {"codes": torch.tensor([[[0]]]), "images": 1, "seconds": math.nan},
        {"codes": torch.tensor([[[0]]]), "images": 1, "seconds": 0.0},
    ],
)
def test_a_window_that_does_not_fit_is_refused(trace: dict[str, Any]) -> None:
    window = StepWindow(2, levels=(4,))
    window.load([vars(StepTrace(torch.tensor([[[0, 3]]]), 1, 0.1))], CPU)
    assert window.counts().usage().active_codes == 2
    with pytest.raises(REFUSED):
        window.load([trace], CPU)
