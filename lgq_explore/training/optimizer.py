"""The tokenizer's optimiser, and its learning rate over the steps."""

from __future__ import annotations

import math

import torch

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
    return (
        config.final_learning_rate
        + (config.learning_rate - config.final_learning_rate) * (1 + math.cos(math.pi * done)) / 2
    )
