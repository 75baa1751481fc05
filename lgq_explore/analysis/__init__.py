"""Which questions can be asked of a run or an encoding? Each is a function to a tidy frame, one question a file."""

from __future__ import annotations

from .annealing import (
    AnnealingPath,
    annealing_path,
    annealing_temperatures,
    run_bifurcations,
    split_temperatures,
)
from .code_agreement import code_agreement
from .code_cells import cells_of_points, code_cells, density_exponents
from .code_history import code_history
from .code_neighbours import code_neighbours
from .code_patches import CodePatches, code_patches
from .code_space import checked_codes
from .code_usage import code_usage, usage_grid, usage_of_counts
from .embedding import METHODS as MAP_METHODS
from .estimators import ESTIMATORS, compare_estimators, encoder_gradient, estimator_microscope
from .fsq_grid import FittedGrid, LatticeRegularity, decoded_points, fit_grid, lattice_edges, lattice_regularity
from .geometry_efficiency import KMeansCodebooks, geometry_efficiency, kmeans_codebooks
from .health import advised_command, health, judge, worst_state
from .health_curves import health_curves
from .health_evidence import Evidence, gather_evidence
from .latent_map import LatentMap, codebook_at, latent_map
from .map_colours import COSTLY_COLOURS, grid_colours, log_density, map_colours
from .patch_posterior import PatchPosterior, patch_posterior
from .plane import Plane, hard_codes, plane_around, plane_codes, plane_responsibilities, soft_codes, soft_numbers
from .projection_quality import ProjectionQuality, projection_quality
from .receptive_field import reach_holding, receptive_field
from .recoding import recoded
from .reconstructions import Reconstructions, reconstruct, reconstruction_quality
from .several_runs import of_several_runs
from .temperature import (
    TemperatureProbe,
    critical_temperature,
    require_soft,
    sample_latents,
    softness_summary,
    temperature_grid,
    temperature_marks,
    temperature_of_gap,
    token_map,
    top_responsibilities,
)
from .temperature_flips import flips_over_snapshots, flips_over_temperatures
from .temperature_view import TemperatureView, TemperatureViews
from .token_table import code_distortion, patch_side, token_table
from .toy_view import ToyView
from .toys import (
    TOYS,
    Optimum,
    ToyFit,
    ToySetting,
    can_start_otherwise,
    fit_toy,
    held_out_tokens,
    toy_named,
    toy_optimum,
    toy_path,
    toy_table,
    toy_tokens,
)
from .training_curves import training_curves
from .turned_off import TurnedOff, turn_codes_off
from .usage_accumulation import usage_accumulation
from .usage_definitions import usage_definitions
from .usage_inequality import usage_by_rank, usage_lorenz
from .usage_summary import usage_summary

__all__ = [
    "COSTLY_COLOURS",
    "ESTIMATORS",
    "MAP_METHODS",
    "TOYS",
    "AnnealingPath",
    "CodePatches",
    "Evidence",
    "FittedGrid",
    "KMeansCodebooks",
    "LatentMap",
    "LatticeRegularity",
    "Optimum",
    "PatchPosterior",
    "Plane",
    "ProjectionQuality",
    "Reconstructions",
    "TemperatureProbe",
    "TemperatureView",
    "TemperatureViews",
    "ToyFit",
    "ToySetting",
    "ToyView",
    "TurnedOff",
    "advised_command",
    "annealing_path",
    "annealing_temperatures",
    "can_start_otherwise",
    "cells_of_points",
    "checked_codes",
    "code_agreement",
    "code_cells",
    "code_distortion",
    "code_history",
    "code_neighbours",
    "code_patches",
    "code_usage",
    "codebook_at",
    "compare_estimators",
    "critical_temperature",
    "decoded_points",
    "density_exponents",
    "encoder_gradient",
    "estimator_microscope",
    "fit_grid",
    "fit_toy",
    "flips_over_snapshots",
    "flips_over_temperatures",
    "gather_evidence",
    "geometry_efficiency",
    "grid_colours",
    "hard_codes",
    "health",
    "health_curves",
    "held_out_tokens",
    "judge",
    "kmeans_codebooks",
    "latent_map",
    "lattice_edges",
    "lattice_regularity",
    "log_density",
    "map_colours",
    "of_several_runs",
    "patch_posterior",
    "patch_side",
    "plane_around",
    "plane_codes",
    "plane_responsibilities",
    "projection_quality",
    "reach_holding",
    "receptive_field",
    "recoded",
    "reconstruct",
    "reconstruction_quality",
    "require_soft",
    "run_bifurcations",
    "sample_latents",
    "soft_codes",
    "soft_numbers",
    "softness_summary",
    "split_temperatures",
    "temperature_grid",
    "temperature_marks",
    "temperature_of_gap",
    "token_map",
    "token_table",
    "top_responsibilities",
    "toy_named",
    "toy_optimum",
    "toy_path",
    "toy_table",
    "toy_tokens",
    "training_curves",
    "turn_codes_off",
    "usage_accumulation",
    "usage_by_rank",
    "usage_definitions",
    "usage_grid",
    "usage_lorenz",
    "usage_of_counts",
    "usage_summary",
    "worst_state",
]
