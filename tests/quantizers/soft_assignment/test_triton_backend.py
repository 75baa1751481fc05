"""Tests of the Triton kernels: interpreted on a CPU, compiled, and on a GPU."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers.assignment import InputGradients, OutputGradients, SoftAssignment
from lgq_explore.quantizers.soft_assignment import tiled

pytestmark = pytest.mark.slow

# torch brings triton where CUDA exists. CI is such a place, and fails where something is skipped.
triton_backend = pytest.importorskip("lgq_explore.quantizers.soft_assignment.triton_backend")

Call = Callable[..., Any]

SHARED_MEMORY = 99 * 1024
"""Bytes that a program may have on the smallest of the GPUs since 2020 (compute capability 8.6)."""


@dataclass(frozen=True)
class Problem:
    """What is assigned, and the gradients in the result from which those in q, k and v follow."""

    q: Tensor
    k: Tensor
    v: Tensor
    upstream: OutputGradients
    drop: float = 0.0

    @property
    def scaled(self) -> Tensor:
        """[N, K], S − max_k S in float64."""
        logits = self.q.double() @ self.k.double().T
        return logits - logits.amax(1, keepdim=True)


@dataclass(frozen=True)
class Solution:
    assignment: SoftAssignment
    gradients: InputGradients


def problem(tokens: int, codes: int, width: int, values: int, seed: int = 0, drop: float = 0.0) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((tokens, width), (codes, width), (codes, values))
    return with_upstream(*(torch.randn(shape, generator=generator) for shape in shapes), seed=seed + 1, drop=drop)


def with_upstream(q: Tensor, k: Tensor, v: Tensor, seed: int = 1, drop: float = 0.0) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((len(q), v.shape[1]), len(q), len(q), len(k))
    return Problem(q, k, v, OutputGradients(*(torch.randn(shape, generator=generator) for shape in shapes)), drop)


def lgq_problem(temperature: float) -> Problem:
    """Tokens and centres as LGQ has them, where keys are values."""
    generator = torch.Generator().manual_seed(2)
    tokens, centres = (torch.randn(rows, 8, generator=generator) for rows in (256, 64))
    keys = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1)
    return with_upstream(torch.cat([2 * tokens, -torch.ones(256, 1)], 1) / temperature, keys, keys)


def dense(given: Problem) -> Solution:
    """The definition in float64, with all N×K responsibilities at once and autograd's own gradients."""
    q, k, v = (tensor.double().requires_grad_() for tensor in (given.q, given.k, given.v))
    logits = (q @ k.T).masked_fill(given.scaled.exp() < given.drop, -torch.inf)
    p = logits.softmax(1)
    outputs = (p @ v, logits.logsumexp(1), p.square().sum(1), p.mean(0))
    upstream = [getattr(given.upstream, field.name).double() for field in fields(OutputGradients)]
    return Solution(
        SoftAssignment(*(output.detach() for output in outputs), logits.argmax(1)),
        InputGradients(*torch.autograd.grad(outputs, (q, k, v), upstream)),
    )


