"""Frames of which only some columns matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lgq_explore.frames import Columns

NOTHING = {"str": "", "bool": False}


def filled(columns: Columns, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame of these columns: `values`, and zeros or empty texts in the columns that they do not have."""
    frame = pd.DataFrame(values)
    missing = {name: NOTHING.get(columns.described[name][0], 0) for name in columns.needed if name not in frame}
    return columns.frame(frame.assign(**missing))
