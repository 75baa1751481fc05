"""What does a soft assignment of N tokens to K codes tell, and what is asked of it backwards?"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class OutputGradients:
    """The gradient of a scalar in each differentiable output of a SoftAssignment, each in that output's shape."""

    out: Tensor
    lse: Tensor
    s2: Tensor
    usage: Tensor
