"""Rules that detect problems from a run's evidence.

Each rule is a function from `Evidence` to a `Verdict`; RULES lists them all. Each threshold is a constant of this
module, or of those of its other rules, with its reason, and the verdict states it beside the measured number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from lgq_explore.frames.health import FINE, NOT_APPLICABLE, TROUBLE, WARNING, State

from .adversarial_rules import adaptive_weight_clamped, discriminator_won, started_early
from .advice import Change, bring_codes_back, end_colder, slower, soften
from .evidence import NO_TEMPERATURE, SMALL_GAP, Evidence
from .rule_parts import (
    RECONSTRUCTION,
    SMOOTHED,
    Rule,
    Verdict,
    logged,
    logged_reconstruction,
    nothing_logged,
    percent,
    progress,
    records,
    sentence,
)
from .twin_rules import codes_are_twins

FEW_SHARE = 0.03
"""Perplexity, as a share of its maximum, below which a codebook has collapsed.

Known collapses use 0.6 % of their codes (SimVQ with commitment 10, 6 of 1,024) and 1.4 % (VQGAN, 65,536 codes; README
of SimVQ); the threshold is twice as much. Healthy codebooks use half of their codes or more. The tutorial's runs on
photographs, which all recover, pass through perplexities of 5 %.
"""
FEWEST = 2.0
"""Least perplexity, in codes, whatever the size of the codebook: below it a single code prevails."""
FALL = 0.5
"""Perplexity, as a share of its highest in the second half of the run, below which it is falling.

The first half is left out: codes that start on tokens are all in use at first; most are lost, and they spread again.
"""

DESERTED, HALF_DESERTED = 0.1, 0.5
"""Shares of centres outside the latents. 10 % cost −log2 0.9 = 0.15 bits per token, and half of them one bit."""

DEAF = 0.5
"""Share of a step's tokens with an encoder gain under 1 % above which the step is deaf: its median is under 1 %."""
MOSTLY_DEAF = 0.5
"""Share of deaf steps above which it is trouble: only the quantization loss moved the encoder most of the time."""
OFTEN_DEAF = 0.1
"""Share of deaf steps above which it is a warning. The end of an annealing, which may be hard, has fewer."""

ONE_BIT = 2.0
"""Effective codes up to which a choice is within one bit of hard. From K/2 it is within one bit of uniform."""

SEEN = 3.0
"""Tokens per code at which 1 − e⁻³ = 95 % of evenly used codes appear. With one token per code it is 63 %."""

LARGE_GAP = 0.5
"""Soft–hard gap, as a share of the tokens' spread: soft vectors are halfway from their codes to the mean of all."""

NO_CODES = "The method has no codes: the decoder sees the latents themselves."

RISEN = 1.5
"""Reconstruction loss over its lowest above which it rises: batches of the tutorial's runs differ by a tenth."""


def collapse(evidence: Evidence) -> Verdict:
    """Perplexity of the window's codes, against the most that K codes and the window's N tokens could show."""
    if not evidence.config.quantizer.has_codes:
        return Verdict(NOT_APPLICABLE, NO_CODES)
    usage = windowed_usage(evidence)
    if usage.empty:
        # A grid, for example, begins with a few of its codes.
        return Verdict(NOT_APPLICABLE, f"No window of usage, {evidence.config.window_steps:,d} steps, is full yet.")
    steps = records(usage)
    now = steps[-1]
    most = _most_codes(evidence, now["tokens"])
    few = collapsed_under(evidence, now["tokens"])
    peak = max((row for row in steps if row["step"] >= now["step"] / 2), key=lambda row: row["perplexity"])
    seen = (
        f"perplexity {now['perplexity']:,.4g} and {now['active']:,.0f} active codes of K = {_size(evidence):,d} "
        f"at step {now['step']:,.0f}, over N = {now['tokens']:,.0f} tokens, which can show {most:,.0f} at most"
    )
    change = bring_codes_back(evidence.config)
    if now["perplexity"] < few:
        finding = f"Collapsed: {seen}; under {few:.3g} is collapsed."
        return Verdict(TROUBLE, finding, change, now["perplexity"], few)
    if now["perplexity"] < FALL * peak["perplexity"]:
        since = f"from {peak['perplexity']:,.4g} at step {peak['step']:,.0f} to less than half of it"
        finding = f"Falling, {since}: {seen}; under {few:.3g} is collapsed."
        return Verdict(WARNING, finding, change, now["perplexity"], few)
    return Verdict(FINE, f"No: {seen}; under {few:.3g} is collapsed.", None, now["perplexity"], few)


