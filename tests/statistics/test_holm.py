"""Tests of Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.statistics import holm


def test_values_of_a_textbook() -> None:
    """Wright, Biometrics 48, 1992: four p-values, adjusted by hand."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_it_rejects_what_the_steps_of_the_paper_reject() -> None:
    """Step down: reject the smallest while p_(k) ≤ α/(m − k + 1), and stop at the first that is not."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        p_values = generator.uniform(0, 0.1, size=generator.integers(1, 7))
        rejected = np.zeros(len(p_values), dtype=bool)
        for step, index in enumerate(np.argsort(p_values)):
            if p_values[index] > 0.05 / (len(p_values) - step):
                break
            rejected[index] = True
        assert ((holm(p_values) <= 0.05) == rejected).all()


def test_one_hypothesis_is_left_as_it_is_and_none_is_above_one() -> None:
    assert holm([0.2]) == pytest.approx([0.2])
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


@pytest.mark.parametrize("p_values", [[-0.1], [1.1], [float("nan")], [[0.1]]])
def test_what_is_no_p_value_is_refused(p_values) -> None:
    with pytest.raises(InputError, match="p_values are"):
        holm(p_values)
