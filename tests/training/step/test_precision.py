"""Tests of the precision plugins: gradients may be taken by autograd."""

from __future__ import annotations

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from lgq_explore.training.step.precision import precision_plugin


def gradient(fabric: Fabric) -> torch.Tensor:
    network = fabric.setup(nn.Linear(2, 1))
    made = network(torch.ones(3, 2))
    return torch.autograd.grad(made.sum(), network.weight)[0]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_taken_without_fabrics_backward(precision: str) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[precision_plugin(precision, "cpu")])
    assert fabric.strategy.precision.precision == precision
    assert gradient(fabric).tolist() == [[3.0, 3.0]]


def test_fabrics_own_mixed_precision_refuses_that() -> None:
    with pytest.raises(RuntimeError, match=r"fabric\.backward"):
        gradient(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"))
