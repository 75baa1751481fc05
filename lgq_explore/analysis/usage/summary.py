"""How is the codebook used, in one row of numbers?"""

from __future__ import annotations

import pandas as pd

from lgq_explore.metrics import CodeCounts, chao2, top_share
from lgq_explore.runs.encoding import Encoding

from .accumulation import code_incidence
from .counts import codebook_size, token_codes


def summary(encoding: Encoding) -> pd.DataFrame:
    """One row: every number of usage that is in use, with what it was counted over. Bits are a token's.

        images, photographs, tokens, codebook_size      what was counted, over how many codes
        active_codes, utilization                       codes hit at least once, and their share of K
        chao2                                           `metrics.chao2`, images as units: at least so many are reachable
        entropy_bits, entropy_bits_miller_madow         plug-in, and corrected for its bias
        bits_codebook, bits_active, perplexity          log2 K, log2 active, 2^entropy_bits
        gini, gini_uniform                              and what N tokens drawn uniformly from K codes would give
        top_1_percent, top_10_percent                   the share of the tokens that the most used codes take

    `metrics.code_usage` has the formulas.

    Raises:
        InputError: an encoding without tokens, or a code outside its levels.
    """
    counts = CodeCounts(codebook_size(encoding))
    counts.update(token_codes(encoding))
    usage, active = counts.usage(), counts.active_counts()
    incidence = code_incidence(encoding)
    row = {
        "images": len(encoding),
        "photographs": incidence.photographs,
        "tokens": usage.tokens,
        "codebook_size": usage.codebook_size,
        "active_codes": usage.active_codes,
        "utilization": usage.utilization,
        "chao2": chao2(incidence.images_of_codes(), len(encoding)),
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
    return pd.DataFrame([row])
