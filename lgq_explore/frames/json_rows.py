"""Frames as JSON, which has neither NaN nor infinity."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """An object for each row, by the names of the columns; null for what is no finite number."""
    return [{str(name): _json_value(value) for name, value in row.items()} for row in frame.to_dict(orient="records")]


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
