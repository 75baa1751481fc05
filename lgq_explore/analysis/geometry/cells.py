"""Shape and size of the cells of codes, and how they follow the density of the latents.

The cell of code k holds the tokens that choose it. Its volume, counting only places where there are latents, is an
integral over their density f, which its own tokens z_n sample:

    V_k = ∫_cell dz = E[1{z in cell} / f(z)] ≈ (1/N) Σ_{n in cell} 1/f(z_n)

Theory of high resolution (Bennett 1948; Zador 1982; Gersho 1979): of all codebooks of K → ∞ codes in m dimensions, the
one with the least squared error has codes with a density ∝ f^{m/(m+2)}. So its cells have

    V ∝ f^{−m/(m+2)}      occupancy ∝ f^{2/(m+2)}      the same error each, count × mean squared distance ∝ f^0

A uniform grid has exponents 0, 1 and 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import nearest_codes
from lgq_explore.runs.study import Study

from .density import NEIGHBOURS, latent_density

TOKENS_A_DIMENSION = 5
"""Tokens that a cell needs for each effective dimension, for its shape to mean anything."""

FEWEST_TOKENS = 5
"""Tokens of a cell that exponents are fitted to: fewer have no logarithm to speak of."""

RESAMPLES = 1000
COVERAGE = 0.95

THEORY: dict[str, Callable[[float], float]] = {
    "volume": lambda m: -m / (m + 2),
    "occupancy": lambda m: 2 / (m + 2),
    "distortion_share": lambda m: 0.0,
}
"""Exponent of the density at the optimum, by column of `code_cells`."""


def code_cells(
    study: Study,
    *,
    codebook: Tensor | None = None,
    neighbours: int = NEIGHBOURS,
    dimension: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """A row per joint code: size and shape of its cell in the space of `Quantizer.continuous`, as in `cells_of_points`.

    codebook: [K', P], other codes to cut the same space by, such as k-means centres; each token is then of the nearest
    in Euclidean distance.

    Raises:
        InputError: more codes than can be listed, a codebook of another width, or what `latent_density` refuses.
    """
    points, codes = study.points, None
    if codebook is None:
        codebook, codes = study.code_points, torch.from_numpy(study.codes)
    elif codebook.ndim != 2 or codebook.shape[1] != points.shape[1]:
        raise InputError(f"the codebook has shape {list(codebook.shape)}: give [K, {points.shape[1]}]")
    return cells_of_points(
        points, image_of_tokens(study), codebook, codes, neighbours=neighbours, dimension=dimension, seed=seed
    )


def image_of_tokens(study: Study) -> NDArray[np.int64]:
    """The image that each token is of [N]."""
    images = len(study.encoding)
    return np.repeat(np.arange(images), len(study.points) // max(images, 1))


@torch.no_grad()
def cells_of_points(
    points: Tensor,
    images: NDArray[np.int64],
    codebook: Tensor,
    codes: Tensor | None = None,
    *,
    neighbours: int = NEIGHBOURS,
    dimension: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The cells of a codebook [K, E] among N tokens [N, E], of the `images` [N]; a row per code, without tokens too.

    codes: [N], that each token is of; by default the nearest in Euclidean distance.

    Columns, of which all but the first three are NaN where a cell has no tokens:

    code; count (tokens); occupancy (share of all N).
    mean_log_density: over the cell's tokens of log f, nats per unit of volume in m dimensions. volume: V above.
    scatter: mean squared distance of its tokens to their own mean. offset: squared distance of the code to that mean.
    Their sum is the cell's mean squared error: at the optimum offset is 0. distortion_share: of the summed error.
    effective_dimension: (tr Σ)²/tr Σ² of the cell's covariance, both free of the bias of few tokens, as they are for
    normal ones (Himeno & Yamada 2014). anisotropy: E over it, 1 for a ball, E for a rod. They are NaN in a cell with
    fewer than 5 tokens for each effective dimension of a typical cell.

    And the same in all rows: tokens (N), density_tokens, neighbours (k), dimension (m), shape_tokens (those 5·d_eff).

    Raises:
        InputError: what `latent_density` refuses.
    """
    density = latent_density(points.cpu().numpy(), images, neighbours=neighbours, dimension=dimension, seed=seed)
    codes = nearest_codes(points, codebook) if codes is None else codes
    size, tokens = len(codebook), len(points)
    shapes = _shapes(points.double().cpu(), codes, codebook.double().cpu())
    counts = np.bincount(codes, minlength=size)
    used = np.where(counts > 0, counts, np.nan)
    error = counts * (shapes["scatter"] + shapes["offset"])
    return pd.DataFrame(
        {
            "code": np.arange(size),
            "count": counts,
            "occupancy": counts / tokens,
            "mean_log_density": np.bincount(codes, density.log_density, size) / used,
            "volume": np.bincount(codes, density.volume, size) / tokens * (used / used),
            **shapes,
            "distortion_share": error / np.nansum(error),
            "tokens": tokens,
            "density_tokens": density.tokens,
            "neighbours": density.neighbours,
            "dimension": density.dimension,
        }
    )


def density_exponents(cells: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """How volume, occupancy and distortion of cells go with a power of the density: a row each, theory's beside it.

    cells: of `code_cells`. Columns: quantity; exponent, by least squares over the logarithms of all cells of at least
    `FEWEST_TOKENS` tokens, each token counting once; low and high, the middle 95 % over `resamples` resamples of these
    cells, which say nothing of other photographs; theory, at the same m; cells (their number) and fewest_tokens; centre
    and level, the means of the two logarithms, where the fitted line goes through; tokens and dimension, as in `cells`.

    If each cell counted once, the bar would bend the line: at low densities only the cells clear it that are large by
    chance. As tokens count, what lies below it weighs little. With 1,000 random codes in a Gaussian of 2 to 5
    dimensions and 23,552 tokens, volume's exponent comes out right within 0.1, and occupancy's up to 0.2 too high.

    Raises:
        InputError: a frame of something else, fewer than 2 resamples, or fewer than 3 such cells.
    """
    missing = {"count", "mean_log_density", "tokens", "dimension", *THEORY} - set(cells.columns)
    if missing:
        raise InputError(f"the frame lacks the columns {sorted(missing)}: give one of code_cells")
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: give at least 2")
    enough, finite = cells["count"] >= FEWEST_TOKENS, np.isfinite(cells["mean_log_density"])
    kept = cells[enough & finite & (cells[[*THEORY]] > 0).all(axis=1)]
    if len(kept) < 3:
        raise InputError(f"{len(kept)} cells have {FEWEST_TOKENS} tokens or more: encode more images, 3 are needed")
    draws = np.random.default_rng(seed).integers(len(kept), size=(resamples, len(kept)))
    density, weights = kept["mean_log_density"].to_numpy(), kept["count"].to_numpy(dtype=np.float64)
    first = kept.iloc[0]
    rows = []
    for quantity, theory in THEORY.items():
        logarithm = np.log(kept[quantity].to_numpy())
        resampled = _slope(density[draws], logarithm[draws], weights[draws])
        low, high = np.quantile(resampled, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        rows.append(
            {
                "quantity": quantity,
                "exponent": float(_slope(density, logarithm, weights)),
                "low": low,
                "high": high,
                "theory": theory(first["dimension"]),
                "cells": len(kept),
                "fewest_tokens": FEWEST_TOKENS,
                "centre": float(np.average(density, weights=weights)),
                "level": float(np.average(logarithm, weights=weights)),
                "tokens": int(first["tokens"]),
                "dimension": first["dimension"],
            }
        )
    return pd.DataFrame(rows)


def _slope(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the line of least squares through weighted points along the last axis."""
    shares = weights / weights.sum(axis=-1, keepdims=True)
    x = x - (shares * x).sum(axis=-1, keepdims=True)
    return (shares * x * y).sum(axis=-1) / (shares * np.square(x)).sum(axis=-1)


def _shapes(points: Tensor, codes: Tensor, codebook: Tensor) -> dict[str, NDArray[np.float64] | float]:
    """Columns of `cells_of_points` that take the tokens of one cell at a time."""
    size, width = codebook.shape
    counts = torch.bincount(codes, minlength=size)
    cells = points[codes.argsort()].split(counts.tolist())
    scatter, offset, effective = (np.full(size, np.nan) for _ in range(3))
    within = torch.zeros(width, width, dtype=torch.float64)
    for code in counts.nonzero().flatten().tolist():
        mean = cells[code].mean(0)
        deviations = cells[code] - mean
        products = deviations.T @ deviations
        within += products
        scatter[code] = products.trace().item() / len(deviations)
        offset[code] = (mean - codebook[code]).square().sum().item()
        effective[code] = _effective_dimension(products, len(deviations) - 1)
    pooled = within.square().sum().item()
    # Of all cells laid over each other: their directions mix, so that it is at least what a typical cell has.
    needed = TOKENS_A_DIMENSION * within.trace().item() ** 2 / pooled if pooled > 0 else np.inf
    effective[counts.numpy() < needed] = np.nan
    return {
        "scatter": scatter,
        "offset": offset,
        "effective_dimension": effective,
        "anisotropy": width / effective,
        "shape_tokens": needed,
    }


def _effective_dimension(products: Tensor, freedom: int) -> float:
    """(tr Σ)²/tr Σ² from summed products of deviations [E, E]; NaN where so few tokens leave nothing of tr Σ²."""
    if freedom < 2:
        return np.nan
    trace, square = products.trace().item() / freedom, products.square().sum().item() / freedom**2
    trace_of_square = freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - trace**2 / freedom)
    square_of_trace = trace**2 - 2 * trace_of_square / freedom
    return square_of_trace / trace_of_square if trace_of_square > 0 else np.nan
