"""The expected number of codes in fewer images, and a lower bound for more images.

Ecologists ask this of species and sampling plots. Here codes are the species and images the plots: the *incidence* of
a code is the number of images it occurs in, however often it occurs in each. Tokens are not used as units, since those
of one image are far from independent. Crops of one photograph are not independent, either: results hold for more crops
of such photographs rather than for new photographs.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from torch import Tensor

from lgq_explore.errors import InputError

from .code_settings import CodeSettings
from .definition import Definition
from .group_usage import GroupedCodeCounts


def accumulated_codes(incidences: ArrayLike, images: int, sizes: ArrayLike) -> NDArray[np.float64]:
    """The mean number of codes seen in n of the images, over all choices of n; for each n of `sizes`, float64.

        S(n) = Σ_k 1 − C(I − i_k, n) / C(I, n)      (sample-based rarefaction; Colwell et al. 2012)

    Args:
        incidences: i_k, the number of images that hold code k; whole numbers 0 … I, one a code. Unseen codes may be
            left out.
        images: I, all images.
        sizes: numbers n of images, whole numbers 0 … I.

    Raises:
        InputError: incidences or sizes outside 0 … I, or not whole.
    """
    found = _checked_incidences(incidences, images)
    drawn = _checked_whole(sizes, images, "size")
    # Codes of one incidence are alike, and there are at most as many incidences as images.
    incidence, codes = np.unique(found, return_counts=True)
    rest = images - incidence[:, None]
    with np.errstate(invalid="ignore"):  # −∞ + ∞ where n images can't miss the code
        log_missed = (
            gammaln(rest + 1.0) - gammaln(rest - drawn + 1.0) + gammaln(images - drawn + 1.0) - gammaln(images + 1.0)
        )
    missed = np.where(drawn <= rest, np.exp(log_missed), 0.0)
    return codes @ (1 - missed)


def chao2(incidences: ArrayLike, images: int) -> float:
    """A lower bound on the number of codes in arbitrarily many such images.

        Ŝ = S + (I − 1)/I · Q₁² / (2 Q₂)                  Q₁, Q₂: codes that occur in exactly one, two images
        Ŝ = S + (I − 1)/I · Q₁ (Q₁ − 1) / 2               where Q₂ = 0

    (Chao 1987, Biometrics 43, 783.) An estimate from below for independent images; for images that resemble each other
    it is even lower. It does not use K and may exceed it. Arguments and errors are those of `accumulated_codes`.
    """
    found = _checked_incidences(incidences, images)
    once, twice = int((found == 1).sum()), int((found == 2).sum())
    unseen = once**2 / (2 * twice) if twice else once * (once - 1) / 2
    return float((found > 0).sum() + (images - 1) / images * unseen)


class CodeAccumulation:
    """Incidences of joint codes over images, and what they say of fewer and of more images."""

    definition: ClassVar[Definition] = Definition(
        summary="codes seen in half of the images, and a lower bound for any number of them",
        keys=("codes_in_half", "chao2"),
        formula="`codes_in_half` = Σ_k 1 − C(I − i_k, ⌊I/2⌋)/C(I, ⌊I/2⌋), i_k of I images holding code k; `chao2` = "
        "active + (I − 1)/I · Q₁²/(2 Q₂), Q₁, Q₂ codes in exactly one and two images.",
        unit="codes",
        bias="`chao2` is a lower bound for independent images; crops of one photograph resemble each other, so that it "
        "is even lower for new photographs. None where joint codes are too many to number.",
        cost="Microseconds an image.",
        source="Colwell et al. 2012; Chao 1987, Biometrics 43, 783.",
        on_request=True,
    )

    @classmethod
    def of(cls, settings: CodeSettings) -> Self:
        return cls(settings.levels)

    def __init__(self, levels: tuple[int, ...]) -> None:
        self._images = 0
        self._incidences = GroupedCodeCounts(levels)

    def update(self, codes: Tensor, photographs: NDArray[np.int64]) -> None:
        """Add the codes [B, G, H, W] of images."""
        for image in codes.detach().cpu().flatten(2):
            self._incidences.update(image.unique(dim=1)[None])
            self._images += 1

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._images += other._images
        self._incidences.merge(other._incidences)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        incidences = self._incidences.tuple_counts()
        half = accumulated_codes(incidences, self._images, [self._images // 2])
        return {"codes_in_half": half.item(), "chao2": chao2(incidences, self._images)}


def _checked_incidences(incidences: ArrayLike, images: int) -> NDArray[np.int64]:
    if images < 1:
        raise InputError(f"images is {images}: give at least 1")
    return _checked_whole(incidences, images, "incidence")


def _checked_whole(values: ArrayLike, images: int, name: str) -> NDArray[np.int64]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or numbers.size == 0 or numbers.dtype.kind not in "iu":
        raise InputError(
            f"{name}s have shape {list(numbers.shape)} and type {numbers.dtype}: give a list of whole numbers"
        )
    for number in (numbers.min(), numbers.max()):
        if not 0 <= number <= images:
            raise InputError(f"{name} {number} is outside 0 … {images}: give numbers of the {images} images")
    return numbers.astype(np.int64)
