"""The frames of several runs in one."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lgq_explore.errors import InputError


def of_several_runs(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The frames below each other, in their order, with the run's name as a first column `run`.

    Raises:
        InputError: no frames.
    """
    if not frames:
        raise InputError("no runs to compare: give at least one")
    return pd.concat(dict(frames), names=["run"]).reset_index("run").reset_index(drop=True)
