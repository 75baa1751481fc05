"""Twins: codes so close to another code that the decoder can't tell them apart.

Two codes are twins if they are nearer to each other than TWIN_SHARE of the root mean square distance of tokens from
their codes. Using one in place of the other then adds about TWIN_SHARE² to the squared error, unless both are on one
line with the token. This holds in any dimension, and for any number of twins. The spacing of the codes themselves can't
serve as the scale: if most codes are twins, it is the spacing of twins.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.frames.geometry import TWINS
from lgq_explore.runs.study import Study

TWIN_SHARE = 0.1
PAIRS_AT_ONCE = 2**22
BY_PRODUCTS = "use_mm_for_euclid_dist"  # in float64 and from the mean, exact to some 1e-7 of the codes' spread


def twins(study: Study) -> pd.DataFrame:
    """The nearest other code of each joint code, and the group of twins that it is of: `frames.geometry.TWINS`.

    Distances are Euclidean, whatever the method's metric. All pairs are compared, which takes seconds for 16,384 codes.
    Raises InputError if there are too many codes to list, or none.
    """
    codes, points = study.code_points, study.points
    chosen = torch.from_numpy(study.codes)
    error = (points - codes[chosen]).double().square().sum(1).mean().sqrt().item() if len(points) else 0.0
    counts = np.bincount(study.codes, minlength=len(codes))
    return TWINS.frame(twins_of_codes(codes, TWIN_SHARE * error).assign(count=counts, tokens=len(points)))


@torch.no_grad()
def twins_of_codes(codes: Tensor, tolerance: float) -> pd.DataFrame:
    """The columns of `frames.geometry.TWINS` that follow from codes [K, P], K ≥ 2, and the tolerance alone."""
    wide, distances, nearest = codes.double() - codes.double().mean(0), [], []
    rows = torch.arange(len(codes), device=codes.device)
    for part in rows.split(max(1, PAIRS_AT_ONCE // len(codes))):
        apart = torch.cdist(wide[part], wide, compute_mode=BY_PRODUCTS)
        apart[torch.arange(len(part)), part] = torch.inf
        least = apart.min(1)
        distances.append(least.values)
        nearest.append(least.indices)
    distance = torch.cat(distances)
    groups = _groups(wide, distance <= tolerance, tolerance)
    return pd.DataFrame(
        {
            "code": rows.cpu().numpy(),
            "nearest": torch.cat(nearest).cpu().numpy(),
            "distance": distance.cpu().numpy(),
            "tolerance": tolerance,
            "group": groups,
            "group_size": np.bincount(groups)[groups],
        }
    )


def _groups(codes: Tensor, has_twin: Tensor, tolerance: float) -> NDArray[np.int64]:
    """For each code [K, P] the lowest of those that it is joined to by steps from twin to twin, [K]."""
    labels = torch.arange(len(codes), device=codes.device)
    some = has_twin.nonzero()[:, 0]
    lowest, before = labels[some], torch.full_like(some, -1)
    while not torch.equal(lowest, before):
        before, found = lowest, []
        for part in torch.arange(len(some), device=codes.device).split(max(1, PAIRS_AT_ONCE // max(1, len(some)))):
            apart = torch.cdist(codes[some[part]], codes[some], compute_mode=BY_PRODUCTS)
            apart[torch.arange(len(part)), part] = 0.0
            found.append(torch.where(apart <= tolerance, before, len(codes)).min(1).values)
        lowest = torch.cat(found) if found else before
    labels[some] = lowest
    return labels.cpu().numpy()


def distinct_codes(frame: pd.DataFrame) -> int:
    """How many codes there are if twins count as one, by the frame of `twins`."""
    return int(frame["group"].nunique())
