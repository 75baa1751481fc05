"""Frames on how often codes are used."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, TEXT, Columns

COUNTED, UNIFORM = "counted", "uniform sampling"
"""Lorenz curves: of the tokens that were counted, and of as many drawn uniformly."""

PER_CODE = Columns(
    "analysis.usage.per_code",
    {
        "code": (INTEGER, "joint code, 0 … K − 1"),
        "count": (INTEGER, "tokens that hold the code"),
        "share": (NUMBER, "share of all N tokens"),
    },
)
BY_RANK = Columns(
    "analysis.usage.by_rank",
    {
        "rank": (INTEGER, "rank of the code by its count, 1 for the most used"),
        "code": (INTEGER, "joint code"),
        "count": (INTEGER, "tokens that hold the code"),
        "share": (NUMBER, "share of all N tokens"),
    },
)
LORENZ = Columns(
    "analysis.usage.lorenz",
    {
        "curve": (TEXT, "COUNTED or UNIFORM"),
        "code_share": (NUMBER, "share of the K codes, the least used first, ascending"),
        "token_share": (NUMBER, "share of the tokens that these codes hold"),
    },
)
ACCUMULATION = Columns(
    "analysis.usage.accumulation",
    {
        "images": (INTEGER, "number n of images"),
        "tokens": (INTEGER, "tokens of n images"),
        "active_codes": (NUMBER, "codes used in n images, mean over all choices of n"),
        "low": (NUMBER, "lower end of the bootstrap band, codes"),
        "high": (NUMBER, "upper end of the bootstrap band, codes"),
        "codebook_size": (INTEGER, "K"),
        "chao2": (NUMBER, "lower bound on the codes that more such images would show"),
        "unit": (TEXT, "what was resampled for the band: photograph or image"),
    },
)
DEFINITIONS = Columns(
    "analysis.usage.definitions",
    {
        "run": (TEXT, "name of the run"),
        "definition": (TEXT, "definition of usage, with its parameter"),
        "tokens": (INTEGER, "tokens that the definition counts over"),
        "codes": (NUMBER, "codes that count as used; NaN where the study is too small"),
        "codebook_size": (INTEGER, "K"),
        "utilization": (NUMBER, "codes / K"),
        "rank": (NUMBER, "rank of the run by utilization, 1 for the highest; NaN where tokens differ"),
        "why": (TEXT, "why codes is NaN; empty where it is not"),
    },
)
SUMMARY = Columns(
    "analysis.usage.summary",
    {
        "images": (INTEGER, "images encoded"),
        "photographs": (INTEGER, "photographs that they were cut from"),
        "tokens": (INTEGER, "N"),
        "codebook_size": (INTEGER, "K"),
        "active_codes": (INTEGER, "codes used at least once"),
        "utilization": (NUMBER, "active codes / K"),
        "chao2": (NUMBER, "lower bound on the codes that can be reached, images as units"),
        "entropy_bits": (NUMBER, "entropy of the codes, bits per token, plug-in estimate"),
        "entropy_bits_miller_madow": (NUMBER, "the same, corrected for its bias"),
        "bits_codebook": (NUMBER, "log2 K"),
        "bits_active": (NUMBER, "log2 of the active codes"),
        "perplexity": (NUMBER, "2^entropy_bits"),
        "gini": (NUMBER, "Gini coefficient of the counts"),
        "gini_uniform": (NUMBER, "Gini coefficient of N tokens drawn uniformly from K codes"),
        "top_1_percent": (NUMBER, "share of the tokens that the most used 1 % of the codes hold"),
        "top_10_percent": (NUMBER, "share of the tokens that the most used 10 % of the codes hold"),
    },
)
CODE_HISTORY = Columns(
    "analysis.usage.code_history",
    {
        "step": (INTEGER, "finished step of the snapshot"),
        "code": (INTEGER, "joint code"),
        "count": (INTEGER, "of today's tokens, those that the snapshot's codebook gives to the code"),
        "share": (NUMBER, "share of all N tokens"),
        "moved": (NUMBER, "distance of the code's point from its place in the last snapshot"),
    },
)
