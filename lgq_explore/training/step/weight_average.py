"""An exponential moving average (EMA) of the tokenizer's weights over the steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lgq_explore.models import Tokenizer


class WeightAverage:
    """The mean of the weights w₁ … w_n after each of n steps, with the weights dⁿ⁻ᵏ, so that newer ones count more.

        EMA_n = Σ dⁿ⁻ᵏ w_k / Σ dⁿ⁻ᵏ = EMA_{n−1} + (1 − d) / (1 − dⁿ) · (w_n − EMA_{n−1})

    d: `decay`, from 0 to below 1; the mean reaches back over about 1 / (1 − d) steps. Without the denominator, which is
    that of Adam's means (Kingma & Ba 2015), the initial weights would have the share dⁿ. Everything with a decimal
    point is averaged, buffers such as codes that are no parameters included; the rest is that of the newest weights.
    It is kept, and moved, on the device of the tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer, decay: float) -> None:
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in tokenizer.state_dict().items()}

    @torch.no_grad()
    def update(self, tokenizer: Tokenizer, finished_steps: int) -> None:
        """Take in the weights after `finished_steps` steps, 1 or more."""
        newest = tokenizer.state_dict()
        averaged = [name for name, tensor in newest.items() if tensor.is_floating_point()]
        rate = (1 - self.decay) / (1 - self.decay**finished_steps)
        torch._foreach_lerp_([self.weights[name] for name in averaged], [newest[name] for name in averaged], rate)
        for name in newest.keys() - averaged:
            self.weights[name].copy_(newest[name])

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Continue from weights that were saved. Raises KeyError or RuntimeError if they are those of another model."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
