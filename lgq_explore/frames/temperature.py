"""Frames on soft assignment at each temperature."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, TEXT, TRUTH, Columns

TRAINING_BEGAN, TRAINING_ENDED = "training began", "training ended"
GAP_UNDER_1_PERCENT, CRITICAL = "gap under 1 %", "critical"
"""Marks on an axis of temperatures."""

STRAIGHT_THROUGH, LGQ, SPLIT, ROTATION = "straight-through", "lgq", "split", "rotation"
"""Gradient estimators."""

TOKENS = Columns(
    "analysis.temperature.TemperatureProbe.at",
    {
        "token": (INTEGER, "number of the token in the sample"),
        "code": (INTEGER, "code with the largest responsibility"),
        "max_p": (NUMBER, "largest responsibility p*"),
        "entropy": (NUMBER, "entropy of the responsibilities, nats"),
        "gap": (NUMBER, "distance between the soft and the hard vector"),
        "gap_bound": (NUMBER, "upper bound (1 − p*) max_k |c_k − c*| of the gap"),
        "free_energy_gap": (NUMBER, "−τ log p*, a squared length"),
        "encoder_gain": (NUMBER, "mean diagonal of ∂q_soft/∂z; 1 for straight-through"),
    },
)
TOKEN_MAP = Columns(
    "analysis.temperature.token_map",
    {
        **TOKENS.described,
        "picture": (INTEGER, "number of the picture"),
        "row": (INTEGER, "row on the latent grid"),
        "column": (INTEGER, "column on the latent grid"),
    },
)
SWEEP = Columns(
    "analysis.temperature.TemperatureProbe.sweep",
    {
        "temperature": (NUMBER, "τ, ascending"),
        "effective_codes": (NUMBER, "codes that share a token, exp of the mean entropy"),
        "max_p": (NUMBER, "mean largest responsibility"),
        "relative_gap": (NUMBER, "mean gap over the tokens' spread"),
        "relative_bound": (NUMBER, "mean bound of the gap over the tokens' spread"),
        "relative_free_energy_gap": (NUMBER, "mean free-energy gap over the squared spread"),
        "encoder_gain": (NUMBER, "mean encoder gain"),
        "encoder_gain_median": (NUMBER, "median encoder gain"),
        "encoder_gain_share_below_1_percent": (NUMBER, "share of tokens with an encoder gain under 0.01"),
        "tokens": (INTEGER, "size of the sample"),
    },
)
FLIPS = Columns(
    "analysis.temperature.TemperatureProbe.flips",
    {
        "from_temperature": (NUMBER, "τ of an entry"),
        "to_temperature": (NUMBER, "τ of the next entry"),
        "hard": (NUMBER, "share of tokens whose code with the largest responsibility changes"),
        "soft": (NUMBER, "share of tokens for which the code nearest to q_soft changes"),
    },
)
FLIPS_OVER_SNAPSHOTS = Columns(
    "analysis.temperature.flips_over_snapshots",
    {
        "from_step": (INTEGER, "finished step of a snapshot"),
        "to_step": (INTEGER, "finished step of the next one"),
        "share": (NUMBER, "share of tokens whose code changes"),
    },
)
MARKS = Columns(
    "analysis.temperature.temperature_marks",
    {
        "mark": (TEXT, "TRAINING_BEGAN, TRAINING_ENDED, GAP_UNDER_1_PERCENT or CRITICAL"),
        "temperature": (NUMBER, "τ"),
    },
)
TOP_RESPONSIBILITIES = Columns(
    "analysis.temperature.TemperatureProbe.top",
    {
        "rank": (INTEGER, "rank of the code by its responsibility, 1 for the largest"),
        "code": (INTEGER, "code"),
        "responsibility": (NUMBER, "p of the code for the token"),
        "distance": (NUMBER, "distance |z − c| of the token to the code"),
    },
)
SPLIT_TEMPERATURES = Columns(
    "analysis.temperature.split_temperatures",
    {
        "code": (INTEGER, "code"),
        "mass": (NUMBER, "mean responsibility over the tokens; sums to 1"),
        "split_temperature": (NUMBER, "τ below which two codes in its place would part; NaN for an idle code"),
    },
)
ANNEALED_STATES = Columns(
    "analysis.temperature.annealing_path",
    {
        "temperature": (NUMBER, "τ, from hot to cold"),
        "effective_centres": (NUMBER, "exp of the information that codes and tokens share"),
        "distortion": (NUMBER, "mean Σ_k p d² over the tokens"),
        "free_energy": (NUMBER, "F, a squared length"),
        "tokens": (INTEGER, "N"),
        "distinct_centres": (INTEGER, "centres that lie apart"),
        "iterations": (INTEGER, "iterations made at this temperature"),
        "converged": (TRUTH, "whether the centres came to rest"),
    },
)
BIFURCATIONS = Columns(
    "analysis.temperature.bifurcations",
    {
        "step": (INTEGER, "finished step of the snapshot"),
        "temperature": (NUMBER, "τ in force there"),
        "critical_temperature": (NUMBER, "τ_c of the tokens"),
        "to_split": (INTEGER, "codes whose split temperature lies above τ"),
        "settled": (INTEGER, "codes whose split temperature is τ or lower"),
        "idle": (INTEGER, "codes of next to no mass"),
        "effective_centres": (NUMBER, "exp of the information that codes and tokens share"),
        "tokens": (INTEGER, "size of the sample"),
    },
)
ESTIMATORS = Columns(
    "analysis.temperature.compare_estimators",
    {
        "temperature": (NUMBER, "τ"),
        "estimator": (TEXT, "name of the estimator"),
        "cosine": (NUMBER, "cosine with the gradient of the smoothed loss"),
        "variance_ratio": (NUMBER, "mean square of its components over that of the smoothed loss's gradient"),
        "agreement": (NUMBER, "cosine between two halves of the smoothed loss's estimate; 1 without noise"),
        "sigma": (NUMBER, "standard deviation of the noise, in the codes' space"),
        "pairs": (INTEGER, "antithetic pairs of noise"),
    },
)
ESTIMATOR_MAP = Columns(
    "analysis.temperature.estimator_map",
    {
        **ESTIMATORS.described,
        "spacing": (NUMBER, "Δ, median distance between the two codes nearest to a token"),
        "matched_temperature": (NUMBER, "√(π/2) Δ σ, at which a border is as steep for LGQ as for the noise"),
        "rounding_error": (NUMBER, "σ of the tokens' own rounding"),
        "tokens": (INTEGER, "N"),
    },
)
BESIDE_STRAIGHT_THROUGH = Columns(
    "analysis.temperature.beside_straight_through",
    {
        "temperature": (NUMBER, "τ"),
        "estimator": (TEXT, "name of the estimator"),
        "cosine": (NUMBER, "cosine with the straight-through estimator's gradient"),
        "norm_ratio": (NUMBER, "norm over that of the straight-through estimator's gradient"),
        "median_token_norm_ratio": (NUMBER, "median over the tokens of the ratio of their norms"),
        "tokens": (INTEGER, "N"),
    },
)


def annealed_centres(width: int) -> Columns:
    """The centres of an annealing path in `width` dimensions."""
    axes = {f"axis_{axis}": (NUMBER, "coordinate of the centre") for axis in range(width)}
    return Columns(
        "analysis.temperature.annealing_path",
        {
            "temperature": (NUMBER, "τ, from hot to cold"),
            "code": (INTEGER, "number of the centre"),
            **axes,
            "mass": (NUMBER, "mean responsibility over the tokens; sums to 1"),
        },
    )
