"""Tests of the soft assignment and its gradients, by every backend and in every tiling."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import SoftAssignment, soft_assign
from lgq_explore.quantizers.soft_assignment import autograd, sparse, tiled, tiles

TOKENS, CODES, WIDTH, VALUES = 11, 5, 3, 4
BACKENDS = ("dense", "tiled")
# (tile, strip, fewest rows) for 11 tokens and 5 codes. Rows alone: one, two, three (which do not divide 11), all.
ROW_TILINGS = ((5, 5, 1), (10, 10, 1), (17, 17, 1), (2**20, 2**22, 64))
# Rows and columns: 1×1, 2×2 and 3×2 (which divide neither), 11×4.
COLUMN_TILINGS = ((1, 5, 1), (4, 12, 2), (6, 15, 3), (44, 55, 11))
TILINGS = ROW_TILINGS + COLUMN_TILINGS
OUTPUTS = ("out", "lse", "s2", "usage")


def definition(q: Tensor, k: Tensor, v: Tensor, drop: float = 0.0) -> SoftAssignment:
    """All N×K responsibilities at once, and autograd's own gradients."""
    logits = q @ k.T
    kept = (logits - logits.max(1, keepdim=True).values).exp() >= drop
    p = logits.masked_fill(~kept, -torch.inf).softmax(1)
    lse = logits.masked_fill(~kept, -torch.inf).logsumexp(1)
    return SoftAssignment(p @ v, lse, p.square().sum(1), p.mean(0), logits.argmax(1))


def differentiable(assignment: SoftAssignment) -> tuple[Tensor, ...]:
    return tuple(getattr(assignment, name) for name in OUTPUTS)


