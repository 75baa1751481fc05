"""Counts of codes, and numbers computed from them: how evenly a codebook is used, and the bits per token.

K is the codebook size, N the number of tokens counted, x_k the count of code k, p_k = x_k / N.
Every number depends on N (more tokens find more codes), so compare methods at equal N and state it.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr
from torch import Tensor

from lgq_explore.errors import InputError

LARGEST_DENSE_CODEBOOK = 2**24
"""Codebooks up to this size are counted in one dense vector (128 MiB); larger ones by the codes seen."""


class CodeCounts:
    """Counts of joint codes, accumulated over batches; the result does not depend on how batches are cut.

    Up to `LARGEST_DENSE_CODEBOOK` codes the counts are one dense vector. A larger codebook (2^40 codes of a
    binary quantizer, say) keeps only the codes seen, so memory grows with the tokens and never with the
    codebook.
    """

    def __init__(self, codebook_size: int) -> None:
        self.codebook_size = _checked_codebook_size(codebook_size)
        if not is_numbered(self.codebook_size):
            raise InputError(
                f"codebook_size is {codebook_size}: joint codes have numbers below 2^63 only; count each group"
            )
        self.tokens = 0
        self._dense: NDArray[np.int64] | None = None
        if self.codebook_size <= LARGEST_DENSE_CODEBOOK:
            self._dense = np.zeros(self.codebook_size, dtype=np.int64)
        # Sparse counts: (codes, counts) of equal length, distinct and sorted within a part, not across parts.
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def update(self, codes: Tensor | NDArray[np.integer]) -> None:
        """Add a batch of joint codes, integers in 0 … K − 1 of any shape, on any device.

        Raises:
            InputError: if the codes are not integers or one is outside 0 … K − 1; the counts are then unchanged.
        """
        flat = flat_codes_within(codes, self.codebook_size)
        if flat.size == 0:
            return
        self.tokens += flat.size
        if self._dense is not None:
            np.add.at(self._dense, flat, 1)
        else:
            self._append(*np.unique(flat, return_counts=True))

    def merge(self, other: CodeCounts) -> None:
        """Add the counts of `other` over the same codebook (of another worker or part of the data).

        Raises:
            InputError: if the codebook sizes differ.
        """
        if other.codebook_size != self.codebook_size:
            raise InputError(
                f"counts over {other.codebook_size} codes cannot be added to counts over "
                f"{self.codebook_size} codes: merge counts of one codebook"
            )
        self.tokens += other.tokens
        if self._dense is not None and other._dense is not None:
            self._dense += other._dense
        else:
            self._append(other.active_codes(), other.active_counts())

    def counts(self) -> NDArray[np.int64]:
        """The count of every code, int64 [K], dead codes included (a copy).

        Raises:
            InputError: if the codebook is larger than `LARGEST_DENSE_CODEBOOK`.
        """
        if self._dense is None:
            raise InputError(
                f"a codebook of {self.codebook_size:,d} codes is too large to list the count of every code "
                f"(at most {LARGEST_DENSE_CODEBOOK:,d}): look at those of its active codes"
            )
        return self._dense.copy()

    def active_codes(self) -> NDArray[np.int64]:
        """The codes seen at least once, int64 [active], ascending."""
        return np.flatnonzero(self._dense) if self._dense is not None else self._compact()[0].copy()

    def active_counts(self) -> NDArray[np.int64]:
        """The counts of `active_codes()`, in that order, int64 [active], all at least 1."""
        return self._dense[self._dense > 0] if self._dense is not None else self._compact()[1].copy()

    def usage(self) -> CodeUsage:
        """The numbers of `code_usage` for the counts so far."""
        return code_usage(self.active_counts(), self.codebook_size)

    def _append(self, codes: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        self._parts.append((codes, counts))
        # Compacting only once the new parts outgrow the first keeps the cost of a code logarithmic, not
        # linear, in the number of batches.
        if sum(len(part) for part, _ in self._parts[1:]) > len(self._parts[0][0]):
            self._compact()

    def _compact(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Merge the parts into one, and return it."""
        if len(self._parts) != 1:
            nothing = np.zeros(0, dtype=np.int64)
            codes, positions = np.unique(
                np.concatenate([nothing, *(part for part, _ in self._parts)]), return_inverse=True
            )
            counts = np.zeros(len(codes), dtype=np.int64)
            np.add.at(counts, positions, np.concatenate([nothing, *(part for _, part in self._parts)]))
            self._parts = [(codes, counts)]
        return self._parts[0]


