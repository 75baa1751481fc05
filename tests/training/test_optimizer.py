"""Does the optimiser for a few numbers make the steps of torch's own?"""

from __future__ import annotations

import torch

from lgq_explore.training.optimizer import BETAS, AdamOfFew


def parts() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((8, 2), (3,))]


def test_its_steps_are_those_of_adam() -> None:
    (codes, scale), (expected_codes, expected_scale) = parts(), parts()
    few, adam = AdamOfFew([codes, scale]), torch.optim.Adam([expected_codes, expected_scale], betas=BETAS)
    for rate in (0.1, 0.03, 0.02):
        few.step((codes.square() * codes).sum() + scale.square().sum(), rate)
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        ((expected_codes.square() * expected_codes).sum() + expected_scale.square().sum()).backward()
        adam.step()
    torch.testing.assert_close(codes, expected_codes)
    torch.testing.assert_close(scale, expected_scale)
    assert not torch.equal(codes, parts()[0])


def test_what_no_weight_can_lower_moves_none() -> None:
    codes, scale = parts()
    few = AdamOfFew([codes, scale.requires_grad_(False)])
    few.step(scale.sum(), 0.1)
    AdamOfFew([]).step(codes.sum(), 0.1)
    assert torch.equal(codes, parts()[0])
    few.step(codes.sum() + scale.sum(), 0.1)
    assert torch.equal(scale, parts()[1])
    torch.testing.assert_close(codes, parts()[0] - 0.1)
