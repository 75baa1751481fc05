"""Frames on the shape of a codebook beside its latents."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, OPTIONAL_INTEGER, SINGLE_PRECISION, TEXT, TRUTH, Columns

CODE, TOKEN, GRID = "code", "token", "grid"
"""Kinds of points on a map: codes, tokens, and the points of a grid that was fitted to the tokens."""

COUNT, DRIFT, LAST_MOVE = "count", "drift", "last_move"
LOG_DENSITY, ANISOTROPY, SPLIT_TEMPERATURE = "log_density", "anisotropy", "split_temperature"
"""Columns that a map can colour its codes by."""

COSTLY_COLOURS = (LOG_DENSITY, ANISOTROPY, SPLIT_TEMPERATURE)
"""Those that take seconds where codes or tokens are many, and are there only if they are asked for."""

VOLUME, OCCUPANCY, DISTORTION_SHARE = "volume", "occupancy", "distortion_share"
"""Columns of CODE_CELLS that follow a power of the density."""

LATENTS = "latents"
"""The measure of distortion that is taken in each method's own space, and has that space's unit."""

CODE_CELLS = Columns(
    "analysis.geometry.code_cells",
    {
        "code": (INTEGER, "joint code"),
        "count": (INTEGER, "tokens in its cell"),
        OCCUPANCY: (NUMBER, "share of all N tokens"),
        "mean_log_density": (NUMBER, "mean of log f over the cell's tokens, nats per unit of volume in m dimensions"),
        VOLUME: (NUMBER, "volume of the cell where there are latents, in m dimensions"),
        "scatter": (NUMBER, "mean squared distance of its tokens to their mean"),
        "offset": (NUMBER, "squared distance of the code to that mean"),
        "effective_dimension": (NUMBER, "(tr Σ)²/tr Σ² of its tokens' covariance; NaN where they are too few"),
        ANISOTROPY: (NUMBER, "P over the effective dimension: 1 for a ball, P for a rod"),
        "shape_tokens": (NUMBER, "tokens that a cell needs for its shape to mean anything"),
        DISTORTION_SHARE: (NUMBER, "share of the summed squared error"),
        "tokens": (INTEGER, "N"),
        "density_tokens": (INTEGER, "tokens that densities were taken from"),
        "neighbours": (INTEGER, "k of the density estimate"),
        "dimension": (NUMBER, "m, the dimension that the latents fill"),
    },
)
DENSITY_EXPONENTS = Columns(
    "analysis.geometry.density_exponents",
    {
        "quantity": (TEXT, "VOLUME, OCCUPANCY or DISTORTION_SHARE"),
        "exponent": (NUMBER, "fitted exponent of the density"),
        "low": (NUMBER, "lower end of its 95 % interval over resampled cells"),
        "high": (NUMBER, "upper end of its 95 % interval over resampled cells"),
        "theory": (NUMBER, "exponent of an optimal codebook at the same m"),
        "cells": (INTEGER, "number of fitted cells"),
        "fewest_tokens": (INTEGER, "tokens that a fitted cell has at least"),
        "centre": (NUMBER, "mean log density of the fitted tokens, nats"),
        "level": (NUMBER, "mean logarithm of the quantity"),
        "tokens": (INTEGER, "N"),
        "dimension": (NUMBER, "m"),
    },
)
TWINS = Columns(
    "analysis.geometry.twins",
    {
        "code": (INTEGER, "joint code"),
        "nearest": (INTEGER, "the nearest other code"),
        "distance": (NUMBER, "its Euclidean distance"),
        "tolerance": (NUMBER, "distance up to which codes are twins"),
        "group": (INTEGER, "lowest of the codes that twins join it to; itself without"),
        "group_size": (INTEGER, "codes of that group"),
        "count": (INTEGER, "tokens in its cell"),
        "tokens": (INTEGER, "N"),
    },
)
EFFICIENCY = Columns(
    "analysis.geometry.efficiency",
    {
        "measure": (TEXT, "space of the distortion: latents, pixels to first order, or pixels"),
        "codes": (NUMBER, "distortion of the codes"),
        "cell_means": (NUMBER, "distortion of the codes moved to the means of their cells"),
        "kmeans": (NUMBER, "distortion of the best restart of k-means"),
        "kmeans_fitted": (NUMBER, "its distortion on the tokens that it was fitted to; NaN in pixels"),
        "kmeans_in_hindsight": (NUMBER, "distortion of k-means fitted to these held-out tokens; NaN without it"),
        "efficiency": (NUMBER, "kmeans / codes"),
        "spread": (NUMBER, "standard deviation of the efficiency over restarts; NaN for one"),
        "cell_means_efficiency": (NUMBER, "kmeans / cell_means"),
        "restarts": (INTEGER, "restarts of k-means that were measured"),
        "images": (INTEGER, "held-out images"),
        "tokens": (INTEGER, "held-out tokens"),
        "fit_tokens": (INTEGER, "training tokens that k-means was fitted to"),
        "codebook_size": (INTEGER, "K"),
        "dimension": (INTEGER, "P, the width of the space where the method rounds"),
    },
)
LATENT_MAP = Columns(
    "analysis.geometry.latent_map",
    {
        "kind": (TEXT, "CODE, TOKEN or GRID"),
        "step": (OPTIONAL_INTEGER, "finished step of a code's snapshot; NA for other points"),
        "code": (INTEGER, "joint code; of a token the one that it holds"),
        "token": (OPTIONAL_INTEGER, "number of the token; NA for other points"),
        "x": (SINGLE_PRECISION, "place along the first axis"),
        "y": (SINGLE_PRECISION, "place along the second axis"),
        "fitted": (TRUTH, "whether the map was fitted on the point"),
    },
)
PLACED_CODES, PLACES = LATENT_MAP.only("code", "x", "y"), LATENT_MAP.only("x", "y")
"""What a map needs of its codes, and of its tokens."""

MAP_COLOURS = Columns(
    "analysis.geometry.map_colours",
    {
        "code": (INTEGER, "joint code"),
        COUNT: (INTEGER, "of today's tokens, those that this codebook gives to the code"),
        DRIFT: (NUMBER, "distance from its place in the first snapshot; NaN for a fixed grid"),
        LAST_MOVE: (NUMBER, "distance from its place in the snapshot before on the map; NaN for a fixed grid"),
        LOG_DENSITY: (NUMBER, "log density of tokens at its place, nats"),
        ANISOTROPY: (NUMBER, "anisotropy of its cell; NaN where tokens are too few"),
        SPLIT_TEMPERATURE: (NUMBER, "τ below which two codes in its place would part; NaN without temperature"),
    },
    optional=frozenset({DRIFT, LAST_MOVE, *COSTLY_COLOURS}),
)
"""Codes of a fitted grid have no DRIFT and no LAST_MOVE."""

LATTICE_EDGES = Columns(
    "analysis.geometry.lattice_edges",
    {
        "group": (INTEGER, "group along which the codes differ"),
        "code": (INTEGER, "joint code"),
        "neighbour": (INTEGER, "joint code one step above it"),
    },
)
EDGES = LATTICE_EDGES.only("code", "neighbour")
"""What a map needs of its lines."""

CODE_NEIGHBOURS = Columns(
    "analysis.geometry.code_neighbours",
    {
        "code": (INTEGER, "joint code"),
        "rank": (INTEGER, "rank of the neighbour, 1 for the nearest"),
        "neighbour": (INTEGER, "joint code of the neighbour"),
        "distance": (NUMBER, "Euclidean distance, in the space where the method rounds"),
    },
)
