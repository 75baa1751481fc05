"""Frames on several runs side by side."""

from __future__ import annotations

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
