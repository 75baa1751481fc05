"""Places on a plane for points of a space of many dimensions, by PCA or UMAP."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from lgq_explore.errors import InputError

METHODS = ("pca", "umap")
NEIGHBOURS, MIN_DIST, EPOCHS = 15, 0.1, 200
"""UMAP's settings: its defaults, and the epochs that it gives by itself to more than 10,000 points."""

LEAST_FITTED = 4
PLACED_AT_ONCE = 2**14

_Result = TypeVar("_Result")

Report = Callable[[str], None]
"""Is told in words what is going on."""


def say_nothing(sentence: str) -> None:
    """For those who do not wait."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """places: float32 [n, 2]. explained_variance: of both axes, as shares of the fitted points'; None for UMAP."""

    places: NDArray[np.float32]
    explained_variance: tuple[float, float] | None = None


def embed(
    points: NDArray[np.floating], fitted: NDArray[np.bool_], method: str, *, seed: int = 0, report: Report = say_nothing
) -> Embedding:
    """Places of points [n, P] on a plane: fitted on those that `fitted` [n] marks, the others placed by what was found.

    pca: the two directions of greatest variance. Each points where its largest weight is positive, so that a map does
    not flip from one fit to the next. umap (McInnes, Healy & Melville 2018, arXiv 1802.03426): its graph is made of
    exact neighbours and its layout starts from PCA. Other points lie at the mean of their neighbours' places, weighted
    by UMAP's membership strengths: its own transform without the random refinement, so that equal points have equal
    places and a code that stands still does so on the map.

    Raises:
        InputError: another method, points that are not finite, or fewer than 4 fitted points.
    """
    if method not in METHODS:
        raise InputError(f"method is {method!r}: choose one of {', '.join(METHODS)}")
    if points.ndim != 2 or fitted.shape != points.shape[:1] or fitted.sum() < LEAST_FITTED:
        raise InputError(
            f"points have shape {list(points.shape)}, {int(fitted.sum())} of them fitted: give [n, P], at least "
            f"{LEAST_FITTED} of them fitted"
        )
    if not np.isfinite(points).all():
        raise InputError("points hold values that are not finite: the model has diverged")
    return _pca(points, fitted) if method == "pca" else _umap(points.astype(np.float32), fitted, seed, report)


def _pca(points: NDArray[np.floating], fitted: NDArray[np.bool_]) -> Embedding:
    model = PCA(n_components=min(2, points.shape[1]), svd_solver="full")
    model.fit(points[fitted].astype(np.float64))
    largest = np.abs(model.components_).argmax(axis=1)
    signs = np.where(model.components_[np.arange(len(largest)), largest] < 0, -1.0, 1.0)
    places = np.zeros((len(points), 2), dtype=np.float32)
    places[:, : len(signs)] = model.transform(points.astype(np.float64)) * signs
    first, second = [*np.nan_to_num(model.explained_variance_ratio_).tolist(), 0.0][:2]
    return Embedding(places, (first, second))


def _umap(points: NDArray[np.float32], fitted: NDArray[np.bool_], seed: int, report: Report) -> Embedding:
    is_first = "umap" not in sys.modules
    if is_first:
        report("importing UMAP")
    import umap  # noqa: F401 - here, so that what is said of it is true

    count = int(fitted.sum())
    neighbours = min(NEIGHBOURS, count - 1)
    report(f"finding the neighbours of {count:,d} points")
    index = NearestNeighbors(n_neighbors=neighbours).fit(points[fitted])
    distances, nearest = index.kneighbors(points[fitted])
    report(f"fitting {count:,d} points" + (" (compiling first, once in a process)" if is_first else ""))
    found = _in_own_thread(lambda: _laid_out(points[fitted], distances.astype(np.float32), nearest, seed))
    places = np.empty((len(points), 2), dtype=np.float32)
    places[fitted] = found
    rest = np.flatnonzero(~fitted)
    report(f"placing {len(rest):,d} points")
    for start in range(0, len(rest), PLACED_AT_ONCE):
        chosen = rest[start : start + PLACED_AT_ONCE]
        places[chosen] = _placed(index, points[chosen], found)
    return Embedding(places)


def _laid_out(
    points: NDArray[np.float32], distances: NDArray[np.float32], nearest: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
    """Places [n, 2] of points whose neighbours [n, k] are known, the nearest first.

    The two halves of UMAP's estimator with its defaults, and its result. The estimator itself would warn of neighbours
    that are given; its own search is approximate, and takes half a minute to compile.
    """
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    draws = check_random_state(seed)
    graph, *_ = fuzzy_simplicial_set(
        points, nearest.shape[1], draws, "euclidean", knn_indices=nearest.astype(np.int32), knn_dists=distances
    )
    a, b = find_ab_params(spread=1.0, min_dist=MIN_DIST)
    places, _ = simplicial_set_embedding(
        points,
        graph,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=EPOCHS,
        init="pca",
        random_state=draws,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return places


def _in_own_thread(compute: Callable[[], _Result]) -> _Result:
    """What `compute` returns. UMAP's compiled parts set the number of OpenMP threads of the thread that calls them to
    that of the cores, and torch takes that number.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(compute).result()
    finally:
        pool.shutdown(wait=False)  # an interrupt need not wait for the result


def _placed(index: NearestNeighbors, points: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Places of points that were not fitted: means of their neighbours', weighted by membership strengths."""
    from umap.umap_ import smooth_knn_dist

    distances, nearest = index.kneighbors(points)
    widths, _ = _in_own_thread(
        lambda: smooth_knn_dist(distances.astype(np.float32), float(distances.shape[1]), local_connectivity=0.0)
    )
    # Measured from the nearest, which changes no mean and keeps the farthest from all being 0.
    strengths = np.exp((distances[:, :1] - distances) / widths[:, None])
    return np.einsum("nk,nkd->nd", strengths / strengths.sum(axis=1, keepdims=True), found[nearest])
