"""The tables of RESULTS.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from lgq_explore.analysis.comparison.intervals import spread
from lgq_explore.bench.markdown import table
from lgq_explore.statistics import Interval, mean_interval

from .cells import AllCells, Cells, Summary
from .hypotheses import Compared
from .protocol import MOST_PILOT_DEVIATION_DB

DASH = "–"
PAPER = {
    "fsq": ("11.88 % lower rFID", "49.96 % fewer active codes"),
    "simvq": ("6.06 % lower rFID", "49.45 % lower effective representation rate"),
}
"""What arXiv 2602.16086 says of LGQ with 16,384 codes on ImageNet, against each rival."""


Column = Callable[[Cells], str]


def interval(found: Interval | None, digits: int = 3) -> str:
    """The estimate and the interval's ends; the estimate alone where there is none."""
    if found is None:
        return DASH
    estimate = f"{found.estimate:.{digits}f}"
    if found.low is None or found.high is None:
        return estimate
    return f"{estimate} ({found.low:.{digits}f} … {found.high:.{digits}f})"


def complete_table(expected: Mapping[tuple[str, int], int], done: Mapping[tuple[str, int], int]) -> str:
    """Final cells that are done, of those that are registered, by method and codebook size."""
    sizes = sorted({size for _, size in expected if size})
    methods = list(dict.fromkeys(method for method, _ in expected))

    def told(method: str, size: int) -> str:
        return f"{done.get((method, size), 0)} of {expected[method, size]}" if (method, size) in expected else DASH

    rows = [[method, *(told(method, size) for size in sizes), told(method, 0)] for method in methods]
    return table(["method", *(f"K = {size}" for size in sizes), "no codes"], rows, left=1)


def numbers_table(cells: Iterable[Cells], columns: Mapping[str, Column]) -> str:
    """Each method at each size, in the order given: means over seeds, some with intervals at 95 %."""
    return table(list(columns), [[told(each) for told in columns.values()] for each in cells], left=1)


def hypotheses_table(found: Iterable[Compared]) -> str:
    """LGQ against each rival: what the verdict rests on, and the secondary numbers."""
    header = ["", "FD ratio", "p (Holm)", "PSNR, dB", "active codes, ratio", "PSNR above its curve, dB"]
    header += ["feature error, ratio", "perplexity, ratio", "bits", "outcome"]
    rows = []
    for one in found:
        evidence = one.evidence
        rows.append(
            [
                f"{one.method} / {one.rival}, K = {one.codebook_size}",
                interval(evidence.log_fd.mapped(math.exp)),
                DASH if evidence.p_holm is None else f"{evidence.p_holm:.2g}",
                interval(evidence.psnr_db, 2),
                interval(evidence.active_ratio),
                interval(evidence.above_curve, 2),
                interval(one.feature_error),
                interval(one.perplexity),
                interval(one.bits, 2),
                str(one.verdict.outcome),
            ]
        )
    return table(header, rows, left=1)


def paper_table(found: Mapping[str, Compared]) -> str:
    """The paper's ratios beside ours."""
    rows = []
    for rival, (quality, rate) in PAPER.items():
        one = found.get(rival)
        rows.append([f"LGQ against {rival}", quality, _percent(one, "fd"), rate, _percent(one, "rate")])
    header = ["", "paper, quality", "here, FD", "paper, rate", "here: active codes; perplexity"]
    return table(header, rows, left=1)


def fd_course_table(cells: AllCells, size: int) -> str:
    """FD against the number of photographs, means over seeds."""
    courses = {each.method: _course(each.summaries) for (_, of), each in cells.items() if of in (size, 0)}
    courses = {method: course for method, course in courses.items() if course}
    numbers = sorted({number for course in courses.values() for number in course})
    rows = [
        [method, *(f"{course[number]:.2f}" if number in course else DASH for number in numbers)]
        for method, course in courses.items()
    ]
    return table(["method", *(f"{number} photographs" for number in numbers)], rows, left=1)


