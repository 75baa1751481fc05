"""Figures on the shape of a codebook beside its latents."""

from __future__ import annotations

from .cells import publish_code_cells
from .efficiency import publish_efficiency
from .latent_map import draw_latent_maps, mark_codes, publish_latent_map
from .neighbours import draw_code_neighbours, publish_code_neighbours
from .panes import CODE_COLOURS, MapPane

__all__ = [
    "CODE_COLOURS",
    "MapPane",
    "draw_code_neighbours",
    "draw_latent_maps",
    "mark_codes",
    "publish_code_cells",
    "publish_code_neighbours",
    "publish_efficiency",
    "publish_latent_map",
]