def centres_leaving(evidence: Evidence) -> Verdict:
    """The share of centres that no encoded token is near to, by `centre_places`."""
    if evidence.centres.empty:
        return _missing(evidence, "centres")
    places = records(evidence.centres)
    first, now = places[0], places[-1]
    reach = now["reach"] / now["spread"] if now["spread"] else 1.0
    seen = (
        f"{now['outside'] * now['codes']:,.0f} of K = {now['codes']:,.0f} centres ({percent(now['outside'])}) lie "
        f"outside the latents at step {now['step']:,.0f}: farther from every one of N = {now['tokens']:,.0f} "
        f"{evidence.kind_of_tokens} than {'' if reach == 1 else f'{reach:.2g} times '}the tokens' spread"
    )
    if now["outside"] < DESERTED:
        finding = f"No: {seen}; from {percent(DESERTED)} on is a warning."
        return Verdict(FINE, finding, None, now["outside"], DESERTED)
    who = "they left the latents" if now["moved"] > now["distance"] / 2 else "the latents left them"
    finding = (
        f"{seen}, by the median {now['distance']:.2g} spreads. They moved {now['moved']:.2g} spreads since step "
        f"{first['step']:,.0f}: {who}."
    )
    if len(places) > 1:
        finding += f" With the codebook of step {places[-2]['step']:,.0f} it is {percent(places[-2]['outside'])}."
    state: State = TROUBLE if now["outside"] >= HALF_DESERTED else WARNING
    return Verdict(state, finding, bring_codes_back(evidence.config), now["outside"], DESERTED)


def encoder_deaf(evidence: Evidence) -> Verdict:
    """How many of the logged steps had a median encoder gain under 1 %; straight-through's is 1."""
    name = "encoder_gain_share_below_1_percent"
    gains = records(logged(evidence, name))
    if not gains:
        return _without_temperature(evidence)
    deaf, now = sum(row[name] > DEAF for row in gains), gains[-1]
    seen = (
        f"{deaf} of {len(gains)} logged steps had a median encoder gain under 1 %; at step {now['step']:,.0f} "
        f"the median is {now['encoder_gain_median']:.2g}, the mean {now['encoder_gain_mean']:.2g}, and "
        f"{percent(now[name])} of the step's N = {evidence.tokens_a_step:,d} tokens are under 1 %"
    )
    share = deaf / len(gains)
    if share <= OFTEN_DEAF:
        return Verdict(FINE, f"No: {seen}.", None, share, OFTEN_DEAF)
    finding = f"Hardly anything but the quantization loss moves the encoder: {seen}."
    return Verdict(TROUBLE if share > MOSTLY_DEAF else WARNING, finding, soften(evidence.config), share, OFTEN_DEAF)


def temperature_meaningless(evidence: Evidence) -> Verdict:
    """Whether the choices stayed within one bit of hard, or of uniform, at all temperatures of the run."""
    steps = records(logged(evidence, "effective_codes"))
    if not steps:
        return _without_temperature(evidence)
    size, first, last = _size(evidence), steps[0], steps[-1]
    if size / 2 <= ONE_BIT:
        return Verdict(NOT_APPLICABLE, f"With K = {size} every choice is within one bit of hard and of uniform.")
    seen = (
        f"of K = {size:,d} codes at D = {evidence.config.backbone.dim}, {_shared(first)} share a token at first and "
        f"{_shared(last)} at last, over the step's N = {evidence.tokens_a_step:,d} tokens"
    )
    codes = [row["effective_codes"] for row in steps]
    hard, blurred = sum(number <= ONE_BIT for number in codes), sum(number >= size / 2 for number in codes)
    always, how, value, threshold = (
        (hard, "hard (2 codes or fewer)", max(codes), ONE_BIT)
        if hard >= blurred
        else (blurred, "uniform (half of all codes or more)", min(codes), size / 2)
    )
    if always <= len(codes) / 2:
        return Verdict(FINE, f"No: {seen}.", None, value, threshold)
    finding = f"The choice was within one bit of {how} in {always} of {len(codes)} logged steps: {seen}."
    state: State = TROUBLE if always == len(codes) else WARNING
    return Verdict(state, finding, soften(evidence.config), value, threshold)


