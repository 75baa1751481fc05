"""What the newest step of a run told, which the monitor shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lgq_explore.analysis.pictures import Reconstructions


@dataclass(frozen=True)
class CodesAndPictures:
    """Of one step. usage: of codes in the window, by `analysis.usage.of_groups`; None where no code is counted.

    codes_per_token: how many of these a token has. reconstructions: None where there are no pictures.
    """

    usage: pd.DataFrame | None
    codes_per_token: int
    reconstructions: Reconstructions | None


@dataclass(frozen=True)
class LatestStep:
    """The newest logged row, and codes and pictures of the newest step that has them; None before the first."""

    row: Mapping[str, float | None]
    shown: CodesAndPictures | None