def random_inputs(
    dtype: torch.dtype = torch.float64, seed: int = 0, tokens: int = TOKENS, codes: int = CODES, width: int = WIDTH
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((tokens, width), (codes, width), (codes, VALUES))
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def gradients(assignment: SoftAssignment, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Of the inputs, for the same random upstream gradient of every output."""
    generator = torch.Generator().manual_seed(1)
    outputs = differentiable(assignment)
    upstream = [torch.randn(output.shape, generator=generator, dtype=torch.float64) for output in outputs]
    return torch.autograd.grad(outputs, inputs, [gradient.to(outputs[0].dtype) for gradient in upstream])


def relative_error(value: Tensor, reference: Tensor) -> float:
    return ((value.double() - reference).norm() / reference.norm()).item()


def tokens_and_codes(tokens: int, codes: int, dim: int, offset: float = 0.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    z, c = (torch.randn(rows, dim, generator=generator) + offset for rows in (tokens, codes))
    return z, c


def keys_and_queries(z: Tensor, c: Tensor, temperature: Tensor | float) -> tuple[Tensor, Tensor]:
    """Of LGQ: q kᵀ = −(d² − |z|²)/τ."""
    queries = torch.cat([2 * z, -torch.ones_like(z[:, :1])], 1) / temperature
    return queries, torch.cat([c, c.square().sum(1, keepdim=True)], 1)


@pytest.fixture(params=TILINGS, ids=str)
def tiling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    tile, strip, fewest = request.param
    monkeypatch.setitem(tiles.TILE_ELEMENTS, "cpu", tile)
    monkeypatch.setitem(tiles.STRIP_ELEMENTS, "cpu", strip)
    monkeypatch.setattr(tiles, "FEWEST_ROWS", fewest)


# The definition


@pytest.mark.usefixtures("tiling")
def test_tiles_give_the_values_and_gradients_of_the_definition() -> None:
    inputs = random_inputs()
    tiled, reference = soft_assign(*inputs, backend="tiled"), definition(*inputs)
    assert torch.equal(tiled.codes, reference.codes)
    for value, expected in zip(differentiable(tiled), differentiable(reference), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-13, atol=1e-14)
    for value, expected in zip(gradients(tiled, inputs), gradients(reference, inputs), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


def test_dense_gives_the_values_and_gradients_of_the_definition() -> None:
    inputs = random_inputs()
    dense, reference = soft_assign(*inputs, backend="dense"), definition(*inputs)
    assert torch.equal(dense.codes, reference.codes)
    for value, expected in zip(gradients(dense, inputs), gradients(reference, inputs), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("tiling")
@pytest.mark.parametrize("output", OUTPUTS)
def test_gradients_pass_gradcheck(output: str) -> None:
    def chosen(*qkv: Tensor) -> Tensor:
        return getattr(soft_assign(*qkv, backend="tiled"), output)

    assert torch.autograd.gradcheck(chosen, random_inputs())


@pytest.mark.usefixtures("tiling")
def test_entropy_and_the_temperature_pass_gradcheck() -> None:
    """H = lse − q·out where v = k: a composition, through which the temperature's gradient goes twice."""
    z, c = (tensor.double().requires_grad_() for tensor in tokens_and_codes(TOKENS, CODES, 2))
    temperature = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def entropy(z: Tensor, c: Tensor, temperature: Tensor) -> Tensor:
        queries, keys = keys_and_queries(z, c, temperature)
        assignment = soft_assign(queries, keys, keys, backend="tiled")
        return assignment.lse - (queries * assignment.out).sum(1)

    p = definition(*(queries_keys := keys_and_queries(z, c, temperature)), torch.eye(CODES, dtype=torch.float64)).out
    assert queries_keys[0].shape == (TOKENS, 3)
    torch.testing.assert_close(entropy(z, c, temperature), -(p * p.log()).sum(1))
    assert torch.autograd.gradcheck(entropy, (z, c, temperature))


def test_keys_that_are_values_too_get_both_gradients() -> None:
    q, k, _ = random_inputs()
    shared = gradients(soft_assign(q, k, k, backend="tiled"), [q, k])
    for value, expected in zip(shared, gradients(definition(q, k, k), [q, k]), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_that_nobody_uses_cost_no_gradient(backend: str) -> None:
    inputs = random_inputs()
    (value,) = torch.autograd.grad(soft_assign(*inputs, backend=backend).s2.sum(), inputs[:1])
    (expected,) = torch.autograd.grad(definition(*inputs).s2.sum(), inputs[:1])
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


# Codes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("repeats", [1, 100])
def test_exact_ties_go_to_the_lowest_index(backend: str, repeats: int) -> None:
    keys = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 0], [1, 0]]).repeat(repeats, 1)
    tokens = torch.tensor([[2.0, 1], [-1, -1], [1, 1], [0, 0]])
    assert soft_assign(tokens, keys, keys, backend=backend).codes.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_codes_are_those_of_float64_wherever_the_margin_allows(backend: str, offset: float) -> None:
    z, c = tokens_and_codes(2000, 600, 16, offset)
    distances = torch.cdist(z.double(), c.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    smallest, second = distances.topk(2, largest=False).values.T
    clear = second - smallest > 1e-5 * smallest
    assert clear.double().mean() > 0.99
    origin = c.mean(0)
    assignment = soft_assign(*keys_and_queries(z - origin, c - origin, 0.5), c, backend=backend)
    assert torch.equal(assignment.codes[clear], distances.argmin(1)[clear])


@pytest.mark.parametrize("backend", BACKENDS)
def test_codes_have_no_gradient(backend: str) -> None:
    assignment = soft_assign(*random_inputs(), backend=backend)
    assert assignment.codes.dtype == torch.int64
    assert not assignment.codes.requires_grad


# Edges


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_code_takes_all(backend: str) -> None:
    q, k, v = random_inputs()
    alone = soft_assign(q, k[:1], v[:1], backend=backend)
    torch.testing.assert_close(alone.out, v[:1].expand(TOKENS, -1))
    torch.testing.assert_close(alone.s2, torch.ones(TOKENS, dtype=torch.float64))
    torch.testing.assert_close(alone.lse, (q @ k[0]))
    assert alone.usage.tolist() == [1.0]
    assert gradients(alone, [q])[0].isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_token_is_its_own_usage(backend: str) -> None:
    q, k, v = random_inputs()
    one = soft_assign(q[:1], k, v, backend=backend)
    torch.testing.assert_close(one.usage, (q[:1] @ k.T).softmax(1)[0])
    torch.testing.assert_close(one.s2[0], one.usage.square().sum())


@pytest.mark.parametrize("backend", BACKENDS)
def test_takes_tensors_that_are_not_contiguous(backend: str) -> None:
    q, k, v = random_inputs()
    transposed = [tensor.detach().T.contiguous().T.requires_grad_() for tensor in (q, k, v)]
    assert not any(tensor.is_contiguous() for tensor in transposed)
    values = gradients(soft_assign(*transposed, backend=backend), transposed)
    for value, expected in zip(values, gradients(definition(q, k, v), [q, k, v]), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(3))
def test_an_entry_that_is_no_number_is_named_with_its_place(backend: str, bad: float, place: int) -> None:
    inputs = [tensor.detach() for tensor in random_inputs()]
    inputs[place][3, 1] = bad
    with pytest.raises(FloatingPointError, match=rf"^{'qkv'[place]}\[3, 1\] is {bad}, one of 1 of its \d+ entries"):
        soft_assign(*inputs, backend=backend)


@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        (((4, 3), (5, 2), (5, 2)), r"k \(5, 2\)"),
        (((4, 3), (5, 3), (4, 2)), r"v \(4, 2\)"),
        (((0, 3), (5, 3), (5, 2)), r"q \(0, 3\)"),
        (((4, 3), (0, 3), (0, 2)), r"k \(0, 3\)"),
        (((2, 4, 3), (5, 3), (5, 2)), r"q \(2, 4, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        soft_assign(*map(torch.ones, shapes))


# Precision


@pytest.mark.parametrize("dim", [4, 16, 64])
@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("temperature", [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0])
def test_float32_keeps_four_digits_at_any_temperature(temperature: float, offset: float, dim: int) -> None:
    queries, keys = keys_and_queries(*tokens_and_codes(512, 700, dim, offset), temperature)
    single = [queries.requires_grad_(), keys.requires_grad_(), keys.detach().clone().requires_grad_()]
    double = [tensor.detach().double().requires_grad_() for tensor in single]
    ours, reference = soft_assign(*single), definition(*double)
    assert ours.out.dtype == torch.float32
    for value, expected in zip(differentiable(ours), differentiable(reference), strict=True):
        assert relative_error(value, expected) < 1e-4
    for value, expected in zip(gradients(ours, single), gradients(reference, double), strict=True):
        assert relative_error(value, expected) < 1e-4


def test_an_offset_that_all_keys_share_costs_no_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autograd, "LOGIT_ERROR", math.inf)  # without float64 to the rescue
    q, k, v = random_inputs(torch.float32, tokens=200, codes=600)
    single = [q, (k.detach() + 30000).requires_grad_(), v]
    double = [tensor.detach().double().requires_grad_() for tensor in single]
    ours, reference = soft_assign(*single, backend="tiled"), definition(*double)
    for value, expected in zip(gradients(ours, single), gradients(reference, double), strict=True):
        assert relative_error(value, expected) < 1e-4


@pytest.mark.parametrize("temperature", [0.125, 1.0, 8.0])
def test_the_gradient_of_a_temperature_survives_its_cancellation(temperature: float) -> None:
    """dτ is what is left of large sums that cancel. Temperatures are powers of two, so that dividing is exact."""
    z, c = tokens_and_codes(512, 700, 16)
    queries, keys = keys_and_queries(z, c, 1.0)
    values = {}
    for dtype in (torch.float32, torch.float64):
        tau = torch.tensor(temperature, dtype=dtype, requires_grad=True)
        assignment = soft_assign(queries.to(dtype) / tau, keys.to(dtype), c.to(dtype), backend="tiled")
        (values[dtype],) = torch.autograd.grad((assignment.out * z.to(dtype)).sum(), tau)
    assert values[torch.float32].item() == pytest.approx(values[torch.float64].item(), rel=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("backward_inside", [False, True])
def test_bfloat16_autocast_changes_nothing(backend: str, backward_inside: bool) -> None:
    inputs = random_inputs(torch.float32)
    expected = gradients(soft_assign(*inputs, backend=backend), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        assignment = soft_assign(*inputs, backend=backend)
        values = gradients(assignment, inputs) if backward_inside and backend == "tiled" else ()
    for value, reference in zip(values or gradients(assignment, inputs), expected, strict=True):
        assert torch.equal(value, reference)


def test_half_precision_inputs_are_computed_in_float32() -> None:
    q, k, v = (tensor.detach().bfloat16() for tensor in random_inputs())
    assert soft_assign(q, k, v).lse.dtype == torch.float32


def test_no_subnormal_number_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where exponents fall through −87 … −103, products with subnormal numbers may take fifteen times as long."""
    seen: list[Tensor] = []
    monkeypatch.setattr(torch.linalg, "vector_norm", _recording(torch.linalg.vector_norm, seen))
    queries, keys = keys_and_queries(*tokens_and_codes(64, 300, 16), 0.3)
    logits = queries @ keys.T
    spread = logits - logits.max(1, keepdim=True).values
    assert ((spread < -88) & (spread > -103)).any(), "these data would have made some"
    soft_assign(queries, keys, keys, backend="tiled")
    exponentials = next(tensor for tensor in seen if tensor.shape == (64, 300))
    assert exponentials.min() >= torch.finfo(torch.float32).tiny


def _recording(function: Callable[..., Tensor], seen: list[Tensor]) -> Callable[..., Tensor]:
    def recorded(tensor: Tensor, *args: object, **kwargs: object) -> Tensor:
        seen.append(tensor.clone())
        return function(tensor, *args, **kwargs)

    return recorded


# Choices


@pytest.mark.usefixtures("tiling")
@pytest.mark.parametrize("drop", [1e-9, 0.03, 0.5])
@pytest.mark.parametrize("pairs_per_token", [0, 2, 128], ids=["all by tiles", "some by tiles", "all by pairs"])
def test_what_is_dropped_is_dropped_in_values_and_gradients(
    monkeypatch: pytest.MonkeyPatch, drop: float, pairs_per_token: int
) -> None:
    monkeypatch.setattr(sparse, "PAIRS_PER_TOKEN", pairs_per_token)
    inputs = random_inputs()
    tiled, reference = soft_assign(*inputs, backend="tiled", drop=drop), definition(*inputs, drop)
    if drop > 0.01:
        assert not torch.allclose(tiled.lse, definition(*inputs).lse)
    for value, expected in zip(differentiable(tiled), differentiable(reference), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)
    for value, expected in zip(gradients(tiled, inputs), gradients(reference, inputs), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


def test_a_strip_is_crowded_by_the_pairs_of_all_its_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two codes a tile and token are kept in each of three tiles: few in each, and too many together."""
    monkeypatch.setattr(sparse, "PAIRS_PER_TOKEN", 4)
    monkeypatch.setitem(tiles.TILE_ELEMENTS, "cpu", 8)
    monkeypatch.setattr(tiles, "FEWEST_ROWS", 4)
    asked: list[int] = []
    by_tiles = tiled.assign
    monkeypatch.setattr(tiled, "assign", lambda q, *rest: asked.append(len(q)) or by_tiles(q, *rest))
    soft_assign(torch.zeros(4, 1), torch.ones(6, 1), torch.ones(6, 1), backend="tiled", drop=0.5)
    assert asked == [4]
    soft_assign(torch.zeros(4, 1), torch.ones(4, 1), torch.ones(4, 1), backend="tiled", drop=0.5)
    assert asked == [4]


@pytest.mark.parametrize("temperature", [0.01, 0.1, 0.5])
def test_dropping_a_billionth_changes_next_to_nothing(temperature: float) -> None:
    z, c = tokens_and_codes(300, 700, 16)
    queries, keys = keys_and_queries(z, c, temperature)
    inputs = [tensor.requires_grad_() for tensor in (queries, keys, c)]
    exact, dropping = (soft_assign(*inputs, backend="tiled", drop=drop) for drop in (0.0, 1e-9))
    assert torch.equal(exact.codes, dropping.codes)
    for value, expected in zip(differentiable(dropping), differentiable(exact), strict=True):
        assert relative_error(value, expected.double()) < 1e-6
    for value, expected in zip(gradients(dropping, inputs), gradients(exact, inputs), strict=True):
        assert relative_error(value, expected.double()) < 1e-5


def test_dense_and_tiles_drop_the_same() -> None:
    inputs = random_inputs()
    dense, tiled = (soft_assign(*inputs, backend=backend, drop=0.1) for backend in BACKENDS)
    for value, expected in zip(gradients(dense, inputs), gradients(tiled, inputs), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("drop", [-0.1, 1.0, math.nan])
def test_a_drop_that_is_no_share_is_refused(drop: float) -> None:
    with pytest.raises(ValueError, match=f"drop is {drop}"):
        soft_assign(*random_inputs(), drop=drop)


def test_the_environment_chooses_where_the_caller_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = random_inputs()
    monkeypatch.setenv(autograd.BACKEND_VARIABLE, "tiled")
    assert "_SoftAssign" in type(soft_assign(*inputs).out.grad_fn).__name__
    assert "_SoftAssign" not in type(soft_assign(*inputs, backend="dense").out.grad_fn).__name__
    monkeypatch.setenv(autograd.BACKEND_VARIABLE, "tilde")
    with pytest.raises(ValueError, match="LGQ_EXPLORE_BACKEND is 'tilde': choose one of auto, triton, tiled, dense"):
        soft_assign(*inputs)


def test_small_problems_are_dense_and_large_ones_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(autograd.BACKEND_VARIABLE, raising=False)
    small, large = random_inputs(), random_inputs(torch.float32, tokens=300, codes=600)
    assert "_SoftAssign" not in type(soft_assign(*small).out.grad_fn).__name__
    assert "_SoftAssign" in type(soft_assign(*large).out.grad_fn).__name__


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(ValueError, match="backend is 'cuda': choose one of"):
        soft_assign(*random_inputs(), backend="cuda")


def test_a_kernel_that_fails_is_told_with_the_way_around_it() -> None:
    """Nothing else takes its place silently. These tensors lie on the CPU, where there is no driver to run it."""
    inputs = random_inputs(torch.float32)
    with pytest.raises(RuntimeError, match="Triton kernels failed") as error:
        soft_assign(*inputs, backend="triton")
    assert len(str(error.value).splitlines()) == 2
    assert "backend='tiled'" in str(error.value)
    assert "LGQ_EXPLORE_BACKEND=tiled" in str(error.value)


def test_kernels_of_float32_refuse_float64() -> None:
    with pytest.raises(ValueError, match="'triton', which has no float64"):
        soft_assign(*random_inputs(), backend="triton")
