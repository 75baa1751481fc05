"""Is the soft assignment in tiles the dense one, with its gradients, whatever the tile, the ties and the scale?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import SoftAssignment, soft_assign, soft_assignment

TOKENS, CODES, WIDTH, VALUES = 11, 5, 3, 4
# With 5 codes: one row a tile, two, three (which do not divide 11 rows), four, all.
TILE_ELEMENTS = (1, 10, 17, 20, 2**20)


def dense(q: Tensor, k: Tensor, v: Tensor) -> SoftAssignment:
    """The definition, with all N×K responsibilities at once and autograd's own gradients."""
    logits = q @ k.T
    p = logits.softmax(1)
    return SoftAssignment(p @ v, logits.logsumexp(1), p.square().sum(1), p.mean(0), logits.argmax(1))


def differentiable(assignment: SoftAssignment) -> tuple[Tensor, ...]:
    return assignment.out, assignment.lse, assignment.s2, assignment.usage


def random_inputs(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((TOKENS, WIDTH), (CODES, WIDTH), (CODES, VALUES))
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def gradients(assignment: SoftAssignment, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Of the inputs, for the same random upstream gradient of every output."""
    generator = torch.Generator().manual_seed(1)
    outputs = differentiable(assignment)
    upstream = [torch.randn(output.shape, generator=generator, dtype=torch.float64) for output in outputs]
    return torch.autograd.grad(outputs, inputs, [gradient.to(outputs[0].dtype) for gradient in upstream])


def relative_error(value: Tensor, reference: Tensor) -> float:
    return ((value.double() - reference).norm() / reference.norm()).item()


@pytest.mark.parametrize("tile_elements", TILE_ELEMENTS)
def test_values_and_gradients_are_those_of_the_dense_definition(
    monkeypatch: pytest.MonkeyPatch, tile_elements: int
) -> None:
    monkeypatch.setattr(soft_assignment, "TILE_ELEMENTS", tile_elements)
    inputs = random_inputs()
    tiled, reference = soft_assign(*inputs), dense(*inputs)
    assert torch.equal(tiled.codes, reference.codes)
    for value, expected in zip(differentiable(tiled), differentiable(reference), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-13, atol=1e-14)
    for value, expected in zip(gradients(tiled, inputs), gradients(reference, inputs), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("tile_elements", TILE_ELEMENTS[1:3])
@pytest.mark.parametrize("output", range(4), ids=("out", "lse", "s2", "usage"))
def test_gradients_pass_gradcheck(monkeypatch: pytest.MonkeyPatch, tile_elements: int, output: int) -> None:
    monkeypatch.setattr(soft_assignment, "TILE_ELEMENTS", tile_elements)
    assert torch.autograd.gradcheck(lambda *qkv: differentiable(soft_assign(*qkv))[output], random_inputs())


def test_keys_that_are_values_too_get_both_gradients() -> None:
    q, k, _ = random_inputs()
    shared = gradients(soft_assign(q, k, k), [q, k])
    for value, expected in zip(shared, gradients(dense(q, k, k), [q, k]), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


def test_exact_ties_go_to_the_lowest_index() -> None:
    keys = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 0], [1, 0]])
    tokens = torch.tensor([[2.0, 1], [-1, -1], [1, 1], [0, 0]])
    assert soft_assign(tokens, keys, keys).codes.tolist() == [1, 0, 1, 0]


def test_codes_have_no_gradient() -> None:
    assignment = soft_assign(*random_inputs())
    assert assignment.codes.dtype == torch.int64
    assert not assignment.codes.requires_grad


def test_one_code_takes_all() -> None:
    q, k, v = random_inputs()
    alone = soft_assign(q, k[:1], v[:1])
    torch.testing.assert_close(alone.out, v[:1].expand(TOKENS, -1))
    torch.testing.assert_close(alone.s2, torch.ones(TOKENS, dtype=torch.float64))
    assert alone.usage.tolist() == [1.0]


def test_one_token_is_its_own_usage() -> None:
    q, k, v = random_inputs()
    one = soft_assign(q[:1], k, v)
    torch.testing.assert_close(one.usage, (q[:1] @ k.T).softmax(1)[0])
    torch.testing.assert_close(one.s2[0], one.usage.square().sum())


def test_takes_tensors_that_are_not_contiguous() -> None:
    q, k, v = random_inputs()
    transposed = [tensor.detach().T.contiguous().T.requires_grad_() for tensor in (q, k, v)]
    assert not any(tensor.is_contiguous() for tensor in transposed)
    for value, expected in zip(
        gradients(soft_assign(*transposed), transposed), gradients(dense(q, k, v), [q, k, v]), strict=True
    ):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("temperature", [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0])
def test_float32_keeps_four_digits_at_any_temperature(temperature: float) -> None:
    generator = torch.Generator().manual_seed(2)
    tokens, centres = (torch.randn(rows, 8, generator=generator) for rows in (256, 64))
    keys = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1)
    queries = torch.cat([2 * tokens, -torch.ones(256, 1)], 1) / temperature
    single = [queries.requires_grad_(), keys.requires_grad_(), centres.clone().requires_grad_()]
    double = [tensor.detach().double().requires_grad_() for tensor in single]
    ours, reference = soft_assign(*single), dense(*double)
    assert ours.out.dtype == torch.float32
    for value, expected in zip(differentiable(ours), differentiable(reference), strict=True):
        assert relative_error(value, expected) < 1e-4
    for value, expected in zip(gradients(ours, single), gradients(reference, double), strict=True):
        assert relative_error(value, expected) < 1e-4


@pytest.mark.parametrize("backward_inside", [False, True])
def test_bfloat16_autocast_changes_nothing(backward_inside: bool) -> None:
    q, k, v = inputs = random_inputs(torch.float32)
    expected = gradients(soft_assign(q, k, v), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        assignment = soft_assign(q, k, v)
        values = gradients(assignment, inputs) if backward_inside else ()
    for value, reference in zip(values or gradients(assignment, inputs), expected, strict=True):
        assert torch.equal(value, reference)


def test_half_precision_inputs_are_computed_in_float32() -> None:
    q, k, v = (tensor.detach().bfloat16() for tensor in random_inputs())
    assert soft_assign(q, k, v).lse.dtype == torch.float32


@pytest.mark.parametrize("tile_elements", TILE_ELEMENTS)
def test_tiles_cover_every_row_once_and_hold_no_more_than_they_may(
    monkeypatch: pytest.MonkeyPatch, tile_elements: int
) -> None:
    monkeypatch.setattr(soft_assignment, "TILE_ELEMENTS", tile_elements)
    tiles = [range(TOKENS)[rows] for rows in soft_assignment.row_tiles(TOKENS, CODES)]
    assert [row for tile in tiles for row in tile] == list(range(TOKENS))
    assert all(len(tile) * CODES <= max(tile_elements, CODES) for tile in tiles)
