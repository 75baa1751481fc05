"""The tokenizer's optimiser and its learning rate over the steps, and an optimiser for a few numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

from lgq_explore.models import Tokenizer
from lgq_explore.runs.config import TrainConfig

BETAS = (0.9, 0.95)


def adamw(tokenizer: Tokenizer, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all parameters; only matrices and kernels of the backbone decay."""
    backbone = [*tokenizer.encoder.parameters(), *tokenizer.decoder.parameters()]
    groups = [
        {"params": [weight for weight in backbone if weight.ndim > 1], "weight_decay": config.weight_decay},
        # Decay would pull codes towards the origin, which has no meaning in the space of latents.
        {"params": [weight for weight in backbone if weight.ndim <= 1], "weight_decay": 0.0},
        {"params": list(tokenizer.quantizer.parameters()), "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate, betas=BETAS)


def learning_rate(config: TrainConfig, step: int) -> float:
    """AdamW's rate at `step`, counted from 0: a linear rise, then half a cosine down to the final rate."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - 1 - config.warmup_steps)
    return half_cosine(config.learning_rate, config.final_learning_rate, math.pi * done)


def half_cosine(first: float, last: float, angle: float) -> float:
    """On the way from `first`, at the angle 0, to `last`, at π."""
    return last + (first - last) * (1 + math.cos(angle)) / 2


class AdamOfFew:
    """Adam for so few numbers that what `torch.optim.Adam` does around a step takes longer than the step.

    There, every step looks for accelerators in the file system. The steps are the same.
    """

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.weights = [weight for weight in weights if weight.requires_grad]
        self._gradients, self._means, self._squares = (
            [torch.zeros_like(weight) for weight in self.weights] for _ in range(3)
        )
        self._steps = [torch.zeros(()) for _ in self.weights]

    @torch.no_grad()
    def step(self, loss: Tensor, rate: float) -> None:
        """One step against the gradient of the loss, at this learning rate."""
        if not (self.weights and loss.requires_grad):
            return
        found = torch.autograd.grad(loss, self.weights, allow_unused=True, materialize_grads=True)
        for gradient, kept in zip(found, self._gradients, strict=True):
            kept.copy_(gradient)  # the fused step takes all of a weight's tensors to lie alike in memory
        adam(
            self.weights,
            self._gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
