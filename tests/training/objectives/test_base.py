"""Tests of the weighted sum of named losses."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.training.objectives.base import weighted_sum


def test_the_sum_is_weighted_and_differentiable() -> None:
    losses = {"l1": torch.tensor(2.0, requires_grad=True), "usage": torch.tensor(10.0, requires_grad=True)}
    total = weighted_sum(losses, {"usage": 0.5, "l1": 3.0})
    assert total.item() == 11
    total.backward()
    assert losses["l1"].grad == 3
    assert losses["usage"].grad == 0.5


@pytest.mark.parametrize(
    "weights", [{"l1": 1.0}, {"l1": 1.0, "usage": 1.0, "lpips": 1.0}, {"l1": 1.0, "usge": 1.0}, {}]
)
def test_a_missing_or_unknown_name_is_an_error_that_names_both_sides(weights: dict[str, float]) -> None:
    with pytest.raises(KeyError, match="usage"):
        weighted_sum({"l1": torch.tensor(1.0), "usage": torch.tensor(1.0)}, weights)