def too_few_tokens(evidence: Evidence) -> Verdict:
    """Tokens per step and in the window against K, and whether the usage loss is mostly its own bias."""
    if not evidence.config.quantizer.has_codes:
        return Verdict(NOT_APPLICABLE, NO_CODES)
    config, size, step = evidence.config, _size(evidence), evidence.tokens_a_step
    window = tokens_in_window(evidence)
    tokens_a_code = window / size
    reasons, words, assignments = [], [], []
    if _usage_flattens(evidence):
        reasons.append(
            f"The usage loss is at least (K/N)(1 − peakedness) with K/N = {size / step:.3g}: by its weight it rewards "
            "flat choices more than the peakedness charges for them."
        )
        enough = math.ceil(size / step * config.batch_size)
        words.append(f"Take the usage loss without this bias, or batches of {enough:,d} crops.")
        assignments.append("quantizer.usage_form=unbiased")
    if tokens_a_code < SEEN:
        shown = percent(-math.expm1(-tokens_a_code))
        reasons.append(f"Even codes used all alike would show only {shown} of themselves in the window.")
        words.append("Count usage over more steps, or take fewer codes.")
        assignments.append(f"window_steps={math.ceil(SEEN * size / step)}")
    seen = (
        f"N = {step:,d} tokens per step and {window:,d} in the window of usage, which are {tokens_a_code:.3g} for each "
        f"of K = {size:,d} codes"
    )
    if 0 < evidence.held_out_tokens < size:
        looked_at = f"N = {evidence.held_out_tokens:,d} {evidence.kind_of_tokens}"
        seen += f"; the {looked_at} looked at can show no more codes than that"
    if not reasons:
        return Verdict(FINE, f"No: {seen}; under {SEEN:g} is a warning.", None, tokens_a_code, SEEN)
    change = Change(" ".join(words), tuple(assignments))
    state: State = TROUBLE if tokens_a_code < 1 else WARNING
    return Verdict(state, f"{seen}. {' '.join(reasons)}", change, tokens_a_code, SEEN)


def soft_hard_gap(evidence: Evidence) -> Verdict:
    """How far the soft vectors still are from their codes at the last temperature."""
    softness = evidence.softness
    if not softness:
        return _missing(evidence, "softness")
    if not evidence.is_finished:
        return Verdict(NOT_APPLICABLE, f"The temperature is still on its way: {progress(evidence)}.")
    gap = softness["relative_gap"]
    seen = (
        f"at the last temperature, τ = {softness['temperature']:.3g}, soft vectors lie {percent(gap)} of the tokens' "
        f"spread from their codes; {softness['effective_codes']:.3g} codes share a token, and the chosen one holds "
        f"{percent(softness['max_p'])} of it (N = {softness['tokens']:,.0f} {evidence.kind_of_tokens})"
    )
    if gap < SMALL_GAP:
        return Verdict(FINE, f"No: {seen}; from {percent(SMALL_GAP)} on is a warning.", None, gap, SMALL_GAP)
    finding = f"{sentence(seen)} The decoder saw the codes, the gradients were those of the soft vectors."
    change = end_colder(evidence.config, evidence.cold_enough, percent(SMALL_GAP))
    return Verdict(TROUBLE if gap >= LARGE_GAP else WARNING, finding, change, gap, SMALL_GAP)


def reconstruction_worse(evidence: Evidence) -> Verdict:
    """The reconstruction loss at the end of the history against its lowest, and against its first."""
    name = RECONSTRUCTION
    if evidence.history.empty:
        return nothing_logged()
    if name not in evidence.history:
        return Verdict(NOT_APPLICABLE, f"The history has no {name}: the recipe gives that term no weight.")
    minimised = logged_reconstruction(evidence)
    after = minimised[minimised["step"] > evidence.config.warmup_steps]
    if after[name].isna().any():
        step = after.loc[after[name].isna(), "step"].iloc[0]
        return Verdict(TROUBLE, f"{name} is no number at step {step:,d}.", slower(evidence.config))
    if len(after) < SMOOTHED:
        return Verdict(NOT_APPLICABLE, f"{len(after)} steps are logged after the warm-up, too few for a trend.")
    smooth = after.set_index("step")[name].rolling(SMOOTHED).median().dropna()
    first, lowest, last = float(minimised[name].iloc[0]), float(smooth.min()), float(smooth.iloc[-1])
    seen = (
        f"{name} began with {first:.3g}, was {lowest:.3g} at its lowest (step {smooth.idxmin():,d}) and is {last:.3g} "
        f"at step {smooth.index[-1]:,d} (medians of {SMOOTHED} logged steps of N = {evidence.config.batch_size} crops)"
    )
    rise = last / lowest if lowest > 0 else 1.0
    if last >= first:
        finding = f"Nothing was learned, or it was lost: {seen}."
        return Verdict(TROUBLE, finding, slower(evidence.config), rise, RISEN)
    if rise > RISEN:
        return Verdict(WARNING, f"It rises: {seen}.", slower(evidence.config), rise, RISEN)
    return Verdict(FINE, f"No: {seen}; {RISEN:g} times the lowest is a warning.", None, rise, RISEN)


