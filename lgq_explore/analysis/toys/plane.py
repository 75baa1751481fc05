"""Codes over a region of the plane, by a method's own hard assignment and by soft assignment at a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.toys import HARD_CODES, SOFT_CODES
from lgq_explore.quantizers import LGQConfig, Quantizer
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.plain_tokens import as_latents, code_vectors, codes_of
from lgq_explore.quantizers.temperature import require_temperature
from lgq_explore.quantizers.usage_regularizers import usage_regularizers

from ..temperature.annealing import DISTINCT

MOST_SHARED = 256
"""Most codes whose responsibilities are held for every pixel."""

MARGIN = 0.08
"""Margin around the points, as a share of their extent."""


@dataclass(frozen=True)
class Plane:
    """A square piece of the plane, cut into pixels × pixels: their centres along x and along y, both ascending."""

    centres_x: NDArray[np.float64]
    centres_y: NDArray[np.float64]

    @cached_property
    def tokens(self) -> Tensor:
        """[pixels², 2], row by row from the lowest y."""
        x, y = np.meshgrid(self.centres_x, self.centres_y)
        return torch.from_numpy(np.stack([x.ravel(), y.ravel()], axis=1))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.centres_y), len(self.centres_x)


def plane_around(tokens: ArrayLike | Tensor, pixels: int = 200) -> Plane:
    """The square around points [N, 2], with a margin.

    Raises:
        InputError: points that do not lie in a plane, or fewer than 2 pixels.
    """
    points = np.asarray(tokens, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(f"tokens have shape {list(points.shape)}: give points in the plane, [N, 2]")
    if pixels < 2:
        raise InputError(f"pixels is {pixels}: give at least 2")
    low, high = points.min(axis=0), points.max(axis=0)
    half = (0.5 + MARGIN) * max((high - low).max(), 1e-6)
    offsets = half * ((2 * np.arange(pixels) + 1) / pixels - 1)
    x, y = (low + high) / 2
    return Plane(x + offsets, y + offsets)


def plane_codes(quantizer: Quantizer, plane: Plane) -> NDArray[np.int64]:
    """The joint code of every pixel [rows, columns], assigned by the quantizer itself."""
    _require_plane(quantizer.dim)
    return codes_of(quantizer, plane.tokens).numpy().reshape(plane.shape)


def plane_responsibilities(codebook: Tensor, plane: Plane, temperature: float) -> NDArray[np.float32]:
    """softmax_k(−|z − c_k|²/τ) at every pixel [rows, columns, K], for codes [K, 2].

    Raises:
        InputError: more than MOST_SHARED codes, or a temperature that is not positive.
    """
    require_temperature(temperature)
    _require_plane(codebook.shape[1])
    if len(codebook) > MOST_SHARED:
        raise InputError(f"{len(codebook):,d} codes share every pixel: at most {MOST_SHARED} are drawn")
    # What all codes have in common drops out: logits are (2 z·c − |c|²)/τ, with z and c measured from one origin. Codes
    # lie along the first axis, so that sums over them are vectors of pixels.
    origin = plane.tokens.mean(0)
    codes, pixels = codebook.double() - origin, plane.tokens - origin
    bias = codes.square().sum(1, keepdim=True) / -temperature
    shared = torch.addmm(bias, (2 / temperature) * codes, pixels.T).softmax(0).float()
    return shared.T.numpy().reshape(*plane.shape, len(codebook))


def hard_codes(quantizer: Quantizer, tokens: Tensor) -> pd.DataFrame:
    """The points that a method decodes its codes to, and the tokens [N, 2] that take them: `frames.toys.HARD_CODES`."""
    _require_plane(quantizer.dim)
    codebook = code_vectors(quantizer)
    counts = torch.bincount(codes_of(quantizer, tokens), minlength=len(codebook)).numpy()
    frame = _code_frame(codebook, tokens, counts / len(tokens))
    return HARD_CODES.frame(frame.assign(count=counts, dead=counts == 0))


@torch.no_grad()
def soft_codes(codebook: Tensor, tokens: Tensor, temperature: float) -> pd.DataFrame:
    """Codes [K, 2] and the mean share that each has in tokens [N, 2] at a temperature: `frames.toys.SOFT_CODES`."""
    usage = as_mixture(codebook).soft_assign(as_latents(tokens.float()), temperature).usage
    return _code_frame(codebook, tokens, usage.double().numpy())


def soft_numbers(codebook: Tensor, tokens: Tensor, temperature: float) -> dict[str, float]:
    """`effective_codes` of tokens [N, D] with codes [K, D] at a temperature, and `regularizer_numbers` there."""
    return {
        "temperature": temperature,
        "effective_codes": effective_codes(codebook, tokens, temperature),
        **regularizer_numbers(codebook, tokens, temperature),
        "tokens": len(tokens),
    }


def effective_codes(codebook: Tensor, tokens: Tensor, temperature: float) -> float:
    """exp(mean H(p)) of tokens [N, D] with codes [K, D] at a temperature: codes per token."""
    entropy = as_mixture(codebook).softness(as_latents(tokens.float()), temperature).entropy
    return math.exp(entropy.mean().item())


@torch.no_grad()
def regularizer_numbers(codebook: Tensor, tokens: Tensor, temperature: float) -> dict[str, float]:
    """LGQ's regularizers of tokens [N, D] with codes [K, D] at a temperature.

    peakedness = 1 − mean Σp². usage_published = K Σ u², u = mean p, which cannot fall below
    usage_bound = (K/N)(1 − peakedness); usage_unbiased does not depend on N.
    """
    assignment = as_mixture(codebook).soft_assign(as_latents(tokens.float()), temperature)
    usage = usage_regularizers(assignment)
    peakedness = 1 - assignment.s2.mean().item()
    return {
        "peakedness": peakedness,
        "usage_published": usage["published"].item(),
        "usage_unbiased": usage["unbiased"].item(),
        "usage_bound": len(codebook) / len(tokens) * (1 - peakedness),
    }


def as_mixture(codebook: Tensor) -> LGQ:
    """Codes [K, D] of any method as an LGQ, which can assign softly."""
    anything = LGQConfig(codebook_size=2, norm="none").build(codebook.shape[1], torch.Generator())
    return anything.with_codebooks([codebook.float()]).eval()


def _code_frame(codebook: Tensor, tokens: Tensor, share: NDArray[np.float64]) -> pd.DataFrame:
    spread = (tokens - tokens.mean(0)).square().sum(1).mean().sqrt()
    near = torch.cdist(codebook.double(), codebook.double()) < DISTINCT * spread
    return SOFT_CODES.frame(
        {
            "code": np.arange(len(codebook)),
            "x": codebook[:, 0].double().numpy(),
            "y": codebook[:, 1].double().numpy(),
            "share": share,
            "together": near.sum(1).numpy(),
        }
    )


def _require_plane(dim: int) -> None:
    if dim != 2:
        raise InputError(f"codes have width {dim}: a plane has 2")
