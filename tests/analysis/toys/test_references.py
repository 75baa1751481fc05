"""Are the least distortion and the annealed codebook kept, and can annealing be ended on the way?"""

from __future__ import annotations

import pytest

from lgq_explore.analysis.toys import (
    ToySetting,
    fit_toy,
    toy_optimum,
    toy_optimum_is_known,
    toy_path,
    toy_path_is_known,
    toy_start,
)


class Ended(Exception):
    pass


def test_a_formula_is_known_and_k_means_once_it_was_asked_for() -> None:
    assert toy_optimum_is_known("ring", 8)
    assert not toy_optimum_is_known("square", 3)
    found = toy_optimum("square", 3)
    assert toy_optimum_is_known("square", 3)
    assert toy_optimum("square", codes=3) is found


def test_a_path_is_kept_however_it_is_asked_for() -> None:
    assert not toy_path_is_known("line", 2, 5)
    found = toy_path("line", 2, seed=5)
    assert toy_path_is_known("line", 2, 5)
    assert toy_path("line", codes=2, seed=5) is toy_path("line", 2, 5) is found


def test_annealing_tells_how_far_it_is_and_ends_where_it_is_told_to() -> None:
    rounds: list[tuple[int, int]] = []

    def end_after_three(done: int, all_of_them: int) -> None:
        rounds.append((done, all_of_them))
        if done == 3:
            raise Ended

    with pytest.raises(Ended):
        toy_path("ring", 3, 6, end_after_three)
    assert not toy_path_is_known("ring", 3, 6)
    path = toy_path("ring", 3, 6)
    temperatures = len(path.states)
    assert rounds == [(done, temperatures) for done in range(4)]


@pytest.mark.parametrize("method", ["lgq", "fsq"])
def test_the_start_is_that_of_a_fit(method: str) -> None:
    setting = ToySetting("square", method, codes=16, steps=0)
    assert toy_start(setting).state_dict().keys() == fit_toy(setting).quantizer.state_dict().keys()
    for name, started in toy_start(setting).state_dict().items():
        assert started.tolist() == fit_toy(setting).quantizer.state_dict()[name].tolist()
