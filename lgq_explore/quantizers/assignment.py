"""Inputs, outputs and gradients of an assignment of N tokens to K codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SoftAssignment:
    """N tokens assigned softly to K codes.

    out: [N, F] expected values. lse: [N] log-sum-exp of the logits. s2: [N] Σ_k P², in [1/K, 1].
    usage: [K] mean responsibility, sums to 1. codes: [N] int64 of the largest logit, lowest index at ties, no gradient.
    """

    out: Tensor
    lse: Tensor
    s2: Tensor
    usage: Tensor
    codes: Tensor

    def of_tokens(self, rows: Tensor) -> SoftAssignment:
        """The assignment of the tokens in a bool mask [N]; the usage remains that of all tokens."""
        return SoftAssignment(self.out[rows], self.lse[rows], self.s2[rows], self.usage, self.codes[rows])


@dataclass(frozen=True)
class Softness:
    """How soft the assignment of N tokens is at a temperature, without gradients.

    codes: [N] int64, the chosen codes. log_largest: [N] log p*, p* being the chosen code's responsibility; at most 0.
    entropy: [N] H(p) in nats, in [0, log K]. encoder_gain: [N] mean diagonal of the derivative of `soft` with respect
    to the token. soft, hard: [N, P], the expected point and that of the chosen code, in the space of `continuous`. With
    several groups, codes are joint codes.
    """

    temperature: float
    codes: Tensor
    log_largest: Tensor
    entropy: Tensor
    encoder_gain: Tensor
    soft: Tensor
    hard: Tensor

    @property
    def free_energy_gap(self) -> Tensor:
        """[N] min_k d² − F = −τ log p*, in [0, τ log K]: how far softness lowers the energy of the best choice."""
        return -self.temperature * self.log_largest


@dataclass(frozen=True)
class OutputGradients:
    """The gradients of a scalar with respect to the differentiable outputs of a SoftAssignment, in their shapes."""

    out: Tensor
    lse: Tensor
    s2: Tensor
    usage: Tensor


@dataclass(frozen=True)
class InputGradients:
    """The gradients of the same scalar with respect to the queries [N, E], keys [K, E] and values [K, F]."""

    q: Tensor
    k: Tensor
    v: Tensor


def require_finite(name: str, table: Tensor) -> None:
    """Raise FloatingPointError with the place if an entry of the table [rows, columns] is NaN or infinite."""
    if math.isfinite(table.detach().sum().item()):
        return
    bad = ~torch.isfinite(table.detach())
    if bad.any():  # a sum of finite numbers may overflow, too
        row, column = bad.nonzero()[0].tolist()
        raise FloatingPointError(
            f"{name}[{row}, {column}] is {table[row, column].item():g}, one of {int(bad.sum())} of its {table.numel()} "
            "entries that are not finite: look at where they come from"
        )


def common_offset(codes: Tensor) -> Tensor:
    """Roughly the mean [D] of codes [K, D], without gradient; subtracting it reduces rounding errors.

    It has eight significant bits, so that subtracting it from codes with few digits is exact, and ties remain ties.
    """
    return codes.detach().mean(0).bfloat16().to(codes.dtype)
