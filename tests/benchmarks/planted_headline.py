"""Planted summaries of the registered comparison, whose outcome is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from lgq_explore.sweeps.folder import FORMAT

PHOTOGRAPHS = 40


@dataclass(frozen=True)
class Planted:
    """The numbers of a method at one codebook size, and their spread over seeds."""

    fd: float
    psnr_db: float
    active_codes: float
    entropy_bits: float
    spread: float = 0.004


def summary(
    method: str, size: int, seed: int, planted: Planted, *, kind: str = "final", replicate: int = 0
) -> dict[str, Any]:
    """A summary as a sweep writes it, with what RESULTS.md reads of one."""
    drawn = np.random.default_rng([seed, size, replicate, *method.encode()])
    of_seed = drawn.normal(0, planted.spread)
    of_photographs = np.random.default_rng(0).normal(0, 0.05, PHOTOGRAPHS)
    factors = (1 + of_seed) * (1 + of_photographs) * (1 + drawn.normal(0, 0.005, PHOTOGRAPHS))
    rows = {
        f"digest {number:02d}": {
            "photograph": f"photograph {number}",
            "crops": 16,
            "psnr_db": planted.psnr_db + 10 * of_seed + 20 * of_photographs[number],
            "ssim": 0.7,
            "l1": 0.05,
            "feature_error": 0.3 * factor,
            "fd": planted.fd * factor,
            "active_codes": planted.active_codes * factor if size else None,
            "entropy_bits": planted.entropy_bits * (1 + of_seed / 10) if size else None,
        }
        for number, factor in enumerate(factors.tolist())
    }
    mean = {name: float(np.mean([row[name] for row in rows.values()])) for name in ("psnr_db", "fd")}
    return {
        "format": FORMAT,
        "kind": kind,
        "method": method,
        "quantizer": method.removesuffix("-rounding"),
        "codebook_size": size,
        "seed": seed,
        "rounding_replicate": replicate,
        "portable_hash": hashlib.sha256(f"{method} {size}".encode()).hexdigest()[:12],
        "evaluation_set": {"digest": "the same crops"},
        "numbers": {
            "psnr_db": mean["psnr_db"],
            "entropy_bits_miller_madow": planted.entropy_bits + 0.01 if size else None,
            "bits_contextual": {"value": planted.entropy_bits - 1 if size else None},
        },
        "photographs": rows,
        "fd_by_photographs": {"20": 1.3 * mean["fd"], "40": mean["fd"]},
    }


FSQ = {240: Planted(120, 24.0, 230, 6.5), 1000: Planted(110, 25.0, 700, 8.0), 4375: Planted(100, 26.0, 2000, 9.6)}
SIMVQ = {240: Planted(118, 24.2, 240, 7.0), 1000: Planted(105, 25.3, 1000, 8.6), 4375: Planted(96, 26.4, 4000, 10.5)}
LGQ = {
    "supported": Planted(85, 26.2, 1000, 9.0),
    "supported in quality only": Planted(85, 26.2, 1900, 9.5),
    "supported in rate only": Planted(100, 26.2, 1000, 9.0),
    "contradicted": Planted(120, 25.0, 3000, 10.0),
    "undecided": Planted(97, 26.0, 1900, 9.5, spread=0.1),
}
"""LGQ with 4,375 codes against FSQ, by its outcome."""


def summaries(outcome: str, seeds: int = 10) -> list[dict[str, Any]]:
    """All final cells of the registered comparison, with as many seeds at the sizes that have ten."""
    lgq = {240: Planted(119, 24.0, 200, 6.6), 1000: Planted(104, 25.2, 600, 8.0), 4375: LGQ[outcome]}
    methods = {"lgq": lgq, "fsq": FSQ, "simvq": SIMVQ, "vq": SIMVQ, "lgq-paper": FSQ}
    found = [
        summary(method, size, seed, planted)
        for method, sizes in methods.items()
        for size, planted in sizes.items()
        for seed in range(min(seeds, 3) if size == 240 else seeds)
    ]
    found += [summary("none", 0, seed, Planted(60, 30, 0, 0)) for seed in range(seeds)]
    found += [summary("kmeans", size, seed, SIMVQ[size]) for size in (1000, 4375) for seed in range(min(seeds, 3))]
    return found + [summary("fsq-rounding", 1000, 0, FSQ[1000], replicate=number) for number in range(5)]
