"""The Fréchet distance by the number of photographs: how much of it is due to few photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.frames.comparison import FRECHET_SIZES

from ..audit.sets import disjoint_sets
from .groups import Group, GroupedRuns

PARTS = (4, 2, 1)
"""The photographs are cut into so many sets."""


def frechet_sizes(compared: GroupedRuns, seed: int = 0) -> pd.DataFrame:
    """FD of each group on a quarter, a half and all of the photographs, a row each: `frames.comparison.FRECHET_SIZES`.

    The photographs are divided at random, by `seed`, into 4 sets and into 2, the same for all groups; FD is the mean
    over the sets and over seeds. Groups whose features were not measured have no rows, and neither have sets of one
    photograph. FD of fewer pictures than features is high by about the directions that these lack.
    """
    measured = [group for group in compared.groups if all(run.features is not None for run in group.runs)]
    generator, everything = np.random.default_rng(seed), np.arange(len(compared.digests))
    rows = []
    for parts in PARTS:
        if len(everything) // parts < 2:
            continue
        sets = disjoint_sets(everything, parts, parts, generator)
        rows += [_row(compared, group, sets) for group in measured]
    rows.sort(key=lambda row: [group.name for group in measured].index(str(row["group"])))
    return FRECHET_SIZES.frame(rows)


def _row(compared: GroupedRuns, group: Group, sets: Sequence[NDArray[np.int64]]) -> dict[str, object]:
    digests = [[compared.digests[place] for place in chosen] for chosen in sets]
    of_seeds = group.by_seed(lambda run: np.array([run.frechet_distance(some) for some in digests]))
    return {
        "group": group.name,
        "photographs": len(sets[0]),
        "crops": round(float(np.mean([compared.crops[chosen].sum() for chosen in sets]))),
        "sets": len(sets),
        "fd": float(of_seeds.mean()),
    }
