"""Have evaluation sets nothing in common, and are photographs left whole?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.audit import disjoint_sets
from lgq_explore.errors import InputError

PHOTOGRAPH = np.repeat(np.arange(10), [1, 2, 3, 1, 2, 3, 1, 2, 3, 4])


def test_sets_are_disjoint_and_hold_whole_photographs() -> None:
    sets = disjoint_sets(PHOTOGRAPH, 3, 8, np.random.default_rng(0))
    of_sets = [set(PHOTOGRAPH[chosen].tolist()) for chosen in sets]
    assert [len(photographs) for photographs in of_sets] == [3, 3, 3]
    assert len(set.union(*of_sets)) == 9  # one is left over
    for chosen, photographs in zip(sets, of_sets, strict=True):
        assert chosen.tolist() == np.flatnonzero(np.isin(PHOTOGRAPH, list(photographs))).tolist()


def test_a_division_is_drawn_and_the_same_for_the_same_seed() -> None:
    first, again, other = (disjoint_sets(PHOTOGRAPH, 2, 2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])
    assert [chosen.tolist() for chosen in disjoint_sets(PHOTOGRAPH, 1, 8, np.random.default_rng(0))] == [[*range(22)]]
    assert len(disjoint_sets(PHOTOGRAPH, 5, 2, np.random.default_rng(0))) == 2


def test_too_many_sets_are_refused() -> None:
    with pytest.raises(InputError, match="10 photographs or images can't be cut into 11 sets"):
        disjoint_sets(PHOTOGRAPH, 11, 8, np.random.default_rng(0))
    with pytest.raises(InputError, match="0 of 2 sets: give at least 1"):
        disjoint_sets(PHOTOGRAPH, 2, 0, np.random.default_rng(0))
