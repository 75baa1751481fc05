"""Numbers of all photographs together, as a value of each photograph whose mean they are.

The Fréchet distance, the active codes and the entropy are no means over photographs, but comparisons resample
photographs. To first order they are means of such values:

    fd                            the parts of `metrics.frechet_parts`, a mean over the photograph's crops
    active_codes, entropy_bits    θ + (P − 1) (mean of θ_(−j) − θ_(−j)), θ_(−j) without photograph j of P

The latter are the pseudo-values of the jackknife (Efron & Tibshirani 1993, chapter 11), shifted so that their mean is
the number as it is counted.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lgq_explore.metrics.frechet_parts import frechet_parts
from lgq_explore.metrics.usage import code_usage

from .photograph_numbers import PairedFeatures
from .study import Study

STRIDES = (8, 4, 2, 1)
"""Of the photographs every eighth, fourth, second and each, of which `fd_by_photographs` has the distance."""


def additive_numbers(study: Study, features: PairedFeatures | None = None) -> dict[str, NDArray[np.float64]]:
    """`fd`, `active_codes` and `entropy_bits` of each photograph [P], in the order of `photograph_numbers`.

    The mean of `fd`, photographs weighted by their crops, is FD of all crops; the plain means of the others are the
    numbers of all tokens. NaN without features, and for a method without codes.
    """
    photographs, owners = np.unique(study.encoding.photograph, return_inverse=True)
    nothing = np.full(len(photographs), np.nan)
    found = {"fd": nothing, "active_codes": nothing, "entropy_bits": nothing}
    if features is not None:
        parts = _parts(features, np.arange(len(owners)))
        found["fd"] = np.bincount(owners, parts) / np.bincount(owners)
    counts = counts_by_photograph(study)
    return found if counts is None else found | _of_codes(counts, study.quantizer.codebook_size)


def fd_by_photographs(study: Study, features: PairedFeatures | None) -> dict[int, float]:
    """FD of fewer photographs of an encoding, by their number: of every STRIDES-th. Empty without features.

    FD of few pictures is biased upwards: its course says how far it may differ between methods. A single photograph,
    whose crops say nothing of others, is left out.
    """
    if features is None:
        return {}
    photographs, owners = np.unique(study.encoding.photograph, return_inverse=True)
    chosen = {len(range(0, len(photographs), stride)): stride for stride in STRIDES}
    return {
        number: float(_parts(features, np.flatnonzero(owners % stride == 0)).mean())
        for number, stride in chosen.items()
        if number > 1
    }


def counts_by_photograph(study: Study) -> NDArray[np.int64] | None:
    """Tokens of each photograph that hold each occurring tuple of codes [P, A], in the order of `photograph_numbers`.

    None for a method without codes.
    """
    if not study.quantizer.has_codes:
        return None
    codes = np.moveaxis(study.encoding.codes, 1, -1)  # [N, H, W, G]
    tuples, places = np.unique(codes.reshape(-1, codes.shape[-1]), axis=0, return_inverse=True)
    photographs, owners = np.unique(study.encoding.photograph, return_inverse=True)
    counts = np.zeros((len(photographs), len(tuples)), dtype=np.int64)
    np.add.at(counts, (np.repeat(owners, codes.shape[1] * codes.shape[2]), places.ravel()), 1)
    return counts


def _of_codes(counts: NDArray[np.int64], codebook_size: int) -> dict[str, NDArray[np.float64]]:
    together = counts.sum(axis=0)
    whole = code_usage(together, codebook_size)
    if len(counts) < 2:
        return {"active_codes": np.array([float(whole.active_codes)]), "entropy_bits": np.array([whole.entropy_bits])}
    without = [code_usage(together - one, codebook_size) for one in counts]
    active = np.array([usage.active_codes for usage in without], dtype=np.float64)
    entropy = np.array([usage.entropy_bits for usage in without])
    others = len(counts) - 1
    return {
        "active_codes": whole.active_codes + others * (active.mean() - active),
        "entropy_bits": whole.entropy_bits + others * (entropy.mean() - entropy),
    }


def _parts(features: PairedFeatures, crops: NDArray[np.int64]) -> NDArray[np.float64]:
    images, reconstructions = (torch.from_numpy(side[crops]) for side in (features.images, features.reconstructions))
    return frechet_parts(images, reconstructions).numpy()
