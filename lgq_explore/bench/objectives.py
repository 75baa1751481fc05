"""Methods trained for pixels alone, and for pixels, features and a discriminator, at an equal number of steps.

The second recipe has the terms and weights of the preset `vqgan-256`. Its features are EfficientNet-Lite0's, which need
no download, and its discriminator starts at `GAN_START` of the steps, since a short run has no 40,000 to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lgq_explore.metrics.feature_networks import EFFICIENTNET_LITE0
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.presets import preset

from . import quantizers
from .quantizers import Repeats, evaluated, kept_runs, require_each_once, resolved
from .results import about_runs

GAN_START, GAN_RAMP = 1 / 3, 1 / 12
"""The steps before the discriminator starts, and those of its ramp, as shares of all steps."""

PIXELS, FEATURES = "pixels", "pixels, features, GAN"
"""The names of the two recipes."""

ROWS = {"method": "quantizer", "minimised": "objectives"}

COLUMNS = {
    "PSNR, dB": quantizers.COLUMNS["PSNR, dB"],
    "SSIM": quantizers.COLUMNS["SSIM"],
    "FD": ("fd.value", ".1f"),
    **{name: quantizers.COLUMNS[name] for name in ("active codes", "perplexity")},
}


def for_pixels(recipe: TrainConfig) -> TrainConfig:
    """The recipe with L1 as the only term of the reconstruction."""
    published = preset("vqgan-256").loss_weights
    return _with(recipe, {"l1": published["l1"]}, {})


def for_features(recipe: TrainConfig) -> TrainConfig:
    """The recipe with the terms of `vqgan-256`: L1, perceptual, and adversarial with an adaptive weight."""
    published = preset("vqgan-256")
    schedule = {"start_step": round(GAN_START * recipe.steps), "ramp_steps": round(GAN_RAMP * recipe.steps)}
    weights = {name: published.loss_weights[name] for name in ("l1", "perceptual", "gan")}
    settings = {
        "perceptual": {"features": EFFICIENTNET_LITE0},
        "gan": {**published.objectives["gan"], **schedule},
    }
    return _with(recipe, weights, settings)


def _with(recipe: TrainConfig, weights: dict[str, float], settings: dict[str, dict[str, Any]]) -> TrainConfig:
    """The recipe with these terms of the reconstruction, and the terms of its quantizer as they are."""
    of_quantizer = {name: recipe.loss_weights[name] for name in recipe.quantizer.default_loss_weights}
    return replace(recipe, loss_weights=weights | of_quantizer, objectives=settings)


OBJECTIVES = {PIXELS: for_pixels, FEATURES: for_features}


def compare_objectives(
    recipes: Sequence[TrainConfig], repeats: Repeats, runs: Path, device: str = "auto"
) -> dict[str, Any]:
    """Train every recipe, repeated, with each of OBJECTIVES, and evaluate the runs on the held-out photographs.

    Runs are kept in the folder `runs`, where the same call continues a comparison that was interrupted. Returns a JSON
    object as `compare_quantizers`; each result has the name of its `objectives`. Raises InputError as it does.
    """
    require_each_once(recipes)
    recipes = [resolved(recipe) for recipe in recipes]
    named = [(name, changed(recipe)) for recipe in recipes for name, changed in OBJECTIVES.items()]
    cells = [(name, config) for name, recipe in named for config in repeats.of(recipe)]
    results, environment = [], {}
    for (name, _), run in zip(cells, kept_runs([config for _, config in cells], runs, device), strict=True):
        results.append({"objectives": name, **evaluated(run)})
        environment = run.environment.__dict__
    return {**about_runs("objectives", [recipe for _, recipe in named], environment), "results": results}


def markdown_table(comparison: dict[str, Any]) -> str:
    """One row per method and objectives, with the value of every seed in each cell; below it recipes, seeds and N."""
    return "\n\n".join([quantizers.markdown_table(comparison, COLUMNS, ROWS), _about_objectives(comparison)])


def _about_objectives(comparison: dict[str, Any]) -> str:
    recipe = next(recipe for recipe in comparison["recipes"].values() if "gan" in recipe["loss_weights"])
    weights, gan = recipe["loss_weights"], recipe["objectives"]["gan"]
    features, fd = recipe["objectives"]["perceptual"]["features"], comparison["results"][0]["fd"]["features"]
    advantage = ", the network that the second recipe minimises a distance in: its FD has this advantage"
    return (
        f"`{PIXELS}`: L1 alone. `{FEATURES}`: L1 × {weights['l1']:g}, perceptual × {weights['perceptual']:g} in "
        f"features of {features}, GAN × {weights['gan']:g} × adaptive weight from step {gan['start_step']} on, with a "
        f"ramp of {gan['ramp_steps']} steps. FD is in the features of {fd}{advantage if fd == features else ''}."
    )
