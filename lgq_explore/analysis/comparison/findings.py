"""The findings of a comparison, how certain they are, and how fair it is, in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pandas as pd

from lgq_explore.errors import in_command, printable
from lgq_explore.frames.quantities import QUANTITIES, RATIO, Quantity, counted, estimate_text, interval_text
from lgq_explore.statistics import MIN_PHOTOGRAPHS, MIN_SEEDS

from .compare import Comparison
from .ledger import costs, lacks_trials, own_settings, repetitions, tuned, unfairness

PSNR, BITS, FD = (QUANTITIES[name] for name in ("psnr_db", "entropy_bits", "fd"))

MOST_OTHERS = 5
"""Groups that are compared with the best one in sentences; tables have all."""

MOST_UNFINISHED = 3
"""Runs without all of their steps that are named; of more there is the number."""

NO_TRIALS = "No trials are recorded for these runs: if a sweep has tuned them, give its folder."


def findings(comparison: Comparison) -> list[str]:
    """The first paragraph: what was compared, which group leads by how much, at which rate, and how sure that is."""
    return [
        _compared(comparison),
        *_unfinished(comparison),
        *_leaders(comparison),
        *_at_equal_bits(comparison),
        *_by_frechet_distance(comparison),
        *_how_sure(comparison),
        *_fairness(comparison),
    ]


def ledger_sentences(comparison: Comparison) -> dict[str, list[str]]:
    """The sentences of the ledger by their headings; headings without sentences are left out."""
    frame = comparison.ledger_of_groups
    told = {
        "What makes the comparison unfair": unfairness(frame) + [NO_TRIALS] * lacks_trials(frame),
        "What trials have chosen for each method": tuned(frame),
        "What the methods cost": costs(frame),
        "Settings that differ within a method": own_settings(frame),
        "What is repeated": repetitions(frame),
    }
    return {heading: sentences for heading, sentences in told.items() if sentences}


def _compared(comparison: Comparison) -> str:
    grouped = comparison.grouped
    groups = [f"{printable(group.name)} ({counted(len(group.seeds), 'seed')})" for group in grouped.groups]
    photographs = counted(len(grouped.digests), "held-out photograph")
    told = f"{_listed(groups)} {'was' if len(groups) == 1 else 'were'} measured on {photographs}"
    left = (
        f"; {counted(grouped.left_out, 'photograph')} that not all runs share were left out" if grouped.left_out else ""
    )
    return f"{told} ({counted(int(grouped.crops.sum()), 'crop')}){left}."


def _unfinished(comparison: Comparison) -> Iterator[str]:
    """Runs that are counted with fewer steps than their recipe has."""
    unfinished = {name: run for name, run in comparison.runs.items() if not run.is_finished}
    for name, run in list(unfinished.items())[:MOST_UNFINISHED]:
        yield (
            f"{printable(name)} has finished {run.finished_steps:,d} of {run.config.steps:,d} steps: it is counted all "
            f"the same. Finish it (lgq-explore resume {in_command(run.path)}), or leave it out."
        )
    if len(unfinished) > MOST_UNFINISHED:
        rest = counted(len(unfinished) - MOST_UNFINISHED, "more run")
        yield f"{rest} {'is' if rest.startswith('1 ') else 'are'} counted without all steps, as the ledger says."


def _leaders(comparison: Comparison) -> Iterator[str]:
    """The group with codes of the highest PSNR beside the others, then the references without codes."""
    numbers = _of(comparison, "psnr_db").dropna(subset="estimate").sort_values("estimate", ascending=False)
    coded = numbers[numbers["codebook_size"] > 0]
    if coded.empty:
        return
    best = coded.iloc[0]
    value = estimate_text(PSNR, best["estimate"], best["low"], best["high"])
    if len(coded) == 1:
        yield f"{printable(best['group'])} has a PSNR of {value}."
    else:
        yield f"{printable(best['group'])} has the highest PSNR of what has codes, {value}."
    for _, other in coded.iloc[1 : MOST_OTHERS + 1].iterrows():
        yield _beside(comparison, best["group"], other["group"])
    for _, other in numbers[numbers["codebook_size"] == 0].iterrows():
        gap = difference_of_groups(comparison, other["group"], best["group"], "psnr_db")
        if gap is not None:
            yield (
                f"{printable(other['group'])}, which has no codes, is {PSNR.with_unit(abs(gap['difference']))} "
                f"{'above it: what codes cost' if gap['difference'] >= 0 else 'below it'}."
            )


def _beside(comparison: Comparison, best: str, other: str) -> str:
    gap = difference_of_groups(comparison, best, other, "psnr_db")
    assert gap is not None
    told = f"It is {PSNR.with_unit(gap['difference'])} above {printable(other)}"
    told += _how_far(gap, PSNR, null=0)
    bits = difference_of_groups(comparison, best, other, "entropy_bits")
    if bits is None:
        return f"{told}."
    if abs(bits["difference"]) < 0.005:
        return f"{told}, at the same entropy."
    more = bits["difference"] > 0
    remark = ", so that a part of it may be rate" if more else ""
    return f"{told}, with {BITS.with_unit(abs(bits['difference']))} {'more' if more else 'less'}{remark}."


def _how_far(row: pd.Series, quantity: Quantity, null: int) -> str:
    """The interval of a row in brackets, and whether it holds what no difference would be; or nothing."""
    if not math.isfinite(row["low"]):
        return ""
    inside = row["low"] <= null <= row["high"]
    return (
        f" ({row['level']:.0%} interval {interval_text(quantity, row['low'], row['high'])}, "
        f"p = {row['p_holm']:.2g} after Holm"
        + (f"; it holds {null}, so that chance may have made it)" if inside else ")")
    )


def _by_frechet_distance(comparison: Comparison) -> Iterator[str]:
    """The group of the lowest FD beside the others, and what of FD is the number of photographs."""
    sizes = comparison.frechet_sizes
    if sizes.empty:
        return
    numbers = _of(comparison, "fd")
    ranked = numbers[numbers["group"].isin(sizes["group"])].sort_values("estimate")
    best = ranked.iloc[0]
    value = estimate_text(FD, best["estimate"], best["low"], best["high"])
    if len(ranked) == 1:
        yield f"By features of EfficientNet-Lite0, FD of {printable(best['group'])} is {value}."
    else:
        yield f"By features of EfficientNet-Lite0, {printable(best['group'])} has the lowest FD, {value}."
    for _, other in ranked.iloc[1 : MOST_OTHERS + 1].iterrows():
        ratio = _ratio(comparison, other["group"], best["group"])
        if ratio is not None:
            told = f"FD of {printable(other['group'])} is {RATIO.value(ratio['ratio'])} times that"
            yield f"{told}{_how_far(ratio, RATIO, null=1)}."
    of_best = sizes[sizes["group"] == best["group"]].sort_values("photographs")
    few, many = of_best.iloc[0], of_best.iloc[-1]
    if few["photographs"] < many["photographs"]:
        yield (
            f"FD is biased by the number of pictures: that of {printable(best['group'])} is {FD.value(few['fd'])} on "
            f"{few['photographs']:,d} photographs and {FD.value(many['fd'])} on all {many['photographs']:,d}. It "
            "compares at one number only, and its intervals do not hold the bias."
        )


def _at_equal_bits(comparison: Comparison) -> Iterator[str]:
    for _, row in comparison.curves.iterrows():
        if row["at_equal"] != "entropy_bits" or not math.isfinite(row["difference"]):
            continue
        interval = interval_text(PSNR, row["low"], row["high"], signed=True)
        yield (
            f"At equal bits, {printable(row['first'])} has {PSNR.value(row['difference'], signed=True)} dB "
            f"{f'{interval} ' if interval else ''}against {printable(row['second'])}, "
            f"averaged over {BITS.value(row['from'])} to {BITS.with_unit(row['to'])}."
        )


def _how_sure(comparison: Comparison) -> Iterator[str]:
    seeds = {len(group.seeds) for group in comparison.grouped.groups}
    photographs = len(comparison.grouped.digests)
    if min(seeds) < MIN_SEEDS or photographs < MIN_PHOTOGRAPHS:
        few = [counted(min(seeds), "seed")] if min(seeds) < MIN_SEEDS else []
        few += [counted(photographs, "photograph")] if photographs < MIN_PHOTOGRAPHS else []
        which = "These" if max(seeds) < MIN_SEEDS or photographs < MIN_PHOTOGRAPHS else "Some of these"
        yield (
            f"{which} numbers are points without intervals, since {_listed(few)} can't say how far other ones "
            f"would be: an interval takes {MIN_SEEDS} seeds and {MIN_PHOTOGRAPHS} photographs. "
            "Differences of points may turn round with other seeds."
        )
    if len(seeds) > 1:
        yield "The groups have unequal numbers of seeds: compare means, and not the best of them."


def _fairness(comparison: Comparison) -> Iterator[str]:
    if len(comparison.runs) == 1:
        yield "There is one run: nothing to compare it with."
        return
    unfair = unfairness(comparison.ledger_of_groups)
    if not unfair:
        what = "the methods and their settings"
        if tuned(comparison.ledger):
            what = "the methods, their settings and what as many trials have chosen for each"
        yield f"Besides {what}, no condition differs between the runs."
        return
    fields = [sentence.partition(":")[0] for sentence in unfair]
    named = _listed([field[0].lower() + field[1:] for field in fields[:3]])
    rest = f" and {counted(len(fields) - 3, 'more condition')}" if len(fields) > 3 else ""
    verb = "differs" if len(fields) == 1 else "differ"
    yield f"This is no fair comparison: {named}{rest} {verb} between the runs, as the ledger says."
    if lacks_trials(comparison.ledger_of_groups):
        yield NO_TRIALS


def _of(comparison: Comparison, number: str) -> pd.DataFrame:
    return comparison.numbers[comparison.numbers["number"] == number]


def difference_of_groups(comparison: Comparison, first: str, second: str, number: str) -> pd.Series | None:
    """The row of a number of two groups, first minus second; None where one of them does not have the number."""
    return _row_of_pair(
        comparison.differences, first, second, number, lambda row: (-row["difference"], -row["high"], -row["low"])
    )


def _ratio(comparison: Comparison, first: str, second: str) -> pd.Series | None:
    """The ratio of FD of two groups, in this order; None where there is none."""
    return _row_of_pair(
        comparison.ratios, first, second, "fd", lambda row: (1 / row["ratio"], 1 / row["high"], 1 / row["low"])
    )


def _row_of_pair(
    frame: pd.DataFrame, first: str, second: str, number: str, turned: Callable[[pd.Series], tuple[float, float, float]]
) -> pd.Series | None:
    """The row of a number of two groups in either order; turned: its value and interval in the other order."""
    rows = frame[frame["number"] == number]
    there = rows[(rows["first"] == first) & (rows["second"] == second)]
    if len(there):
        return there.iloc[0]
    other = rows[(rows["first"] == second) & (rows["second"] == first)]
    if other.empty:
        return None
    row = other.iloc[0].copy()
    value = "ratio" if "ratio" in frame else "difference"
    row[[value, "low", "high"]] = turned(row)
    return row


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
