"""Time and memory of the exact soft assignment on a GPU, compared with a dense one and the hardware's limits.

`triton`, `tiled` and `dense` are the backends of `soft_assign`, on queries and keys as LGQ has them at temperature 1.
`lgq`, `published` (LGQ's formulas with all their N×K arrays, as published code has them) and `VectorQuantize` of
vector-quantize-pytorch are whole steps of a quantizer with its losses.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from lgq_explore.bench.assignment_steps import LIBRARY_ARGUMENTS, AssignmentCase, TrainingStep
from lgq_explore.bench.results import today
from lgq_explore.bench.soft_assignment import needed_bytes
from lgq_explore.quantizers.soft_assignment.autograd import soft_assign

from .clock import cost_of, on_what
from .floor import Rates, measure_rates

TOKENS, TOY_TOKENS = 2**14, 2**7
DIMS = (16, 64)
CODES = (2**14, 2**16, 2**18, 2**20, 2**10)
TOY_CODES = (2**5, 2**7)
MATRIX, TOY_MATRIX = 2**13, 2**7
BACKENDS = ("triton", "tiled", "dense")
STEPS = {"lgq": "lgq", "published": "dense", "VectorQuantize": "VectorQuantize"}
LONGEST = 8.0
"""Seconds that a case may take."""
CASE_SECONDS = 1.0
"""Seconds after which a case is not repeated; slower cases, and all at toy size, are measured in two rounds only."""
SHARE_OF_MEMORY = 0.9


@dataclass(frozen=True)
class Case:
    method: str
    passes: str  # forward, or both: forward and backward
    tokens: int
    codes: int
    dim: int

    @property
    def n_by_k_method(self) -> str:
        """The method of N_BY_K_ARRAYS that holds as many arrays as this one."""
        return {"published": "dense"}.get(self.method, self.method)


def compare(device: torch.device, seconds: float, toy: bool) -> dict[str, Any]:
    """Measure all cases that memory and time allow, those of the published sizes first."""
    deadline = time.monotonic() + seconds
    rates = measure_rates(device, TOY_MATRIX if toy else MATRIX)
    of_a_case = 0.0 if toy else CASE_SECONDS
    results = [_result(case, device, rates, deadline, of_a_case) for case in cases_of(device, toy)]
    return {
        "benchmark": "gpu-soft-assignment",
        "date": today(),
        **on_what(device),
        "protocol": {
            "clock": "CUDA events" if device.type == "cuda" else "wall clock",
            "temperature": 1.0,
            "seed": 0,
            "memory": "torch.cuda.max_memory_allocated beyond what was there before",
            "library_arguments": {"VectorQuantize": LIBRARY_ARGUMENTS["VectorQuantize"]},
        },
        "rates": asdict(rates),
        "floors": [
            {"dim": dim, "passes": passes, **rates.picoseconds(dim, passes)}
            for dim in DIMS
            for passes in ("forward", "both")
        ],
        "results": results,
    }


def cases_of(device: torch.device, toy: bool) -> list[Case]:
    backends = BACKENDS if device.type == "cuda" else BACKENDS[1:]
    steps = (
        STEPS
        if importlib.util.find_spec("vector_quantize_pytorch")
        else [name for name in STEPS if name in ("lgq", "published")]
    )
    return [
        Case(method, passes, TOY_TOKENS if toy else TOKENS, codes, dim)
        for codes in (TOY_CODES if toy else CODES)
        for dim in DIMS
        for method in (*backends, *steps)
        for passes in (("forward", "both") if method in BACKENDS else ("both",))
    ]


def _result(case: Case, device: torch.device, rates: Rates, deadline: float, seconds: float) -> dict[str, Any]:
    pairs = case.tokens * case.codes
    head = asdict(case)
    why_not = _obstacle(case, device, deadline)
    if why_not is None:
        try:
            torch.manual_seed(0)
            cost = cost_of(_call(case, device), device, seconds=seconds)
            return {
                **head,
                "milliseconds": cost.milliseconds,
                "median_milliseconds": cost.median,
                "megabytes": cost.megabytes,
                "ps_per_pair": 1e9 * cost.median / pairs,
                "times_floor": 1e9 * cost.median / pairs / rates.picoseconds(case.dim, case.passes)["floor"],
                "not_run": None,
            }
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            why_not = "out of memory"
        except RuntimeError as error:
            why_not = str(error).splitlines()[0]
    empty = dict.fromkeys(("median_milliseconds", "megabytes", "ps_per_pair", "times_floor"))
    return {**head, "milliseconds": [], **empty, "not_run": why_not}


def _obstacle(case: Case, device: torch.device, deadline: float) -> str | None:
    if time.monotonic() + LONGEST > deadline:
        return "no time was left"
    needed = needed_bytes(AssignmentCase(case.n_by_k_method, case.tokens, case.codes, case.dim))
    if device.type == "cuda" and needed > SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        return f"its N×K arrays take {needed / 1e9:.0f} GB"
    return None


def _call(case: Case, device: torch.device) -> Callable[[], object]:
    if case.method in STEPS:
        plain = AssignmentCase(STEPS[case.method], case.tokens, case.codes, case.dim)
        soft = case.method != "VectorQuantize"
        step = TrainingStep.of(replace(plain, temperature=1.0) if soft else plain)
        there = replace(step, tokens=step.tokens.to(device), upstream=step.upstream.to(device))
        there.quantizer.to(device)
        return lambda: there(case.tokens)
    generator = torch.Generator(device).manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, generator=generator)

    tokens, centres = randn(case.tokens, case.dim), randn(case.codes, case.dim)
    q = torch.cat([2 * tokens, -torch.ones_like(tokens[:, :1])], 1).requires_grad_()
    k = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1).requires_grad_()
    upstream = randn(case.tokens, case.dim + 1), randn(case.tokens), randn(case.tokens), randn(case.codes)

    def forward() -> tuple[torch.Tensor, ...]:
        done = soft_assign(q, k, k, backend=case.method)
        return done.out, done.lse, done.s2, done.usage

    def both() -> object:
        return torch.autograd.grad(forward(), (q, k), upstream)

    def forward_alone() -> object:
        with torch.no_grad():
            return forward()

    return forward_alone if case.passes == "forward" else both
