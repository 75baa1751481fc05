"""Tests of the value ranges of pictures."""

from __future__ import annotations

import torch

from lgq_explore.images.ranges import to_model_range, to_uint8, to_unit_range


def test_ranges_round_trip() -> None:
    every_value = torch.arange(256, dtype=torch.uint8)
    model = to_model_range(every_value)
    assert model.dtype == torch.float32
    assert (model.min().item(), model.max().item()) == (-1, 1)
    assert torch.equal(to_uint8(model), every_value)
    torch.testing.assert_close(to_unit_range(model), every_value / 255)
    outside = torch.tensor([-1.5, 1.5])
    assert to_unit_range(outside).tolist() == [0, 1]
    assert to_uint8(outside).tolist() == [0, 255]
    assert to_uint8(torch.tensor([0.5], dtype=torch.bfloat16)).tolist() == [191]
