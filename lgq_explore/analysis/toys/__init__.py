"""Tidy frames on points in the plane whose best codebook is known."""

from __future__ import annotations

from .fits import ToyFit, ToySetting, can_start_otherwise, fit_toy, held_out_tokens, toy_start, toy_table
from .mixtures import TOYS, toy_named, toy_tokens
from .plane import Plane, hard_codes, plane_around, plane_codes, plane_responsibilities, soft_codes, soft_numbers
from .references import Optimum, toy_optimum, toy_optimum_is_known, toy_path, toy_path_is_known
from .view import ToyView

__all__ = [
    "TOYS",
    "Optimum",
    "Plane",
    "ToyFit",
    "ToySetting",
    "ToyView",
    "can_start_otherwise",
    "fit_toy",
    "hard_codes",
    "held_out_tokens",
    "plane_around",
    "plane_codes",
    "plane_responsibilities",
    "soft_codes",
    "soft_numbers",
    "toy_named",
    "toy_optimum",
    "toy_optimum_is_known",
    "toy_path",
    "toy_path_is_known",
    "toy_start",
    "toy_table",
    "toy_tokens",
]
