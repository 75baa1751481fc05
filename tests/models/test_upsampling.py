"""Tests of the convolution of pictures of twice the resolution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.models.upsampling import UpsampledConvolution, upsampled_kernel
from lgq_explore.quantizers.drawn_layers import conv2d


def by_definition(x: Tensor, layer: UpsampledConvolution) -> Tensor:
    enlarged = functional.interpolate(x, scale_factor=2, mode="nearest")
    return functional.conv2d(enlarged, layer.weight, layer.bias, padding=1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(4, 6), (1, 3), (1, 1)])
def test_values_and_gradients_are_those_of_upsampling_and_a_convolution(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = UpsampledConvolution(3, 5, generator).double().to(memory_format=layout)
    pictures = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64).to(memory_format=layout)
    upstream = torch.randn(2, 5, 2 * size[0], 2 * size[1], generator=generator, dtype=torch.float64)
    found = []
    for form in (layer.forward, lambda x: by_definition(x, layer)):
        x = pictures.clone().requires_grad_()
        values = form(x)
        found.append((values, *torch.autograd.grad(values, (x, *layer.parameters()), upstream)))
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def test_the_kernel_holds_the_sums_of_weights_that_meet_one_pixel() -> None:
    """Along one axis (1, 10, 100) becomes (100, 110, 11, 1), and along two the product of both."""
    line = torch.tensor([1.0, 10.0, 100.0])
    sums = torch.tensor([100.0, 110.0, 11.0, 1.0])
    torch.testing.assert_close(
        upsampled_kernel(torch.outer(line, line)[None, None]), torch.outer(sums, sums)[None, None]
    )


def test_weights_are_those_of_a_convolution() -> None:
    """Names, shapes and draws, so that weights of runs that enlarged pictures before are read as they are."""
    layer, convolution = (
        build(3, 5, generator=torch.Generator().manual_seed(1)) for build in (UpsampledConvolution, _three_by_three)
    )
    weights, expected = layer.state_dict(), convolution.state_dict()
    assert list(weights) == list(expected)
    assert all(torch.equal(weights[name], expected[name]) for name in weights)


def _three_by_three(inputs: int, outputs: int, generator: torch.Generator) -> torch.nn.Conv2d:
    return conv2d(inputs, outputs, 3, generator)


def test_weights_are_added_in_their_own_precision_under_autocast() -> None:
    layer = UpsampledConvolution(2, 3, torch.Generator().manual_seed(0))
    expected = upsampled_kernel(layer.weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(upsampled_kernel(layer.weight), expected)
        assert layer(torch.ones(1, 2, 2, 2)).dtype == torch.bfloat16
