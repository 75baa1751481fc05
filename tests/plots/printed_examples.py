"""One example of each printed figure, with lines where legends would be, and numbers that rounding would change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lgq_explore import plots
from lgq_explore.frames import Columns, audit, geometry, health, pictures, temperature, toys, usage
from lgq_explore.frames import comparison as comparisons
from lgq_explore.plots.style import Title
from tests.plots.filled_frames import filled

CODES = 64
RUNS = {"lgq, seed 0": "lgq", "lgq, seed 1": "lgq", "fsq": "fsq", "vq": "vq"}
TEMPERATURES = np.geomspace(1e-3, 10, 13)


def rows(columns: Columns, over: Sequence[Any], row: Callable[[Any], dict[str, Any]]) -> pd.DataFrame:
    return filled(columns, [row(one) for one in over])


def per_code() -> Figure:
    counts = np.round(500 / (1 + np.arange(CODES))).astype(int)
    return plots.usage.publish_per_code(filled(usage.PER_CODE, {"code": np.arange(CODES), "count": counts}))


def usage_frames() -> plots.usage.UsageFrames:
    ranks = rows(
        usage.BY_RANK.of_several_runs,
        [*product(RUNS, range(1, 40))],
        lambda at: {"run": at[0], "rank": at[1], "code": at[1], "count": 400 // at[1], "share": 0.3 / at[1]},
    )
    lorenz = rows(
        usage.LORENZ.of_several_runs,
        [*product(RUNS, ("counted", "uniform"), np.linspace(0, 1, 9))],
        lambda at: {"run": at[0], "curve": at[1], "code_share": at[2], "token_share": at[2] ** 4},
    )
    summary = rows(usage.SUMMARY.of_several_runs, [*RUNS], lambda run: {"run": run, "gini": 0.8, "gini_uniform": 0.12})
    accumulation = rows(
        usage.ACCUMULATION.of_several_runs,
        [*product(RUNS, range(1, 300, 20))],
        lambda at: {
            "run": at[0],
            "images": at[1],
            "tokens": 64 * at[1],
            "active_codes": 50 * (1 - 0.9 ** at[1]),
            "low": 45 * (1 - 0.9 ** at[1]),
            "high": 52 * (1 - 0.9 ** at[1]),
            "codebook_size": CODES,
            "chao2": 60.0,
            "unit": "image",
        },
    )
    names = ["batch of 32 images", "window of 65,536 tokens", "whole set", "at least 5 hits", "perplexity"]
    definitions = rows(
        usage.DEFINITIONS,
        [*product(enumerate(RUNS), enumerate(names))],
        lambda at: {
            "run": at[0][1],
            "definition": at[1][1],
            "tokens": 64,
            "codes": 9.0,
            "rank": at[0][0] + 1.0,
            "utilization": 0.8 / (1 + at[1][0] + at[0][0]),
        },
    )
    return plots.usage.UsageFrames(summary, ranks, lorenz, accumulation, definitions)


OF_CROPS = "N = 23,552 tokens of 368 held-out crops from 4 photographs"


def comparison() -> Figure:
    return plots.usage.publish_comparison(usage_frames(), RUNS, OF_CROPS)


def beside_map() -> Figure:
    return plots.usage.publish_beside_map(usage_frames(), RUNS, "definitions", cells(), "lgq", [3], OF_CROPS)


def grid() -> Figure:
    return plots.usage.publish_grid(cells(), [3], "lgq")


def cells() -> pd.DataFrame:
    return pd.DataFrame(np.arange(CODES, dtype=float).reshape(8, 8), index=8 * np.arange(8))


def code_history() -> Figure:
    history = rows(
        usage.CODE_HISTORY,
        [*product((3, 17), (0, 50, 100))],
        lambda at: {"code": at[0], "step": at[1], "count": at[0] + at[1] // 50},
    )
    return plots.usage.publish_code_history(history)


def training_curves() -> Figure:
    steps = np.arange(0, 300, 10)
    shapes = {
        (health.LOSSES, health.WEIGHTED_SUM): np.exp(-steps / 100),
        (health.LOSSES, "l1"): np.exp(-steps / 50),
        (health.LOSSES, "quantization"): np.full(len(steps), 0.125),
        (health.LOSSES, "peakedness of the soft assignment"): np.full(len(steps), 0.9),
        (health.USAGE, health.ACTIVE_CODES): 0.125 + steps / 500,
        (health.SOFTNESS, health.EFFECTIVE_CODES): 100 * np.exp(-steps / 100),
        (health.SOFTNESS, health.GAIN_MEAN): steps / 400,
        (health.TEMPERATURE, health.IN_FORCE): np.exp(-steps / 100),
        (health.TEMPERATURE, health.BY_HAND): np.where(steps % 70 < 30, 0.5, np.nan),
        (health.LOGITS, health.REAL): np.where(steps > 100, steps / 200, np.nan),
        (health.LOGITS, health.RECONSTRUCTED): np.where(steps > 100, -steps / 300, np.nan),
        (health.ADAPTIVE_WEIGHT, health.BALANCE): np.where(steps > 100, 0.25, np.nan),
        (health.PENALTIES, health.R1): np.where(steps > 100, 0.5, np.nan),
        (health.SHARES, "l1"): np.where(steps > 100, 0.75, 1.0),
        (health.SHARES, "gan"): np.where(steps > 100, 0.25, np.nan),
    }
    curves = [
        {"panel": panel, "quantity": quantity, "step": step, "value": value}
        for (panel, quantity), values in shapes.items()
        for step, value in zip(steps, values, strict=True)
    ]
    marks = health.STEP_MARKS.frame({"step": [100, 150], "mark": [health.GAN_STARTS, health.GAN_IN_FULL]})
    return plots.health.publish_training_curves(filled(health.TRAINING_CURVES, curves), marks)


def verdicts() -> Figure:
    names = ["collapse coming", "centres leaving the latents", "temperature means nothing at this dimension", "slow"]
    said = rows(
        health.VERDICTS,
        names,
        lambda name: {
            "rule": name,
            "state": "warning",
            "finding": "218 of K = 1,024 centres lie outside the latents. " * 5,
            "advice": "Reward an even usage more strongly. " * 4,
            "settings": "--set loss_weights.usage=0.1",
        },
    )
    curves = rows(
        health.RULE_CURVES,
        [*product(names, range(0, 300, 30))],
        lambda at: {
            "rule": at[0],
            "quantity": "centres outside",
            "step": at[1],
            "value": 0.125 + at[1] / 1000,
            "lower": 0.1,
            "upper": np.nan,
        },
    )
    return plots.health.publish_verdicts(curves, said, "lgq, K = 1,024, D = 8, seed 0, step 300 of 300")


def audit_of_metrics() -> Figure:
    frame = rows(
        audit.AUDIT,
        [*product(audit.SHOWN, (64, 512, 4096, 32768))],
        lambda at: {
            "data": "photographs",
            "metric": at[0],
            "size": at[1],
            "tokens": at[1],
            "methods": 2,
            "seeds": 4,
            "first": "lgq",
            "second": "vq",
            "bias": -3000 / at[1] if at[1] < 32768 else np.nan,
            "set_noise": 200 / at[1] ** 0.5 if at[1] < 32768 else np.nan,
            "seed_noise": 2.5,
            "auc": 0.75,
            "auc_low": 0.6,
            "auc_high": 0.9,
            "rank_correlation": np.nan,
        },
    )
    return plots.audit.publish_audit(frame)


def agreement() -> Figure:
    pairs = [("lgq", "fsq"), ("lgq", "vq"), ("fsq", "vq")]
    frame = rows(
        comparisons.AGREEMENT,
        pairs,
        lambda pair: {
            "first": pair[0],
            "second": pair[1],
            "agreement": 0.25,
            "null": 0.02,
            "null_spread": 0.01,
            "tokens": 23552,
            "images": 368,
            "photographs": 4,
            "draws": 5,
        },
    )
    return plots.comparison.publish_agreement(frame)


def rate_distortion() -> Figure:
    sizes = {"lgq": (256, 1024), "fsq": (240, 1000), "none": (0,)}
    frame = rows(
        comparisons.GROUP_NUMBERS,
        [
            (method, size, number)
            for method in sizes
            for size in sizes[method]
            for number in ("psnr_db", "entropy_bits")
            if size or number == "psnr_db"
        ],
        lambda at: {
            "group": f"{at[0]} {at[1]}",
            "method": at[0],
            "codebook_size": at[1],
            "number": at[2],
            "estimate": (20 if at[2] == "psnr_db" else 5) + at[1] / 1000,
            "low": (19.5 if at[2] == "psnr_db" else 4.9) + at[1] / 1000,
            "high": (20.5 if at[2] == "psnr_db" else 5.1) + at[1] / 1000,
            "seeds": 5,
            "photographs": 200,
        },
    )
    return plots.comparison.publish_rate_distortion(frame)


def group_numbers() -> Figure:
    groups = {"lgq, K = 64": "lgq", "lgq, K = 256": "lgq", "none": "none"}
    means = rows(
        comparisons.GROUP_NUMBERS,
        [*groups],
        lambda name: {
            "group": name,
            "method": groups[name],
            "number": "psnr_db",
            "estimate": 20.0 + len(name) / 8,
            "low": 19.5,
            "high": 22.5,
            "level": 0.95,
            "seeds": 5,
            "photographs": 200,
        },
    )
    runs = rows(
        comparisons.RUN_NUMBERS,
        [*product(groups, range(5))],
        lambda at: {
            "run": f"{at[0]} {at[1]}",
            "group": at[0],
            "method": groups[at[0]],
            "seed": at[1],
            "replicate": at[1] % 2,
            "number": "psnr_db",
            "value": 20.0 + at[1] / 4,
        },
    )
    return plots.comparison.publish_group_numbers(means, runs)


def disagreement() -> Figure:
    gaps = np.linspace(3, -2, 40)
    frame = filled(comparisons.DISAGREEMENT, {"image": np.arange(40), "photograph": "a.png", "difference": gaps})
    return plots.comparison.publish_disagreement(frame, "lgq, K = 64", "fsq", 3)


def pair_pictures() -> Figure:
    names = ("original", "lgq, K = 64, 20.12 dB", "fsq, 19.75 dB", "tokens, lgq, K = 64", "tokens, fsq")
    shown = [plots.comparison.PairPicture(name, np.zeros((3, 8, 8), dtype=np.uint8)) for name in names]
    return plots.comparison.publish_pair_pictures(shown, Title("Rank 3 of 40 crops", "a.png, crop 1"))


def pruning() -> Figure:
    frame = rows(
        comparisons.PRUNING.of_several_runs,
        [*product(RUNS, (2, 16, 64, 256))],
        lambda at: {"run": at[0], "kept": at[1], "psnr_db": 10 + np.log2(at[1]), "crops": 256, "photographs": 64},
    )
    return plots.comparison.publish_pruning(frame, RUNS)


def efficiency() -> Figure:
    frame = rows(
        geometry.EFFICIENCY.of_several_runs,
        [*product(RUNS, (geometry.LATENTS, "pixels, first order", "pixels"))],
        lambda at: {
            "run": at[0],
            "measure": at[1],
            "efficiency": 0.5,
            "spread": 0.01,
            "cell_means_efficiency": 0.6,
            "codes": 0.4,
            "cell_means": 0.2,
            "kmeans": 0.15,
            "kmeans_in_hindsight": 0.1,
            "restarts": 2,
            "images": 8,
            "tokens": 4096,
            "fit_tokens": 16384,
            "codebook_size": 1024,
        },
    )
    return plots.geometry.publish_efficiency(frame, RUNS)


def code_cells() -> Figure:
    density = np.linspace(-9, 1, CODES)
    cells = filled(
        geometry.CODE_CELLS,
        {
            "code": np.arange(CODES),
            "count": 60,
            "mean_log_density": density,
            "tokens": 23552,
            "occupancy": np.exp(density / 2),
            "volume": np.exp(-density / 2),
            "anisotropy": 1.5 + density / 20,
            "dimension": 5.2,
            "shape_tokens": 31.0,
        },
    )
    exponents = filled(
        geometry.DENSITY_EXPONENTS,
        {
            "quantity": ["volume", "occupancy", "distortion_share"],
            "exponent": -0.2,
            "low": -0.3,
            "high": -0.1,
            "theory": -0.7,
            "cells": 380,
            "fewest_tokens": 5,
            "centre": -4.0,
            "level": 0.0,
        },
    )
    return plots.geometry.publish_code_cells(cells, exponents, name="LGQ")


def map_pane(heading: str) -> plots.geometry.MapPane:
    angle = np.linspace(0, 6, CODES)
    places = {"x": np.cos(angle), "y": np.sin(angle)}
    return plots.geometry.MapPane(
        heading=heading,
        codes=filled(geometry.PLACED_CODES, {"code": np.arange(CODES), **places}).assign(count=np.arange(CODES)),
        tokens=filled(geometry.PLACES, places),
        edges=filled(geometry.EDGES, {"code": [0], "neighbour": [1]}),
        axes=("first principal axis, 29% of the variance", "second principal axis, 26% of the variance"),
        span=(-1.2, 1.2, -1.2, 1.2),
        under=("482 of 1,024 codes unused by 23,552 tokens. Lattice regularity 0.24 (1 lattice, 0 random).",),
        warning="Points far apart in space lie together here: groups on this map may not exist.",
    )


def latent_map() -> Figure:
    panes = [map_pane("lgq: 1,024 learned codes, step 300"), map_pane("fsq: 8 × 5 × 5 × 5 grid, in its own space")]
    return plots.geometry.publish_latent_map(panes)


def code_neighbours() -> Figure:
    frame = rows(
        geometry.CODE_NEIGHBOURS,
        [*product((3, 17), range(1, 9))],
        lambda at: {"code": at[0], "rank": at[1], "neighbour": 500 + at[1], "distance": at[0] / 100 + at[1] / 8},
    )
    return plots.geometry.publish_code_neighbours(frame)


def distortion() -> Figure:
    shares = {"token_share": 0.0003, "quantization_error_share": 0.0005, "pixel_error_share": 0.00125}
    return plots.pictures.publish_distortion(filled(pictures.DISTORTION, {"code": [3, 17], **shares}))


def posterior() -> Figure:
    chances = 0.2 / np.arange(1, 11)
    frame = filled(pictures.CANDIDATES, {"code": 400 + np.arange(10), "responsibility": chances, "distance": 1.0})
    return plots.pictures.publish_posterior(frame, detail="temperature 0.1")


PICTURES = np.zeros((6, 3, 16, 16), dtype=np.uint8)


def images() -> Figure:
    return plots.pictures.publish_images({"input": PICTURES, "soft, τ = 3": PICTURES, "hard": PICTURES})


def patch_pictures() -> Figure:
    names = ("input", "decoded, code 433", "with the runner-up, code 458")
    pictures_by_name = dict.fromkeys(names, PICTURES[0])
    detail = "row 3, column 3 of picture 5 (chelsea) · margin 0.0543 · the runner-up changes a value by 8 of 255"
    return plots.pictures.publish_patch_pictures(pictures_by_name, np.zeros((2, 2), dtype=np.int64), 1, 1, detail)


def code_patches() -> Figure:
    row = plots.pictures.PatchRow(
        "code 3<br>7 tokens", PICTURES[0], PICTURES[0], PICTURES[0], PICTURES, np.arange(len(PICTURES))
    )
    return plots.pictures.publish_code_patches([row, row], 4, "up to 12 of each, evenly spread over all that hold it")


def sweep_frames() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    swept = filled(
        temperature.SWEEP,
        {
            "temperature": TEMPERATURES,
            "tokens": 512,
            "relative_bound": 3.0,
            "relative_gap": TEMPERATURES / 10,
            "relative_free_energy_gap": TEMPERATURES,
            "encoder_gain": 1 - TEMPERATURES / 11,
            "encoder_gain_median": TEMPERATURES / 11,
        },
    )
    flips = filled(
        temperature.FLIPS,
        {
            "from_temperature": TEMPERATURES[:-1],
            "to_temperature": TEMPERATURES[1:],
            "hard": 0.0,
            "soft": np.linspace(0, 0.25, len(TEMPERATURES) - 1),
        },
    )
    names = [temperature.TRAINING_BEGAN, temperature.TRAINING_ENDED, temperature.CRITICAL]
    marks = filled(temperature.MARKS, {"mark": names, "temperature": [1.0, 0.1, 1.6]})
    return swept, flips, marks


def sweep() -> Figure:
    return plots.temperature.publish_sweep(*sweep_frames(), 0.125)


def whole_temperature() -> Figure:
    entropies = np.concatenate([np.full(125, 2.0), np.linspace(0, 4, 875)])
    frames = plots.temperature.TemperatureFrames(
        *sweep_frames(),
        temperature=0.125,
        tokens=filled(temperature.TOKENS, {"max_p": np.linspace(0.2, 1, 1000), "entropy": entropies}),
        codebook_size=1024,
        top=filled(temperature.TOP_RESPONSIBILITIES, {"code": [163, 890, 860], "responsibility": [0.5, 0.25, 0.125]}),
        token=0,
        placed=rows(
            temperature.TOKEN_MAP,
            [*product(range(6), range(4), range(4))],
            lambda at: {"picture": at[0], "row": at[1], "column": at[2], "max_p": 0.5, "token": 0},
        ),
        pictures={"input": PICTURES, "soft": PICTURES, "hard": PICTURES},
    )
    return plots.temperature.publish_temperature(frames)


def estimator_frame() -> pd.DataFrame:
    return rows(
        temperature.ESTIMATOR_MAP,
        [*product((temperature.STRAIGHT_THROUGH, temperature.LGQ), TEMPERATURES, (0.027, 0.054, 0.125))],
        lambda at: {
            "estimator": at[0],
            "temperature": at[1],
            "sigma": at[2],
            "cosine": 0.875,
            "variance_ratio": at[1],
            "matched_temperature": at[2],
            "rounding_error": 0.22,
            "spacing": 0.9,
            "tokens": 384,
            "pairs": 64,
        },
    )


def estimator_map() -> Figure:
    return plots.temperature.publish_estimator_map(estimator_frame(), 0.1)


def estimators() -> Figure:
    frame = estimator_frame()
    return plots.temperature.publish_estimators(frame[frame["sigma"] == 0.125])


def bifurcations() -> Figure:
    frame = filled(
        temperature.BIFURCATIONS,
        {
            "step": [0, 100, 200],
            "settled": 400,
            "to_split": [100, 200, 300],
            "idle": [524, 424, 324],
            "temperature": [1.0, 0.5, 0.1],
            "critical_temperature": 1.5,
            "tokens": 4096,
        },
    )
    return plots.temperature.publish_bifurcations(frame)


def bifurcation() -> Figure:
    falling = TEMPERATURES[::-1]
    centres = rows(
        temperature.annealed_centres(1),
        [*product(falling, (0, 1))],
        lambda at: {"temperature": at[0], "code": at[1], "axis_0": (2 * at[1] - 1) / (1 + at[0])},
    )
    states = filled(
        temperature.ANNEALED_STATES,
        {
            "temperature": falling,
            "effective_centres": 1 + 1 / (1 + falling),
            "distinct_centres": 2,
            "converged": True,
            "tokens": 500,
        },
    )
    return plots.temperature.publish_bifurcation(centres, states, 1.6, 0.4)


def toy_distance() -> Figure:
    curve = filled(toys.CURVE, {"step": np.arange(0, 500, 50), "ratio": np.linspace(20, 1.25, 10)})
    return plots.toys.publish_toy_distance({"lgq": curve, "vq": curve.assign(ratio=5)}, "N = 20,000", 500)


def toy_table() -> Figure:
    frame = rows(
        toys.TABLE,
        [*product(("ring", "square", "line", "uneven"), ("lgq", "lgq-paper", "fsq", "simvq", "vq"), range(3))],
        lambda at: {"data": at[0], "method": at[1], "seed": at[2], "ratio": 1.25 + at[2], "tokens": 20000},
    )
    return plots.toys.publish_toy_table(frame)


def toy_plane() -> Figure:
    codes = filled(toys.PLANE_CODES, {"code": [0, 1], "x": [-0.5, 0.5], "y": 0.0, "share": 0.5, "together": 1})
    centres = np.linspace(-1, 1, 9)
    headings = ("<b>Hard: the cells of lgq</b><br>8 of 8 codes used", "<b>Soft</b><br>τ = 0.4", "<b>Equilibrium</b>")
    panels = [plots.toys.PlanePanel(words, np.eye(9, dtype=int), centres, centres, codes) for words in headings]
    return plots.toys.publish_toy_plane(panels, np.zeros((4, 2)), Title("lgq on ring", "K = 8, seed 0, step 0"))


EXAMPLES: dict[str, Callable[[], Figure]] = {
    "audit.publish_audit": audit_of_metrics,
    "usage.publish_per_code": per_code,
    "usage.publish_comparison": comparison,
    "usage.publish_beside_map": beside_map,
    "usage.publish_grid": grid,
    "usage.publish_code_history": code_history,
    "health.publish_training_curves": training_curves,
    "health.publish_verdicts": verdicts,
    "comparison.publish_agreement": agreement,
    "comparison.publish_rate_distortion": rate_distortion,
    "comparison.publish_group_numbers": group_numbers,
    "comparison.publish_disagreement": disagreement,
    "comparison.publish_pair_pictures": pair_pictures,
    "comparison.publish_pruning": pruning,
    "geometry.publish_efficiency": efficiency,
    "geometry.publish_code_cells": code_cells,
    "geometry.publish_latent_map": latent_map,
    "geometry.publish_code_neighbours": code_neighbours,
    "pictures.publish_distortion": distortion,
    "pictures.publish_posterior": posterior,
    "pictures.publish_images": images,
    "pictures.publish_patch_pictures": patch_pictures,
    "pictures.publish_code_patches": code_patches,
    "temperature.publish_sweep": sweep,
    "temperature.publish_temperature": whole_temperature,
    "temperature.publish_estimator_map": estimator_map,
    "temperature.publish_estimators": estimators,
    "temperature.publish_bifurcations": bifurcations,
    "temperature.publish_bifurcation": bifurcation,
    "toys.publish_toy_distance": toy_distance,
    "toys.publish_toy_table": toy_table,
    "toys.publish_toy_plane": toy_plane,
}
