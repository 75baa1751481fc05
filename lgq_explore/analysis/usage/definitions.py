"""How much of the codebook is used, by each of the definitions that papers use, and who comes first by which?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.metrics import CodeCounts, accumulated_codes
from lgq_explore.runs.encoding import Encoding

from .accumulation import code_incidence
from .counts import codebook_size, token_codes


@dataclass(frozen=True)
class _Count:
    """Codes that a definition counts among `tokens` tokens; None and why where the encoding is too small for it."""

    definition: str
    tokens: int
    codes: float | None
    why: str = ""


def definitions(
    encodings: Mapping[str, Encoding], *, batch_images: int = 32, window_tokens: int = 65_536, hits: int = 5
) -> pd.DataFrame:
    """A row a definition and run: run, definition, tokens, codes, codebook_size, utilization (codes / K), rank, why.

        batch of b images        codes hit at least once in b images, the mean over all choices of b
        window of w tokens       the same in as many images as have w tokens, as LlamaGen counts while training
        whole set                codes hit at least once
        at least m hits          codes hit at least m times in the whole set
        perplexity               2^entropy of the whole set

    rank: 1 for the run with the highest utilization, equal for equals; NaN where runs were counted over different
    numbers of tokens, since usage grows with them. Codes, utilization and rank are NaN, and why says why, where an
    encoding has fewer tokens than the definition asks for.

    Raises:
        InputError: no encodings, one without tokens, a code outside its levels, or a batch, window or hits below 1.
    """
    for name, value in (("batch_images", batch_images), ("window_tokens", window_tokens), ("hits", hits)):
        if value < 1:
            raise InputError(f"{name} is {value}: give at least 1")
    if not encodings:
        raise InputError("no encodings to count codes in: give at least one run")
    rows = [
        {"run": run, **vars(count), "codebook_size": codebook_size(encoding)}
        for run, encoding in encodings.items()
        for count in _counts(encoding, batch_images, window_tokens, hits)
    ]
    frame = pd.DataFrame(rows).astype({"codes": "float64"})
    frame["utilization"] = frame["codes"] / frame["codebook_size"]
    by_definition = frame.groupby("definition", sort=False)
    frame["rank"] = by_definition["utilization"].rank(method="min", ascending=False)
    frame.loc[by_definition["tokens"].transform("nunique") > 1, "rank"] = np.nan
    return frame[["run", "definition", "tokens", "codes", "codebook_size", "utilization", "rank", "why"]]


def _counts(encoding: Encoding, batch_images: int, window_tokens: int, hits: int) -> list[_Count]:
    counts = CodeCounts(codebook_size(encoding))
    counts.update(token_codes(encoding))
    incidence = code_incidence(encoding).images_of_codes()
    usage, active = counts.usage(), counts.active_counts()
    tokens_an_image = usage.tokens // len(encoding)
    window_images = -(-window_tokens // tokens_an_image)

    def among(images: int, definition: str) -> _Count:
        tokens = images * tokens_an_image
        if images > len(encoding):
            return _Count(definition, tokens, None, f"{usage.tokens:,} tokens were encoded: encode more crops")
        return _Count(definition, tokens, accumulated_codes(incidence, len(encoding), [images]).item())

    return [
        among(batch_images, f"batch of {batch_images:,} image{'s' * (batch_images > 1)}"),
        among(window_images, f"window of {window_tokens:,} tokens"),
        _Count("whole set", usage.tokens, usage.active_codes),
        _Count(f"at least {hits:,} hit{'s' * (hits > 1)}", usage.tokens, int((active >= hits).sum())),
        _Count("perplexity", usage.tokens, usage.perplexity),
    ]
