"""Tidy frames on what codes mean in pixels."""

from __future__ import annotations

from .patches import CodePatches, code_patches
from .posterior import PatchPosterior, posterior
from .receptive_field import reach_holding, receptive_field
from .recoding import recoded
from .reconstructions import Reconstructions, reconstruct, reconstruction_quality
from .tokens import distortion, patch_side, token_table
from .turned_off import TurnedOff, turn_codes_off

__all__ = [
    "CodePatches",
    "PatchPosterior",
    "Reconstructions",
    "TurnedOff",
    "code_patches",
    "distortion",
    "patch_side",
    "posterior",
    "reach_holding",
    "receptive_field",
    "recoded",
    "reconstruct",
    "reconstruction_quality",
    "token_table",
    "turn_codes_off",
]
