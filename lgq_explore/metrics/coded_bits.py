"""Bits per token that an adaptive arithmetic coder of order 0 needs, with the coder and its decoder.

A code is sent as the path to its leaf in a binary tree over 0 … K − 1. At a node whose leaves [a, b) split at m, the
bit "right" has the probability

    (tokens so far in [m, b) + (b − m)/2) / (tokens so far in [a, b) + (b − a)/2)

so that a code has the probability (x_k + ½) / (n + K/2) after n tokens, x_k of which were this one (Krichevsky &
Trofimov 1981). Encoder and decoder count in the same way, so only the tokens are sent. In total

    −log2 Π_k Γ(x_k + ½)/Γ(½) · Γ(K/2)/Γ(N + K/2)    bits

which does not depend on the order of the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .definition import Definition
from .usage import flat_codes_within, is_numbered
from .usage_numbers import CountedCodes

PSEUDOCOUNT = 0.5
"""Krichevsky and Trofimov's count of each code before the first token."""


class CodedBits(CountedCodes):
    """Bits of the code of `arithmetic_code`, in the order of codes, over the number of tokens.

    The order of tokens changes the sum by rounding alone, so that it is kept by counts.
    """

    definition: ClassVar[Definition] = Definition(
        summary="bits per token that an adaptive arithmetic coder of order 0 needs",
        keys=("bits_coded",),
        formula="Length of the stream over N. The coder gives code k the probability (x_k + ½)/(n + K/2) after n "
        "tokens; nothing but the tokens is sent.",
        unit="bits per token",
        bias="High by the bits that learning the frequencies takes: about (K − 1)/(2 N) log2 N bits for N far above K. "
        "Never below H. None where joint codes are too many to number (2^63).",
        cost="Milliseconds for 65,536 tokens.",
        source="Krichevsky & Trofimov 1981; range coder of the library constriction (Bamler 2022, arXiv 2201.01741).",
        on_request=True,
    )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        if not is_numbered(self.counts.codebook_size):
            return {"bits_coded": None}
        joint = self.counts.joint
        codes = np.repeat(joint.active_codes(), joint.active_counts())
        return {"bits_coded": arithmetic_code(codes, joint.codebook_size).bits / joint.tokens}


@dataclass(frozen=True, eq=False)
class CodedTokens:
    """words: the stream, uint32. bits: its length."""

    words: NDArray[np.uint32]

    @property
    def bits(self) -> int:
        return 32 * len(self.words)


def arithmetic_code(codes: NDArray[np.integer], codebook_size: int) -> CodedTokens:
    """The stream for codes [N] in 0 … K − 1, in their order, K below 2^63.

    Raises InputError for codes that are not integers, or are outside.
    """
    # Imported here: only this needs it.
    from constriction import stream

    tokens = flat_codes_within(codes, codebook_size)
    encoder, levels = stream.queue.RangeEncoder(), list(_levels(tokens, codebook_size))
    if levels and len(tokens):
        # Token by token, as a decoder needs it: [N, depth] flattened, without nodes that have one child.
        bits = np.stack([level.bits for level in levels], axis=1)
        right = np.stack([level.right for level in levels], axis=1)
        encoder.encode(bits[right > 0], stream.model.Bernoulli(perfect=False), right[right > 0])
    return CodedTokens(encoder.get_compressed())


@dataclass(frozen=True, eq=False)
class _Level:
    """Of a level of the tree, for each token [N]: whether it goes right, and the probability of that."""

    bits: NDArray[np.int32]
    right: NDArray[np.float64]


def _levels(tokens: NDArray[np.int64], codebook_size: int) -> Iterator[_Level]:
    """The levels of the tree from its root; a node's leaves are those of 2^depth neighbours that are codes."""
    for shift in range((codebook_size - 1).bit_length() - 1, -1, -1):
        node = tokens >> (shift + 1)
        bits = (tokens >> shift) & 1
        order = np.argsort(node, kind="stable")
        sorted_node, sorted_bits = node[order], bits[order]
        first = np.searchsorted(sorted_node, sorted_node)  # where the tokens of each node begin
        before = np.concatenate([[0], np.cumsum(sorted_bits)])
        seen, seen_right = np.empty_like(tokens), np.empty_like(tokens)
        seen[order] = np.arange(len(tokens)) - first
        seen_right[order] = before[:-1] - before[first]
        yield _Level(bits.astype(np.int32), _share_right(node, seen, seen_right, shift, codebook_size))


def _share_right(
    node: NDArray[np.int64],
    seen: NDArray[np.int64],
    seen_right: NDArray[np.int64],
    shift: int,
    codebook_size: int,
) -> NDArray[np.float64]:
    """The probability of going right at nodes [N] of a level, after that many tokens there; 0 without leaves."""
    rest = codebook_size - (node << (shift + 1))  # leaves from the node's first one on
    leaves = np.minimum(rest.astype(np.float64), 2.0 ** (shift + 1))
    leaves_right = np.clip((rest - (1 << shift)).astype(np.float64), 0.0, 2.0**shift)
    return np.where(leaves_right > 0, (seen_right + PSEUDOCOUNT * leaves_right) / (seen + PSEUDOCOUNT * leaves), 0.0)
