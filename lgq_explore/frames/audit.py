"""Frames on metrics themselves: their values on evaluation sets, and how far these can be trusted."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, OPTIONAL_INTEGER, TEXT, Columns

PHOTOGRAPHS, IMAGES, TOKENS = "photographs", "images", "tokens"
"""What evaluation sets are drawn of."""

SHOWN = (
    *("active_codes", "chao2", "utilization", "perplexity", "effective_rate"),
    *("entropy_bits", "entropy_bits_miller_madow", "bits_coded", "gini", "gini_above_uniform"),
    *("position_information_bits", "quantization_error", "geometry_efficiency", "latent_dimensions"),
    *("codebook_wasserstein_relative", "quantization_cost_db", "psnr_db", "ssim", "l1", "feature_error", "fd"),
)
"""The numbers that papers print, and those of their kind, in the order of a table."""

VALUES = Columns(
    "analysis.audit.picture_values",
    {
        "data": (TEXT, "name of the pictures or of the mixture"),
        "method": (TEXT, "name of the method"),
        "seed": (INTEGER, "seed of the training"),
        "unit": (TEXT, "what the evaluation set was drawn of: photographs, images or tokens"),
        "size": (INTEGER, "number of units that a set was meant to have; the largest is everything"),
        "division": (INTEGER, "number of the division into sets; sets of one division have no unit in common"),
        "part": (INTEGER, "number of the set in its division"),
        "tokens": (INTEGER, "N, tokens of the set"),
        "images": (INTEGER, "images of the set; 0 for points in the plane"),
        "metric": (TEXT, "key of the metric"),
        "value": (NUMBER, "its value on the set"),
        "distortion": (NUMBER, "true distortion of the codes; NaN where it is unknown"),
    },
)
AUDIT = Columns(
    "analysis.audit.audit",
    {
        "data": (TEXT, "what the metrics were measured on"),
        "metric": (TEXT, "key of the metric"),
        "unit": (TEXT, "what the evaluation sets were drawn of"),
        "size": (INTEGER, "number of units of a set"),
        "tokens": (INTEGER, "N, tokens of a set on average"),
        "images": (INTEGER, "images of a set on average; 0 for points in the plane"),
        "sets": (INTEGER, "evaluation sets of this size"),
        "methods": (INTEGER, "methods"),
        "seeds": (INTEGER, "seeds of each method"),
        "value": (NUMBER, "mean value"),
        "bias": (NUMBER, "mean difference from the value on everything, % of that; NaN for everything itself"),
        "set_noise": (NUMBER, "standard deviation over evaluation sets of this size, %; NaN for everything"),
        "seed_noise": (NUMBER, "standard deviation over seeds, on one set, %; NaN for a single seed"),
        "first": (TEXT, "the method that `auc` is of; empty where no two are compared"),
        "second": (TEXT, "the method that it is compared with"),
        "auc": (NUMBER, "chance that a run of the first has the larger value on the same set; ½ tells nothing"),
        "auc_low": (NUMBER, "lower end of the 95 % interval, seeds and sets resampled"),
        "auc_high": (NUMBER, "upper end"),
        "d_prime": (NUMBER, "difference of the two means over the standard deviation over seeds"),
        "rank_correlation": (NUMBER, "Spearman's, with the true distortion; NaN where that is unknown"),
        "rank_low": (NUMBER, "lower end of the 95 % interval, methods resampled"),
        "rank_high": (NUMBER, "upper end"),
    },
)
TRUST = Columns(
    "analysis.audit.trusted_from",
    {
        "data": (TEXT, "what the metrics were measured on"),
        "metric": (TEXT, "key of the metric"),
        "tokens_true": (OPTIONAL_INTEGER, "least audited N from which bias and noise over sets are small; NA for none"),
        "tokens_apart": (
            OPTIONAL_INTEGER,
            "least audited N from which the interval of `auc` lies on the side of everything; NA for none",
        ),
    },
)
