"""The audit of metrics: at which N the numbers of tokenizers can be trusted.

Two methods are trained by one recipe with several seeds, and measured on disjoint parts of the held-out photographs.
Every method is fitted to mixtures in the plane, where the true distortion is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lgq_explore.analysis.audit import (
    audit,
    only_metrics,
    picture_values,
    toy_values,
    trusted_from,
)
from lgq_explore.analysis.audit.pictures import PARTS
from lgq_explore.analysis.geometry import kmeans_codebooks
from lgq_explore.analysis.toys import ToySetting
from lgq_explore.errors import InputError
from lgq_explore.frames import json_rows
from lgq_explore.metrics.feature_networks import efficientnet_lite0_features, if_available
from lgq_explore.quantizers import methods_with_codes
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.picture_features import FeaturesOfStudies
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import study

from .markdown import table
from .quantizers import Repeats, kept_runs, require_each_once, resolved, trained_runs
from .results import about_runs

MIXTURES = ("square", "spiral", "uneven")
LEAST_BIAS = 0.005
"""A bias in % below which it is rounding."""

PICTURES, PLANE = "photographs", "mixtures"
"""Names of the two audits."""


@dataclass(frozen=True)
class Protocol:
    """How metrics are audited. crops: held-out ones, spread over the photographs. restarts, fit_tokens: of k-means.

    toy_codes, toy_seeds, toy_steps: of the fits to each of `mixtures`, by every method.
    """

    crops: int = 512
    restarts: int = 3
    fit_tokens: int = 8192
    mixtures: tuple[str, ...] = MIXTURES
    toy_methods: tuple[str, ...] = ()
    toy_codes: int = 32
    toy_seeds: int = 2
    toy_steps: int = 500

    def settings(self) -> list[ToySetting]:
        """The fits to mixtures, of all methods with codes unless some are named."""
        return [
            ToySetting(data, method, self.toy_codes, seed, self.toy_steps)
            for data in self.mixtures
            for method in self.toy_methods or methods_with_codes()
            for seed in range(self.toy_seeds)
        ]


def audit_metrics(
    recipes: Sequence[TrainConfig],
    seeds: Sequence[int],
    protocol: Protocol | None = None,
    folder: Path | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Train the recipes of two methods with every seed, audit all metrics on them and on mixtures: a JSON object.

    folder: keeps the runs, and those that are there already are used. Raises InputError for other than two methods.
    """
    require_each_once(recipes)
    if len(recipes) != 2:
        raise InputError(f"{len(recipes)} methods: give the two that are to be told apart")
    protocol = protocol or Protocol()
    recipes = [resolved(recipe) for recipe in recipes]
    wanted = [config for recipe in recipes for config in Repeats(seeds).of(recipe)]
    runs = trained_runs(wanted, device) if folder is None else kept_runs(wanted, folder, device)
    measured = _Pictures(protocol)
    values = pd.concat([measured.values(run) for run in runs], ignore_index=True)
    first, second = (recipe.quantizer.method for recipe in recipes)
    audits = [
        audit(values, PICTURES, pair=(first, second)),
        audit(toy_values(protocol.settings()), PLANE),
    ]
    return {
        **about_runs("metrics", recipes, measured.environment),
        "protocol": {
            **asdict(protocol),
            "toy_methods": list(protocol.toy_methods or methods_with_codes()),
            "seeds": list(seeds),
            "photographs": measured.photographs,
            "without": measured.why,
        },
        "results": [row for frame in audits for row in json_rows(frame)],
    }


class _Pictures:
    """Values of metrics on the held-out photographs, run by run; the images' features are computed once."""

    def __init__(self, protocol: Protocol) -> None:
        self.environment: Mapping[str, Any] = {}
        self.photographs = 0
        self._protocol = protocol
        network, self.why = if_available(efficientnet_lite0_features)
        self._features = None if network is None else FeaturesOfStudies(network)

    def values(self, run: Run) -> pd.DataFrame:
        protocol, seen = self._protocol, study(run, crops=self._protocol.crops)
        self.environment = run.environment.__dict__
        self.photographs = len(set(seen.encoding.photograph.tolist()))
        kmeans = None
        if not seen.quantizer.no_geometry:
            kmeans = kmeans_codebooks(seen, restarts=protocol.restarts, tokens=protocol.fit_tokens)
        parts = [count for count in PARTS if count <= self.photographs]
        features = None if self._features is None else self._features(seen, progress=False)
        return picture_values(seen, parts=parts, features=features, kmeans=kmeans)