@dataclass(frozen=True)
class CodeUsage:
    """The result of `code_usage`, which has the formulas."""

    tokens: int
    codebook_size: int
    active_codes: int
    utilization: float
    entropy_bits: float
    entropy_bits_miller_madow: float
    perplexity: float
    gini: float
    gini_uniform: float

    @property
    def bits_per_token_codebook(self) -> float:
        """log2 K: bits of a fixed-length code for the whole codebook."""
        return math.log2(self.codebook_size)

    @property
    def bits_per_token_active(self) -> float:
        """log2 of the active codes: bits of a fixed-length code for the codes that are used."""
        return math.log2(self.active_codes)


def is_numbered(codebook_size: int) -> bool:
    """Whether the joint codes of a codebook fit into int64."""
    return codebook_size < 2**63


def code_usage(counts: Tensor | ArrayLike, codebook_size: int) -> CodeUsage:
    """Numbers on how N tokens are spread over a codebook of K codes.

        active_codes   #{k : x_k > 0}
        utilization    active / K
        entropy_bits   H = −Σ p_k log2 p_k   (plug-in: low by about (active − 1) / (2 N ln 2) bits)
        entropy_bits_miller_madow   H + (active − 1) / (2 N ln 2)   (may exceed log2 K; Miller 1955)
        perplexity     2^H, of the plug-in H: the effective number of codes
        gini           see `gini`;   gini_uniform   see `gini_uniform`

    Args:
        counts: whole numbers [K or fewer], in any order: of all codes or of some that include every active one.
        codebook_size: K, dead codes included.

    Raises:
        InputError: no tokens, a negative or fractional count, or more codes than the codebook holds.
    """
    codebook_size = _checked_codebook_size(codebook_size)
    active = _active_counts(counts, codebook_size)
    tokens = int(active.sum())
    share = active / tokens
    # The entropy of a single code is −0.0; max turns it into 0.0.
    entropy_bits = max(0.0, -float((share * np.log2(share)).sum()))
    return CodeUsage(
        tokens=tokens,
        codebook_size=codebook_size,
        active_codes=len(active),
        utilization=len(active) / codebook_size,
        entropy_bits=entropy_bits,
        entropy_bits_miller_madow=entropy_bits + (len(active) - 1) / (2 * tokens * math.log(2)),
        perplexity=2.0**entropy_bits,
        gini=gini(active, codebook_size),
        gini_uniform=gini_uniform(tokens, codebook_size),
    )


def gini(counts: Tensor | ArrayLike, codebook_size: int) -> float:
    """Gini coefficient of the counts over all K codes: 0 when all are used alike, 1 − 1/K when one takes all.

        Gini = 2 Σ_i i x_(i) / (K Σ_i x_(i)) − (K + 1) / K,   x_(1) ≤ … ≤ x_(K), dead codes included

    which is the mean absolute difference of two codes' counts over twice the mean count. Arguments and errors
    are those of `code_usage`.
    """
    codebook_size = _checked_codebook_size(codebook_size)
    active = np.sort(_active_counts(counts, codebook_size)).astype(np.float64)
    # The K − A dead codes shift the ranks of the A active ones by K − A. This form avoids the cancellation of two
    # terms near 2 in the textbook form, so that a codebook of 2^60 codes loses no digits.
    ranks = np.arange(1, len(active) + 1, dtype=np.float64)
    mean_rank = (ranks * active).sum() / active.sum()
    return max(0.0, float(1 - (2 * len(active) + 1 - 2 * mean_rank) / codebook_size))


