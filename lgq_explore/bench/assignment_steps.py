"""One training step of each compared quantizer: forward, losses and backward.

All take the same tokens [N, D] and end in the same way, with a fixed linear functional of the vectors that a decoder
would see, plus the quantizer's own weighted losses. Encoder and decoder are left out.

`lgq` is the implementation of this package. `dense` computes the same outputs and gradients directly from the formulas
of LGQ, with all N×K arrays in memory, as published code does. The others assign each token to one code and are classes
of vector-quantize-pytorch; FSQ has no codebook, its codes are a product of levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.quantizers import FSQConfig, LGQConfig, to_tokens
from lgq_explore.training.objectives.base import weighted_sum

from .fresh_process import cost_of

LIBRARY = "vector-quantize-pytorch"
LIBRARY_ARGUMENTS: dict[str, dict[str, Any]] = {
    "VectorQuantize": {"decay": 0.99, "commitment_weight": 0.25, "rotation_trick": False},
    "SimVQ": {"rotation_trick": False},
    "FSQ": {},
}
"""Classes of the library, and their arguments besides width and number of codes, as in their papers."""

LARGEST_LOGIT_RANGE = 80.0
"""e⁻⁸⁰ is a normal float32 number; from e⁻⁸⁷ on they are subnormal, which slows some processors down."""
RANGE_TILE = 2**16
"""Pairs held at once to find that range; few enough not to affect the memory measured afterwards."""
WARM_UP_TOKENS = 256
FLOOR_TOKENS, FLOOR_CODES, FLOOR_REPEATS = 64, 512, 100


@dataclass(frozen=True)
class AssignmentCase:
    """One quantizer on one problem. tokens N, codes K and dim D; FSQ takes the product of levels nearest to K.

    temperature: None for those that have none. subnormals: False scales tokens and centres down by one factor, so that
    every logit lies within LARGEST_LOGIT_RANGE of the largest of its row. drop: LGQ's threshold. steps: timed ones.
    """

    method: str
    tokens: int
    codes: int
    dim: int
    temperature: float | None = None
    subnormals: bool = True
    drop: float = 0.0
    steps: int = 1


@dataclass(frozen=True)
class Coded:
    """vectors: [N, D] with the gradient estimator. losses: unweighted, by name."""

    vectors: Tensor
    losses: dict[str, Tensor]


class DenseLGQ(nn.Module):
    """LGQ's formulas with N×K arrays: squared distances, logits, responsibilities, one-hot codes."""

    def __init__(self, centres: Tensor, temperature: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(centres)
        self.temperature = temperature

    def forward(self, tokens: Tensor) -> Coded:
        centres, size = self.centres, len(self.centres)
        squared_distances = tokens.square().sum(1, keepdim=True) + centres.square().sum(1) - 2 * tokens @ centres.T
        logits = -squared_distances / self.temperature
        p = logits.softmax(1)
        one_hot = functional.one_hot(p.argmax(1), size).to(p.dtype)
        soft, hard = p @ centres, one_hot @ centres
        vectors = soft + (hard - soft).detach()
        losses = {
            "quantization": (vectors - tokens).square().mean(),
            "peakedness": 1 - p.square().sum(1).mean(),
            "usage": size * p.mean(0).square().sum(),
        }
        return Coded(vectors, losses)


class PackageLGQ(nn.Module):
    """LGQ as implemented in this package."""

    def __init__(self, centres: Tensor, temperature: float, drop: float) -> None:
        super().__init__()
        size, dim = centres.shape
        config = LGQConfig(codebook_size=size, norm="none", drop=drop)
        self.quantizer = config.build(dim, torch.Generator()).to(centres.dtype)
        self.quantizer.temperature = temperature
        with torch.no_grad():
            self.quantizer.centres.copy_(centres)

    def forward(self, tokens: Tensor) -> Coded:
        coded = self.quantizer(tokens.T[None, :, :, None])  # in memory as an encoder gives them, channels last
        return Coded(to_tokens(coded.quantized), coded.losses)


class LibraryQuantizer(nn.Module):
    """A class of vector-quantize-pytorch, which returns the weighted sum of its losses."""

    def __init__(self, method: str, codes: int, dim: int) -> None:
        super().__init__()
        import vector_quantize_pytorch

        build = getattr(vector_quantize_pytorch, method)
        size = {"levels": list(fsq_levels(codes))} if method == "FSQ" else {"codebook_size": codes}
        self.quantizer = build(dim=dim, **size, **LIBRARY_ARGUMENTS[method])

    def forward(self, tokens: Tensor) -> Coded:
        vectors, _, *losses = self.quantizer(tokens[None])
        return Coded(vectors[0], {"library": sum((loss.sum() for loss in losses), start=vectors.new_zeros(()))})


def fsq_levels(codes: int) -> tuple[int, ...]:
    """The levels of FSQ that are compared with `codes` codes."""
    return FSQConfig.for_codebook_size(codes).levels


@dataclass(frozen=True)
class TrainingStep:
    """A step, forward and backward; called with a number of tokens, it uses as many of `tokens` [N, D].

    upstream: [N, D], a linear functional of the vectors in place of a decoder. weights: of the losses, by name.
    """

    quantizer: nn.Module
    tokens: Tensor
    upstream: Tensor
    weights: dict[str, float]

    @classmethod
    def of(cls, case: AssignmentCase) -> Self:
        """The step of a case, on data that depend on its sizes only."""
        generator = torch.Generator().manual_seed(0)
        tokens, upstream = (torch.randn(case.tokens, case.dim, generator=generator) for _ in range(2))
        centres = torch.randn(case.codes, case.dim, generator=generator)
        if case.temperature is None:
            return cls(LibraryQuantizer(case.method, case.codes, case.dim), tokens, upstream, {"library": 1.0})
        scale = 1.0 if case.subnormals else scale_without_subnormals(tokens, centres, case.temperature)
        centres = scale * centres
        quantizer = (
            DenseLGQ(centres, case.temperature)
            if case.method == "dense"
            else PackageLGQ(centres, case.temperature, case.drop)
        )
        return cls(quantizer, scale * tokens, upstream, LGQConfig.default_loss_weights)

    def __call__(self, count: int) -> None:
        self.quantizer.zero_grad()
        tokens = self.tokens[:count].clone().requires_grad_()  # their gradient is the encoder's
        coded: Coded = self.quantizer(tokens)
        decoder_loss = (coded.vectors * self.upstream[:count]).mean()
        (decoder_loss + weighted_sum(coded.losses, self.weights)).backward()


def scale_without_subnormals(tokens: Tensor, centres: Tensor, temperature: float) -> float:
    """The factor ≤ 1 for tokens [N, D] and centres [K, D] that keeps logits −d²/τ within LARGEST_LOGIT_RANGE a row."""
    widest = 0.0
    for some in tokens.split(max(1, RANGE_TILE // len(centres))):
        squared_distances = torch.cdist(some, centres).square()
        widest = max(widest, (squared_distances.amax(1) - squared_distances.amin(1)).max().item())
    return min(1.0, math.sqrt(LARGEST_LOGIT_RANGE * temperature / widest)) if widest else 1.0


def measure_case(case: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds per step and megabytes of an AssignmentCase, as JSON; to be run in a fresh process."""
    what = AssignmentCase(**case)
    step = TrainingStep.of(what)
    few = min(what.tokens, WARM_UP_TOKENS)
    cost = cost_of(lambda: step(what.tokens), steps=what.steps, warm_up=lambda: step(few))
    return {"seconds": cost.seconds, "megabytes": cost.megabytes}


def measure_floor(case: dict[str, Any]) -> dict[str, Any]:
    """Nanoseconds per token-code pair of the least work of PyTorch in linear memory; to be run in a fresh process.

    Two exponentials and seven matrix products of width D + 1, on a tile that the cache holds: logits and p v forward,
    logits again, G vᵀ, dS k, qᵀ dS and Gᵀ p backward. No sums, maxima or products of elements, and no memory traffic.
    """
    width = case["dim"] + 1
    generator = torch.Generator().manual_seed(0)
    queries, upstream = (torch.randn(FLOOR_TOKENS, width, generator=generator) for _ in range(2))
    keys = torch.randn(FLOOR_CODES, width, generator=generator) / width
    logits, products = torch.empty(FLOOR_TOKENS, FLOOR_CODES), torch.empty(FLOOR_TOKENS, FLOOR_CODES)
    of_tokens, of_codes = torch.empty(FLOOR_TOKENS, width), torch.empty(width, FLOOR_CODES)

    def tile() -> None:
        torch.mm(queries, keys.T, out=logits).exp_()
        torch.mm(logits, keys, out=of_tokens)
        torch.mm(queries, keys.T, out=logits).exp_()
        torch.mm(upstream, keys.T, out=products)
        torch.mm(products, keys, out=of_tokens)
        torch.mm(queries.T, products, out=of_codes)
        torch.mm(upstream.T, logits, out=of_codes)

    def tiles() -> None:
        for _ in range(FLOOR_REPEATS):
            tile()

    cost = cost_of(tiles, steps=case["steps"], warm_up=tile)
    return {"ns_per_pair": 1e9 * cost.seconds / (FLOOR_REPEATS * FLOOR_TOKENS * FLOOR_CODES)}
