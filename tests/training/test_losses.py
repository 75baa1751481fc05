"""Is what is minimised the weighted sum of named losses, none of them dropped?"""

from __future__ import annotations

import pytest
import torch

from lgq_explore.models import TokenizerOutput
from lgq_explore.quantizers import QuantizerOutput
from lgq_explore.runs.config import RECONSTRUCTION_LOSSES
from lgq_explore.training.losses import named_losses, weighted_sum


def output_of(reconstruction: torch.Tensor, **losses: float) -> TokenizerOutput:
    named = {name: torch.tensor(value) for name, value in losses.items()}
    coded = QuantizerOutput(torch.zeros(1), torch.zeros(1, dtype=torch.int64), named)
    return TokenizerOutput(reconstruction, torch.zeros(1), coded)


def test_l1_is_the_mean_distance_in_the_models_range() -> None:
    images = torch.zeros(2, 3, 4, 4)
    reconstruction = torch.zeros(2, 3, 4, 4)
    reconstruction[0, 0] = -0.6  # 16 of 96 values
    losses = named_losses(output_of(reconstruction, commitment=3.0), images)
    assert losses["l1"].item() == pytest.approx(0.1)
    assert losses["commitment"].item() == 3
    assert losses.keys() == {*RECONSTRUCTION_LOSSES, "commitment"}


def test_l1_is_taken_in_float32() -> None:
    images = torch.full((1, 3, 2, 2), 1e-3)
    assert named_losses(output_of(torch.zeros(1, 3, 2, 2, dtype=torch.bfloat16)), images)["l1"].dtype == torch.float32


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
