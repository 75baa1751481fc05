"""Do maps find the plane that points lie in, stay the same, and put what was not fitted where it belongs?"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from lgq_explore.analysis.geometry.embedding import EPOCHS, MIN_DIST, NEIGHBOURS, embed
from lgq_explore.analysis.geometry.projection_quality import projection_quality
from lgq_explore.errors import InputError
from tests.package.process_state import process_untouched

EVERY = np.ones(300, dtype=bool)


@pytest.fixture
def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((300, 5)) * [3, 2, 1, 0.5, 0.1] + 4).astype(np.float32)


def clusters(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Points in four clusters far apart, and the number of each point's cluster."""
    rng = np.random.default_rng(2)
    of = np.arange(count) % 4
    return (20 * np.eye(6)[of] + rng.standard_normal((count, 6))).astype(np.float32), of


def test_pca_is_that_of_scikit_learn_up_to_signs(points: np.ndarray) -> None:
    made = embed(points, EVERY, "pca")
    reference = PCA(n_components=2).fit(points.astype(np.float64))
    np.testing.assert_allclose(np.abs(made.places), np.abs(reference.transform(points)), atol=1e-4)
    np.testing.assert_allclose(made.explained_variance, reference.explained_variance_ratio_, rtol=1e-4)


def test_pca_does_not_flip_when_points_are_mirrored_shuffled_or_drawn_anew(points: np.ndarray) -> None:
    places = embed(points, EVERY, "pca").places
    order = np.random.default_rng(1).permutation(300)
    np.testing.assert_allclose(embed(points[order], EVERY, "pca").places, places[order], atol=1e-4)
    np.testing.assert_allclose(embed(-points, EVERY, "pca").places, -places, atol=1e-4)
    half = EVERY.copy()
    half[::2] = False
    assert np.corrcoef(embed(points, half, "pca").places[:, 0], places[:, 0])[0, 1] > 0.99
    # Each axis points where its largest weight does: here along the first two directions.
    assert np.corrcoef(places[:, 0], points[:, 0])[0, 1] > 0.9
    assert np.corrcoef(places[:, 1], points[:, 1])[0, 1] > 0.9


def test_pca_places_what_was_not_fitted_by_the_axes_of_what_was(points: np.ndarray) -> None:
    few = np.arange(300) < 100
    made = embed(points, few, "pca")
    reference = PCA(n_components=2).fit(points[few].astype(np.float64))
    np.testing.assert_allclose(np.abs(made.places), np.abs(reference.transform(points)), atol=1e-4)


def test_points_of_one_dimension_lie_on_a_line(points: np.ndarray) -> None:
    made = embed(points[:, :1], EVERY, "pca")
    np.testing.assert_allclose(made.places[:, 0], points[:, 0] - points[:, 0].mean(), atol=1e-4)
    assert (made.places[:, 1] == 0).all()
    assert made.explained_variance == (1, 0)


@pytest.mark.slow
def test_umap_keeps_planted_clusters_apart_fitted_and_placed_alike() -> None:
    points, of = clusters()
    fitted = np.arange(400) < 300
    heard: list[str] = []
    made = embed(points, fitted, "umap", report=heard.append)
    centres = np.stack([made.places[fitted & (of == cluster)].mean(axis=0) for cluster in range(4)])
    nearest = np.linalg.norm(made.places[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, of)
    assert projection_quality(points, made.places).trustworthiness > 0.9
    assert made.explained_variance is None
    assert any("fitting 300 points" in said for said in heard)
    assert heard[-1] == "placing 100 points"


@pytest.mark.slow
def test_umap_leaves_torch_its_number_of_threads() -> None:
    threads = torch.get_num_threads()
    try:
        for chosen in (1, 2):
            torch.set_num_threads(chosen)
            embed(clusters(100)[0], np.ones(100, dtype=bool), "umap")
            assert torch.get_num_threads() == chosen
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 300, 5000])
def test_umap_is_that_of_its_estimator(count: int) -> None:
    """Bit for bit, and without the estimator's warnings."""
    points, _ = clusters(count)
    points[-1] = points[0]
    with process_untouched(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        places = embed(points, np.ones(count, dtype=bool), "umap", seed=3).places

    from umap import UMAP

    neighbours = min(NEIGHBOURS, count - 1)
    index = NearestNeighbors(n_neighbors=neighbours).fit(points.astype(np.float32))
    distances, nearest = index.kneighbors(points.astype(np.float32))
    estimator = UMAP(
        n_neighbors=neighbours,
        min_dist=MIN_DIST,
        n_epochs=EPOCHS,
        init="pca",
        random_state=3,
        n_jobs=1,
        precomputed_knn=(nearest.astype(np.int32), distances.astype(np.float32), None),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(places, estimator.fit_transform(points.astype(np.float32)))


def test_umap_repeats_and_gives_equal_points_equal_places() -> None:
    points, _ = clusters(120)
    # The last twenty are copies of the twenty before, of which none is fitted.
    points[100:] = points[80:100]
    fitted = np.arange(120) < 80
    made = embed(points, fitted, "umap", seed=1)
    np.testing.assert_array_equal(made.places, embed(points, fitted, "umap", seed=1).places)
    np.testing.assert_array_equal(made.places[100:], made.places[80:100])
    assert not np.array_equal(made.places, embed(points, fitted, "umap", seed=2).places)


@pytest.mark.slow
def test_a_point_is_placed_within_reach_of_its_fitted_neighbours() -> None:
    points, _ = clusters(200)
    fitted = np.arange(200) < 160
    copies = np.concatenate([points, points[:5]])
    made = embed(copies, np.append(fitted, np.zeros(5, dtype=bool)), "umap")
    own = np.linalg.norm(made.places[200:] - made.places[:5], axis=1)
    spread = np.linalg.norm(made.places[:160] - made.places[:160].mean(axis=0), axis=1).mean()
    assert (own < spread / 5).all()


def test_what_cannot_be_embedded_is_refused(points: np.ndarray) -> None:
    with pytest.raises(InputError, match="method is 'tsne': choose one of pca, umap"):
        embed(points, EVERY, "tsne")
    with pytest.raises(InputError, match="3 of them fitted: give"):
        embed(points, np.arange(300) < 3, "pca")
    points[7, 2] = np.nan
    with pytest.raises(InputError, match="not finite"):
        embed(points, EVERY, "pca")