def pilot_table(cells: AllCells) -> str:
    """Each pair of methods A and B: mean PSNR over seeds, and the deviations s of A, of B and of their difference."""
    rows = []
    listed = [each for _, each in sorted(cells.items()) if len(each.seeds) > 1]
    for index, one in enumerate(listed):
        for other in (each for each in listed[index + 1 :] if each.codebook_size == one.codebook_size):
            means = [interval(mean_of(each, "psnr_db"), 2) for each in (one, other)]
            first, second = (_deviation(each) for each in (one, other))
            both = math.hypot(first, second)
            said = "enough" if both <= MOST_PILOT_DEVIATION_DB else "too much: more seeds or steps"
            rows.append(
                [
                    f"{one.method} and {other.method}, K = {one.codebook_size}",
                    f"{len(one.seeds)} and {len(other.seeds)}",
                    *means,
                    *(f"{deviation:.3f}" for deviation in (first, second, both)),
                    said,
                ]
            )
    numbers = ["PSNR of A, dB", "PSNR of B, dB", "s of A, dB", "s of B, dB", "s of the difference, dB"]
    header = ["methods A and B", "seeds", *numbers, f"at most {MOST_PILOT_DEVIATION_DB:g} dB"]
    return table(header, rows, left=1)


def pilot_sentence(cells: AllCells) -> str:
    """What the numbers of the pilot's table are, and what they decide."""
    photographs = len(next(iter(cells.values())).digests)
    return (
        f"PSNR is the mean over {photographs} validation photographs; s is the standard deviation over seeds, and that "
        "of the difference is √(s_A² + s_B²), since seeds are independent. It decides whether the registered seeds and "
        "steps are enough, and nothing else."
    )


def rounding_sentence(replicates: Sequence[Summary]) -> str:
    """What rounding alone changes; empty for fewer than two replicates."""
    values = [each["numbers"]["psnr_db"] for each in replicates]
    if len(values) < 2:
        return ""
    method, size = replicates[0]["quantizer"], replicates[0]["codebook_size"]
    return (
        f"{len(values)} trainings of {method} (K = {size}) with one seed, whose first weights differ by 1e-6, have a "
        f"standard deviation of {spread(np.array(values)):.3f} dB."
    )


def mean_of(cells: Cells, number: str) -> Interval | None:
    """The mean over seeds and photographs; None where a cell lacks the number."""
    values = cells.values(number)
    return None if values is None else mean_interval(values, weights=cells.weights(number))


def plain(value: float | None) -> str:
    """Two digits, or a dash."""
    return DASH if value is None else f"{value:.2f}"


def _percent(one: Compared | None, what: str) -> str:
    if one is None:
        return DASH
    if what == "fd":
        return f"{100 * math.expm1(one.evidence.log_fd.estimate):+.1f} %"
    active, perplexity = one.evidence.active_ratio.estimate - 1, one.perplexity.estimate - 1
    return f"{100 * active:+.1f} %; {100 * perplexity:+.1f} %"


def _course(summaries: Sequence[Summary]) -> dict[int, float]:
    courses = [each.get("fd_by_photographs") or {} for each in summaries]
    numbers = set.intersection(*(set(course) for course in courses))
    return {int(number): float(np.mean([course[number] for course in courses])) for number in numbers}


def _deviation(cells: Cells) -> float:
    values = cells.by_seed("psnr_db")
    return math.nan if values is None else spread(values)


QUALITY: Mapping[str, Column] = {
    "method": lambda each: each.method,
    "K": lambda each: str(each.codebook_size or DASH),
    "seeds": lambda each: str(len(each.seeds)),
    "FD": lambda each: interval(mean_of(each, "fd"), 2),
    "feature error": lambda each: interval(mean_of(each, "feature_error"), 4),
    "PSNR, dB": lambda each: interval(mean_of(each, "psnr_db"), 2),
    "luminance, dB": lambda each: plain(each.mean_of_key("luminance_psnr_db")),
    "colour error": lambda each: plain(each.mean_of_key("colour_error")),
}
USAGE: Mapping[str, Column] = {
    "active codes": lambda each: interval(mean_of(each, "active_codes"), 0),
    "bits": lambda each: interval(mean_of(each, "entropy_bits"), 2),
}
OTHER_BITS: Mapping[str, Column] = {
    "bits, corrected": lambda each: plain(each.mean_of_key("entropy_bits_miller_madow")),
    "bits, contextual": lambda each: plain(each.mean_of_key("bits_contextual", "value")),
}
RECIPE: Mapping[str, Column] = {"recipe": lambda each: f"`{each.portable_hash}`"}
"""Columns of `numbers_table`."""
