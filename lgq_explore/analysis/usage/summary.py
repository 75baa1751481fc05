"""All numbers of usage in one row."""

from __future__ import annotations

import pandas as pd

from lgq_explore.frames.usage import SUMMARY
from lgq_explore.metrics import chao2, top_share
from lgq_explore.runs.study import Study

from .accumulation import code_incidence
from .counts import code_counts


def summary(study: Study) -> pd.DataFrame:
    """All numbers of usage in one row, with what they were counted over: `frames.usage.SUMMARY`.

    `metrics.code_usage` and `metrics.chao2` have the formulas.

    Raises:
        InputError: a study without tokens.
    """
    counts, encoded = code_counts(study), len(study.encoding)
    usage, active = counts.usage(), counts.active_counts()
    incidence = code_incidence(study)
    row = {
        "images": encoded,
        "photographs": incidence.photographs,
        "tokens": usage.tokens,
        "codebook_size": usage.codebook_size,
        "active_codes": usage.active_codes,
        "utilization": usage.utilization,
        "chao2": chao2(incidence.images_of_codes(), encoded),
        "entropy_bits": usage.entropy_bits,
        "entropy_bits_miller_madow": usage.entropy_bits_miller_madow,
        "bits_codebook": usage.bits_per_token_codebook,
        "bits_active": usage.bits_per_token_active,
        "perplexity": usage.perplexity,
        "gini": usage.gini,
        "gini_uniform": usage.gini_uniform,
        "top_1_percent": top_share(active, usage.codebook_size, 0.01),
        "top_10_percent": top_share(active, usage.codebook_size, 0.1),
    }
    return SUMMARY.frame([row])
