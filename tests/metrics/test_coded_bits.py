"""Tests of the adaptive arithmetic code: a decoder written here reads its stream, and its length is the formula's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from constriction import stream
from numpy.typing import NDArray
from scipy.special import gammaln

from lgq_explore.errors import InputError
from lgq_explore.metrics.code_settings import CodeSettings
from lgq_explore.metrics.coded_bits import CodedBits, arithmetic_code


def drawn(codebook_size: int, tokens: int, decay: float, seed: int = 0) -> NDArray[np.int64]:
    """Codes of geometric frequencies."""
    share = decay ** np.arange(min(codebook_size, 200))
    return np.random.default_rng(seed).choice(len(share), size=tokens, p=share / share.sum())


def formula_bits(codes: NDArray[np.int64], codebook_size: int) -> float:
    """−log2 of the probability of a sequence of codes by Krichevsky and Trofimov, in closed form."""
    counts = np.unique(codes, return_counts=True)[1]
    half = codebook_size / 2
    nats = gammaln(len(codes) + half) - gammaln(half) - (gammaln(counts + 0.5) - gammaln(0.5)).sum()
    return float(nats / math.log(2))


def read(words: NDArray[np.uint32], tokens: int, codebook_size: int) -> list[int]:
    """Decode a stream token by token, with the counts of the codes before it alone."""
    decoder, counts, codes = stream.queue.RangeDecoder(words), np.full(codebook_size, 0.5), []
    for _ in range(tokens):
        low, high = 0, 1 << (codebook_size - 1).bit_length()
        while high - low > 1:
            middle = (low + high) // 2
            right = counts[middle:high].sum() / counts[low:high].sum()
            goes_right = right > 0 and decoder.decode(stream.model.Bernoulli(right, perfect=False))
            low, high = (middle, high) if goes_right else (low, middle)
        codes.append(low)
        counts[low] += 1
    return codes


@pytest.mark.parametrize("codebook_size", [2, 5, 8, 37, 300])
def test_a_decoder_that_knows_nothing_else_reads_the_stream(codebook_size: int) -> None:
    codes = drawn(codebook_size, 500, 0.9)
    assert read(arithmetic_code(codes, codebook_size).words, 500, codebook_size) == codes.tolist()


@pytest.mark.parametrize("codebook_size", [2, 5, 1000, 16384, 2**36, 2**63 - 1])
@pytest.mark.parametrize("order", ["drawn", "sorted"])
def test_the_stream_is_as_long_as_the_formula_says_whatever_the_order(codebook_size: int, order: str) -> None:
    codes = drawn(codebook_size, 5000, 0.97)
    given = np.sort(codes) if order == "sorted" else codes
    bits = arithmetic_code(given, codebook_size).bits
    # 27 more bits per token for 2^27 times as many codes, beyond 2^40, where the formula's own digits are lost.
    expected = formula_bits(codes, min(codebook_size, 2**36)) + (27 * len(codes) if codebook_size > 2**40 else 0)
    # Two words of 32 bits end a stream; the rest is the rounding of probabilities to 24 bits.
    assert bits == pytest.approx(expected, abs=64 + 1e-3 * len(codes))


def test_uniform_codes_cost_log2_k_and_equal_ones_next_to_nothing() -> None:
    uniform = np.random.default_rng(0).integers(16, size=65_536)
    assert arithmetic_code(uniform, 16).bits / 65_536 == pytest.approx(4, rel=1e-3)
    # ½ (K − 1) log2 N bits to learn that the others don't come.
    assert arithmetic_code(np.full(65_536, 3), 16).bits <= 7.5 * 16 + 64


def test_it_is_never_below_the_entropy_and_near_it_for_many_tokens() -> None:
    for tokens, above in ((1000, 0.35), (100_000, 0.01)):
        metric = coded(drawn(64, tokens, 0.9), 64)
        entropy = metric.counts.usage().entropy_bits
        assert entropy < metric.numbers()["bits_coded"] < entropy + above


def coded(codes: NDArray[np.int64], *levels: int) -> CodedBits:
    metric = CodedBits.of(CodeSettings(levels, 4))
    metric.update(torch.from_numpy(codes).reshape(-1, 1, 1, 1), np.zeros(len(codes), dtype=np.int64))
    return metric


def test_neither_order_nor_batches_nor_processes_change_it() -> None:
    codes = drawn(100, 4000, 0.95)
    whole = coded(codes, 100).numbers()
    parts = coded(codes[3000:], 100)
    parts.merge(coded(codes[:3000][::-1].copy(), 100))
    assert parts.numbers() == whole


def test_groups_are_coded_jointly_and_codes_without_numbers_are_not_coded() -> None:
    joint = np.random.default_rng(0).integers(8, size=1000)
    grouped = CodedBits.of(CodeSettings((2, 4), 4))
    pairs = np.stack([joint // 4, joint % 4], axis=1)
    grouped.update(torch.from_numpy(pairs).reshape(-1, 2, 1, 1), np.zeros(1000, dtype=np.int64))
    assert grouped.numbers() == coded(joint, 8).numbers()
    unnumbered = CodedBits.of(CodeSettings((2**32, 2**32), 4))
    unnumbered.update(torch.zeros(1, 2, 1, 1, dtype=torch.int64), np.zeros(1, dtype=np.int64))
    assert unnumbered.numbers() == {"bits_coded": None}


def test_codes_outside_are_refused() -> None:
    with pytest.raises(InputError, match="code 8 is outside"):
        arithmetic_code(np.array([0, 8]), 8)
    assert arithmetic_code(np.zeros(10, dtype=np.int64), 1).bits == 0
