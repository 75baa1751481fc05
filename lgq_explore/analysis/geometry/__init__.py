"""Tidy frames on the shape of a codebook beside its latents."""

from __future__ import annotations

from lgq_explore.frames.geometry import COSTLY_COLOURS

from .cells import cells_of_points, code_cells, density_exponents
from .efficiency import KMeansCodebooks, efficiency, kmeans_codebooks
from .embedding import METHODS as MAP_METHODS
from .fsq_grid import FittedGrid, LatticeRegularity, decoded_points, fit_grid, lattice_edges, lattice_regularity
from .latent_map import LatentMap, codebook_at, latent_map
from .map_colours import grid_colours, log_density, map_colours
from .neighbours import code_neighbours
from .projection_quality import ProjectionQuality, projection_quality
from .twins import distinct_codes, twins, twins_of_codes

__all__ = [
    "COSTLY_COLOURS",
    "MAP_METHODS",
    "FittedGrid",
    "KMeansCodebooks",
    "LatentMap",
    "LatticeRegularity",
    "ProjectionQuality",
    "cells_of_points",
    "code_cells",
    "code_neighbours",
    "codebook_at",
    "decoded_points",
    "density_exponents",
    "distinct_codes",
    "efficiency",
    "fit_grid",
    "grid_colours",
    "kmeans_codebooks",
    "latent_map",
    "lattice_edges",
    "lattice_regularity",
    "log_density",
    "map_colours",
    "projection_quality",
    "twins",
    "twins_of_codes",
]
