"""Do the numbers say of a map what another implementation says, and what is known of perfect maps and of chance?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from lgq_explore.analysis.geometry import projection_quality
from lgq_explore.errors import InputError


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((400, 6))


def test_trustworthiness_and_continuity_are_those_of_scikit_learn(points: np.ndarray) -> None:
    places = points[:, :2] + 0.3 * np.random.default_rng(1).standard_normal((400, 2))
    for neighbours in (5, 15):
        quality = projection_quality(points, places, neighbours=neighbours)
        assert quality.trustworthiness == pytest.approx(trustworthiness(points, places, n_neighbors=neighbours))
        assert quality.continuity == pytest.approx(trustworthiness(places, points, n_neighbors=neighbours))
        assert quality.trustworthiness != pytest.approx(quality.continuity, abs=1e-4)


def test_a_map_that_turns_and_stretches_keeps_everything(points: np.ndarray) -> None:
    plane = points[:, :2]
    turned = 7 * plane @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 3
    quality = projection_quality(plane, turned)
    assert (quality.trustworthiness, quality.continuity, quality.neighbour_overlap) == (1, 1, 1)
    assert quality.warning == ""


def test_places_drawn_at_random_are_at_the_level_of_chance_and_warned_of(points: np.ndarray) -> None:
    quality = projection_quality(points, np.random.default_rng(5).standard_normal((400, 2)))
    assert quality.trustworthiness == pytest.approx(0.5, abs=0.03)
    assert quality.continuity == pytest.approx(0.5, abs=0.03)
    assert quality.chance_overlap == 15 / 399
    assert quality.neighbour_overlap == pytest.approx(quality.chance_overlap, abs=0.01)
    for said in ("groups on this map may not exist", "gaps on this map may not exist", "not single neighbours"):
        assert said in quality.warning


def test_the_overlap_counts_shared_neighbours_by_hand() -> None:
    line = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    # The last two change places: of the nearest others, those of points 2, 3 and 4 are another.
    moved = np.array([[0.0, 0], [1.0, 0], [3.0, 0], [10.0, 0], [5.0, 0]])
    quality = projection_quality(line, moved, neighbours=1)
    nearest, on_map = [1, 0, 1, 2, 3], [1, 0, 1, 4, 2]
    assert quality.neighbour_overlap == np.mean(np.equal(nearest, on_map))


def test_a_large_map_is_judged_by_a_seeded_sample_that_is_stated(points: np.ndarray) -> None:
    quality = projection_quality(points, points[:, :2], sample=100, seed=3)
    assert quality == projection_quality(points, points[:, :2], sample=100, seed=3)
    assert quality != projection_quality(points, points[:, :2], sample=100, seed=4)
    assert (quality.points, quality.chance_overlap) == (100, 15 / 99)
    assert "k = 15, N = 100 points" in quality.sentence


def test_what_has_no_neighbourhoods_is_refused(points: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"give \[n, P\] and \[n, 2\]"):
        projection_quality(points, points[:50, :2])
    for neighbours in (0, 10, 200):
        with pytest.raises(InputError, match=f"neighbours is {neighbours} of 20 points"):
            projection_quality(points[:20], points[:20, :2], neighbours=neighbours)
