"""Rules on the adversarial term: whether it started in time, and whether it is useful."""

from __future__ import annotations

import math

import pandas as pd

from lgq_explore.frames.health import FINE, NOT_APPLICABLE, TROUBLE, WARNING, State
from lgq_explore.training.objectives.gan import GANSettings, gan_settings
from lgq_explore.training.objectives.last_layer import LARGEST_WEIGHT

from .advice import hold_back, lighter_reconstruction, start_later
from .evidence import Evidence
from .rule_parts import (
    RECONSTRUCTION,
    SMOOTHED,
    Verdict,
    logged,
    logged_reconstruction,
    nothing_logged,
    percent,
    progress,
    records,
    sentence,
)

MARGINS = {"hinge": 1.0, "non-saturating": math.log(19)}
"""Mean logit beyond which, on its own side of 0, a kind of crops is told wholly, by the discriminator's loss.

From 1 on the hinge is 0, so that such crops teach the discriminator nothing more. At log 19 = 2.9 it holds a crop for
what it is with 95 % probability, and 5 % of its first gradient are left.
"""
SETTLES = 0.5
"""Share of the steps with a GAN, at their end, over which the discriminator is judged.

It starts from nothing, and is ahead of the tokenizer or behind it for a while; that is how the two learn.
"""
OFTEN_WON, ALWAYS_WON = 0.5, 0.8
"""Shares of these steps with both kinds told wholly, from which on it is a warning, and trouble.

In most of them the discriminator was sure; in four of five, so that only a batch now and then is harder and the
tokenizer does not come back: whichever way its reconstructions move, they stay as easy to tell.
"""

UNSETTLED, FALLING = 0.05, 0.1
"""Share of its fall so far by which the reconstruction loss is lower in the last quarter before the GAN than in the one
before, from which on it is a warning, and trouble.

A loss that decays as e^(−t/T) has 5 % when it starts after 4 T, with 2 % of the way left, and 10 % after 2.7 T, with
7 % left; one that falls steadily has 29 %. A power law as slow as t^(−0.2) has 1 % after 20,000 steps.
"""
NOISE = 2.0
"""Standard errors of the difference of both quarters' means up to which it is no fall: batches differ as much."""

OFTEN_CLAMPED, MOSTLY_CLAMPED = 0.1, 0.5
"""Shares of the logged steps with a GAN at which λ is at its largest, above which it is a warning, and trouble.

A step at the clamp is one at which the adversarial gradient is under 1e-4 of the reconstruction's, so that the two are
not balanced. Right after the start, a discriminator that knows nothing yet may do so.
"""


def discriminator_won(evidence: Evidence) -> Verdict:
    """How often the discriminator tells both kinds wholly in the later part of its life (MARGINS, SETTLES)."""
    gan = gan_settings(evidence.config)
    rows = logged(evidence, "gan_logits_real")
    if gan is None or rows.empty:
        return _not_begun(evidence, gan)
    judged = rows[rows["step"] > rows["step"].iloc[-1] - SETTLES * (rows["step"].iloc[-1] - gan.start_step)]
    if len(judged) < SMOOTHED:
        return Verdict(NOT_APPLICABLE, f"{len(judged)} steps are logged of the GAN's later half, too few to tell.")
    margin = MARGINS[gan.loss]
    won = int((logit_margin(judged) >= margin).sum())
    share, first, last = won / len(judged), *(records(judged)[place] for place in (0, -1))
    seen = (
        f"at {won} of {len(judged)} logged steps from step {first['step']:,.0f} on, the mean logit of real crops was "
        f"over {margin:.2g} and that of reconstructed ones under −{margin:.2g}; at step {last['step']:,.0f} they are "
        f"{_signed(last['gan_logits_real'])} and {_signed(last['gan_logits_reconstructed'])}, over "
        f"N = {evidence.config.batch_size} crops of each"
    )
    if share < OFTEN_WON:
        return Verdict(FINE, f"No: {seen}; {percent(OFTEN_WON)} of the steps are a warning.", None, share, OFTEN_WON)
    finding = (
        f"{sentence(seen)} Reconstructions were at {_signed(first['gan_logits_reconstructed'])} before: what the "
        "discriminator tells the tokenizer does not make them any more real."
    )
    state: State = TROUBLE if share >= ALWAYS_WON else WARNING
    return Verdict(state, finding, hold_back(gan), share, OFTEN_WON)


