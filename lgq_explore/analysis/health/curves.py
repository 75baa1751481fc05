"""The curves that the health rules read, and the limits between which they are healthy."""

from __future__ import annotations

import math

import pandas as pd

from lgq_explore.frames.health import RULE_CURVES
from lgq_explore.training.objectives.gan import gan_settings
from lgq_explore.training.objectives.last_layer import LARGEST_WEIGHT

from .adversarial_rules import MARGINS, logit_margin
from .evidence import Evidence
from .rule_parts import RECONSTRUCTION, logged
from .rules import DEAF, DESERTED, ONE_BIT, RISEN, collapsed_under, windowed_usage


def rule_curves(evidence: Evidence) -> pd.DataFrame:
    """The curves that rules read, with their limits, one row per rule and step: `frames.health.RULE_CURVES`.

    Rules that read no curve, or for which there is none yet, have no rows.
    """
    parts = [
        _usage(evidence),
        _curve(
            "centres leaving the latents", "centres outside, share of K", evidence.centres, "outside", upper=DESERTED
        ),
        _gain(evidence),
        _shared_codes(evidence),
        _reconstruction(evidence),
        _logits(evidence),
        _adaptive_weight(evidence),
    ]
    return RULE_CURVES.frame(pd.concat(parts, ignore_index=True))


def _usage(evidence: Evidence) -> pd.DataFrame:
    usage = windowed_usage(evidence)
    if usage.empty:
        return pd.DataFrame()
    few = collapsed_under(evidence, float(usage["tokens"].iloc[-1]))
    return _curve("collapse coming", "perplexity, codes", usage, "perplexity", lower=few)


def _gain(evidence: Evidence) -> pd.DataFrame:
    name = "encoder_gain_share_below_1_percent"
    quantity = "gain under 1 %, share of tokens"
    return _curve("encoder no longer hears the decoder", quantity, logged(evidence, name), name, upper=DEAF)


def _shared_codes(evidence: Evidence) -> pd.DataFrame:
    name, size = "effective_codes", evidence.config.quantizer.size
    steps = logged(evidence, name)
    quantity = "effective codes per token"
    return _curve("temperature means nothing at this dimension", quantity, steps, name, lower=ONE_BIT, upper=size / 2)


def _reconstruction(evidence: Evidence) -> pd.DataFrame:
    steps = logged(evidence, RECONSTRUCTION)
    if steps.empty:
        return pd.DataFrame()
    upper = (
        RISEN * steps[RECONSTRUCTION].cummin()
    )  # relative to the lowest so far: a loss that only falls is never above it
    quantity = f"{RECONSTRUCTION} of a step"
    return _curve("reconstruction getting worse", quantity, steps, RECONSTRUCTION, upper=upper)


def _logits(evidence: Evidence) -> pd.DataFrame:
    gan, steps = gan_settings(evidence.config), logged(evidence, "gan_logits_real")
    if gan is None or steps.empty:
        return pd.DataFrame()
    lesser = steps.assign(margin=logit_margin(steps))
    return _curve("discriminator has won", "least mean logit on its side", lesser, "margin", upper=MARGINS[gan.loss])


def _adaptive_weight(evidence: Evidence) -> pd.DataFrame:
    name = "gan_adaptive_weight"
    return _curve("adaptive weight at its clamp", "λ of a step", logged(evidence, name), name, upper=LARGEST_WEIGHT)


def _curve(
    rule: str,
    quantity: str,
    steps: pd.DataFrame,
    column: str,
    *,
    lower: float = math.nan,
    upper: float | pd.Series = math.nan,
) -> pd.DataFrame:
    if steps.empty:
        return pd.DataFrame()
    values = {"step": steps["step"].astype("int64"), "value": steps[column].astype("float64")}
    return pd.DataFrame({"rule": rule, "quantity": quantity, **values, "lower": lower, "upper": upper})
