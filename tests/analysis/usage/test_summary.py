"""Are the numbers of a planted study those that can be counted by hand?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from lgq_explore.analysis.usage import summary
from lgq_explore.errors import InputError
from tests.analysis.planted_codes import study_of_codes


def test_numbers_by_hand() -> None:
    codes = np.array([[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 2], [0, 3, 1, 1]]).reshape(4, 1, 2, 2)
    (row,) = summary(study_of_codes(codes, [8], [0, 0, 1, 4])).to_dict("records")
    shares = np.array([10, 3, 2, 1]) / 16
    entropy = -(shares * np.log2(shares)).sum()
    assert row == pytest.approx(
        {
            "images": 4,
            "photographs": 3,
            "tokens": 16,
            "codebook_size": 8,
            "active_codes": 4,
            "utilization": 0.5,
            "chao2": 4 + 3 / 4 * 1 / 4,  # one code in one image, two in two
            "entropy_bits": entropy,
            "entropy_bits_miller_madow": entropy + 3 / (32 * math.log(2)),
            "bits_codebook": 3,
            "bits_active": 2,
            "perplexity": 2**entropy,
            "gini": 2 * (5 * 1 + 6 * 2 + 7 * 3 + 8 * 10) / (8 * 16) - 9 / 8,
            "gini_uniform": row["gini_uniform"],
            "top_1_percent": 0.08 * 10 / 16,
            "top_10_percent": 0.8 * 10 / 16,
        }
    )


def test_uniform_sampling_shows_the_gini_that_stands_beside_it() -> None:
    codes = np.random.default_rng(0).integers(0, 1024, size=(64, 1, 8, 8))
    (row,) = summary(study_of_codes(codes, [1024])).to_dict("records")
    assert row["gini_uniform"] == pytest.approx(0.28, abs=0.005)
    assert row["gini"] == pytest.approx(row["gini_uniform"], abs=0.01)
    assert row["entropy_bits"] < row["entropy_bits_miller_madow"] == pytest.approx(10, abs=0.05)


def test_groups_are_counted_as_joint_codes() -> None:
    codes = np.stack(np.unravel_index(np.arange(12), (2, 3, 2)))[None, :, None, :]
    (row,) = summary(study_of_codes(codes, [2, 3, 2])).to_dict("records")
    assert row["codebook_size"] == row["active_codes"] == 12
    assert row["perplexity"] == pytest.approx(12)


def test_a_codebook_too_large_to_list_is_summed_up_all_the_same() -> None:
    codes = np.zeros((2, 40, 1, 1), dtype=np.int64)
    codes[1, 39] = 1
    (row,) = summary(study_of_codes(codes, [2] * 40)).to_dict("records")
    assert row["active_codes"] == row["perplexity"] == 2
    assert row["bits_codebook"] == 40


def test_a_study_without_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="at least one token"):
        summary(study_of_codes(np.zeros((0, 1, 2, 2), dtype=np.int64), [4]))
