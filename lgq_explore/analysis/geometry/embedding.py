"""Positions in a plane for points of a high-dimensional space, by PCA or UMAP."""

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
"""UMAP's settings: its defaults, with the number of epochs that it uses for more than 10,000 points."""

LEAST_FITTED = 4
PLACED_AT_ONCE = 2**14

_Result = TypeVar("_Result")

Report = Callable[[str], None]
"""Receives a sentence on what is being done."""


def say_nothing(sentence: str) -> None:
    """The default `Report`: ignores what is being done."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """places: float32 [n, 2]. explained_variance: of both axes, as shares of the fitted points'; None for UMAP."""

    places: NDArray[np.float32]
    explained_variance: tuple[float, float] | None = None


def embed(
    points: NDArray[np.floating], fitted: NDArray[np.bool_], method: str, *, seed: int = 0, report: Report = say_nothing
) -> Embedding:
    """Places of points [n, P] on a plane. The map is fitted on those that `fitted` [n] marks; the others are placed.

    pca: the two directions of greatest variance. The sign of each makes its largest weight positive, so that a map does
    not flip from one fit to the next. umap (McInnes, Healy & Melville 2018, arXiv 1802.03426): the graph is made of
    exact neighbours and the layout starts from PCA. Other points are placed at the mean of their neighbours' places,
    weighted by UMAP's membership strengths. This is UMAP's transform without its random refinement: equal points have
    equal places, and a code that does not move does not move on the map either.

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
    import umap  # noqa: F401 - imported here because the report above announces it

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

    These are the two steps of UMAP's estimator with its defaults, and give its result. The estimator itself warns about
    precomputed neighbours, and its own search is approximate and takes half a minute to compile.
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
    """The result of `compute`, run in a thread of its own.

    UMAP's compiled parts set the number of OpenMP threads of the calling thread to the number of cores, and torch would
    use that number too.
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
    # Measured from the nearest neighbour: weighted means stay the same, and strengths do not all underflow to 0.
    strengths = np.exp((distances[:, :1] - distances) / widths[:, None])
    return np.einsum("nk,nkd->nd", strengths / strengths.sum(axis=1, keepdims=True), found[nearest])
