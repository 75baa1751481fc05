"""Disjoint evaluation sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError


def disjoint_sets(
    group: NDArray[np.int64], parts: int, most: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """A random division of groups into `parts` sets of equally many: the members of each set, ascending, int64.

    group: [N], the group of each member, such as the photograph of each crop; groups are never torn apart. Groups that
    are left over belong to no set. most: number of sets that are given, the first ones.

    Raises:
        InputError: fewer groups than parts, or fewer than 1 part or set.
    """
    groups = generator.permutation(np.unique(group))
    if parts < 1 or most < 1:
        raise InputError(f"{most} of {parts} sets: give at least 1")
    size = len(groups) // parts
    if size == 0:
        raise InputError(f"{len(groups)} photographs or images can't be cut into {parts} sets: give fewer sets")
    cut = groups[: size * parts].reshape(parts, size)
    return [np.flatnonzero(np.isin(group, chosen)) for chosen in cut[:most]]
