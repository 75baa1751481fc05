"""Shape and size of the cells of codes, and how they follow the density of the latents.

The cell of code k holds the tokens that choose it. Its volume, counting only places where there are latents, is an
integral that its own tokens z_n estimate, f being the density of the latents:

    V_k = ∫_cell dz = E[1{z in cell} / f(z)] ≈ (1/N) Σ_{n in cell} 1/f(z_n)

By high-resolution theory (Bennett 1948; Zador 1982; Gersho 1979), of all codebooks of K → ∞ codes in m dimensions the
one with the least squared error has codes with a density ∝ f^{m/(m+2)}. Its cells therefore have

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
from lgq_explore.frames.geometry import CODE_CELLS, DENSITY_EXPONENTS, DISTORTION_SHARE, OCCUPANCY, VOLUME
from lgq_explore.quantizers import nearest_codes
from lgq_explore.runs.study import Study

from .density import NEIGHBOURS, latent_density

TOKENS_A_DIMENSION = 5
"""Tokens that a cell needs per effective dimension for its shape to mean anything."""

FEWEST_TOKENS = 5
"""Least number of tokens of a cell that exponents are fitted to: the logarithm of fewer is mostly noise."""

RESAMPLES = 1000
COVERAGE = 0.95

THEORY: dict[str, Callable[[float], float]] = {
    VOLUME: lambda m: -m / (m + 2),
    OCCUPANCY: lambda m: 2 / (m + 2),
    DISTORTION_SHARE: lambda m: 0.0,
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
    """Size and shape of each code's cell in the space of `Quantizer.continuous`, one row per joint code.

    Columns are those of `cells_of_points`. codebook: [K', P], other codes to divide the same space by, such as k-means
    centres; each token then takes the nearest in Euclidean distance.

    Raises:
        InputError: more codes than can be listed, codes without a geometry, a codebook of another width, or what
            `latent_density` refuses.
    """
    study.require_geometry()
    points, codes = study.points, None
    if codebook is None:
        codebook, codes = study.code_points, torch.from_numpy(study.codes)
    elif codebook.ndim != 2 or codebook.shape[1] != points.shape[1]:
        raise InputError(f"the codebook has shape {list(codebook.shape)}: give [K, {points.shape[1]}]")
    return cells_of_points(
        points, image_of_tokens(study), codebook, codes, neighbours=neighbours, dimension=dimension, seed=seed
    )


def image_of_tokens(study: Study) -> NDArray[np.int64]:
    """The number of the image that each token comes from, [N]."""
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
    """The cells of a codebook [K, P] among N tokens [N, P] of the images [N]: `frames.geometry.CODE_CELLS`.

    One row per code, also for codes without tokens, where all but code, count and occupancy are NaN.
    codes: [N], the code of each token; by default the nearest in Euclidean distance.

    volume is V above. The sum of scatter and offset is the cell's mean squared error; at the optimum offset is 0.
    effective_dimension, (tr Σ)²/tr Σ² of the cell's covariance, is corrected for the bias of few tokens as for normal
    ones (Himeno & Yamada 2014). It and anisotropy are NaN in a cell with fewer than shape_tokens, which are 5 for each
    effective dimension of a typical cell. Facts of the whole set are the same in all rows.

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
    return CODE_CELLS.frame(
        {
            "code": np.arange(size),
            "count": counts,
            OCCUPANCY: counts / tokens,
            "mean_log_density": np.bincount(codes, density.log_density, size) / used,
            VOLUME: np.bincount(codes, density.volume, size) / tokens * (used / used),
            **shapes,
            DISTORTION_SHARE: error / np.nansum(error),
            "tokens": tokens,
            "density_tokens": density.tokens,
            "neighbours": density.neighbours,
            "dimension": density.dimension,
        }
    )


def density_exponents(cells: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """The power of the density that volume, occupancy and distortion of cells follow, one row each, beside theory's.

    cells: of `code_cells`. Columns: `frames.geometry.DENSITY_EXPONENTS`. The exponent is fitted by least squares to the
    logarithms of all cells of at least `FEWEST_TOKENS` tokens, each token counting once. low and high hold the middle
    95 % over `resamples` resamples of these cells, which say nothing about other photographs. The fitted line goes
    through (centre, level).

    Cells are weighted by their tokens because the threshold would bend the line otherwise: at low densities only cells
    that are large by chance pass it. With 1,000 random codes in a Gaussian of 2 to 5 dimensions and 23,552 tokens, the
    exponent of volume is right within 0.1, and that of occupancy is up to 0.2 too high.

    Raises:
        InputError: a frame of something else, fewer than 2 resamples, fewer than 3 such cells, or all of one density.
    """
    CODE_CELLS.require(cells)
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: give at least 2")
    enough, finite = cells["count"] >= FEWEST_TOKENS, np.isfinite(cells["mean_log_density"])
    kept = cells[enough & finite & (cells[[*THEORY]] > 0).all(axis=1)]
    if len(kept) < 3:
        raise InputError(f"{len(kept)} cells have {FEWEST_TOKENS} tokens or more: encode more images, 3 are needed")
    density, weights = kept["mean_log_density"].to_numpy(), kept["count"].to_numpy(dtype=np.float64)
    if np.ptp(density) == 0:
        raise InputError(f"all {len(kept)} cells have one density: a power of it takes cells of several")
    draws = np.random.default_rng(seed).integers(len(kept), size=(resamples, len(kept)))
    draws = draws[np.ptp(density[draws], axis=1) > 0]  # of few cells, one may be drawn every time
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
    return DENSITY_EXPONENTS.frame(rows)


def _slope(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope of the least-squares line through weighted points, along the last axis."""
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
    """(tr Σ)²/tr Σ² from summed products of deviations [P, P]; NaN where tokens are too few for tr Σ²."""
    if freedom < 2:
        return np.nan
    trace, square = products.trace().item() / freedom, products.square().sum().item() / freedom**2
    trace_of_square = freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - trace**2 / freedom)
    square_of_trace = trace**2 - 2 * trace_of_square / freedom
    return square_of_trace / trace_of_square if trace_of_square > 0 else np.nan
