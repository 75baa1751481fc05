"""Frames on several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

from .columns import INTEGER, MOMENT, NUMBER, OPTIONAL_INTEGER, TEXT, TRUTH, Columns

AGREEMENT = Columns(
    "analysis.comparison.agreement",
    {
        "first": (TEXT, "name of a run"),
        "second": (TEXT, "name of another run"),
        "agreement": (NUMBER, "adjusted mutual information of their codes, position by position"),
        "null": (NUMBER, "mean adjusted mutual information over pairings with other images"),
        "null_spread": (NUMBER, "standard deviation over these pairings"),
        "bits": (NUMBER, "mutual information as counted, bits per token"),
        "bits_null": (NUMBER, "mean mutual information over the pairings, bits per token"),
        "tokens": (INTEGER, "N"),
        "images": (INTEGER, "images encoded"),
        "photographs": (INTEGER, "photographs that they were cut from"),
        "draws": (INTEGER, "number of pairings"),
        "unequal_phase": (TEXT, "how their GAN phases differ, a sentence; empty where they don't"),
    },
)

PHASE = {
    "gan_start": (OPTIONAL_INTEGER, "finished steps after which the recipe has a GAN; NA for one without"),
    "gan_steps": (OPTIONAL_INTEGER, "steps since then that the weights have seen; NA for a recipe without a GAN"),
}
GAN_PHASES = Columns("analysis.comparison.gan_phases", {"run": (TEXT, "name of the run"), **PHASE})

RECIPE = {
    "method": (TEXT, "name of the method"),
    "codebook_size": (NUMBER, "K"),
    "data": (TEXT, "SPEC of the pictures"),
    "image_size": (OPTIONAL_INTEGER, "S, pixels"),
    "recipe_hash": (TEXT, "names the recipe: equal for runs that differ in the seed alone"),
}

HELD_OUT = {
    "psnr_db": (NUMBER, "peak signal-to-noise ratio, dB"),
    "ssim": (NUMBER, "structural similarity"),
    "lpips": (NUMBER, "perceptual distance"),
    "fd": (NUMBER, "Fréchet distance of features"),
    "active_codes": (NUMBER, "codes that are used"),
    "perplexity": (NUMBER, "perplexity of the codes"),
    "entropy_bits": (NUMBER, "their entropy, bits per token"),
    "bits_per_pixel": (NUMBER, "their entropy, bits per pixel"),
}
"""Numbers of `evaluate` on held-out pictures; NaN where the run was not evaluated."""

LOGGED = {
    "loss": (NUMBER, "training loss at `step`"),
    "training_active_codes": (NUMBER, "codes that are used in the window that ends with `step`"),
    "training_perplexity": (NUMBER, "perplexity of the codes in this window"),
}
"""Numbers that were logged at `step`, of the weights that would be opened; NaN where none were."""

RUNS = Columns(
    "analysis.comparison.runs_in",
    {
        "run": (TEXT, "name of the run's folder"),
        **RECIPE,
        "seed": (OPTIONAL_INTEGER, "seed of the run"),
        "step": (OPTIONAL_INTEGER, "finished steps of the newest weights"),
        "steps": (OPTIONAL_INTEGER, "steps of the recipe"),
        **PHASE,
        "begun": (MOMENT, "when the run was begun"),
        **HELD_OUT,
        "tokens": (OPTIONAL_INTEGER, "N of the numbers on held-out pictures"),
        "fd_features": (TEXT, "network of the features; empty where there is none"),
        **LOGGED,
        "training_tokens": (NUMBER, "N of this window"),
        "opens": (TRUTH, "whether panels and analyses can open the run"),
        "remark": (TEXT, "why it can't be opened, or what is missing; often empty"),
    },
)

PHOTOGRAPHS = Columns(
    "analysis.comparison.photograph_numbers",
    {
        "photograph": (TEXT, "name of the photograph in its source"),
        "digest": (TEXT, "SHA-256 of the pixels of its crops"),
        "crops": (INTEGER, "crops of it, over which the numbers are averaged"),
        "psnr_db": (NUMBER, "peak signal-to-noise ratio, dB"),
        "ssim": (NUMBER, "structural similarity; NaN for crops smaller than its window"),
        "l1": (NUMBER, "mean absolute error, of a data range of 1"),
        "feature_error": (NUMBER, "|φ(x) − φ(x̂)|² over tr cov φ(x) of all crops; NaN without features"),
        "fd": (NUMBER, "value whose mean over photographs, of equal weight, is their FD; NaN without features"),
        "active_codes": (NUMBER, "value whose mean, of equal weight, is the active codes; NaN without codes"),
        "entropy_bits": (
            NUMBER,
            "value whose mean, of equal weight, is the entropy, bits per token; NaN without codes",
        ),
    },
)

OVER_SEEDS = Columns(
    "analysis.comparison.over_seeds",
    {
        **RECIPE,
        "number": (TEXT, "a column of numbers of runs_in"),
        "mean": (NUMBER, "mean over the finished runs of the recipe that have it"),
        "spread": (NUMBER, "their standard deviation (n − 1); NaN for one run"),
        "runs": (INTEGER, "number of these runs"),
        "seeds": (INTEGER, "number of their seeds"),
        "why": (TEXT, "why there is no mean; empty where there is one"),
    },
)

CONDITION, COST, OWN, TUNED = "condition", "cost", "the method's own", "tuned"
REPEATED, RECORDED = "repetition", "record"
"""Kinds of fields of a ledger: what has to be equal for a fair comparison; what a method takes; settings of methods;
what is repeated on purpose; and what changes no weight."""

LEDGER_FIELDS = {
    "field": (TEXT, "what is compared, in words"),
    "kind": (TEXT, "CONDITION, COST, OWN, TUNED, REPEATED or RECORDED"),
    "differs": (TRUTH, "whether it is not the same for all runs"),
}


def ledger_columns(runs: Sequence[str]) -> Columns:
    """The columns of a ledger: those of every ledger, then one per run, named by it."""
    return Columns("analysis.comparison.ledger", LEDGER_FIELDS | dict.fromkeys(runs, (TEXT, "its value")))


INTERVAL = {
    "low": (NUMBER, "lower end of the interval; NaN where there is none"),
    "high": (NUMBER, "upper end of the interval; NaN where there is none"),
    "level": (NUMBER, "share of repetitions in which such an interval holds the true value"),
    "seeds": (INTEGER, "seeds; of two groups the fewer"),
    "photographs": (INTEGER, "held-out photographs that all runs share"),
    "why": (TEXT, "why there is no interval or no number, a sentence; empty where there are both"),
}

GROUP_NUMBERS = Columns(
    "analysis.comparison.group_numbers",
    {
        "group": (TEXT, "name of the group: runs whose recipes differ in the seed alone"),
        "method": (TEXT, "name of the method"),
        "codebook_size": (NUMBER, "K; 0 without codes"),
        "number": (TEXT, "what is measured, a key of evaluate"),
        "estimate": (NUMBER, "mean over seeds and photographs; NaN where it was not measured"),
        "spread": (NUMBER, "standard deviation over seeds (n − 1); NaN for one seed"),
        **INTERVAL,
    },
)

RUN_NUMBERS = Columns(
    "analysis.comparison.run_numbers",
    {
        "run": (TEXT, "name of the run"),
        "group": (TEXT, "name of its group"),
        "method": (TEXT, "name of the method"),
        "seed": (INTEGER, "seed of the run"),
        "replicate": (INTEGER, "rounding replicate of the seed; 0 for the run itself"),
        "number": (TEXT, "what is measured"),
        "value": (NUMBER, "mean over the photographs that all runs share; NaN where it was not measured"),
    },
)

GROUP_DIFFERENCES = Columns(
    "analysis.comparison.group_differences",
    {
        "first": (TEXT, "name of a group"),
        "second": (TEXT, "name of another group"),
        "number": (TEXT, "what is measured"),
        "difference": (NUMBER, "first minus second, on the same photographs"),
        **INTERVAL,
        "p_value": (NUMBER, "two-sided, that there is no difference; NaN without an interval"),
        "p_holm": (NUMBER, "the same, corrected for all pairs of this number (Holm 1979)"),
        "paired_seeds": (TRUTH, "whether both groups have the same seeds"),
    },
)

GROUP_RATIOS = Columns(
    "analysis.comparison.group_ratios",
    {
        "first": (TEXT, "name of a group"),
        "second": (TEXT, "name of another group"),
        "number": (TEXT, "what is measured"),
        "ratio": (NUMBER, "first over second, on the same photographs"),
        **INTERVAL,
        "p_value": (NUMBER, "two-sided, that the ratio is 1; NaN without an interval"),
        "p_holm": (NUMBER, "the same, corrected for all pairs of this number (Holm 1979)"),
        "paired_seeds": (TRUTH, "whether both groups have the same seeds"),
    },
)

FRECHET_SIZES = Columns(
    "analysis.comparison.frechet_sizes",
    {
        "group": (TEXT, "name of the group"),
        "photographs": (INTEGER, "of each set of photographs"),
        "crops": (INTEGER, "of each set, on average"),
        "sets": (INTEGER, "disjoint sets over which FD is averaged"),
        "fd": (NUMBER, "Fréchet distance of features, mean over sets and seeds"),
    },
)

CURVE_DIFFERENCES = Columns(
    "analysis.comparison.curve_differences",
    {
        "first": (TEXT, "name of a method"),
        "second": (TEXT, "name of another method"),
        "at_equal": (TEXT, "what is equal: entropy_bits or psnr_db"),
        "number": (TEXT, "what differs: psnr_db or entropy_bits"),
        "difference": (NUMBER, "first minus second, mean over the overlap of their curves; NaN where there is none"),
        "from": (NUMBER, "lower end of the overlap, of what is equal"),
        "to": (NUMBER, "upper end of the overlap"),
        **INTERVAL,
    },
)

CURVE_LINES = Columns(
    "analysis.comparison.curve_lines",
    {
        "method": (TEXT, "name of a method that has a curve"),
        "entropy_bits": (NUMBER, "entropy of the codes, bits per token"),
        "psnr_db": (NUMBER, "PSNR interpolated there, dB"),
    },
)

AT_EQUAL_BITS = Columns(
    "analysis.comparison.at_equal_bits",
    {
        "method": (TEXT, "name of a method with codes"),
        "entropy_bits": (NUMBER, "the rate at which all methods are read, bits per token"),
        "psnr_db": (NUMBER, "PSNR interpolated there, dB; NaN beyond the method's curve, or without one"),
        "psnr_low": (NUMBER, "lower end of its interval; NaN where there is none"),
        "psnr_high": (NUMBER, "upper end of its interval; NaN where there is none"),
        "best": (TEXT, "the method of the highest PSNR there; empty where none has a curve"),
        "difference": (NUMBER, "PSNR minus that of the best method, dB; NaN for itself"),
        **INTERVAL,
    },
)

PRUNING = Columns(
    "analysis.comparison.pruning",
    {
        "kept": (INTEGER, "codes that are kept, the most used ones"),
        "active_codes": (INTEGER, "of them, codes that are used"),
        "entropy_bits": (NUMBER, "entropy of the codes, bits per token"),
        "psnr_db": (NUMBER, "peak signal-to-noise ratio, dB, mean over crops"),
        "crops": (INTEGER, "held-out crops"),
        "photographs": (INTEGER, "photographs that they were cut from"),
    },
)

DISAGREEMENT = Columns(
    "analysis.comparison.disagreement",
    {
        "image": (INTEGER, "index of the crop in both encodings"),
        "photograph": (TEXT, "name of the photograph"),
        "crop": (INTEGER, "number of the crop of this photograph, from 1"),
        "first_psnr_db": (NUMBER, "PSNR of the first run, dB"),
        "second_psnr_db": (NUMBER, "PSNR of the second run, dB"),
        "difference": (NUMBER, "first minus second, dB"),
    },
)