def unfinished(evidence: Evidence) -> Verdict:
    """Whether every step of the recipe was made."""
    made, steps = float(evidence.finished_steps), float(evidence.config.steps)
    if evidence.is_finished:
        return Verdict(FINE, f"No: all {evidence.config.steps:,d} steps were made.", None, made, steps)
    finding = f"{sentence(progress(evidence))} The other rules speak of the run so far."
    words = f"Look again when it is done. If nobody trains it now, go on with: lgq-explore resume {evidence.run}"
    return Verdict(WARNING, finding, Change(words), made, steps)


RULES: Mapping[str, Rule] = {
    "collapse coming": collapse,
    "centres leaving the latents": centres_leaving,
    "codes that are twins of others": codes_are_twins,
    "encoder no longer hears the decoder": encoder_deaf,
    "temperature means nothing at this dimension": temperature_meaningless,
    "too few tokens for K": too_few_tokens,
    "soft–hard gap left at the end": soft_hard_gap,
    "reconstruction getting worse": reconstruction_worse,
    "discriminator has won": discriminator_won,
    "GAN started too early": started_early,
    "adaptive weight at its clamp": adaptive_weight_clamped,
    "training unfinished": unfinished,
}
"""The rules, by the trouble that each looks for."""


# What the rules read


def collapsed_under(evidence: Evidence, tokens: float) -> float:
    """Perplexity over so many tokens under which the codebook has collapsed."""
    return max(FEWEST, FEW_SHARE * _most_codes(evidence, tokens))


def windowed_usage(evidence: Evidence) -> pd.DataFrame:
    """step, active, perplexity, tokens of the window; rows of whole windows only."""
    span = f"last_{evidence.config.window_steps}_steps"
    names = {f"active_codes_{span}": "active", f"perplexity_{span}": "perplexity", f"tokens_{span}": "tokens"}
    if not set(names) <= set(evidence.history.columns):
        return pd.DataFrame()
    usage = evidence.history[["step", *names]].rename(columns=names).dropna()
    return usage[usage["step"] >= evidence.config.window_steps]


def tokens_in_window(evidence: Evidence) -> int:
    """N over which usage was last counted, or will be."""
    usage, config = windowed_usage(evidence), evidence.config
    if len(usage):
        return int(usage["tokens"].iloc[-1])
    return evidence.tokens_a_step * min(config.window_steps, config.steps)


def _most_codes(evidence: Evidence, tokens: float) -> float:
    return min(float(_size(evidence)), tokens)


def _size(evidence: Evidence) -> int:
    return evidence.config.quantizer.size


def _usage_flattens(evidence: Evidence) -> bool:
    """Whether flatter choices lower both regularizers together: L_usage ≥ (K/N)(1 − L_peak), exactly, if published."""
    weights = evidence.config.loss_weights
    is_published = getattr(evidence.config.quantizer, "usage_form", None) == "published"
    if not is_published or not {"usage", "peakedness"} <= set(weights):
        return False
    return weights["usage"] * _size(evidence) / evidence.tokens_a_step > weights["peakedness"]


# How it is said


def _without_temperature(evidence: Evidence) -> Verdict:
    return nothing_logged() if evidence.history.empty else Verdict(NOT_APPLICABLE, sentence(NO_TEMPERATURE))


def _missing(evidence: Evidence, what: str) -> Verdict:
    return Verdict(NOT_APPLICABLE, sentence(evidence.missing.get(what, "it was not looked at")))


def _shared(step: Mapping[str, float]) -> str:
    return f"{step['effective_codes']:,.3g} (τ = {step['temperature']:.3g}, step {step['step']:,.0f})"
