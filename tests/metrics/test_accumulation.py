"""Tests of code accumulation over images and of the Chao2 bound."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.metrics import accumulated_codes, chao2

CODES_OF_IMAGES = [{0, 1}, {1, 2}, {1}, {1, 3, 4}, {4, 2}]


def incidences_of(images: list[set[int]], codebook_size: int) -> np.ndarray:
    return np.array([sum(code in image for image in images) for code in range(codebook_size)])


def test_the_curve_is_the_mean_over_all_choices_of_images() -> None:
    incidences = incidences_of(CODES_OF_IMAGES, 6)
    sizes = range(len(CODES_OF_IMAGES) + 1)
    expected = [
        np.mean([len(set().union(*chosen)) for chosen in combinations(CODES_OF_IMAGES, size)]) for size in sizes
    ]
    np.testing.assert_allclose(accumulated_codes(incidences, len(CODES_OF_IMAGES), sizes), expected, rtol=1e-12)


def test_all_images_show_all_codes_and_none_shows_none() -> None:
    generator = np.random.default_rng(0)
    incidences = generator.integers(0, 2000, size=500)
    first, last = accumulated_codes(incidences, 2000, [0, 2000])
    assert first == 0
    assert last == (incidences > 0).sum()


def test_a_code_in_every_image_is_seen_in_the_first_and_a_code_in_one_alone_grows_in_proportion() -> None:
    np.testing.assert_allclose(accumulated_codes([10], 10, [1, 5, 10]), [1, 1, 1])
    np.testing.assert_allclose(accumulated_codes([1], 10, [1, 5, 10]), [0.1, 0.5, 1])


def test_many_images_lose_no_digits() -> None:
    images = 1_000_000
    np.testing.assert_allclose(accumulated_codes([2], images, [1, images // 2]), [2 / images, 0.75], atol=1e-6)


@pytest.mark.parametrize(
    ("incidences", "images", "expected"),
    [
        ([3, 3, 0], 4, 2),  # nothing is rare: nothing is missing
        ([1, 1, 1, 2, 2, 5], 10, 6 + 0.9 * 9 / 4),
        ([1, 1, 1, 5], 10, 4 + 0.9 * 3),
        ([1, 5], 10, 2),  # one code seen once says nothing where none was seen twice
        ([1, 1], 1, 2),  # one image alone neither
        ([0, 0], 3, 0),
    ],
)
def test_chao2_by_hand(incidences: list[int], images: int, expected: float) -> None:
    assert chao2(incidences, images) == pytest.approx(expected)


def test_chao2_is_a_lower_bound_that_sees_more_than_was_seen() -> None:
    generator = np.random.default_rng(1)
    reachable, images = 1000, 60
    occurs = generator.random((reachable, 1)) ** 2 * 0.2
    estimates, seen = [], []
    for _ in range(50):
        incidences = (generator.random((reachable, images)) < occurs).sum(axis=1)
        estimates.append(chao2(incidences, images))
        seen.append((incidences > 0).sum())
    assert np.mean(seen) + 50 < np.mean(estimates) < reachable


def test_chao2_of_codes_that_are_all_alike_finds_how_many_there_are() -> None:
    generator = np.random.default_rng(2)
    incidences = generator.binomial(50, 0.03, size=(200, 400))
    estimates = [chao2(found, 50) for found in incidences]
    assert np.mean(estimates) == pytest.approx(400, rel=0.03)
    assert (incidences > 0).sum(axis=1).mean() < 330


@pytest.mark.parametrize(
    ("incidences", "images", "told"),
    [
        ([1, 7], 5, "incidence 7 is outside 0 … 5"),
        ([-1], 5, "incidence -1"),
        ([0.5], 5, "float64"),
        ([[1]], 5, r"\[1, 1\]"),
        ([], 5, "shape"),
        ([1], 0, "images is 0"),
    ],
)
def test_incidences_that_are_none_are_refused(incidences: list, images: int, told: str) -> None:
    for refuse in (lambda: chao2(incidences, images), lambda: accumulated_codes(incidences, images, [1])):
        with pytest.raises(InputError, match=told):
            refuse()


def test_more_images_than_there_are_can_not_be_drawn() -> None:
    with pytest.raises(InputError, match="size 6 is outside 0 … 5"):
        accumulated_codes([1], 5, [1, 6])
