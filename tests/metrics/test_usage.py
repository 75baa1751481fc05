"""Tests of the numbers of codebook usage against known values and definitions."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
import scipy.stats
import torch

from lgq_explore.metrics import (
    CodeCounts,
    bits_per_pixel,
    code_usage,
    gini,
    gini_uniform,
    lorenz_curve,
    lorenz_curve_uniform,
    top_share,
)

SKEWED = np.array([0, 7, 1, 0, 30, 2, 2, 0, 11, 1], dtype=np.int64)


def gini_by_definition(counts: np.ndarray) -> float:
    """Mean absolute difference over all pairs, over twice the mean."""
    differences = np.abs(counts[:, None] - counts[None, :])
    return differences.mean() / (2 * counts.mean())


@pytest.mark.parametrize("codebook_size", [1, 2, 7, 256, 1000, 16384])
def test_uniform_counts_use_every_code_alike(codebook_size: int) -> None:
    usage = code_usage(np.full(codebook_size, 3), codebook_size)
    assert usage.active_codes == codebook_size
    assert usage.utilization == 1
    assert usage.entropy_bits == pytest.approx(math.log2(codebook_size), abs=1e-12)
    assert usage.perplexity == pytest.approx(codebook_size)
    assert usage.gini == pytest.approx(0, abs=1e-12)
    assert usage.bits_per_token_codebook == usage.bits_per_token_active == math.log2(codebook_size)


@pytest.mark.parametrize("codebook_size", [1, 2, 1024, 2**40])
def test_one_code_for_all_tokens(codebook_size: int) -> None:
    usage = code_usage(np.array([500]), codebook_size)
    assert usage.tokens == 500
    assert usage.active_codes == 1
    assert usage.utilization == 1 / codebook_size
    assert usage.perplexity == 1
    assert usage.entropy_bits == usage.entropy_bits_miller_madow == usage.bits_per_token_active == 0
    assert math.copysign(1, usage.entropy_bits) == 1
    assert usage.gini == pytest.approx(1 - 1 / codebook_size, abs=1e-15)


def test_entropy_and_perplexity_agree_with_scipy() -> None:
    usage = code_usage(SKEWED, len(SKEWED))
    assert usage.entropy_bits == pytest.approx(scipy.stats.entropy(SKEWED, base=2), rel=1e-12)
    assert usage.perplexity == pytest.approx(math.exp(scipy.stats.entropy(SKEWED)), rel=1e-12)


def test_miller_madow_takes_most_of_the_bias_away() -> None:
    codebook_size, tokens = 64, 400
    generator = np.random.default_rng(0)
    draws = generator.multinomial(tokens, np.full(codebook_size, 1 / codebook_size), size=300)
    usages = [code_usage(counts, codebook_size) for counts in draws]
    plug_in_bias = np.mean([usage.entropy_bits for usage in usages]) - 6
    corrected_bias = np.mean([usage.entropy_bits_miller_madow for usage in usages]) - 6
    assert plug_in_bias == pytest.approx(-63 / (2 * tokens * math.log(2)), rel=0.1)
    assert abs(corrected_bias) < abs(plug_in_bias) / 10


@pytest.mark.parametrize("codebook_size", [10, 13, 500])
def test_gini_is_its_definition_dead_codes_included(codebook_size: int) -> None:
    padded = np.zeros(codebook_size, dtype=np.int64)
    padded[: len(SKEWED)] = SKEWED
    assert gini(padded, codebook_size) == pytest.approx(gini_by_definition(padded), rel=1e-12)


def test_active_counts_alone_say_the_same_as_all_counts() -> None:
    dense = code_usage(SKEWED, 10)
    assert code_usage(torch.from_numpy(SKEWED[SKEWED > 0][::-1].copy()), 10) == dense
    assert dense.active_codes == 7


@pytest.mark.parametrize(
    ("tokens", "codebook_size", "expected"),
    [(4096, 1024, 0.28), (4096, 16384, 0.80), (1, 2, 0.5), (3, 1, 0.0)],
)
def test_gini_of_chance_known_values(tokens: int, codebook_size: int, expected: float) -> None:
    assert gini_uniform(tokens, codebook_size) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("tokens", "codebook_size"), [(7, 2), (5, 3), (200, 64), (64, 200), (5000, 50)])
def test_gini_of_chance_agrees_with_simulation(tokens: int, codebook_size: int) -> None:
    generator = np.random.default_rng(1)
    draws = generator.multinomial(tokens, np.full(codebook_size, 1 / codebook_size), size=2000)
    ginis = np.array([gini(counts, codebook_size) for counts in draws])
    standard_error = ginis.std() / math.sqrt(len(ginis))
    assert abs(gini_uniform(tokens, codebook_size) - ginis.mean()) < 4 * standard_error + 1e-12


def test_gini_of_chance_at_many_tokens_is_that_of_a_normal_distribution() -> None:
    tokens, codebook_size = 10**9, 256
    normal = (codebook_size - 1) / math.sqrt(math.pi * codebook_size * tokens)
    assert gini_uniform(tokens, codebook_size) == pytest.approx(normal, rel=1e-5)


def test_gini_of_chance_when_codes_outnumber_tokens_without_end() -> None:
    assert gini_uniform(10, 2**60) == pytest.approx(1, abs=1e-12)


# A dense codebook, and one that is counted by the codes seen.
@pytest.mark.parametrize("codebook_size", [300, 2**62])
def test_counts_do_not_depend_on_batches_or_shapes(codebook_size: int) -> None:
    generator = np.random.default_rng(2)
    codes = generator.integers(0, 300, size=(20, 4, 6)) * (codebook_size // 300)
    whole = CodeCounts(codebook_size)
    whole.update(codes)
    split = CodeCounts(codebook_size)
    for image in torch.from_numpy(codes):
        split.update(image)
    merged, rest = CodeCounts(codebook_size), CodeCounts(codebook_size)
    merged.update(codes[:7])
    rest.update(codes[7:])
    merged.merge(rest)
    expected_codes, expected_counts = np.unique(codes, return_counts=True)
    for counter in (whole, split, merged):
        assert counter.tokens == codes.size
        np.testing.assert_array_equal(counter.active_codes(), expected_codes)
        np.testing.assert_array_equal(counter.active_counts(), expected_counts)
        assert counter.usage() == whole.usage()
    assert rest.tokens == codes[7:].size


def test_dense_counts_are_one_number_a_code() -> None:
    counter = CodeCounts(5)
    counter.update(np.array([], dtype=np.int64))
    counter.update(torch.tensor([[4, 0], [4, 2]]))
    counts = counter.counts()
    assert counts.dtype == np.int64
    assert counts.tolist() == [1, 0, 1, 0, 2]
    counts[:] = 9  # a copy: the counter keeps its own
    assert counter.counts().tolist() == [1, 0, 1, 0, 2]


def test_a_counter_that_saw_nothing_has_no_usage() -> None:
    for codebook_size in (4, 2**40):
        counter = CodeCounts(codebook_size)
        assert len(counter.active_codes()) == len(counter.active_counts()) == 0
        with pytest.raises(ValueError, match="at least one token"):
            counter.usage()


@pytest.mark.parametrize("code", [-1, 8, 2**40])
def test_a_code_out_of_range_is_named_and_nothing_is_counted(code: int) -> None:
    counter = CodeCounts(8)
    with pytest.raises(ValueError, match=rf"code {code} is outside 0 … 7"):
        counter.update(torch.tensor([0, code, 3]))
    assert counter.tokens == 0
    assert counter.counts().sum() == 0


def test_codes_that_are_not_integers_are_refused() -> None:
    with pytest.raises(ValueError, match="integer codes"):
        CodeCounts(8).update(torch.tensor([0.0, 1.0]))


def test_a_huge_codebook_gives_no_dense_counts() -> None:
    with pytest.raises(ValueError, match=r"too large to list .* its active codes"):
        CodeCounts(2**25).counts()


def test_counts_of_two_codebooks_do_not_add() -> None:
    with pytest.raises(ValueError, match="over 5 codes"):
        CodeCounts(4).merge(CodeCounts(5))


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ([], "empty"),
        ([0, 0], "all counts are 0"),
        ([1, -2], "-2"),
        ([0.5, 0.5], "whole numbers"),
        ([[1, 2], [3, 4]], "one dimension"),
        ([1, 1, 1, 1, 1], "5 counts"),
    ],
)
def test_counts_that_are_none_are_refused(counts: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        code_usage(counts, 4)


@pytest.mark.parametrize("codebook_size", [0, -3])
def test_codebook_sizes_that_are_none_are_refused(codebook_size: int) -> None:
    for refuse in (CodeCounts, lambda size: code_usage([1], size), lambda size: gini_uniform(5, size)):
        with pytest.raises(ValueError, match=str(operator.index(codebook_size))):
            refuse(codebook_size)


def test_chance_needs_a_token() -> None:
    for refuse in (gini_uniform, lorenz_curve_uniform):
        with pytest.raises(ValueError, match="tokens is 0"):
            refuse(0, 4)


def test_the_lorenz_curve_of_planted_counts() -> None:
    curve = lorenz_curve([6, 0, 1, 3], 5)
    assert curve.code_share == pytest.approx([0, 0.4, 0.6, 0.8, 1])
    assert curve.token_share == pytest.approx([0, 0, 0.1, 0.4, 1])
    alike = lorenz_curve([2, 2], 2)
    assert alike.code_share.tolist() == alike.token_share.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("codebook_size", [10, 500, 2**40])
def test_gini_is_twice_the_area_above_the_lorenz_curve(codebook_size: int) -> None:
    curve = lorenz_curve(SKEWED, codebook_size)
    below = np.trapezoid(curve.token_share, curve.code_share)
    assert 1 - 2 * below == pytest.approx(gini(SKEWED, codebook_size), rel=1e-12)


@pytest.mark.parametrize(("tokens", "codebook_size"), [(4096, 1024), (4096, 16384), (65536, 1024), (10**6, 256)])
def test_the_lorenz_curve_of_chance_holds_the_gini_of_chance(tokens: int, codebook_size: int) -> None:
    curve = lorenz_curve_uniform(tokens, codebook_size)
    below = np.trapezoid(curve.token_share, curve.code_share)
    assert 1 - 2 * below == pytest.approx(gini_uniform(tokens, codebook_size), abs=1 / codebook_size)
    assert (np.diff(curve.code_share) >= 0).all()
    assert (np.diff(curve.token_share) >= 0).all()


def test_the_lorenz_curve_of_chance_by_hand() -> None:
    # Of two tokens on two codes a code has 0, 1 or 2 with probability 1/4, 1/2 and 1/4, on average 1.
    curve = lorenz_curve_uniform(2, 2)
    assert curve.code_share == pytest.approx([0, 0.25, 0.75, 1])
    assert curve.token_share == pytest.approx([0, 0, 0.5, 1])


def test_the_lorenz_curve_of_chance_agrees_with_draws() -> None:
    tokens, codebook_size = 20_000, 4000
    expected = lorenz_curve_uniform(tokens, codebook_size)
    draw = np.random.default_rng(3).multinomial(tokens, np.full(codebook_size, 1 / codebook_size))
    found = lorenz_curve(draw, codebook_size)
    at = np.linspace(0, 1, 21)
    difference = np.interp(at, found.code_share, found.token_share) - np.interp(
        at, expected.code_share, expected.token_share
    )
    assert np.abs(difference).max() < 0.01


@pytest.mark.parametrize(("tokens", "codebook_size"), [(1, 1), (1, 5), (7, 1)])
def test_the_lorenz_curve_of_chance_at_its_edges(tokens: int, codebook_size: int) -> None:
    curve = lorenz_curve_uniform(tokens, codebook_size)
    assert (curve.code_share[0], curve.code_share[-1], curve.token_share[0], curve.token_share[-1]) == (0, 1, 0, 1)
    assert np.isfinite(curve.code_share).all()
    assert np.isfinite(curve.token_share).all()


def test_the_share_of_the_most_used_codes() -> None:
    assert top_share(np.full(1000, 7), 1000, 0.01) == pytest.approx(0.01)
    assert top_share([90, 5, 5], 10, 0.1) == pytest.approx(0.9)
    assert top_share([90, 5, 5], 10, 0.15) == pytest.approx(0.925)
    assert top_share([90, 5, 5], 100, 0.01) == pytest.approx(0.9)
    assert top_share([90, 5, 5], 10, 1) == 1
    assert top_share([90, 5, 5], 10, 0) == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_a_share_of_more_codes_than_there_are_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        top_share([1], 4, fraction)


def test_bits_per_pixel_spread_a_token_over_its_square() -> None:
    assert bits_per_pixel(10.0, 8) == 10 / 64
    with pytest.raises(ValueError, match="downsampling is 0"):
        bits_per_pixel(10.0, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_codes_on_a_gpu_are_counted() -> None:
    counter = CodeCounts(8)
    counter.update(torch.tensor([[1, 7], [1, 0]], device="cuda"))
    assert counter.counts().tolist() == [1, 2, 0, 0, 0, 0, 0, 1]
