"""Losses and penalties of a discriminator, of logits of any shape, above 0 for what it takes as real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """½ (E max(0, 1 − real) + E max(0, 1 + made)), a scalar (Lim & Ye 2017; with the factor ½ of VQGAN)."""
    return (functional.relu(1 - real).mean() + functional.relu(1 + made).mean()) / 2


def hinge_of_generator(made: Tensor) -> Tensor:
    """−E made, a scalar."""
    return -made.mean()


def logistic(real: Tensor, made: Tensor) -> Tensor:
    """½ (E softplus(−real) + E softplus(made)): half the cross-entropy, a scalar (Goodfellow et al. 2014)."""
    return (functional.softplus(-real).mean() + functional.softplus(made).mean()) / 2


def non_saturating(made: Tensor) -> Tensor:
    """E softplus(−made) = −E log σ(made), a scalar, whose gradient does not vanish where the discriminator is sure."""
    return functional.softplus(-made).mean()


@dataclass(frozen=True)
class AdversarialLoss:
    """of_discriminator: of logits of images and of reconstructions. of_generator: of those of reconstructions."""

    of_discriminator: Callable[[Tensor, Tensor], Tensor]
    of_generator: Callable[[Tensor], Tensor]


ADVERSARIAL_LOSSES = {
    "hinge": AdversarialLoss(hinge, hinge_of_generator),
    "non-saturating": AdversarialLoss(logistic, non_saturating),
}


def r1_penalty(discriminator: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """½ E |∇ₓ D(x)|² over images x [B, 3, S, S], a scalar with gradients to the discriminator.

    Mescheder et al. 2018 (arXiv 1801.04406, with γ = 1). D(x) is the mean of the logits of an image's patches,
    as in the loss.
    """
    watched = images.detach().requires_grad_()
    of_image = discriminator(watched).flatten(1).mean(dim=1)
    (slope,) = torch.autograd.grad(of_image.sum(), watched, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean() / 2


class LeCam(nn.Module):
    """A penalty that keeps logits near running averages of the other kind's.

        E (real − α_made)² + E (made − α_real)²

    Tseng et al. 2021 (arXiv 2104.03310). α_real and α_made are exponential averages of the mean logits of the
    batches before; in the first batch, of that batch.
    """

    averages: Tensor

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("averages", torch.full((2,), torch.nan))  # of real and made ones; NaN before the first

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        """The penalty of logits, a scalar; the averages then take these in."""
        means = torch.stack([real.detach().mean(), made.detach().mean()]).float()
        before = torch.where(self.averages.isnan(), means, self.averages)
        self.averages.copy_(torch.lerp(means, before, self.decay))
        of_real, of_made = before
        return (real - of_made).square().mean() + (made - of_real).square().mean()
