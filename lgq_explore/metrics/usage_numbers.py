"""Usage of the joint codes, and bits per token from the codes' frequencies, as results of an evaluation."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .code_settings import CodeSettings
from .definition import Definition
from .group_usage import GroupedCodeCounts
from .usage import bits_per_pixel

USAGE_KEYS = ("active_codes", "utilization", "perplexity", "entropy_bits")
"""Fields of `CodeUsage` that are keys of `evaluate`, for joint codes and for those of a group."""


class CountedCodes:
    """A metric that needs the counts of codes alone."""

    @classmethod
    def of(cls, settings: CodeSettings) -> Self:
        return cls(settings)

    def __init__(self, settings: CodeSettings) -> None:
        self.settings = settings
        self.counts = GroupedCodeCounts(settings.levels)

    def update(self, codes: Tensor, photographs: NDArray[np.int64]) -> None:
        """Add codes [B, G, H, W]; raises InputError as `GroupedCodeCounts.update`."""
        self.counts.update(codes)

    def merge(self, other: Self) -> None:
        """Add the codes of another instance with the same settings."""
        self.counts.merge(other.counts)


class Usage(CountedCodes):
    """The numbers of `code_usage` of joint codes that every evaluation has."""

    definition: ClassVar[Definition] = Definition(
        summary="how many joint codes are used, and how evenly",
        keys=(*USAGE_KEYS, "bits_per_pixel", "gini"),
        formula="`active_codes` = #{x_k > 0}, `utilization` = active / K, `entropy_bits` H = −Σ p_k log2 p_k, "
        "`perplexity` = 2^H, `bits_per_pixel` = H / f², `gini` = 2 Σ_i i x_(i) / (K Σ x) − (K + 1)/K with dead codes; "
        "p_k = x_k / N.",
        unit="codes; share of K; bits per token; codes; bits per pixel; none",
        bias="H is low by about (active − 1)/(2 N ln 2) bits; active codes grow with N; Gini falls with N: its value "
        "for uniform usage is `gini_uniform`. Compare at one N.",
        cost="Microseconds an image.",
        source="Shannon 1948; Gini 1912. The entropy equals scipy's.",
    )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        usage = self.counts.usage()
        return {
            **{key: getattr(usage, key) for key in USAGE_KEYS},
            "bits_per_pixel": bits_per_pixel(usage.entropy_bits, self.settings.downsampling),
            "gini": usage.gini,
        }


class CodeLengths(CountedCodes):
    """Bits of a token for codes of fixed length, and the entropy without most of its bias."""

    definition: ClassVar[Definition] = Definition(
        summary="bits per token by codes of fixed length, and the entropy corrected for few tokens",
        keys=("bits_codebook", "bits_active", "entropy_bits_miller_madow", "gini_uniform"),
        formula="`bits_codebook` = log2 K, `bits_active` = log2 active, `entropy_bits_miller_madow` = H + (active − "
        "1)/(2 N ln 2), `gini_uniform` = the expected Gini of N tokens drawn uniformly from K codes.",
        unit="bits per token; none for Gini",
        bias="Miller and Madow's correction is the first order in 1/N: for N below K it is still low, and it may "
        "exceed log2 K.",
        cost="Microseconds an image.",
        source="Miller 1955; `gini_uniform` by the mean distance of a random walk.",
        on_request=True,
    )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        usage = self.counts.usage()
        return {
            "bits_codebook": usage.bits_per_token_codebook,
            "bits_active": usage.bits_per_token_active,
            "entropy_bits_miller_madow": usage.entropy_bits_miller_madow,
            "gini_uniform": usage.gini_uniform,
        }
