"""Tests of every method on a GPU against the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lgq_explore.contract.method import DIM, Method, clear_positions, random_latents
from tests.contract.configs import CONFIGS

pytestmark = pytest.mark.gpu


@pytest.fixture(params=CONFIGS, ids=lambda config: config.method)
def method(request: pytest.FixtureRequest) -> Method:
    return Method(request.param)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_gpu_gives_the_codes_of_the_cpu_where_margins_allow(method: Method, precision: torch.dtype) -> None:
    quantizer, latents = method.built().eval(), random_latents(40)
    codes, clear = quantizer(latents).codes, clear_positions(quantizer, latents)
    quantizer.cuda()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
        coded = quantizer(latents.cuda())
        assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)
    assert torch.equal(coded.codes.cpu()[clear], codes[clear])


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_gpu_gives_the_losses_and_gradients_of_the_cpu(method: Method, precision: torch.dtype) -> None:
    """Under bfloat16 autocast too, in which a quantizer computes in float32."""
    latents = random_latents(40)
    clear = clear_positions(method.built().eval(), latents).all(1, keepdim=True)
    upstream = torch.where(clear, random_latents(40, seed=2), 0.0)

    def step(device: str) -> tuple[dict[str, Tensor], Tensor]:
        quantizer, leaf = method.built().to(device), latents.to(device).requires_grad_()
        with torch.autocast(device, torch.bfloat16, enabled=precision == torch.bfloat16):
            coded = quantizer(leaf)
        ((coded.quantized * upstream.to(device)).sum() + sum(coded.losses.values())).backward()
        return {name: loss.detach().cpu() for name, loss in coded.losses.items()}, leaf.grad.cpu()

    (losses, gradient), (expected, reference) = step("cuda"), step("cpu")
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient * clear, reference * clear, rtol=1e-3, atol=1e-4)


def test_no_such_tensor_is_made_on_a_gpu(method: Method) -> None:
    quantizer = method.built(4096, tokens=torch.randn(4096, DIM)).cuda()
    latents = random_latents(16, DIM, 64, 64).cuda()  # 65,536 tokens: N×K would be 1 GiB
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    coded = quantizer(latents.requires_grad_())
    (coded.quantized.square().sum() + sum(coded.losses.values())).backward()
    assert torch.cuda.max_memory_allocated() - before < 2**28
