"""The soft assignment as one differentiable function that does not hold N×K responsibilities in memory.

A soft assignment is attention: queries q [N, E] are tokens, keys k [K, E] and values v [K, F] are codes.

    S = q kᵀ      P = softmax_k S      out = P v      lse = log Σ_k exp S      s2 = Σ_k P²      usage = mean_n P

With upstream gradients G of out, f of lse, a of s2 and b of usage, and row sums δ, the chain rule gives

    R_nk = G_n·v_k + 2 a_n P_nk + b_k/N      δ_n = Σ_k P_nk R_nk      dS = P ∘ (R − δ + f)
    dq = dS k      dk = dSᵀ q      dv = Pᵀ G

No step needs all of P at once. The backward pass recomputes it tile by tile from q, k and lse, as FlashAttention does
(Dao et al. 2022, arXiv 2205.14135), which has neither s2 nor usage. Memory is O(N + K) plus a strip of tiles. Other
quantities that are linear in P are columns of v: with v = k the entropy of P is lse − q·out, and with |c|² in a column
of v, out holds the second moment of the codes.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lgq_explore.errors import InputError

from ..assignment import InputGradients, OutputGradients, SoftAssignment, common_offset, require_finite
from . import sparse, tiled
from .tiles import first_largest

BACKENDS = ("auto", "triton", "tiled", "dense")
BACKEND_VARIABLE = "LGQ_EXPLORE_BACKEND"

DENSE_PAIRS = 2**16
"""The number of token-code pairs up to which one dense matrix is as fast as tiles."""

LOGIT_ERROR = 3e-3
"""Bound on a float32 logit's rounding error above which logits are taken in float64: gradients keep four digits."""


def soft_assign(
    q: Tensor, k: Tensor, v: Tensor, *, backend: str = "auto", drop: float = 0.0, finite: bool = False
) -> SoftAssignment:
    """Soft assignment of queries q [N, E] to keys k [K, E] with values v [K, F], differentiable in all three.

    Computes in float32 (float64 for float64 input), even under autocast, since bfloat16 logits would change codes. If
    the logits are too large for their differences in float32, a CPU computes in float64 and rounds the result.

    backend: `triton` (CUDA, float32), `tiled` (plain torch), `dense` (an N×K matrix and torch's own gradients), or
    `auto`: the one in the environment variable LGQ_EXPLORE_BACKEND; otherwise triton if it is available, or else dense
    up to DENSE_PAIRS pairs and tiled for more.
    drop: responsibilities below `drop` times a token's largest count as 0; 0 is exact.
    finite: the caller vouches that all entries are, or looks at the result. To look at the entries here waits for a
    GPU. Where one is NaN or infinite all the same, results that depend on it are, too, and codes are any of the K.

    Raises ValueError for shapes that don't fit, an unknown backend or a drop outside [0, 1), and unless `finite`,
    FloatingPointError for an entry that is NaN or infinite.
    """
    _check(q, k, v, backend, drop)
    if not finite:
        for name, tensor in (("q", q), ("k", k)) if v is k else (("q", q), ("k", k), ("v", v)):
            require_finite(name, tensor)
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    with torch.autocast(q.device.type, enabled=False):
        q, k, v = q.to(dtype), k.to(dtype), v.to(dtype)
        offset = common_offset(k)  # shifts all logits of a token equally, so P is unchanged
        assignment = _assign(_chosen(backend, q, k), q, k - offset, v, drop)
        return replace(assignment, lse=assignment.lse + q @ offset)


