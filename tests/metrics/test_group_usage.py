"""Tests of counts of tuples of codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lgq_explore.errors import InputError
from lgq_explore.metrics import CodeCounts, GroupedCodeCounts, code_usage, gini, gini_uniform, lorenz_curve

STAGES = (1024,) * 8


def drawn(levels: tuple[int, ...], tokens: int = 400, seed: int = 0) -> torch.Tensor:
    """Codes [tokens / 4, G, 2, 2] of few tuples, so that many come again."""
    generator = torch.Generator().manual_seed(seed)
    tuples = torch.stack([torch.randint(level, (50,), generator=generator) for level in levels], dim=1)
    chosen = tuples[torch.randint(50, (tokens,), generator=generator)]
    return chosen.reshape(-1, 2, 2, len(levels)).movedim(-1, 1)


def counted(levels: tuple[int, ...], *batches: torch.Tensor) -> GroupedCodeCounts:
    counts = GroupedCodeCounts(levels)
    for batch in batches:
        counts.update(batch)
    return counts


@pytest.mark.parametrize("levels", [(5,), (3, 4, 5), (2,) * 36])
def test_tuples_are_counted_as_their_numbers_are(levels: tuple[int, ...]) -> None:
    codes, counts = drawn(levels), counted(levels, drawn(levels))
    numbers = np.zeros(400, dtype=np.int64)
    for group, level in enumerate(levels):
        numbers = numbers * level + codes[:, group].flatten().numpy()
    expected = CodeCounts(math.prod(levels))
    expected.update(numbers)
    assert np.array_equal(counts.joint.active_codes(), expected.active_codes())
    assert counts.usage() == expected.usage()
    for group, level in enumerate(levels):
        alone = CodeCounts(level)
        alone.update(codes[:, group])
        assert np.array_equal(counts.groups[group].counts(), alone.counts())
        assert counts.group_usages()[group] == alone.usage()


def test_tuples_beyond_63_bits_are_counted_as_rows() -> None:
    codes, counts = drawn(STAGES), counted(STAGES, drawn(STAGES))
    _, expected = np.unique(codes.movedim(1, -1).reshape(-1, 8).numpy(), axis=0, return_counts=True)
    usage = counts.usage()
    assert usage.codebook_size == 2**80
    assert (usage.tokens, usage.active_codes) == (400, len(expected))
    share = expected / 400
    assert usage.entropy_bits == pytest.approx(-(share * np.log2(share)).sum())
    assert usage.utilization == pytest.approx(len(expected) / 2**80)
    assert usage.bits_per_token_codebook == 80
    assert 0.999 < usage.gini <= 1
    with pytest.raises(InputError, match=r"8 groups make .* too many to number"):
        _ = counts.joint


def test_uses_of_so_many_codes_are_as_uneven_as_chance_makes_them() -> None:
    """Of tokens that all differ, all codes but N of K are dead: Gini is 1 − N/K, and chance gives the same."""
    counts = np.ones(100, dtype=np.int64)
    assert gini(counts, 2**80) == pytest.approx(1.0)
    assert gini_uniform(100, 2**80) == pytest.approx(1.0)
    assert gini_uniform(100, 2**66) == pytest.approx(1.0)
    assert code_usage(counts, 2**80).perplexity == pytest.approx(100)
    assert lorenz_curve(counts, 2**80).code_share[-2] == pytest.approx(1.0)


@pytest.mark.parametrize("levels", [(5,), (3, 4, 5), STAGES])
def test_batches_and_merges_change_nothing(levels: tuple[int, ...]) -> None:
    codes = drawn(levels)
    whole, parts, other = counted(levels, codes), counted(levels, codes[:30], codes[30:50]), counted(levels, codes[50:])
    parts.merge(other)
    assert parts.usage() == whole.usage()
    assert parts.group_usages() == whole.group_usages()
    assert parts.tokens == whole.tokens == 400


def test_what_does_not_fit_is_refused_and_nothing_is_counted() -> None:
    counts = counted((3, 4), torch.zeros(1, 2, 1, 1, dtype=torch.int64))
    for wrong, told in (
        (torch.zeros(1, 3, 1, 1, dtype=torch.int64), "give .B, 2"),
        (torch.tensor([[[[0]], [[4]]]]), "code 4 is outside 0 … 3"),
        (torch.zeros(1, 2, 1, 1), "float32"),
    ):
        with pytest.raises(InputError, match=told):
            counts.update(wrong)
    assert counts.tokens == counts.groups[1].tokens == counts.joint.tokens == 1
    with pytest.raises(InputError, match="levels"):
        counts.merge(GroupedCodeCounts((3, 5)))
    with pytest.raises(InputError, match="numbers below 2"):
        CodeCounts(2**63)
