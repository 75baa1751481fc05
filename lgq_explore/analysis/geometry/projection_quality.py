"""Trustworthiness and continuity of a map of points, and the overlap of neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from lgq_explore.errors import InputError

NEIGHBOURS, POINTS = 15, 2000
"""Neighbours of a point, and points of the sample: errors are a few thousandths, and it takes half a second."""

LOW_TRUST = 0.9
"""Trustworthiness below which a reader is warned. Random places have 0.5: at 0.9 a fifth of their errors is left."""

LOW_OVERLAP = 0.5
"""Overlap below which a reader is warned: most of the points that a map shows next to a point are not its nearest."""


@dataclass(frozen=True)
class ProjectionQuality:
    """What a map keeps of the neighbourhoods of `points` points, of `neighbours` each.

    trustworthiness: 1 where no point is a neighbour on the map only; continuity: 1 where none is one in space only;
    about 0.5 by chance (Venna & Kaski 2001). neighbour_overlap: mean share of neighbours that are the same in both;
    chance_overlap = k/(n − 1), where places have nothing to do with points.
    """

    trustworthiness: float
    continuity: float
    neighbour_overlap: float
    chance_overlap: float
    neighbours: int
    points: int

    @property
    def sentence(self) -> str:
        """The numbers, with k and N."""
        return (
            f"Trustworthiness {self.trustworthiness:.2f}, continuity {self.continuity:.2f} (by chance 0.5), neighbour "
            f"overlap {self.neighbour_overlap:.0%} (by chance {self.chance_overlap:.1%}); k = {self.neighbours}, "
            f"N = {self.points:,d} points"
        )

    @property
    def warning(self) -> str:
        """What not to read from the map; empty where all numbers are good."""
        sentences = []
        if self.trustworthiness < LOW_TRUST:
            sentences.append("Points far apart in space lie together here: groups on this map may not exist.")
        if self.continuity < LOW_TRUST:
            sentences.append("Points near in space are torn apart here: gaps on this map may not exist.")
        if self.neighbour_overlap < LOW_OVERLAP:
            kept = self.neighbour_overlap * self.neighbours
            sentences.append(
                f"Of the {self.neighbours} points nearest to one here, {kept:.1f} are among its {self.neighbours} "
                "nearest in space: read regions from this map, not single neighbours."
            )
        return " ".join(sentences)


def projection_quality(
    points: NDArray[np.floating],
    places: NDArray[np.floating],
    *,
    neighbours: int = NEIGHBOURS,
    sample: int = POINTS,
    seed: int = 0,
) -> ProjectionQuality:
    """How far places [n, 2] keep the neighbourhoods of points [n, P], over at most `sample` of them.

        trustworthiness = 1 − 2 / (n k (2n − 3k − 1)) Σ_i Σ_{j ∈ U_i} (r(i, j) − k)

    with U_i those of the k nearest places of i whose points are not among its k nearest, and r(i, j) the rank of j by
    distance from i among the points. Continuity is the same with points and places exchanged.

    Raises:
        InputError: shapes that do not fit, or as many neighbours as half of the points.
    """
    if points.ndim != 2 or places.ndim != 2 or len(points) != len(places):
        raise InputError(
            f"points have shape {list(points.shape)} and places {list(places.shape)}: give [n, P] and [n, 2]"
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:sample])
    count = len(chosen)
    if not 1 <= neighbours < count / 2:
        raise InputError(f"neighbours is {neighbours} of {count} points: give at least 1 and fewer than half")
    in_space, on_map = _Neighbourhoods(points[chosen], neighbours), _Neighbourhoods(places[chosen], neighbours)
    ranks = in_space.ranks_of(on_map.nearest)
    return ProjectionQuality(
        trustworthiness=_faithfulness(ranks, count),
        continuity=_faithfulness(on_map.ranks_of(in_space.nearest), count),
        neighbour_overlap=float((ranks <= neighbours).mean()),
        chance_overlap=neighbours / (count - 1),
        neighbours=neighbours,
        points=count,
    )


class _Neighbourhoods:
    """Distances between all points, and the nearest others of each."""

    def __init__(self, points: NDArray[np.floating], neighbours: int) -> None:
        self._distances = cdist(points.astype(np.float64), points.astype(np.float64))
        np.fill_diagonal(self._distances, np.inf)
        self.nearest = self._distances.argpartition(neighbours - 1, axis=1)[:, :neighbours]

    def ranks_of(self, others: NDArray[np.intp]) -> NDArray[np.intp]:
        """[n, k]: the rank from 1 by distance from point i of the points others[i]; equal distances share the lower."""
        # Counting the closer points, one neighbour at a time, takes a tenth of the time of sorting all distances.
        columns = np.take_along_axis(self._distances, others, axis=1).T
        return 1 + np.stack([(self._distances < column[:, None]).sum(axis=1) for column in columns], axis=1)


def _faithfulness(ranks: NDArray[np.intp], points: int) -> float:
    neighbours = ranks.shape[1]
    excess = np.maximum(ranks - neighbours, 0).sum()
    return float(1 - 2 * excess / (points * neighbours * (2 * points - 3 * neighbours - 1)))
