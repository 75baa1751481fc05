"""Agreement of two runs on which tokens are alike.

The codes of two runs are related only through the tokens that they are assigned to. The mutual information of the two
codes at a place says how well one code predicts the other, whatever their numbers. Chance alone makes it large if there
are as many codes as tokens. Adjusted for chance (Vinh, Epps & Bailey 2010),

    AMI = (I − E[I]) / ((H₁ + H₂)/2 − E[I])

is 1 for codes that differ only in their numbers. Its mean is 0 for codes assigned at random with the same frequencies.
Tokens of a picture are not random: the null is the AMI of one run's codes with the other run's at the same places of
other images.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import AGREEMENT
from lgq_explore.runs.study import Study

from .phases import gan_phases, unequal_phases

DRAWS = 20
"""Number of pairings with other images over which the null is taken."""


def agreement(studies: Mapping[str, Study], *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Agreement (AMI) of the codes of each pair of runs, one row per pair: `frames.comparison.AGREEMENT`.

    The null is taken over `draws` pairings of each image with another one, drawn by `seed`. Mutual information in bits
    grows with the number of codes and falls with that of tokens.

    studies: of the same images, by the run's name. Codes of several groups count as joint codes.

    Raises:
        InputError: fewer than 2 studies, of other images or grids, of fewer than 2 images, or fewer than 2 draws.
    """
    if draws < 2:
        raise InputError(f"draws is {draws}: give at least 2")
    codes = _codes(studies)
    first = next(iter(studies.values())).encoding
    partners = _partners(len(first), draws, seed)
    facts = {
        "tokens": codes[0].codes.size,
        "images": len(first),
        "photographs": len(np.unique(first.photograph)),
        "draws": draws,
    }
    return AGREEMENT.frame(
        [
            {"first": one.run, "second": other.run, "unequal_phase": _unequal_phase(studies, one.run, other.run)}
            | _agreement(one.codes, other.codes, partners)
            | facts
            for one, other in itertools.combinations(codes, 2)
        ]
    )


def _unequal_phase(studies: Mapping[str, Study], *runs: str) -> str:
    return unequal_phases(gan_phases({run: studies[run] for run in runs}))


@dataclass(frozen=True, eq=False)
class _RunCodes:
    """A run's name, and its joint codes [N, H, W]."""

    run: str
    codes: NDArray[np.int64]


def _agreement(one: NDArray[np.int64], other: NDArray[np.int64], partners: list[NDArray[np.intp]]) -> dict[str, float]:
    # E[I] depends on the frequencies of codes only, which are the same for all pairings: it is computed once.
    expected = expected_mutual_information(contingency_matrix(one.ravel(), other.ravel(), sparse=True), one.size)
    counts = (np.unique(codes, return_counts=True)[1] for codes in (one, other))
    reach = sum(entropy(count) for count in counts) / 2 - expected

    def adjusted(information: float) -> float:
        # As in scikit-learn, runs agree if both have one code for all tokens, or a different one for each.
        return (information - expected) / reach if abs(reach) > 1e-12 else 1.0

    information = mutual_info_score(one.ravel(), other.ravel())
    by_chance = [mutual_info_score(one.ravel(), other[partner].ravel()) for partner in partners]
    null = [adjusted(value) for value in by_chance]
    return {
        "agreement": adjusted(information),
        "null": float(np.mean(null)),
        "null_spread": float(np.std(null, ddof=1)),
        "bits": information / math.log(2),
        "bits_null": float(np.mean(by_chance)) / math.log(2),
    }


def _partners(images: int, draws: int, seed: int) -> list[NDArray[np.intp]]:
    """For each image another one, each used once: the next image in a random cyclic order."""
    if images < 2:
        raise InputError(f"{images} images have no others to be compared with: encode at least 2")
    generator = np.random.default_rng(seed)
    partners = []
    for _ in range(draws):
        order = generator.permutation(images)
        partner = np.empty(images, dtype=np.intp)
        partner[order] = np.roll(order, 1)
        partners.append(partner)
    return partners


def _codes(studies: Mapping[str, Study]) -> list[_RunCodes]:
    if len(studies) < 2:
        raise InputError(f"{len(studies)} studies make no pair: give at least 2")
    found = [_RunCodes(run, _joint(study)) for run, study in studies.items()]
    reference, *others = studies.items()
    for run, study in others:
        if not np.array_equal(study.encoding.images, reference[1].encoding.images):
            raise InputError(f"{run} and {reference[0]} hold different images: encode the same crops with both")
    for one in found[1:]:
        if one.codes.shape != found[0].codes.shape:
            raise InputError(
                f"{one.run} has codes on a grid {list(one.codes.shape[1:])}, {found[0].run} on "
                f"{list(found[0].codes.shape[1:])}: compare runs of one factor"
            )
    return found


def _joint(study: Study) -> NDArray[np.int64]:
    """Joint codes [N, H, W]."""
    images, _, height, width = study.encoding.codes.shape
    return study.codes.reshape(images, height, width)
