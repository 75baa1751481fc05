"""Terms that stand in figures and in the ledger, besides the metrics, with their definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.run_facts import ENERGY, UNKNOWN

from .figures import ReportFigure

OF_FIGURES: Mapping[str, Mapping[str, str]] = {
    "pruning": {
        "codes kept": "the most used codes of a run, to the nearest of which all tokens are moved. Nothing is trained "
        "again, so that it is a lower bound on what training with so few codes would give.",
    },
    "usage": {
        "batch of b images, window of w tokens": "codes hit at least once in b images, or in as many images as hold w "
        "tokens, the mean over all choices of these images.",
        "whole set, at least m hits": "codes hit at least once, or at least m times, in all images.",
        "uniform sampling": "as many tokens as there are, each with one of the K codes by chance: what usage and Gini "
        "would be if all codes were alike.",
        "≥, Chao2": "a lower bound on the codes that more such images would show, from the numbers of codes that "
        "exactly one and exactly two images have shown (Chao 1987).",
    },
    "cells": {
        "m": "the dimension that the latents fill: `1/m = mean over tokens and j < k of log(r_k/r_j)`, `r_j` being the "
        "distance to the j-th nearest token of other images (Levina & Bickel 2004; MacKay & Ghahramani 2005).",
        "log density": "of the latents at the tokens of a cell, their mean in nats per unit of volume in m dimensions, "
        "from nearest neighbours in other images (Kozachenko & Leonenko 1987).",
        "volume of the cell": "where there are latents: `(1/N) Σ 1/f(z)` over the tokens z of the cell, f being their "
        "density.",
        "occupancy": "share of all N tokens that lie in the cell.",
        "anisotropy P/d_eff": "the width P of the space of codes over the effective dimension "
        "`d_eff = (tr Σ)²/tr Σ²`, Σ being the covariance of the cell's tokens, corrected for the bias of few tokens "
        "(Himeno & Yamada 2014): 1 for a ball, P for a rod.",
        "optimum": "the power of the density that cells of the codebook of least squared error follow: `−m/(m + 2)` "
        "for volume and `2/(m + 2)` for occupancy (Gersho 1979). Those of a uniform grid are 0 and 1.",
    },
}
"""Terms and their definitions, with code in backticks, by how the names of figures begin."""

OF_ENERGY = {
    "joules of the processors, of the GPU": "from the first step of each session of training to its last, over all "
    "sessions, as the machine counts them (RAPL, NVML): of the whole processor packages and of the whole GPU, whatever "
    "else ran there. Memory, fans and losses of the power supply are not in it.",
}


def terms(comparison: Comparison, figures: Iterable[ReportFigure]) -> dict[str, str]:
    """Those of the figures that are drawn, and of the energy if one run at least has counted it, with definitions."""
    drawn = {each.name.partition("-")[0] for each in figures if each.figure is not None}
    found: dict[str, str] = {}
    for figure, defined in OF_FIGURES.items():
        found |= defined if figure in drawn else {}
    rows = comparison.ledger[comparison.ledger["field"].isin(ENERGY.values())]
    is_counted = (rows[list(comparison.runs)] != UNKNOWN).any(axis=None)
    return found | (OF_ENERGY if is_counted else {})