def moved(value: Any, device: str) -> Any:
    """A tensor, or a dataclass of tensors, on the device; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    return value


def on_cuda(function: Call, *arguments: Any) -> Any:
    there = {id(argument): moved(argument, "cuda") for argument in arguments}
    return moved(function(*(there[id(argument)] for argument in arguments)), "cpu")


@pytest.fixture(scope="module", params=["interpreted", pytest.param("cuda", marks=pytest.mark.gpu)])
def call(request: pytest.FixtureRequest) -> Iterator[Call]:
    """`call(function, *arguments)` of the module, with its kernels interpreted or on the GPU.

    Triton decides that they are interpreted as it is imported. A process of their own keeps this from all other tests.
    """
    if request.param == "cuda":
        yield on_cuda
        return
    prepare = Path(__file__).with_name("interpreted_triton.py")
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=run_path, initargs=(str(prepare),)) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def solve(call: Call, given: Problem) -> Solution:
    assignment = call(triton_backend.assign, given.q, given.k, given.v, given.drop)
    arguments = (given.q, given.k, given.v, assignment, given.upstream, given.drop)
    return Solution(assignment, call(triton_backend.gradients, *arguments))


def assert_close(solution: Solution, reference: Solution, tolerance: float) -> None:
    """The codes are equal, and the error of each other tensor is at most `tolerance` of its norm."""
    assert torch.equal(solution.assignment.codes, reference.assignment.codes)
    errors = {
        f"{field.name} of {type(expected).__name__}": relative_error(getattr(part, field.name), value)
        for part, expected in (
            (solution.assignment, reference.assignment),
            (solution.gradients, reference.gradients),
        )
        for field in fields(expected)
        if (value := getattr(expected, field.name)).is_floating_point()
    }
    assert {name: error for name, error in errors.items() if not error <= tolerance} == {}


def assert_same(first: Solution, second: Solution) -> None:
    for one, other in ((first.assignment, second.assignment), (first.gradients, second.gradients)):
        assert all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def relative_error(value: Tensor, reference: Tensor) -> float:
    assert value.shape == reference.shape
    return ((value.double() - reference).norm() / reference.norm().clamp(min=1e-30)).item()


@pytest.mark.parametrize(
    ("tokens", "codes", "width", "values"),
    [
        pytest.param(130, 260, 17, 17, id="codes in parts"),
        pytest.param(260, 40, 5, 4, id="tokens in parts"),
        pytest.param(33, 40, 33, 20, id="one of them narrow"),
        pytest.param(20, 35, 130, 256, id="several slices"),
        pytest.param(128, 32, 16, 16, id="exactly a tile"),
        pytest.param(64, 96, 65, 65, id="one column beside the tile"),
        pytest.param(1, 200, 3, 2, id="one token"),
        pytest.param(200, 1, 3, 2, id="one code"),
        pytest.param(1, 1, 1, 1, id="one of all"),
    ],
)
def test_values_and_gradients_are_those_of_the_definition(
    call: Call, tokens: int, codes: int, width: int, values: int
) -> None:
    given = problem(tokens, codes, width, values)
    assert_close(solve(call, given), dense(given), tolerance=1e-5)


def test_exact_ties_go_to_the_lowest_index(call: Call) -> None:
    """Among codes of one step, of several steps, and of several parts of a walk."""
    keys = torch.zeros(300, 2)
    keys[[7, 9, 40, 290], 0] = 1.0
    keys[[130, 131, 299], 1] = 1.0
    tokens = torch.tensor([[2.0, 1], [1, 2], [-1, -1], [0, 0]])
    assert call(triton_backend.assign, tokens, keys, keys, 0.0).codes.tolist() == [7, 130, 0, 0]


@pytest.mark.parametrize("temperature", [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0])
def test_float32_keeps_four_digits_at_any_temperature(call: Call, temperature: float) -> None:
    given = lgq_problem(temperature)
    assert_close(solve(call, given), dense(given), tolerance=1e-4)


def test_what_cancels_where_one_code_takes_all_leaves_no_error(call: Call) -> None:
    """Without a gradient of lse, dq is small beside its summands: P (R − δ) of a code that takes all is zero."""
    given = lgq_problem(temperature=0.1)
    given = replace(given, upstream=replace(given.upstream, lse=torch.zeros(256)))
    reference = dense(given)
    assert reference.assignment.s2.median() > 0.99
    assert_close(solve(call, given), reference, tolerance=2e-5)


@pytest.mark.parametrize("offset", [-300.0, 300.0])
def test_logits_may_have_a_large_offset(call: Call, offset: float) -> None:
    given = problem(40, 50, 3, 2)
    q, k = torch.cat([given.q, torch.full((40, 1), offset)], 1), torch.cat([given.k, torch.ones(50, 1)], 1)
    shifted = replace(given, q=q, k=k)
    assert_close(solve(call, shifted), dense(shifted), tolerance=1e-4)


def test_codes_under_a_share_of_the_largest_count_as_zero_in_both_directions(call: Call) -> None:
    given = problem(70, 150, 9, 9, drop=0.03)
    reference = dense(given)
    assert 0.5 < (given.scaled.exp() < given.drop).double().mean() < 0.95
    assert relative_error(dense(replace(given, drop=0.0)).gradients.q, reference.gradients.q) > 0.05
    assert_close(solve(call, given), reference, tolerance=1e-5)


def test_unused_codes_get_the_usage_that_the_tiled_computation_gives_them(call: Call) -> None:
    given = lgq_problem(temperature=1e-2)
    expected = tiled.assign(given.q.double(), given.k.double(), given.v.double(), 0.0).usage
    assert expected.min() < 1e-25
    usage = call(triton_backend.assign, given.q, given.k, given.v, 0.0).usage
    torch.testing.assert_close(usage.log(), expected.log().float(), rtol=0, atol=1e-2)


def test_tensors_need_not_be_contiguous(call: Call) -> None:
    given = problem(20, 30, 4, 3)
    ones = replace(given.upstream, out=torch.ones(20, 3), lse=torch.ones(20), usage=torch.ones(30))
    plain = solve(call, replace(given, upstream=ones))
    q, k, v = (tensor.T.contiguous().T for tensor in (given.q, given.k, given.v))
    one = torch.ones(1)
    expanded = replace(ones, out=one.expand(20, 3), lse=one.expand(20), usage=one.expand(30))
    assert not q.is_contiguous()
    assert_same(solve(call, Problem(q, k, v, expanded)), plain)


def test_the_same_input_gives_the_same_bits(call: Call) -> None:
    given = problem(40, 290, 5, 4)
    assert_same(solve(call, given), solve(call, given))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((80, 17), id="8.0, narrow"),
        pytest.param((80, 65), id="8.0, one column beside the tile"),
        pytest.param((90, 17), id="9.0, narrow"),
        pytest.param((90, 65), id="9.0, one column beside the tile"),
    ],
)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By name the kernels, compiled for a compute capability as they are started for a width of the values."""
    from triton.runtime.jit import JITFunction

    capability, values = request.param
    kernels = {}

    def compile_only(kernel: Any, *tensors: Any, grid: tuple[int, ...], warmup: bool, **named: Any) -> None:
        arguments = dict(zip(kernel.arg_names, tensors, strict=False)) | named
        kernels[kernel.__name__] = compile_kernel(kernel, arguments, capability)

    given = problem(300, 500, values, values)
    q, k, v, like = given.q, given.k, given.v, given.upstream
    assignment = SoftAssignment(like.out, like.lse, like.s2, like.usage, codes=torch.zeros(300, dtype=torch.long))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
        patch.setattr(JITFunction, "run", compile_only)
        triton_backend.assign(q, k, v, given.drop)
        triton_backend.gradients(q, k, v, assignment, given.upstream, given.drop)
    return kernels


