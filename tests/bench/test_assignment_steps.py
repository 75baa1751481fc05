"""Tests of the training steps whose cost is compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lgq_explore.bench.assignment_steps import (
    LARGEST_LOGIT_RANGE,
    LIBRARY_ARGUMENTS,
    AssignmentCase,
    Coded,
    DenseLGQ,
    LibraryQuantizer,
    PackageLGQ,
    TrainingStep,
    measure_case,
    measure_floor,
    scale_without_subnormals,
)
from lgq_explore.quantizers import LGQConfig
from lgq_explore.training.objectives.base import weighted_sum

TOKENS, CODES, DIM = 96, 160, 5


@dataclass(frozen=True)
class Step:
    """All that a step of LGQ gives, by name."""

    values: dict[str, Tensor]


def step_of(quantizer: nn.Module, centres: nn.Parameter, dtype: torch.dtype) -> Step:
    tokens = torch.randn(TOKENS, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tokens = tokens.to(dtype).requires_grad_()
    coded: Coded = quantizer(tokens)
    upstream = torch.linspace(-1, 1, TOKENS * DIM, dtype=dtype).reshape(TOKENS, DIM)
    # Each loss by a weight of its own, so that a gradient of one cannot make up for that of another.
    loss = (coded.vectors * upstream).mean() + weighted_sum(
        coded.losses, {"quantization": 1.0, "peakedness": 0.3, "usage": 0.07}
    )
    loss.backward()
    assert tokens.grad is not None
    assert centres.grad is not None
    return Step({"vectors": coded.vectors, "tokens": tokens.grad, "centres": centres.grad, **coded.losses})


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.1])
def test_dense_and_our_lgq_agree_in_values_and_gradients(
    temperature: float, dtype: torch.dtype, tolerance: float
) -> None:
    centres = torch.randn(CODES, DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype)
    dense, ours = DenseLGQ(centres.clone(), temperature), PackageLGQ(centres.clone(), temperature, drop=0.0)
    expected = step_of(dense, dense.centres, dtype).values
    computed = step_of(ours, ours.quantizer.centres, dtype).values
    assert computed.keys() == expected.keys() == {"vectors", "tokens", "centres", *LGQConfig.default_loss_weights}
    for name, value in expected.items():
        assert computed[name].dtype == dtype
        error = (computed[name] - value).abs().max() / value.abs().max()
        assert error < tolerance, name


def test_the_threshold_is_the_quantizer_s() -> None:
    assert PackageLGQ(torch.randn(8, 3), 1.0, drop=1e-9).quantizer.config.drop == 1e-9


@pytest.mark.parametrize("method", LIBRARY_ARGUMENTS)
def test_what_is_the_library_s_gives_vectors_with_gradients_and_its_losses(method: str) -> None:
    torch.manual_seed(0)
    quantizer = LibraryQuantizer(method, codes=64, dim=4)
    tokens = torch.randn(20, 4, requires_grad=True)
    coded = quantizer(tokens)
    (coded.vectors.square().mean() + coded.losses["library"]).backward()
    assert coded.vectors.shape == (20, 4)
    assert tokens.grad is not None
    assert tokens.grad.abs().sum() > 0
    assert (coded.losses["library"] > 0) == (method != "FSQ")


def test_without_subnormals_is_within_the_range_and_no_narrower() -> None:
    tokens, centres = torch.randn(50, 8), torch.randn(3000, 8)
    for temperature in (0.01, 0.1):
        scale = scale_without_subnormals(tokens, centres, temperature)
        logits = -torch.cdist(scale * tokens, scale * centres).square() / temperature
        assert (logits.amax(1) - logits.amin(1)).max().item() == pytest.approx(LARGEST_LOGIT_RANGE, rel=1e-4)
        assert logits.softmax(1).min() > torch.finfo(torch.float32).tiny
    assert scale_without_subnormals(tokens, centres, 100.0) == 1.0
    assert scale_without_subnormals(tokens, tokens[:1].expand(2, 8), 1.0) == 1.0


@pytest.mark.parametrize("method", ["dense", "lgq"])
def test_a_step_is_made_with_so_many_tokens_and_leaves_its_own_gradient_only(method: str) -> None:
    step = TrainingStep.of(AssignmentCase(method, 40, 16, 4, temperature=0.5))
    gradients = []
    for count in (40, 8, 40):
        step(count)
        gradients += [weight.grad.clone() for weight in step.quantizer.parameters() if weight.grad is not None]
    everything, a_few, again = gradients
    assert torch.equal(everything, again)
    assert not torch.allclose(everything, a_few)


def test_dense_and_our_lgq_are_measured_on_the_same_data() -> None:
    cases = [AssignmentCase(method, 40, 300, 4, temperature=0.01, subnormals=False) for method in ("dense", "lgq")]
    dense, ours = map(TrainingStep.of, cases)
    assert torch.equal(dense.tokens, ours.tokens)
    assert torch.equal(*(next(step.quantizer.parameters()) for step in (dense, ours)))
    logits = -torch.cdist(dense.tokens, dense.quantizer.centres).square() / 0.01
    assert (logits.amax(1) - logits.amin(1)).max().item() == pytest.approx(LARGEST_LOGIT_RANGE, rel=1e-4)


def test_measuring_gives_time_and_memory_as_json() -> None:
    case = {"method": "lgq", "tokens": 32, "codes": 16, "dim": 4, "temperature": 1.0}
    assert measure_case(case).keys() == {"seconds", "megabytes"}
    assert 0 < measure_floor({"dim": 4, "steps": 1})["ns_per_pair"] < math.inf
