"""Distortion of a tokenizer's codes beside that of k-means on its own latents.

The reference for squared error is k-means with as many codes on the same latents. The geometry efficiency is the
held-out distortion of k-means over that of the codes, in the space where the method rounds. Like the codes, k-means is
fitted to latents of the training photographs and measured on held-out ones. An efficiency of 1 is not an optimum: with
few tokens per code k-means overfits, and codes may exceed 1. k-means fitted to the held-out latents themselves, in
hindsight, shows how much lower the distortion could be. In pixels k-means is never an optimum, since it does not use
the decoder.

A squared distance between latents need not be visible in pixels. The second measure weights it by the decoder's
sensitivity, |J(z − z_q)|² with the decoder's Jacobian J at z_q: the squared error in pixels to first order. The third
measure is that error itself, |f(z) − f(z_q)|², f being the decoder.

Two conditions make codes optimal (Lloyd 1982): each token takes its nearest code, which holds for all methods here, and
each code is the mean of its tokens, which no method guarantees. Codes are therefore also measured after one of Lloyd's
steps: they are moved to the means of their cells, and tokens take the nearest of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.geometry import EFFICIENCY, LATENTS
from lgq_explore.models import Tokenizer
from lgq_explore.progress import Progress
from lgq_explore.quantizers import nearest_codes, to_grid, to_tokens
from lgq_explore.runs.encoding import BATCH_SIZE
from lgq_explore.runs.study import Study

from .decoder_sensitivity import decoded_step

RESTARTS = 20
FIT_TOKENS = 2**14
"""Number of tokens that k-means is fitted to: 16,384, sixteen for each of 1,024 codes."""

MOST_ITERATIONS = 100
PICTURES = 128
"""Held-out pictures that are decoded, spread over all of them."""

DECODED_RESTARTS = 3
"""Number of restarts that are decoded, the best first: each costs as much as the codes."""

Assignment = Callable[[Tensor], Tensor]
"""Points [N, P] → the number of the code of each [N]."""


@dataclass(frozen=True, eq=False)
class KMeansCodebooks:
    """k-means with K codes from several starts, on the same N tokens; by distortion on these, the best first.

    centres: float32 [restarts, K, P]. distortion: float64 [restarts], mean squared distance of the N tokens to them.
    tokens: float32 [N, P], in the space of `Quantizer.continuous`.
    """

    centres: Tensor
    distortion: NDArray[np.float64]
    tokens: Tensor

    @property
    def best(self) -> Tensor:
        """The centres [K, P] with the least distortion on the tokens that they were fitted to."""
        return self.centres[0]


def kmeans_codebooks(
    study: Study,
    *,
    restarts: int = RESTARTS,
    tokens: int = FIT_TOKENS,
    seed: int = 0,
    in_hindsight: bool = False,
    progress: bool = True,
) -> KMeansCodebooks:
    """Fit k-means with the quantizer's number of codes to tokens of its own latents, in the space where it rounds.

    They are fitted to `Study.training_encoding`; in_hindsight, to the study's own held-out tokens, as no method could
    be. tokens: N, drawn without replacement. Each restart is scikit-learn's:
    greedy k-means++, then Lloyd iterations to convergence, at most 100; about a second on one core at K = 1024,
    N = 16,384 and 8 dimensions, and in proportion to K·N. `progress` shows a bar; an interrupt ends it between two
    restarts.

    Raises:
        InputError: a study without a run, unless in_hindsight, codes without a geometry, fewer than 1 restart, or no
            more different tokens than codes.
    """
    study.require_geometry()
    if restarts < 1:
        raise InputError(f"restarts is {restarts}: give at least 1")
    points = (study.points if in_hindsight else study.training_points).float().numpy()
    chosen = np.random.default_rng(seed).permutation(len(points))[: max(0, tokens)]
    points, size = points[chosen], study.quantizer.codebook_size
    different = len(np.unique(points, axis=0))
    if different <= size:
        raise InputError(f"{different} different tokens are too few for k-means with {size} codes: encode more crops")
    fits = []
    with Progress(f"k-means, {size:,d} codes", restarts, "restarts", shown=progress) as bar:
        for restart in range(restarts):
            fits.append(KMeans(size, n_init=1, max_iter=MOST_ITERATIONS, random_state=seed + restart).fit(points))
            bar.advance()
    fits.sort(key=lambda fit: fit.inertia_)
    return KMeansCodebooks(
        centres=torch.from_numpy(np.stack([fit.cluster_centers_ for fit in fits]).astype(np.float32)),
        distortion=np.array([fit.inertia_ / len(points) for fit in fits]),
        tokens=torch.from_numpy(points),
    )


@torch.no_grad()
def efficiency(
    study: Study,
    kmeans: KMeansCodebooks,
    *,
    codebook: Tensor | None = None,
    hindsight: KMeansCodebooks | None = None,
    pictures: int = PICTURES,
) -> pd.DataFrame:
    """Distortion of the codes beside that of k-means, one row per measure: `frames.geometry.EFFICIENCY`.

    The measures are `latents`, `pixels, first order` and `pixels`. Cell means are taken over the tokens that k-means
    was fitted to, and the best restart is the best on these tokens. In latents the distortion is a mean
    squared distance a token, summed over dimensions; in pixels the mean squared error of a channel's value in [0, 1].
    efficiency, cell_means_efficiency: kmeans over the first two. spread: standard deviation of `efficiency` over
    `restarts` of them, NaN for one; pixels are measured for at most 3. Then N of each: tokens and images (held-out),
    fit_tokens; codebook_size; dimension, P.

    Tokens take the code that the method gives them, and the nearest in Euclidean distance of all others. codebook:
    [K, P], codes to judge in place of the run's. hindsight: `kmeans_codebooks` in hindsight, for `kmeans_in_hindsight`.
    pictures: how many are decoded, spread over the study's.

    Raises:
        InputError: a study without pictures, k-means of another space, or fewer than 1 picture.
    """
    own = (study.code_points if codebook is None else codebook).float()
    images, points = len(study.encoding), study.points.float()
    _check(images, [kmeans] if hindsight is None else [kmeans, hindsight], own, pictures)
    assign = study.quantizer.assign_joint if codebook is None else _nearest_of(own)
    means = _cell_means(kmeans.tokens, own, assign(kmeans.tokens))
    judged = {"codes": _Rounding(own, assign), "cell_means": _to_nearest(means)}
    if hindsight is not None:
        judged["kmeans_in_hindsight"] = _to_nearest(hindsight.best)
    roundings = [*judged.values(), *map(_to_nearest, kmeans.centres)]
    shown = np.unique(np.linspace(0, images - 1, min(pictures, images)).round().astype(np.int64))
    latents = [_latent_distortion(points, rounding) for rounding in roundings]
    grid = to_grid(points, torch.from_numpy(study.encoding.latents))[shown]
    pixels = [
        _pixel_distortion(study.tokenizer_on_device, grid.to(study.device), rounding)
        for rounding in roundings[: len(judged) + DECODED_RESTARTS]
    ]
    everything = {"images": images, "tokens": len(points)}
    some = {"images": len(shown), "tokens": len(shown) * (len(points) // images)}
    common = {"fit_tokens": len(kmeans.tokens), "codebook_size": len(own), "dimension": own.shape[1]}
    return EFFICIENCY.frame(
        [
            _row(LATENTS, judged, latents) | everything | common | {"kmeans_fitted": kmeans.distortion[0]},
            _row("pixels, first order", judged, [both.first_order for both in pixels]) | some | common,
            _row("pixels", judged, [both.exact for both in pixels]) | some | common,
        ]
    )


def _row(measure: str, judged: Iterable[str], distortions: Sequence[float]) -> dict[str, float | str]:
    """distortions: of what is judged, by its columns, and of each restart."""
    named = dict(zip(judged, distortions, strict=False))
    codes, cell_means, restarts = named["codes"], named["cell_means"], distortions[len(named) :]
    efficiencies = [_ratio(restart, codes) for restart in restarts]
    return {
        "measure": measure,
        "kmeans": restarts[0],
        "kmeans_fitted": math.nan,
        "kmeans_in_hindsight": math.nan,
        **named,
        "efficiency": efficiencies[0],
        "spread": float(np.std(efficiencies, ddof=1)) if len(restarts) > 1 else math.nan,
        "cell_means_efficiency": _ratio(restarts[0], cell_means),
        "restarts": len(restarts),
    }


def _ratio(kmeans: float, codes: float) -> float:
    return kmeans / codes if codes > 0 else math.inf


def _nearest_of(codebook: Tensor) -> Assignment:
    """To the code of the codebook [K, P] at the least Euclidean distance."""
    return lambda points: nearest_codes(points, codebook)


@dataclass(frozen=True)
class _Rounding:
    """Codes [K, P], and which of them a point takes."""

    codebook: Tensor
    assign: Assignment

    def __call__(self, points: Tensor) -> Tensor:
        """Points [N, P] → the points of their codes."""
        return self.codebook[self.assign(points)]


def _to_nearest(codebook: Tensor) -> _Rounding:
    return _Rounding(codebook, _nearest_of(codebook))


def _cell_means(tokens: Tensor, codebook: Tensor, codes: Tensor) -> Tensor:
    """The codebook [K, P] with each code at the mean of the tokens [N, P] that take it; without tokens it stays."""
    counts = torch.bincount(codes, minlength=len(codebook))[:, None]
    sums = torch.zeros_like(codebook, dtype=torch.float64).index_add_(0, codes, tokens.double())
    return torch.where(counts > 0, sums / counts.clamp(min=1), codebook.double()).to(codebook)


def _latent_distortion(points: Tensor, rounding: _Rounding) -> float:
    """Mean squared distance of tokens [N, P] to their codes."""
    return (points.double() - rounding(points).double()).square().sum(1).mean().item()


@dataclass(frozen=True)
class _PixelDistortion:
    """Mean squared error of a channel's value in [0, 1]: to first order in the latents' error, and as it is."""

    first_order: float
    exact: float


def _pixel_distortion(tokenizer: Tokenizer, grid: Tensor, rounding: _Rounding) -> _PixelDistortion:
    """grid: [B, P, H, W], in the space of `Quantizer.continuous`, on the tokenizer's device."""
    first_order, exact, values = 0.0, 0.0, 0
    for batch in grid.split(BATCH_SIZE):
        place = to_grid(rounding(to_tokens(batch).cpu()).to(batch.device), batch)
        step = decoded_step(tokenizer, place, batch - place)
        unrounded = tokenizer.decode(tokenizer.quantizer.decoder_input(batch))
        first_order += step.first_order.double().square().sum().item()
        exact += (unrounded - step.pictures).double().square().sum().item()
        values += unrounded.numel()
    # The model's range [−1, 1] is twice as wide as [0, 1].
    return _PixelDistortion(first_order / (4 * values), exact / (4 * values))


def _check(images: int, fits: Sequence[KMeansCodebooks], own: Tensor, pictures: int) -> None:
    if images == 0:
        raise InputError("the encoding holds 0 pictures: encode at least one first")
    if pictures < 1:
        raise InputError(f"pictures is {pictures}: give at least 1")
    for fit in fits:
        if fit.best.shape != own.shape:
            raise InputError(
                f"k-means has {list(fit.best.shape)} codes and dimensions, the codebook {list(own.shape)}: "
                "give k-means of the same space, with as many codes"
            )