def shown(measured: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a result whose metrics are shown, as a frame of `analysis.audit.audit`."""
    return only_metrics(pd.DataFrame(measured["results"]))


def markdown_table(measured: Mapping[str, Any]) -> str:
    """One row per metric: bias and noise at three N, noise over seeds, separation, rank correlation with the truth."""
    rows, trust = shown(measured), trusted_from(shown(measured)).set_index(["data", "metric"])
    pictures, plane = (rows[rows["data"] == name] for name in (PICTURES, PLANE))
    sizes = sorted(pictures["size"].unique())
    everything, parts = sizes[-1], [sizes[0], sizes[len(sizes) // 2 - 1], sizes[-2]]
    toy_sizes = sorted(plane["size"].unique())
    lines = []
    for metric in rows["metric"].unique():
        of_pictures, of_plane = (
            part[part["metric"] == metric].set_index("size").to_dict("index") for part in (pictures, plane)
        )
        lines.append(
            [
                f"`{metric}`",
                *(_bias_and_noise(of_pictures.get(size)) for size in parts),
                _percent(of_pictures.get(everything), "seed_noise"),
                *(_interval(of_pictures.get(size), "auc") for size in (sizes[0], everything)),
                *(_interval(of_plane.get(size), "rank") for size in (toy_sizes[0], toy_sizes[-1])),
                *(_least(trust, metric, name) for name in ("tokens_true", "tokens_apart")),
            ]
        )
    tokens = pictures.groupby("size")["tokens"].first()
    toy_tokens = plane.groupby("size")["tokens"].first()
    heads = [
        "metric",
        *(f"bias ± noise, %, N = {tokens[size]:,d}" for size in parts),
        "noise over seeds, %",
        *(f"AUC, N = {tokens[size]:,d}" for size in (sizes[0], everything)),
        *(f"ρ with the truth, N = {toy_tokens[size]:,d}" for size in (toy_sizes[0], toy_sizes[-1])),
        "true to 5 % from N",
        "apart from N",
    ]
    return table(heads, lines, left=1) + "\n\n" + _caption(measured, pictures, plane)


def _bias_and_noise(row: Mapping[str, Any] | None) -> str:
    if row is None or pd.isna(row["set_noise"]):
        return "–"
    bias = "0" if abs(row["bias"]) < LEAST_BIAS else f"{row['bias']:+.2g}"
    if abs(row["bias"]) >= 99.5:
        bias = f"{row['bias']:+,.0f}"
    return f"{bias} ± {_digits(row['set_noise'])}".replace("-", "\N{MINUS SIGN}")


def _percent(row: Mapping[str, Any] | None, key: str) -> str:
    return "–" if row is None or pd.isna(row[key]) else _digits(row[key])


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _interval(row: Mapping[str, Any] | None, name: str) -> str:
    """A value between −1 and 1 with the ends of its interval, where there are any."""
    value = None if row is None else row["auc" if name == "auc" else "rank_correlation"]
    if row is None or pd.isna(value):
        return "–"
    ends = [row[f"{name}_{end}"] for end in ("low", "high")]
    behind = "" if any(map(pd.isna, ends)) else f" ({ends[0]:.2f} … {ends[1]:.2f})"
    return f"{value:.2f}{behind}".replace("-", "\N{MINUS SIGN}")


def _least(trust: pd.DataFrame, metric: str, name: str) -> str:
    if (PICTURES, metric) not in trust.index:
        return ""
    tokens = trust.loc[(PICTURES, metric), name]
    return "–" if pd.isna(tokens) else f"{int(tokens):,d}"


def _caption(measured: Mapping[str, Any], pictures: pd.DataFrame, plane: pd.DataFrame) -> str:
    protocol, recipe = measured["protocol"], next(iter(measured["recipes"].values()))
    last, toy = pictures.iloc[-1], plane.iloc[-1]
    first, second = last["first"], last["second"]
    return (
        f"Photographs: `{first}` and `{second}`, K = {recipe['quantizer'].get('codebook_size', '?')}, seeds "
        f"{', '.join(map(str, protocol['seeds']))}, {recipe['steps']} steps of {recipe['batch_size']} crops of "
        f"{recipe['image_size']} px of {recipe['data']}; disjoint random parts of {protocol['photographs']} held-out "
        f"photographs ({protocol['crops']} crops). Bias: from the value on all of them; noise: standard deviation over "
        f"parts, and over seeds on one part; % of the value. AUC: chance that a run of `{first}` has the larger value "
        f"than one of `{second}` on the same part. Mixtures: {', '.join(protocol['mixtures'])}, K = "
        f"{protocol['toy_codes']} or the nearest, {int(toy['methods'])} methods with {int(toy['seeds'])} seeds each; "
        "ρ: Spearman's rank correlation with the distortion on "
        f"{int(plane['size'].max()):,d} points. In brackets 95 % intervals: seeds and parts resampled for the AUC, "
        "methods for ρ. "
        f"{measured['date']}, {measured['device']}."
    )