def started_early(evidence: Evidence) -> Verdict:
    """How much the reconstruction loss still fell in the last quarter of the steps before the GAN."""
    gan, config = gan_settings(evidence.config), evidence.config
    if gan is None or evidence.history.empty or evidence.finished_steps <= gan.start_step:
        return _not_begun(evidence, gan)
    if RECONSTRUCTION not in evidence.history:
        return Verdict(NOT_APPLICABLE, f"The history has no {RECONSTRUCTION}: the recipe gives that term no weight.")
    change = start_later(config, gan)
    if gan.start_step <= config.warmup_steps:
        finding = f"The GAN starts after step {gan.start_step:,d}, in the warm-up of {config.warmup_steps:,d} steps."
        return Verdict(TROUBLE, f"{finding} No reconstruction has settled by then.", change, 1.0, UNSETTLED)
    before = logged_reconstruction(evidence).dropna(subset=RECONSTRUCTION)
    before = before[before["step"] <= gan.start_step]
    third, fourth = (_quarter(before, gan.start_step, place) for place in (3, 4))
    if min(len(third), len(fourth)) < SMOOTHED:
        return Verdict(NOT_APPLICABLE, f"{len(before)} steps are logged before the GAN, too few for a trend.")
    first, middle, last = float(before[RECONSTRUCTION].iloc[0]), float(third.mean()), float(fourth.mean())
    share = max(0.0, middle - last) / (first - last) if first > last else 1.0
    noise = NOISE * math.hypot(third.sem(), fourth.sem())
    seen = (
        f"{RECONSTRUCTION} began with {first:.3g}; its mean was {middle:.3g} in the third quarter of the "
        f"{gan.start_step:,d} steps before the GAN and {last:.3g} in the fourth, {percent(share)} of the fall so far "
        f"({len(third)} and {len(fourth)} logged steps of N = {config.batch_size} crops)"
    )
    if share < 1 and middle - last < noise:
        return Verdict(FINE, f"No: {seen}; batches differ by {noise:.2g}.", None, share, UNSETTLED)
    if share < UNSETTLED:
        return Verdict(FINE, f"No: {seen}; {percent(UNSETTLED)} are a warning.", None, share, UNSETTLED)
    state: State = TROUBLE if share >= FALLING else WARNING
    return Verdict(state, f"The reconstruction had not settled: {seen}.", change, share, UNSETTLED)


def adaptive_weight_clamped(evidence: Evidence) -> Verdict:
    """How many of the logged steps had the largest adaptive weight, LARGEST_WEIGHT.

    Below it the 1e-4 in its denominator bounds λ, too: it is at most 1e4 times the norm of the reconstruction's
    gradient, so that only gradients of a norm over 1 can come to the clamp.
    """
    gan = gan_settings(evidence.config)
    rows = records(logged(evidence, "gan_adaptive_weight"))
    if gan is not None and not gan.adaptive:
        return Verdict(NOT_APPLICABLE, "The weight of the GAN is fixed: objectives.gan.adaptive is false.")
    if gan is None or not rows:
        return _not_begun(evidence, gan)
    weights = pd.Series([row["gan_adaptive_weight"] for row in rows])
    clamped, last = int((weights >= LARGEST_WEIGHT).sum()), rows[-1]
    share = clamped / len(rows)
    seen = (
        f"λ was at its largest, {LARGEST_WEIGHT:,.0f}, at {clamped} of {len(rows)} logged steps with a GAN; its median "
        f"is {weights.median():,.3g}, and at step {last['step']:,.0f} it is {weights.iloc[-1]:,.3g} (over "
        f"N = {evidence.config.batch_size} crops)"
    )
    if share <= OFTEN_CLAMPED:
        return Verdict(FINE, f"No: {seen}.", None, share, OFTEN_CLAMPED)
    finding = f"The adversarial gradient is too small beside the reconstruction's to be balanced with it: {seen}."
    state: State = TROUBLE if share > MOSTLY_CLAMPED else WARNING
    return Verdict(state, finding, lighter_reconstruction(evidence.config), share, OFTEN_CLAMPED)


def logit_margin(rows: pd.DataFrame) -> pd.Series:
    """min(E real, −E reconstructed) of each row: how far both kinds lie on their own side of 0."""
    return pd.concat([rows["gan_logits_real"], -rows["gan_logits_reconstructed"]], axis=1).min(axis=1)


def _quarter(rows: pd.DataFrame, steps: int, number: int) -> pd.Series:
    """The reconstruction losses of this quarter, from 1, of so many steps."""
    ends = (number - 1) * steps / 4, number * steps / 4
    return rows.loc[(rows["step"] > ends[0]) & (rows["step"] <= ends[1]), RECONSTRUCTION]


def _not_begun(evidence: Evidence, gan: GANSettings | None) -> Verdict:
    if gan is None:
        return Verdict(NOT_APPLICABLE, "The recipe has no GAN.")
    if evidence.history.empty:
        return nothing_logged()
    return Verdict(NOT_APPLICABLE, f"The GAN starts after step {gan.start_step:,d}: this is {progress(evidence)}.")


def _signed(logit: float) -> str:
    return f"{logit:.2g}".replace("-", "−")
