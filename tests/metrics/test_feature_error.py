"""Tests of the paired error in features, of a network that can be followed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lgq_explore.metrics.feature_error import FeatureError
from lgq_explore.metrics.feature_networks import PICTURES_KEPT, ComputedOnce


class Colours(nn.Module):
    """The mean of each channel, in 0 … 1."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.float().mean(dim=(2, 3)) / 255


def pictures(count: int = 40, seed: int = 0) -> Tensor:
    """[count, 3, 4, 4] in [0, 1], of 8 bits, each of one colour."""
    drawn = torch.randint(256, (count, 3, 1, 1), generator=torch.Generator().manual_seed(seed)) / 255
    return drawn.expand(-1, -1, 4, 4)


def error(images: Tensor, reconstructions: Tensor) -> float:
    metric = FeatureError(Colours)
    metric.update(images, reconstructions)
    value = metric.numbers()["feature_error"]["value"]
    assert isinstance(value, float)
    return value


def test_it_is_the_formula_and_known_at_both_ends() -> None:
    images, others = pictures(), pictures(seed=1)
    colours, found = images[:, :, 0, 0].numpy(), others[:, :, 0, 0].numpy()
    expected = ((colours - found) ** 2).sum(axis=1).mean() / np.trace(np.cov(colours.T, bias=True))
    assert error(images, others) == pytest.approx(expected, rel=1e-5)
    assert error(images, images) == 0
    many = pictures(4000)
    assert error(many, many[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]) == pytest.approx(
        2, rel=0.05
    )


def test_batches_order_and_processes_change_nothing() -> None:
    images, others = pictures(), pictures(seed=1)
    one, other = FeatureError(Colours), FeatureError(Colours)
    one.update(images[30:], others[30:])
    other.update(images[:30].flip(0), others[:30].flip(0))
    one.merge(other)
    assert one.numbers()["feature_error"]["value"] == pytest.approx(error(images, others), rel=1e-9)


def test_where_there_is_no_value_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lgq_explore.metrics.feature_networks.find_spec", lambda name: None)
    absent, single, flat = FeatureError(), FeatureError(Colours), FeatureError(Colours)
    single.update(pictures(1), pictures(1))
    flat.update(torch.zeros(3, 3, 4, 4), torch.ones(3, 3, 4, 4))
    for metric, why in ((absent, "not installed"), (single, "at least 2"), (flat, "do not vary")):
        result = metric.numbers()["feature_error"]
        assert result["value"] is None
        assert why in result["why"]


def test_a_shared_network_runs_once_on_a_batch_and_forgets_old_ones() -> None:
    class Counted(Colours):
        num_features, calls = 3, 0

        def forward(self, pictures: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(pictures)

    network = Counted()
    shared = ComputedOnce(network)
    batches = [torch.full((2, 3, 4, 4), number, dtype=torch.uint8) for number in range(PICTURES_KEPT + 1)]
    for batch in (*batches, *batches[1:]):
        assert torch.equal(shared(batch.clone()), Colours()(batch))
    assert network.calls == PICTURES_KEPT + 1
    shared(batches[0])
    assert network.calls == PICTURES_KEPT + 2
    assert shared(batches[1][:1]).shape == (1, 3)