def gini_uniform(tokens: int, codebook_size: int) -> float:
    """The expected Gini coefficient of N tokens drawn uniformly from K codes, as a baseline.

    Exact up to rounding. Gini = Σ_kl |x_k − x_l| / (2 K N), and all pairs of codes are alike, so

        E Gini = (K − 1) / (2 N) · E|x_1 − x_2|
        S = x_1 + x_2 ~ Binomial(N, 2/K),   x_1 given S ~ Binomial(S, 1/2)
        E[|x_1 − x_2| given S] = 2 m C(2m, m) / 4^m,   m = ⌈S / 2⌉   (mean distance of a walk of S steps)

    It is 0.28 at N = 4096, K = 1024 and 0.80 at N = 4096, K = 16384.

    Raises:
        InputError: if N or K is not at least 1.
    """
    codebook_size = _checked_codebook_size(codebook_size)
    _check_tokens(tokens)
    if codebook_size == 1:
        return 0.0
    pair_share = 2 / codebook_size
    mean = tokens * pair_share
    # Terms beyond 12 standard deviations and 40 more (for means near 0) are smaller than rounding errors.
    reach = 12 * math.sqrt(mean * (1 - pair_share)) + 40
    both = torch.arange(max(0, math.floor(mean - reach)), min(tokens, math.ceil(mean + reach)) + 1, dtype=torch.float64)
    log_weight = (
        torch.special.xlogy(both, pair_share)
        + torch.special.xlog1py(tokens - both, torch.tensor(-pair_share, dtype=torch.float64))
        - torch.lgamma(both + 1)
        - torch.lgamma(tokens - both + 1)
    )
    half = torch.ceil(both / 2)
    log_distance = torch.log(2 * half) + torch.lgamma(2 * half + 1) - 2 * torch.lgamma(half + 1) - half * math.log(4)
    # softmax normalises the binomial weights, so their common factor N! is never needed.
    expected_distance = torch.dot(torch.softmax(log_weight, dim=0), torch.exp(log_distance))
    return float((codebook_size - 1) / (2 * tokens) * expected_distance)


@dataclass(frozen=True, eq=False)
class LorenzCurve:
    """token_share[i] of all tokens chose the code_share[i] least used codes; float64 [n], both rise from 0 to 1."""

    code_share: NDArray[np.float64]
    token_share: NDArray[np.float64]


def lorenz_curve(counts: Tensor | ArrayLike, codebook_size: int) -> LorenzCurve:
    """The share of tokens of the least used codes, dead codes included (Lorenz 1905).

    The curve has a corner after the dead codes, and one after each active code, ascending. Gini is twice the area
    between the curve and the diagonal. Arguments and errors are those of `code_usage`.
    """
    codebook_size = _checked_codebook_size(codebook_size)
    active = np.sort(_active_counts(counts, codebook_size))
    code_share = 1 - np.arange(len(active), -1, -1) / float(codebook_size)
    token_share = np.concatenate([[0], np.cumsum(active)]) / active.sum()
    if len(active) < codebook_size:
        code_share, token_share = np.concatenate([[0.0], code_share]), np.concatenate([[0.0], token_share])
    return LorenzCurve(code_share, token_share)


