"""One optimiser step's gradients from several micro-batches, for batches that do not fit into memory at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..objectives.base import TrainingPass, means
from ..objectives.of_recipe import Minimised


@dataclass(frozen=True)
class Accumulated:
    """A step's micro-batches, whose gradients lie at the parameters.

    passes: detached, one a micro-batch. minimised: means over them, without gradients. codes: [B, G, H, W] of all.
    diagnostics: the quantizer's, means over them.
    """

    passes: Sequence[TrainingPass]
    minimised: Minimised
    codes: Tensor
    diagnostics: Mapping[str, Tensor]


def accumulated(
    images: Tensor,
    count: int,
    forward: Callable[[Tensor], TrainingPass],
    minimise: Callable[[TrainingPass], Minimised],
    backward: Callable[[Tensor], object],
) -> Accumulated:
    """Forward and backward passes over `images` [B, 3, S, S] in `count` equal parts, each with 1/count of its loss.

    The gradients are those of one pass over all images where the loss is a mean over images, as L1, L2, perceptual and
    adversarial terms are. What depends on the batch as a whole is that of a micro-batch: a quantizer's loss of usage,
    batch norms, an adaptive weight, LeCam's averages. Codebooks that follow running averages move once a micro-batch.
    """
    passes, parts = [], []
    for micro_batch in images.split(len(images) // count):
        training_pass = forward(micro_batch)
        minimised = minimise(training_pass)
        backward(minimised.total / count)
        passes.append(training_pass.detached())
        parts.append(minimised)
    coded = [each.output.coded for each in passes]
    return Accumulated(
        passes,
        _mean_of_losses(parts),
        torch.cat([each.codes for each in coded]),
        means([each.diagnostics for each in coded]),
    )


def _mean_of_losses(parts: Sequence[Minimised]) -> Minimised:
    return replace(
        parts[0],
        total=means([{"total": part.total} for part in parts])["total"],
        terms=means([part.terms for part in parts]),
        adaptive_weights=means([part.adaptive_weights for part in parts]),
        gradient_shares=means([part.gradient_shares for part in parts]),
    )
