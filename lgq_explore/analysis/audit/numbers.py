"""Numbers of a set of tokens, under the keys of `evaluate`, and numbers computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.metrics.quantization import QuantizationError
from lgq_explore.metrics.usage import code_usage

SETTINGS = frozenset({"tokens", "codebook_size", "bits_codebook", "latent_width", "gini_uniform", "bits_per_pixel"})
"""Keys that say how something was measured, or are another one in another unit: they are not audited."""


def above_uniform_and_rate(numbers: Mapping[str, float], codebook_size: int) -> dict[str, float]:
    """Numbers of usage, with two that are made of them.

        effective_rate       perplexity / K
        gini_above_uniform   gini − gini_uniform

    "Effective rate" has no definition in the papers that have the term; the ratio of perplexities is what their figures
    agree with. K: all joint codes.
    """
    return {
        **numbers,
        "effective_rate": numbers["perplexity"] / codebook_size,
        "gini_above_uniform": numbers["gini"] - numbers["gini_uniform"],
    }


def token_numbers(codes: NDArray[np.int64], codebook_size: int, tokens: Tensor, quantized: Tensor) -> dict[str, float]:
    """Usage and quantization error of N tokens [N, D], their joint codes [N] and the codes' points [N, D]."""
    usage = asdict(code_usage(np.unique(codes, return_counts=True)[1], codebook_size))
    error = QuantizationError()
    error.update(tokens, quantized)
    value = error.compute().value
    return audited(above_uniform_and_rate(usage, codebook_size) | {"quantization_error": value})


def audited(numbers: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among JSON values, those of an object by its key and theirs with a dot; none of SETTINGS."""
    found: dict[str, float] = {}
    for key, value in numbers.items():
        if isinstance(value, Mapping):
            inner = audited(value)
            found |= {key if name == "value" else f"{key}.{name}": inner[name] for name in inner}
        elif isinstance(value, int | float) and not isinstance(value, bool) and key not in SETTINGS:
            found[key] = float(value)
    return found
