"""Gradient estimators through rounding, and how far each agrees with the gradient of the smoothed loss.

In the forward pass all of them give the decoder the same hard codes. They differ in the derivative that replaces that
of rounding:

    straight-through   the identity (Bengio et al. 2013, arXiv 1308.3432)
    lgq                (2/τ) Cov_p(c), the derivative of the expected code (arXiv 2602.16086)
    split              the identity to the encoder, and that of the expected code to the codebook
    rotation           |q|/|z| times the rotation that takes z to q (arXiv 2410.06424)

They can be compared with the gradient that the loss has under noise (`smoothed_gradient`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import BESIDE_STRAIGHT_THROUGH, LGQ, ROTATION, SPLIT, STRAIGHT_THROUGH
from lgq_explore.frames.temperature import ESTIMATORS as ESTIMATOR_COLUMNS
from lgq_explore.images.ranges import to_model_range
from lgq_explore.quantizers import SoftQuantizer
from lgq_explore.quantizers.base import straight_through
from lgq_explore.quantizers.temperature import require_temperature
from lgq_explore.runs.study import Study

from .smoothed_gradient import (
    LossOfPictures,
    SmoothedGradient,
    hard,
    require_one_code,
    rounding_error,
    smoothed_gradient,
)
from .softness import require_soft

Estimator = Callable[[SoftQuantizer, Tensor, float], Tensor]
"""Raw latents [B, D, H, W] and a temperature → the hard codes' vectors [B, D, H, W], with the estimator's gradient."""

SMALLEST_NORM = 1e-6
"""Least norm of a vector that has a direction to be rotated from."""


def straight_through_estimator(quantizer: SoftQuantizer, latents: Tensor, temperature: float) -> Tensor:
    """q = z + sg(q_hard − z); no temperature changes it."""
    continuous = quantizer.continuous(latents)
    return straight_through(hard(quantizer, continuous), gradient_of=continuous)


def lgq_estimator(quantizer: SoftQuantizer, latents: Tensor, temperature: float) -> Tensor:
    """q = q_soft + sg(q_hard − q_soft)."""
    continuous = quantizer.continuous(latents)
    return straight_through(hard(quantizer, continuous), gradient_of=quantizer.soft(latents, temperature))


def split_estimator(quantizer: SoftQuantizer, latents: Tensor, temperature: float) -> Tensor:
    """q = sg(q_hard) + (z − sg z) + (q_soft(sg z, C) − sg q_soft): to the encoder it is the straight-through one."""
    continuous = quantizer.continuous(latents)
    two_paths = continuous + quantizer.soft(latents.detach(), temperature)
    return straight_through(hard(quantizer, continuous), gradient_of=two_paths)


def rotation_estimator(quantizer: SoftQuantizer, latents: Tensor, temperature: float) -> Tensor:
    """q = sg(|q|/|z| R) z, R the rotation in the plane of z and q that takes one direction to the other.

    R = 1 − 2 r rᵀ + 2 q̂ ẑᵀ with r the direction of ẑ + q̂. It turns the gradient as it turns the token.
    """
    continuous = quantizer.continuous(latents)
    target = hard(quantizer, continuous)
    with torch.no_grad():
        token_norm, target_norm = (
            vectors.norm(dim=1, keepdim=True).clamp(min=SMALLEST_NORM) for vectors in (continuous, target)
        )
        token_hat, target_hat = continuous / token_norm, target / target_norm
        middle = token_hat + target_hat
        middle = middle / middle.norm(dim=1, keepdim=True).clamp(min=SMALLEST_NORM)
    reflected = 2 * middle * (middle * continuous).sum(1, keepdim=True)
    carried = 2 * target_hat * (token_hat * continuous).sum(1, keepdim=True)
    return straight_through(target, gradient_of=(target_norm / token_norm) * (continuous - reflected + carried))


ESTIMATORS: dict[str, Estimator] = {
    STRAIGHT_THROUGH: straight_through_estimator,
    LGQ: lgq_estimator,
    SPLIT: split_estimator,
    ROTATION: rotation_estimator,
}


def encoder_gradient(
    estimator: Estimator, quantizer: SoftQuantizer, latents: Tensor, loss: LossOfPictures, temperature: float
) -> Tensor:
    """The gradient of Σ_b f_b in raw latents [B, D, H, W], as the estimator reports it to the encoder."""
    leaf = latents.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(estimator(quantizer, leaf, temperature)).sum(), leaf)
    return gradient


def compare_estimators(
    quantizer: SoftQuantizer,
    latents: Tensor,
    loss: LossOfPictures,
    truth: SmoothedGradient,
    temperatures: Sequence[float],
    estimators: Mapping[str, Estimator] = ESTIMATORS,
) -> pd.DataFrame:
    """Each estimator's encoder gradient against the smoothed loss's, one row per temperature and estimator.

    Columns: `frames.temperature.ESTIMATORS`. truth: the gradient of the smoothed loss. Cosine and variance ratio are
    over all tokens and dimensions, and corrected for the noise of the truth. They are NaN where the truth is nothing
    but noise; agreement says how far from that it is.
    """
    rows = []
    strength = truth.squared_norm
    for temperature in temperatures:
        require_temperature(temperature)
        for name, estimator in estimators.items():
            gradient = encoder_gradient(estimator, quantizer, latents, loss, temperature).double()
            squares, product = gradient.square().sum().item(), (gradient * truth.mean.double()).sum().item()
            told = strength > 0 and squares > 0
            rows.append(
                {
                    "temperature": temperature,
                    "estimator": name,
                    "cosine": product / (squares * strength) ** 0.5 if told else np.nan,
                    "variance_ratio": squares / strength if strength > 0 else np.nan,
                    "agreement": truth.agreement,
                    "sigma": truth.sigma,
                    "pairs": truth.pairs,
                }
            )
    return ESTIMATOR_COLUMNS.frame(rows)


def estimator_microscope(
    study: Study,
    images: NDArray[np.uint8],
    temperatures: Sequence[float],
    sigma: float | None = None,
    pairs: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """`compare_estimators` on one batch of pictures, uint8 [B, 3, S, S], for the mean absolute error of the decoder.

    sigma: of the noise, in the codes' space; by default the rounding error of these tokens. Which estimator is right
    depends on it: `estimator_map` has several.

    Raises:
        InputError: a quantizer without temperature, a temperature or σ that is not positive, an odd number of pairs.
    """
    quantizer = require_soft(study.quantizer)
    latents, loss = latents_and_loss(study, images)
    noise = rounding_error(quantizer, latents) if sigma is None else sigma
    truth = smoothed_gradient(quantizer, latents, loss, noise, pairs, seed)
    return compare_estimators(quantizer, latents, loss, truth, temperatures)


def beside_straight_through(
    study: Study, images: NDArray[np.uint8], temperatures: Sequence[float], *, estimator: str = LGQ
) -> pd.DataFrame:
    """How far an estimator's encoder gradient is from the straight-through one's, one row per temperature.

    Columns: `frames.temperature.BESIDE_STRAIGHT_THROUGH`. images: uint8 [B, 3, S, S]; the loss is the mean absolute
    error of the decoder. Cosine and norm ratio are over all tokens and dimensions. A norm is carried by few loud
    tokens where the estimator is uneven, so the median token stands beside it.

    Raises:
        InputError: a quantizer without temperature, or with several codes a position; a temperature that is not
            positive; an unknown estimator.
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"unknown estimator {estimator!r}: choose one of {', '.join(ESTIMATORS)}")
    quantizer = require_soft(study.quantizer)
    require_one_code(quantizer)
    latents, loss = latents_and_loss(study, images)
    rows = []
    for temperature in temperatures:
        require_temperature(temperature)
        told, copied = (
            encoder_gradient(ESTIMATORS[name], quantizer, latents, loss, temperature).double()
            for name in (estimator, STRAIGHT_THROUGH)
        )
        norms = told.norm(dim=1) / copied.norm(dim=1)
        rows.append(
            {
                "temperature": temperature,
                "estimator": estimator,
                "cosine": ((told * copied).sum() / (told.norm() * copied.norm())).item(),
                "norm_ratio": (told.norm() / copied.norm()).item(),
                "median_token_norm_ratio": norms.median().item(),
                "tokens": norms.numel(),
            }
        )
    return BESIDE_STRAIGHT_THROUGH.frame(rows)


def latents_and_loss(study: Study, images: NDArray[np.uint8]) -> tuple[Tensor, LossOfPictures]:
    """Raw latents [B, D, H, W] of uint8 [B, 3, S, S], and the decoder's mean absolute error for each picture."""
    tokenizer = study.tokenizer
    targets = to_model_range(torch.from_numpy(np.array(images)))
    with torch.no_grad():
        latents = tokenizer.encode(targets)

    def loss(quantized: Tensor) -> Tensor:
        return (tokenizer.decode(quantized) - targets).abs().mean((1, 2, 3))

    return latents, loss
