"""What the panels of an audit show, whether they are printed or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore.frames.audit import TOKENS

from ..style import INK, Title

LEAST_PERCENT = 0.1
"""Percentages below are drawn at this one: a logarithmic axis has no 0."""

LIGHT, DARK = (0xA8, 0xCD, 0xEA), (0x0B, 0x3C, 0x66)
"""Colours of the smallest and of the largest part of everything."""

SPREAD = 0.32
"""Height above and below a metric's row over which its sizes are spread."""


@dataclass(frozen=True)
class Quantity:
    """A panel: the column that is drawn, those of its interval, and what the axis says.

    beside: a second column, drawn as a line across. is_percent: whether the axis is logarithmic, and of magnitudes.
    """

    heading: str
    axis: str
    column: str
    low: str = ""
    high: str = ""
    beside: str = ""
    limits: tuple[float, float] = (0.0, 1.0)
    guide: float = 0.0
    is_percent: bool = False


BIAS = Quantity("Bias", "%, ▲ too high, ▼ too low", "bias", is_percent=True)
QUANTITIES = (
    BIAS,
    Quantity("Noise", "%, ● over sets, | over seeds", "set_noise", beside="seed_noise", is_percent=True),
    Quantity("Tells apart", "AUC of two methods", "auc", "auc_low", "auc_high", guide=0.5),
    Quantity(
        "Follows the truth",
        "rank correlation with distortion",
        "rank_correlation",
        "rank_low",
        "rank_high",
        limits=(-1.0, 1.0),
    ),
)


@dataclass(frozen=True, eq=False)
class Size:
    """The rows of one size of the evaluation set: their places on the vertical axis, their colour and name."""

    rows: pd.DataFrame
    places: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    colour: str
    name: str


def shown_quantities(audit: pd.DataFrame) -> list[Quantity]:
    """Those of which the audit has a value; bias in any case, so that there is a panel."""
    return [quantity for quantity in QUANTITIES if quantity is BIAS or audit[quantity.column].notna().any()]


def sizes_of(audit: pd.DataFrame) -> Iterator[Size]:
    """An audit's rows by size, ascending. The first metric has the place 0, and each has room for all sizes."""
    metrics = metrics_of(audit)
    sizes = sorted(audit["size"].unique())
    steps = np.linspace(-SPREAD, SPREAD, len(sizes)) if len(sizes) > 1 else np.zeros(1)
    for number, size in enumerate(sizes):
        rows = audit[audit["size"] == size]
        places = np.array([metrics.index(metric) for metric in rows["metric"]], dtype=np.float64) + steps[number]
        is_all = size == sizes[-1]
        colour = INK if is_all else _shade(number / max(1, len(sizes) - 2))
        tokens = int(rows["tokens"].iloc[0])
        yield Size(rows, places, colour, f"{tokens:,d}, all" if is_all else f"{tokens:,d}")


def metrics_of(audit: pd.DataFrame) -> list[str]:
    """The metrics in their order."""
    return list(dict.fromkeys(audit["metric"]))


def magnitudes(values: pd.Series) -> pd.Series:
    """Percentages as a logarithmic axis takes them: magnitudes, none below LEAST_PERCENT."""
    return values.abs().clip(lower=LEAST_PERCENT)


def percent_limits(audit: pd.DataFrame) -> tuple[float, float]:
    """Limits of the axes of percentages, which all of an audit share."""
    drawn = pd.concat([magnitudes(audit[name]) for name in ("bias", "set_noise", "seed_noise")]).dropna()
    return (drawn.min() / 1.5, drawn.max() * 1.5) if len(drawn) else (LEAST_PERCENT, 100.0)


def title_of(audit: pd.DataFrame) -> Title:
    """Of what, with the numbers of methods, seeds and sets."""
    return Title("Which numbers can be trusted at which N", "; ".join(map(_facts, _by_data(audit))))


def _by_data(audit: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows for _, rows in audit.groupby("data", sort=False)]


def _facts(rows: pd.DataFrame) -> str:
    last = rows.sort_values("size").iloc[-1]
    most = "points" if last["unit"] == TOKENS else last["unit"]
    pair = f", AUC of {last['first']} over {last['second']}" if last["first"] else ""
    methods, seeds = (f"{last[name]} {name[: -1 if last[name] == 1 else None]}" for name in ("methods", "seeds"))
    return f"{last['data']}: {last['size']:,d} {most}, {methods}, {seeds}{pair}"


def _shade(share: float) -> str:
    parts = (round(light + share * (dark - light)) for light, dark in zip(LIGHT, DARK, strict=True))
    return "#" + "".join(f"{part:02X}" for part in parts)