def _assign(backend: str, q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    match backend:
        case "triton":
            return _by(_triton(), q, k, v, drop)
        case _ if q.dtype == torch.float32 and _logits_need_float64(q, k):
            return _in_float32(_assign(backend, q.double(), k.double(), v.double(), drop))
        case "dense":
            return _dense(q, k, v, drop)
        case _:
            return _by(SPARSE if drop > 0 else TILED, q, k, v, drop)


@dataclass(frozen=True)
class Backend:
    """An implementation: `assign(q, k, v, drop)`, and `gradients(q, k, v, assignment, upstream, drop)`."""

    assign: Callable[[Tensor, Tensor, Tensor, float], SoftAssignment]
    gradients: Callable[[Tensor, Tensor, Tensor, SoftAssignment, OutputGradients, float], InputGradients]


TILED = Backend(tiled.assign, tiled.gradients)
SPARSE = Backend(sparse.assign, sparse.gradients)


class _SoftAssign(torch.autograd.Function):
    """The assignment by a backend, with gradients by the same backend."""

    @staticmethod
    def forward(ctx: Any, backend: Backend, drop: float, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        assignment = backend.assign(q, k, v, drop)
        outputs = (assignment.out, assignment.lse, assignment.s2, assignment.usage, assignment.codes)
        ctx.save_for_backward(q, k, v, *outputs)
        ctx.backend, ctx.drop = backend, drop
        ctx.mark_non_differentiable(assignment.codes)
        return outputs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *outputs = ctx.saved_tensors
        assignment, gradients = SoftAssignment(*outputs), OutputGradients(*upstream[:-1])
        # `backward` may be called under autocast.
        with torch.autocast(q.device.type, enabled=False):
            inputs = ctx.backend.gradients(q, k, v, assignment, gradients, ctx.drop)
        return None, None, inputs.q, inputs.k, inputs.v


def _by(backend: Backend, q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    return SoftAssignment(*_SoftAssign.apply(backend, drop, q, k, v))


def _dense(q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    """The definition, with all of P at once."""
    logits = q @ k.T
    largest = first_largest(logits.detach())
    if drop > 0:
        logits = logits.masked_fill(logits < largest.values[:, None] + math.log(drop), -math.inf)
    p = logits.softmax(1)
    return SoftAssignment(p @ v, logits.logsumexp(1), p.square().sum(1), p.mean(0), largest.indices)


def _in_float32(assignment: SoftAssignment) -> SoftAssignment:
    out, lse, s2, usage = (value.float() for value in (assignment.out, assignment.lse, assignment.s2, assignment.usage))
    return SoftAssignment(out, lse, s2, usage, assignment.codes)


@torch.no_grad()
def _logits_need_float64(q: Tensor, k: Tensor) -> bool:
    largest_product = torch.linalg.vector_norm(q, dim=1).max() * torch.linalg.vector_norm(k, dim=1).max()
    return bool(torch.finfo(torch.float32).eps * largest_product > LOGIT_ERROR)


def _chosen(backend: str, q: Tensor, k: Tensor) -> str:
    """The backend to use; resolves `auto` for this machine and this size."""
    if backend == "auto":
        backend = _backend_of_environment()
    if backend == "triton" and q.dtype == torch.float64:
        raise ValueError("backend is 'triton', which has no float64: give float32, or choose tiled or dense")
    if backend != "auto":
        return backend
    if q.device.type == "cuda" and q.dtype == torch.float32 and importlib.util.find_spec("triton") is not None:
        return "triton"
    return "dense" if len(q) * len(k) <= DENSE_PAIRS else "tiled"


def _backend_of_environment() -> str:
    backend = os.environ.get(BACKEND_VARIABLE, "auto")
    if backend not in BACKENDS:
        raise InputError(f"{BACKEND_VARIABLE} is {backend!r}: choose one of {', '.join(BACKENDS)}, or unset it")
    return backend


def require_backend_for(device: str) -> None:
    """Raise InputError if the environment chooses an unknown backend, or one that can't work on the device."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if _backend_of_environment() == "triton" and device == "cpu" and not interpreted:
        raise InputError(
            f"{BACKEND_VARIABLE} is 'triton', which needs a CUDA device, and training is on the CPU: "
            "choose tiled, dense or auto"
        )


def _triton() -> Backend:
    with _failure_names_the_switch():
        from . import triton_backend
    guarded = _failure_names_the_switch()
    return Backend(guarded(triton_backend.assign), guarded(triton_backend.gradients))


@contextmanager
def _failure_names_the_switch() -> Iterator[None]:
    """Report a kernel that does not compile or run, with the way around it; no other backend is used silently."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise RuntimeError(
            f"the Triton kernels failed ({type(error).__name__}: {str(error).splitlines()[0]}).\n"
            f"Do without them: pass backend='tiled', or set {BACKEND_VARIABLE}=tiled in the environment."
        ) from error


def _require_backend(backend: str, name: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"{name} is {backend!r}: choose one of {', '.join(BACKENDS)}")


def _check(q: Tensor, k: Tensor, v: Tensor, backend: str, drop: float) -> None:
    _require_backend(backend, "backend")
    if not 0 <= drop < 1:
        raise ValueError(f"drop is {drop!r}: give a share in [0, 1)")
    tables = q.ndim == k.ndim == v.ndim == 2 and len(q) > 0 and len(k) > 0
    if not tables or q.shape[1] != k.shape[1] or len(k) != len(v):
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in (("q", q), ("k", k), ("v", v)))
        raise ValueError(f"{shapes}: give q [N, E], k [K, E] and v [K, F] with N and K of at least 1")
