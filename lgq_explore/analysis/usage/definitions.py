"""Share of the codebook that is used, by each definition found in papers, and the ranking of runs by each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import DEFINITIONS
from lgq_explore.metrics import accumulated_codes
from lgq_explore.runs.study import Study

from .accumulation import code_incidence
from .counts import code_counts


@dataclass(frozen=True)
class _Count:
    """Codes that a definition counts among `tokens` tokens; None, and the reason, where the study is too small."""

    definition: str
    tokens: int
    codes: float | None
    why: str = ""


def definitions(
    studies: Mapping[str, Study], *, batch_images: int = 32, window_tokens: int = 65_536, hits: int = 5
) -> pd.DataFrame:
    """Codes that count as used, one row per definition and run: `frames.usage.DEFINITIONS`.

    The definitions are

        batch of b images        codes hit at least once in b images, the mean over all choices of b
        window of w tokens       the same in as many images as hold w tokens, as LlamaGen counts while training
        whole set                codes hit at least once
        at least m hits          codes hit at least m times in the whole set
        perplexity               2^entropy of the whole set

    Equal utilizations share a rank. It is NaN where runs were counted over different numbers of tokens, since usage
    grows with them. Where a study has fewer tokens than a definition asks for, codes, utilization and rank are NaN, and
    why gives the reason.

    Raises:
        InputError: no studies, one without tokens, or a batch, window or hits below 1.
    """
    for name, value in (("batch_images", batch_images), ("window_tokens", window_tokens), ("hits", hits)):
        if value < 1:
            raise InputError(f"{name} is {value}: give at least 1")
    if not studies:
        raise InputError("no studies to count codes in: give at least one")
    rows = [
        {"run": run, **vars(count), "codebook_size": study.quantizer.codebook_size}
        for run, study in studies.items()
        for count in _counts(study, batch_images, window_tokens, hits)
    ]
    frame = pd.DataFrame(rows).astype({"codes": "float64"})
    frame["utilization"] = frame["codes"] / frame["codebook_size"]
    by_definition = frame.groupby("definition", sort=False)
    frame["rank"] = by_definition["utilization"].rank(method="min", ascending=False)
    frame.loc[by_definition["tokens"].transform("nunique") > 1, "rank"] = np.nan
    return DEFINITIONS.frame(frame)


def _counts(study: Study, batch_images: int, window_tokens: int, hits: int) -> list[_Count]:
    counts, encoded = code_counts(study), len(study.encoding)
    incidence = code_incidence(study).images_of_codes()
    usage, active = counts.usage(), counts.active_counts()
    tokens_an_image = usage.tokens // encoded
    window_images = -(-window_tokens // tokens_an_image)

    def among(images: int, definition: str) -> _Count:
        tokens = images * tokens_an_image
        if images > encoded:
            return _Count(definition, tokens, None, f"{usage.tokens:,} tokens were encoded: encode more crops")
        return _Count(definition, tokens, accumulated_codes(incidence, encoded, [images]).item())

    return [
        among(batch_images, f"batch of {batch_images:,} image{'s' * (batch_images > 1)}"),
        among(window_images, f"window of {window_tokens:,} tokens"),
        _Count("whole set", usage.tokens, usage.active_codes),
        _Count(f"at least {hits:,} hit{'s' * (hits > 1)}", usage.tokens, int((active >= hits).sum())),
        _Count("perplexity", usage.tokens, usage.perplexity),
    ]
