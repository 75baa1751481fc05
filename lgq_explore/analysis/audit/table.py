"""The audit: bias, noise, separation of two methods, and agreement with the truth, of each metric at each N."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import AUDIT, SHOWN, TRUST, VALUES

from .apart import Separation, separation
from .follows import Judged, RankCorrelation, rank_correlation

PERCENT = 5.0
"""The bias, and the noise over sets, that `trusted_from` takes for small."""

FIT = ["data", "method", "seed"]
SET = ["data", "division", "part"]


def audit(
    values: pd.DataFrame, name: str, *, pair: tuple[str, str] | None = None, resamples: int = 499
) -> pd.DataFrame:
    """What each metric is worth at each size of the evaluation set, one row each: `frames.audit.AUDIT`.

    values: `VALUES` of all fits or runs that belong together, with the value on everything at the largest size. name:
    what they were measured on. Percentages are of the mean value on everything, of each mixture by itself.

        bias         mean of value − value of the same fit on everything
        set_noise    standard deviation over sets of one division and one fit, root mean square over these
        seed_noise   standard deviation over seeds of one method on one set, likewise

    Sets of a division are disjoint, so that the noise is that of new photographs and not of those at hand. auc,
    d_prime: `separation` of the two methods of `pair`, where there is one. rank_correlation: that of the metric with
    the true distortion, where it is known, clustered by method.

    Raises:
        InputError: a column is missing, no rows, or a method of the pair that there is no run of.
    """
    VALUES.require_rows(values)
    for method in pair or ():
        if method not in set(values["method"]):
            raise InputError(f"there are no values of {method!r}: give two of {', '.join(values['method'].unique())}")
    rows = [
        {"data": name, "metric": metric, **row}
        for metric, of_metric in values.groupby("metric", sort=False)
        for row in _rows(of_metric, pair, resamples)
    ]
    return AUDIT.frame(rows)


def _rows(values: pd.DataFrame, pair: tuple[str, str] | None, resamples: int) -> Iterator[dict[str, Any]]:
    largest = values["size"].max()
    everything = values[values["size"] == largest]
    scale = everything.groupby("data")["value"].mean().abs().replace(0.0, np.nan)
    relative = values.assign(percent=100 * values["value"] / values["data"].map(scale))
    whole = relative[relative["size"] == largest].set_index(FIT)["percent"]
    for size, rows in relative.groupby("size"):
        is_all = size == largest
        difference = rows["percent"].to_numpy() - whole.loc[pd.MultiIndex.from_frame(rows[FIT])].to_numpy()
        yield {
            "unit": rows["unit"].iloc[0],
            "size": size,
            "tokens": round(rows["tokens"].mean()),
            "images": round(rows["images"].mean()),
            "sets": len(rows[["division", "part"]].drop_duplicates()),
            "methods": rows["method"].nunique(),
            "seeds": rows["seed"].nunique(),
            "value": rows["value"].mean(),
            "bias": np.nan if is_all else float(np.mean(difference)),
            "set_noise": np.nan if is_all else _deviation(rows, [*FIT, "division"]),
            "seed_noise": _deviation(rows, [*SET, "method"]),
            **_separation(rows, pair, resamples),
            **_correlation(rows, resamples),
        }


def _deviation(rows: pd.DataFrame, within: list[str]) -> float:
    """Root mean square of the standard deviations within these groups; NaN where no group has two values."""
    variances = rows.groupby(within)["percent"].var(ddof=1).dropna()
    return float(np.sqrt(variances.mean())) if len(variances) else np.nan


def _separation(rows: pd.DataFrame, pair: tuple[str, str] | None, resamples: int) -> dict[str, Any]:
    found = Separation(*[np.nan] * 4)
    if pair is not None:
        first, second = (
            rows[rows["method"] == method].pivot_table(index="seed", columns=SET, values="value") for method in pair
        )
        found = separation(first.to_numpy(), second.to_numpy(), resamples)
    names = dict(zip(("first", "second"), pair or ("", ""), strict=True))
    ends = {"auc": found.auc, "auc_low": found.low, "auc_high": found.high}
    return {**names, **ends, "d_prime": found.d_prime}


def _correlation(rows: pd.DataFrame, resamples: int) -> dict[str, float]:
    found = RankCorrelation(*[np.nan] * 3)
    known = rows.dropna(subset=["distortion"])
    if len(known):
        found = rank_correlation([_judged(of_data) for _, of_data in known.groupby("data")], resamples)
    return {"rank_correlation": found.value, "rank_low": found.low, "rank_high": found.high}


def _judged(rows: pd.DataFrame) -> Judged:
    table = rows.pivot_table(index=["method", "seed", "distortion"], columns=SET, values="value")
    fits = table.index.to_frame()
    return Judged.of(table.to_numpy(), fits["distortion"].to_numpy(), fits["method"].astype(str).to_numpy())


def only_metrics(audit: pd.DataFrame, metrics: Sequence[str] = SHOWN) -> pd.DataFrame:
    """The rows of these metrics, in their order; metrics that were not audited are left out."""
    AUDIT.require(audit)
    places = {metric: place for place, metric in enumerate(metrics)}
    chosen = audit[audit["metric"].isin(metrics)]
    ordered = chosen.sort_values("metric", key=lambda names: names.map(places), kind="stable")
    return AUDIT.frame(ordered.reset_index(drop=True))


def trusted_from(audit: pd.DataFrame, percent: float = PERCENT) -> pd.DataFrame:
    """The least audited N from which each metric can be trusted, one row per data and metric: `frames.audit.TRUST`.

    tokens_true: from there on bias and noise over sets are at most `percent` of the value. tokens_apart: from there on
    the interval of the AUC lies on that side of ½ on which it lies for everything.

    Raises:
        InputError: a column is missing.
    """
    AUDIT.require(audit)
    rows = []
    for (data, metric), found in audit.groupby(["data", "metric"], sort=False):
        ordered = found.sort_values("size")
        parts = ordered.dropna(subset=["set_noise"])
        small = (parts["bias"].abs() <= percent) & (parts["set_noise"] <= percent)
        side = np.sign(ordered["auc"] - 0.5) * (
            (ordered["auc_low"] > 0.5).astype(int) + (ordered["auc_high"] < 0.5).astype(int)
        )
        apart = (side == side.iloc[-1]) & (side != 0)
        rows.append(
            {
                "data": data,
                "metric": metric,
                "tokens_true": _from_there_on(small, parts["tokens"]),
                "tokens_apart": _from_there_on(apart, ordered["tokens"]),
            }
        )
    return TRUST.frame(rows)


def _from_there_on(holds: pd.Series, tokens: pd.Series) -> int | None:
    """The first of ascending N from which something holds for all."""
    lasting = holds[::-1].cummin()[::-1]
    return int(tokens[lasting].iloc[0]) if lasting.any() else None
