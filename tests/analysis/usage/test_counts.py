"""Are planted counts found, whatever groups the codes come in, and does the grid keep every one in its place?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lgq_explore.analysis.usage import codes_per_token, grid, of_counts, of_groups, per_code
from lgq_explore.errors import InputError
from lgq_explore.metrics import GroupedCodeCounts
from tests.analysis.planted_codes import study_of_codes


def test_planted_counts_of_one_group() -> None:
    codes = np.array([0, 3, 3, 3, 1, 1, 3, 0]).reshape(2, 1, 2, 2)
    usage = per_code(study_of_codes(codes, [5]))
    assert usage["code"].tolist() == [0, 1, 2, 3, 4]
    assert usage["count"].tolist() == [2, 2, 0, 4, 0]
    assert usage["share"].tolist() == [0.25, 0.25, 0, 0.5, 0]


def test_groups_make_joint_codes_with_the_first_group_slowest() -> None:
    codes = np.array([[1, 2, 0], [0, 0, 1]]).reshape(2, 3, 1, 1)
    usage = per_code(study_of_codes(codes, [2, 3, 2]))
    assert len(usage) == 12
    assert usage.loc[usage["count"] > 0, "code"].tolist() == [0 * 6 + 0 * 2 + 1, 1 * 6 + 2 * 2 + 0]


def test_a_code_beyond_its_own_group_is_refused_though_a_joint_code_exists() -> None:
    codes = np.array([0, 2]).reshape(1, 2, 1, 1)
    with pytest.raises(InputError, match=r"code 2 of group 1 is outside 0 … 1"):
        per_code(study_of_codes(codes, [4, 2]))


def test_codes_of_another_number_of_groups_are_refused() -> None:
    with pytest.raises(InputError, match=r"codes \[1, 1, 2, 2\].*makes \[N, 2, H, W\]"):
        per_code(study_of_codes(np.zeros((1, 1, 2, 2), dtype=np.int64), [4, 2]))


def test_a_codebook_too_large_to_list_is_refused() -> None:
    with pytest.raises(InputError, match="too large"):
        per_code(study_of_codes(np.zeros((1, 40, 1, 1), dtype=np.int64), [2] * 40))


@pytest.mark.parametrize(
    ("counts", "told"),
    [([0, 0], "0 tokens"), ([], "type float64"), ([1, -1], "-1"), ([0.5, 0.5], "float64"), ([[1]], r"\[1, 1\]")],
)
def test_counts_that_are_none_are_refused(counts: list, told: str) -> None:
    with pytest.raises(InputError, match=told):
        of_counts(counts)


@pytest.mark.parametrize("codebook_size", [1, 2, 240, 1000, 1024, 16384])
def test_every_code_lies_at_index_plus_column(codebook_size: int) -> None:
    usage = of_counts(np.arange(1, codebook_size + 1))
    cells_of_grid = grid(usage.sample(frac=1, random_state=0))
    rows, columns = cells_of_grid.shape
    assert columns == math.ceil(math.sqrt(codebook_size))
    assert columns - 1 <= rows <= columns
    cells = cells_of_grid.stack().dropna().reset_index().set_axis(["first", "offset", "count"], axis=1)
    assert (cells["first"] + cells["offset"] + 1 == cells["count"]).all()
    assert len(cells) == codebook_size
    assert np.isnan(cells_of_grid.to_numpy().ravel()[codebook_size:]).all()


def test_a_frame_of_something_else_has_no_grid() -> None:
    with pytest.raises(InputError, match=r"lacks code, count, share: give one of analysis\.usage\.per_code"):
        grid(pd.DataFrame({"step": [1]}))


def counted(levels: tuple[int, ...], codes: list[list[int]]) -> GroupedCodeCounts:
    counts = GroupedCodeCounts(levels)
    counts.update(np.array(codes, dtype=np.int64))
    return counts


def test_counts_of_groups_are_of_joint_codes_where_these_can_be_listed() -> None:
    counts = counted((2, 3), [[1, 2], [1, 2], [0, 1]])
    assert of_groups(counts)["count"].tolist() == [0, 1, 0, 0, 0, 2]
    assert codes_per_token(counts) == 1


def test_counts_of_groups_whose_joint_codes_are_too_many_follow_each_other() -> None:
    counts = counted((2,) * 36, [[1] * 36, [1] + [0] * 35])
    usage = of_groups(counts)
    assert len(usage) == 72
    assert usage["count"].tolist() == [0, 2] + [1, 1] * 35
    assert codes_per_token(counts) == 36
