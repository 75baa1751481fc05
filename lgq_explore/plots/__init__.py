"""How is a tidy frame shown? `draw_*` gives a plotly figure to explore, `publish_*` its static twin."""

from __future__ import annotations

from .benchmarks import publish_assignment_costs, publish_quantizer_shares
from .bifurcation import draw_bifurcation, publish_bifurcation
from .code_agreement import draw_code_agreement, publish_code_agreement
from .code_cells import draw_code_cells, publish_code_cells
from .code_distortion import draw_code_distortion, publish_code_distortion
from .code_history import draw_code_history, publish_code_history
from .code_neighbours import draw_code_neighbours, publish_code_neighbours
from .code_patches import PatchRow, draw_code_patches, publish_code_patches
from .code_usage import draw_code_usage, draw_usage_grid, publish_code_usage, publish_usage_grid
from .estimators import draw_estimators, publish_estimators
from .geometry_efficiency import draw_geometry_efficiency, publish_geometry_efficiency
from .health import STATE_LOOKS, draw_health, publish_health
from .images import draw_images, publish_images
from .latent_map import draw_latent_map, publish_latent_map
from .map_panes import CODE_COLOURS, MapPane
from .patch_pictures import draw_patch_pictures, publish_patch_pictures
from .patch_posterior import draw_patch_posterior, publish_patch_posterior
from .run_bifurcations import draw_run_bifurcations, publish_run_bifurcations
from .style import METHOD_COLOURS
from .temperature import (
    TemperatureFrames,
    draw_softness,
    draw_temperature_sweep,
    draw_token_map,
    draw_top_responsibilities,
    publish_temperature,
    publish_temperature_sweep,
)
from .toy_distance import draw_toy_distance, draw_toy_table, publish_toy_distance, publish_toy_table
from .toy_plane import POINTS_SHOWN, PlanePanel, draw_toy_plane, publish_toy_plane
from .training_curves import draw_training_curves, publish_training_curves
from .usage_accumulation import draw_usage_accumulation, publish_usage_accumulation
from .usage_comparison import UsageFrames, publish_usage_comparison
from .usage_definitions import draw_usage_definitions, publish_usage_definitions
from .usage_inequality import draw_usage_by_rank, draw_usage_lorenz, publish_usage_by_rank, publish_usage_lorenz

__all__ = [
    "CODE_COLOURS",
    "METHOD_COLOURS",
    "POINTS_SHOWN",
    "STATE_LOOKS",
    "MapPane",
    "PatchRow",
    "PlanePanel",
    "TemperatureFrames",
    "UsageFrames",
    "draw_bifurcation",
    "draw_code_agreement",
    "draw_code_cells",
    "draw_code_distortion",
    "draw_code_history",
    "draw_code_neighbours",
    "draw_code_patches",
    "draw_code_usage",
    "draw_estimators",
    "draw_geometry_efficiency",
    "draw_health",
    "draw_images",
    "draw_latent_map",
    "draw_patch_pictures",
    "draw_patch_posterior",
    "draw_run_bifurcations",
    "draw_softness",
    "draw_temperature_sweep",
    "draw_token_map",
    "draw_top_responsibilities",
    "draw_toy_distance",
    "draw_toy_plane",
    "draw_toy_table",
    "draw_training_curves",
    "draw_usage_accumulation",
    "draw_usage_by_rank",
    "draw_usage_definitions",
    "draw_usage_grid",
    "draw_usage_lorenz",
    "publish_assignment_costs",
    "publish_bifurcation",
    "publish_code_agreement",
    "publish_code_cells",
    "publish_code_distortion",
    "publish_code_history",
    "publish_code_neighbours",
    "publish_code_patches",
    "publish_code_usage",
    "publish_estimators",
    "publish_geometry_efficiency",
    "publish_health",
    "publish_images",
    "publish_latent_map",
    "publish_patch_pictures",
    "publish_patch_posterior",
    "publish_quantizer_shares",
    "publish_run_bifurcations",
    "publish_temperature",
    "publish_temperature_sweep",
    "publish_toy_distance",
    "publish_toy_plane",
    "publish_toy_table",
    "publish_training_curves",
    "publish_usage_accumulation",
    "publish_usage_by_rank",
    "publish_usage_comparison",
    "publish_usage_definitions",
    "publish_usage_grid",
    "publish_usage_lorenz",
]
