"""Are metrics of codebooks in the plane those of their points, and beside their true distortion?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.analysis.audit import toy_values
from lgq_explore.analysis.audit.mixtures import POPULATION
from lgq_explore.analysis.toys import ToySetting
from lgq_explore.analysis.toys.mixtures import DEVIATION
from lgq_explore.errors import InputError


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    settings = [ToySetting("ring", method, 8, 0, steps=30) for method in ("kmeans", "frozen")]
    return toy_values(settings, sizes=(8, 256), sets=3, progress=False)


def test_k_means_on_the_ring_has_the_known_distortion_and_efficiency(values: pd.DataFrame) -> None:
    of_kmeans = values[values["method"] == "kmeans"]
    everything = of_kmeans[of_kmeans["size"] == POPULATION].set_index("metric")["value"]
    assert of_kmeans["distortion"].unique() == pytest.approx([2 * DEVIATION**2], rel=0.02)
    assert everything["quantization_error"] == pytest.approx(DEVIATION**2, rel=0.02)  # of a variance of 2
    assert everything["geometry_efficiency"] == pytest.approx(1, rel=0.02)
    assert everything["active_codes"] == 8
    assert everything["entropy_bits"] == pytest.approx(3, abs=0.01)
    assert everything["effective_rate"] == pytest.approx(1, abs=0.01)


def test_an_efficiency_on_a_set_needs_more_points_than_codes(values: pd.DataFrame) -> None:
    sizes = values[values["metric"] == "geometry_efficiency"].groupby("method")["size"].unique()
    assert sorted(sizes["kmeans"]) == [256, POPULATION]
    parts = values[(values["size"] == 256) & (values["metric"] == "geometry_efficiency")]
    assert parts.groupby("method")["part"].nunique().tolist() == [3, 3]
    best = parts[parts["method"] == "kmeans"]["value"]
    assert best.between(0.85, 1.1).all()
    assert (parts[parts["method"] == "frozen"]["value"].to_numpy() < best.to_numpy()).all()


def test_few_points_find_few_codes(values: pd.DataFrame) -> None:
    active = values[values["metric"] == "active_codes"].groupby(["method", "size"])["value"].mean()
    assert active["kmeans", 8] < 7 < active["kmeans", 256] == active["kmeans", POPULATION]


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="0 settings and 8 sets"):
        toy_values([])
    with pytest.raises(InputError, match=f"8 sets of {POPULATION} points are more than"):
        toy_values([ToySetting()], sizes=(POPULATION,))