def compile_kernel(kernel: Any, arguments: dict[str, Any], capability: int) -> Any:
    """As Triton does on a GPU of that capability for a start with these arguments, options among them."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile
    from triton.runtime.jit import mangle_type

    constants = {p.name: arguments[p.name] for p in kernel.params if p.is_constexpr}
    signature = {p.name: "constexpr" if p.is_constexpr else mangle_type(arguments[p.name]) for p in kernel.params}
    options = {name: value for name, value in arguments.items() if name not in kernel.arg_names}
    aligned = [["tt.divisibility", 16]]  # as all that torch allocates
    places = {(place,): aligned for place, kind in enumerate(signature.values()) if kind.startswith("*")}
    return compile(ASTSource(kernel, signature, constants, places), GPUTarget("cuda", capability, 32), options)


def test_every_kernel_compiles_within_the_shared_memory_of_any_gpu(compiled: dict[str, Any]) -> None:
    assert compiled.keys() == {
        "cut",
        "find_largest",
        "sum_over_codes",
        "sum_over_tokens",
        "largest_again",
        "token_gradients",
        "code_gradients",
    }
    assert all(kernel.metadata.shared <= SHARED_MEMORY for kernel in compiled.values())


def test_every_kernel_multiplies_alike_on_tensor_cores(compiled: dict[str, Any]) -> None:
    """By the same instruction but for its number of columns, since another one may add in another order."""
    instructions = {name: tensor_core_instructions(kernel.asm["ptx"]) for name, kernel in compiled.items()}
    assert instructions.pop("cut") == set()
    first, *others = instructions.values()
    assert len(first) == 1
    assert ".bf16.bf16" in next(iter(first))
    assert all(other == first for other in others)


def tensor_core_instructions(ptx: str) -> set[str]:
    found = re.findall(r"(?:wgmma\.mma_async|mma)\.sync\.[\w.]+", ptx)
    return {re.sub(r"n\d+k", "k", instruction) for instruction in found}


def test_nothing_is_promoted_to_float64_or_added_in_an_order_of_chance(compiled: dict[str, Any]) -> None:
    assert not any(re.search(r"\.f64|\batom\.|\bred\.", kernel.asm["ptx"]) for kernel in compiled.values())


@pytest.mark.gpu
def test_a_gpu_holds_no_table_of_all_pairs() -> None:
    given = moved(problem(2**15, 2**16, 17, 17), "cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    assignment = triton_backend.assign(given.q, given.k, given.k, 0.0)
    triton_backend.gradients(given.q, given.k, given.k, assignment, given.upstream, 0.0)
    table = 4 * len(given.q) * len(given.k)
    assert torch.cuda.max_memory_allocated() - before < table / 50


@pytest.mark.gpu
def test_a_gpu_chooses_the_codes_of_float64() -> None:
    """Wherever the distances of the nearest two differ by 1e-5 of their size."""
    generator = torch.Generator().manual_seed(3)
    tokens, centres = (torch.randn(rows, 16, generator=generator) for rows in (4096, 16384))
    keys = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1)
    queries = torch.cat([2 * tokens, -torch.ones(4096, 1)], 1)
    codes = on_cuda(triton_backend.assign, queries, keys, keys, 0.0).codes
    nearest = torch.cdist(tokens.double(), centres.double()).square().topk(2, largest=False)
    clear = nearest.values.diff(dim=1)[:, 0] > 1e-5 * nearest.values[:, 0]
    assert clear.float().mean() > 0.99
    assert torch.equal(codes[clear], nearest.indices[clear, 0])


@pytest.mark.gpu
@pytest.mark.parametrize("temperature", [1e-3, 1e-1, 1.0, 10.0])
def test_long_sums_on_a_gpu_do_not_drift(temperature: float) -> None:
    """Tensor cores cut off what they add: in one sum over all codes a drift would reach the fourth digit."""
    generator = torch.Generator().manual_seed(4)
    tokens, centres = (torch.randn(2**14, 16, generator=generator) for _ in range(2))
    keys = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1)
    queries = torch.cat([2 * tokens, -torch.ones(2**14, 1)], 1) / temperature
    given = moved(with_upstream(queries, keys, keys), "cuda")
    inputs, in_float64 = (given.q, given.k, given.v), (given.q.double(), given.k.double(), given.v.double())
    assignment = triton_backend.assign(*inputs, 0.0)
    reference = tiled.assign(*in_float64, 0.0)
    upstream = OutputGradients(*(getattr(given.upstream, field.name).double() for field in fields(OutputGradients)))
    gradients = triton_backend.gradients(*inputs, assignment, given.upstream, 0.0)
    expected = tiled.gradients(*in_float64, reference, upstream, 0.0)
    assert (assignment.codes == reference.codes).float().mean() > 0.999
    errors = {
        field.name: relative_error(getattr(gradients, field.name), getattr(expected, field.name))
        for field in fields(InputGradients)
    } | {name: relative_error(getattr(assignment, name), getattr(reference, name)) for name in ("out", "lse", "usage")}
    bound = 2e-5 if temperature >= 0.1 else 1e-3  # where logits reach 10⁴, float32 has no more
    assert {name: error for name, error in errors.items() if not error <= bound} == {}
