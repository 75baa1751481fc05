"""Figures on what codes mean in pixels."""

from __future__ import annotations

from .distortion import draw_distortion, publish_distortion
from .images import draw_images, publish_images
from .patch_pictures import draw_patch_pictures, publish_patch_pictures
from .patches import PatchRow, draw_code_patches, publish_code_patches
from .posterior import draw_posterior, publish_posterior
from .token_maps import token_map

__all__ = [
    "PatchRow",
    "draw_code_patches",
    "draw_distortion",
    "draw_images",
    "draw_patch_pictures",
    "draw_posterior",
    "publish_code_patches",
    "publish_distortion",
    "publish_images",
    "publish_patch_pictures",
    "publish_posterior",
    "token_map",
]
