"""Frames on several runs side by side."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, TEXT, Columns

AGREEMENT = Columns(
    "analysis.comparison.agreement",
    {
        "first": (TEXT, "name of a run"),
        "second": (TEXT, "name of another run"),
        "agreement": (NUMBER, "adjusted mutual information of their codes, position by position"),
        "null": (NUMBER, "mean adjusted mutual information over pairings with other images"),
        "null_spread": (NUMBER, "standard deviation over these pairings"),
        "bits": (NUMBER, "mutual information as counted, bits per token"),
        "bits_null": (NUMBER, "mean mutual information over the pairings, bits per token"),
        "tokens": (INTEGER, "N"),
        "images": (INTEGER, "images encoded"),
        "photographs": (INTEGER, "photographs that they were cut from"),
        "draws": (INTEGER, "number of pairings"),
    },
)