def lorenz_curve_uniform(tokens: int, codebook_size: int) -> LorenzCurve:
    """The Lorenz curve of N tokens drawn uniformly from K codes, in the limit of many codes, as a baseline.

    A code's count is X ~ Binomial(N, 1/K), and the codes with at most x tokens carry the share E[X; X ≤ x] / E[X]:

        (P(X ≤ x), P(Y ≤ x − 1)),   Y ~ Binomial(N − 1, 1/K),   x = 0, 1, 2, …

    Twice the area above it is `gini_uniform` to within 1/K.

    Raises:
        InputError: if N or K is not at least 1.
    """
    codebook_size = _checked_codebook_size(codebook_size)
    _check_tokens(tokens)
    share = 1 / codebook_size
    mean = tokens * share
    # As in `gini_uniform`, terms beyond are smaller than rounding errors.
    counts = np.arange(min(tokens, math.ceil(mean + 12 * math.sqrt(mean) + 40)) + 1)
    code_share = np.concatenate([[0.0], bdtr(counts, tokens, share)])
    token_share = np.concatenate([[0.0, 0.0], bdtr(counts[:-1], tokens - 1, share)])
    code_share[-1] = token_share[-1] = 1.0
    return LorenzCurve(code_share, token_share)


def top_share(counts: Tensor | ArrayLike, codebook_size: int, fraction: float) -> float:
    """The share of tokens that the most used `fraction` of all K codes take; `fraction` itself for uniform usage.

    It is interpolated on the Lorenz curve. Other arguments and errors are those of `code_usage`.

    Raises:
        InputError: a fraction outside 0 … 1.
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction is {fraction}: give a share of the codebook from 0 to 1")
    curve = lorenz_curve(counts, codebook_size)
    return float(1 - np.interp(1 - fraction, curve.code_share, curve.token_share))


def bits_per_pixel(bits_per_token: float, downsampling: int) -> float:
    """Bits per token divided by the f × f pixels of a token; f is the encoder's downsampling factor."""
    if downsampling < 1:
        raise InputError(
            f"downsampling is {downsampling}: give the factor between image side and code grid, at least 1"
        )
    return bits_per_token / downsampling**2


def _checked_codebook_size(codebook_size: int) -> int:
    size = operator.index(codebook_size)
    if size < 1:
        raise InputError(f"codebook_size is {size}: give a whole number of at least 1")
    return size


def _check_tokens(tokens: int) -> None:
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")


def flat_codes_within(codes: Tensor | NDArray[np.integer], codebook_size: int) -> NDArray[np.int64]:
    """Integer codes of any shape, flattened to int64. Raises InputError for a code outside 0 … K − 1."""
    values = codes.detach().cpu().numpy() if isinstance(codes, Tensor) else np.asarray(codes)
    if values.dtype.kind not in "iu":
        raise InputError(f"codes are {values.dtype}: give integer codes")
    flat = values.reshape(-1)
    if flat.size:
        for code in (int(flat.min()), int(flat.max())):
            if not 0 <= code < codebook_size:
                raise InputError(
                    f"code {code} is outside 0 … {codebook_size - 1}: give joint codes of this codebook "
                    f"of {codebook_size} codes"
                )
    return flat.astype(np.int64, copy=False)


def _active_counts(counts: Tensor | ArrayLike, codebook_size: int) -> NDArray[np.int64]:
    """The positive counts, int64 [active], after checking that they are counts of this codebook."""
    values = counts.detach().cpu().numpy() if isinstance(counts, Tensor) else np.asarray(counts)
    if values.ndim != 1:
        raise InputError(f"counts have shape {list(values.shape)}: give one count per code in one dimension")
    if values.size == 0:
        raise InputError("counts are empty: count at least one token first")
    if values.dtype.kind not in "iu":
        raise InputError(f"counts are {values.dtype}: give whole numbers of tokens, not shares")
    if values.size > codebook_size:
        raise InputError(
            f"{values.size} counts were given for a codebook of {codebook_size} codes: give at most one per code"
        )
    if values.min() < 0:
        raise InputError(f"a count is {values.min()}: give counts of at least 0")
    active = values[values > 0].astype(np.int64, copy=False)
    if active.size == 0:
        raise InputError("all counts are 0: count at least one token first")
    return active
