"""Frames on points in the plane whose best codebook is known."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, TEXT, TRUTH, Columns

CURVE = Columns(
    "analysis.toys.fit_toy",
    {
        "step": (INTEGER, "finished optimiser steps"),
        "distortion": (NUMBER, "mean |z − q|² on held-out points"),
        "active_codes": (INTEGER, "codes that a held-out point takes"),
        "tokens": (INTEGER, "held-out points"),
        "ratio": (NUMBER, "distortion over the least possible"),
    },
)
TABLE = Columns(
    "analysis.toys.toy_table",
    {
        "data": (TEXT, "name of the mixture"),
        "method": (TEXT, "name of the method"),
        "codes": (INTEGER, "K"),
        "seed": (INTEGER, "of the points, the start and the order"),
        "ratio": (NUMBER, "distortion over the least possible"),
        "distortion": (NUMBER, "mean |z − q|² on held-out points"),
        "optimum": (NUMBER, "least distortion of K codes"),
        "how": (TEXT, "how the optimum is known"),
        "active_codes": (INTEGER, "codes that a held-out point takes"),
        "tokens": (INTEGER, "held-out points"),
        "steps": (INTEGER, "optimiser steps of the fit"),
    },
)
SOFT_CODES = Columns(
    "analysis.toys.soft_codes",
    {
        "code": (INTEGER, "number of the code"),
        "x": (NUMBER, "first coordinate"),
        "y": (NUMBER, "second coordinate"),
        "share": (NUMBER, "mean responsibility over the points"),
        "together": (INTEGER, "codes at this very place, itself among them"),
    },
)
HARD_CODES = Columns(
    "analysis.toys.hard_codes",
    {
        **SOFT_CODES.described,
        "share": (NUMBER, "share of the points that take the code"),
        "count": (INTEGER, "points that take the code"),
        "dead": (TRUTH, "whether no point takes it"),
    },
)
PLANE_CODES = Columns(
    "analysis.toys.hard_codes or soft_codes", HARD_CODES.described, optional=frozenset({"count", "dead"})
)
"""What a plane draws: the codes of either."""

VIEW = Columns(
    "analysis.toys.ToyView.frame",
    {
        **HARD_CODES.described,
        "responsibility": (NUMBER, "mean responsibility over the points"),
        "split_temperature": (NUMBER, "τ below which two codes in its place would part; NaN for an idle code"),
    },
)
