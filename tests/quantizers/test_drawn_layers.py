"""Tests of layers whose first weights come from a given generator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lgq_explore.quantizers.drawn_layers import conv2d, linear

CASES: dict[str, tuple[Callable[[torch.Generator | None], nn.Module], Callable[[], nn.Module]]] = {
    "linear": (lambda generator: linear(8, 5, generator), lambda: nn.Linear(8, 5)),
    "linear-without-bias": (
        lambda generator: linear(8, 5, generator, bias=False),
        lambda: nn.Linear(8, 5, bias=False),
    ),
    "convolution": (lambda generator: conv2d(3, 6, 3, generator), lambda: nn.Conv2d(3, 6, 3, padding=1)),
    "strided": (
        lambda generator: conv2d(3, 6, 3, generator, stride=2),
        lambda: nn.Conv2d(3, 6, 3, stride=2, padding=1),
    ),
    "pointwise": (lambda generator: conv2d(3, 6, 1, generator), lambda: nn.Conv2d(3, 6, 1)),
}


@pytest.mark.parametrize(("ours", "torchs"), CASES.values(), ids=CASES)
def test_a_seed_gives_what_it_gives_to_torch(
    ours: Callable[[torch.Generator | None], nn.Module], torchs: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(7)
    reference = torchs()
    before = torch.get_rng_state()
    layer = ours(torch.Generator().manual_seed(7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    of_the_global_one = ours(None)

    assert layer.extra_repr() == reference.extra_repr()
    for made in (layer, of_the_global_one):
        assert made.state_dict().keys() == reference.state_dict().keys()
        assert all(torch.equal(made.state_dict()[name], value) for name, value in reference.state_dict().items())
        assert all(weight.requires_grad for weight in made.parameters())
