"""The cost of LGQ's exact soft assignment, compared with a dense one and with hard assignments.

A shape is N tokens, K codes and width D. At each shape LGQ and the dense reference quantize unit normal tokens and
centres at several temperatures. They also quantize data scaled so that no responsibility is subnormal, at one
temperature only, since another one would cancel against the scale. LGQ is also measured with its threshold. The hard
rivals have no temperature and run once. At the two shapes of TARGETS all temperatures are measured, at others the
highest and the lowest, so that everything takes about 25 minutes.

Every case is measured in a fresh process on one thread. A step on a few tokens initialises libraries; then whole steps
are timed in CPU time, and their median is taken. In each round rivals and LGQ alternate, so that a slower machine
affects both; the median of the ratios within the rounds is compared. Memory is the growth of the process since before
its first step, including some 30 MB that PyTorch loads on first use. A case whose N×K arrays do not fit into memory is
not run, and its result says so.
"""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch

from lgq_explore import __version__
from lgq_explore.errors import InputError
from lgq_explore.progress import Progress, tell
from lgq_explore.quantizers.soft_assignment.autograd import BACKEND_VARIABLE

from .assignment_steps import (
    LARGEST_LOGIT_RANGE,
    LIBRARY,
    LIBRARY_ARGUMENTS,
    AssignmentCase,
    fsq_levels,
    measure_case,
    measure_floor,
)
from .fresh_process import THREADS, Cost, ProcessFailed, in_fresh_process
from .results import device_name, today

ROUNDS = 3
RIVALS = ("dense", *LIBRARY_ARGUMENTS)
TEMPERATURES = (1.0, 0.3, 0.1)
DROP = 1e-9
"""The threshold of LGQ, relative to a row's largest responsibility, measured at the lowest temperature."""
TIMED_STEPS = 3
PAIRS_OF_A_LONG_STEP = 2**25
"""With this many pairs or more, a step is long enough to be timed once per round."""

N_BY_K_ARRAYS = {"dense": 6, "VectorQuantize": 6, "SimVQ": 1}
"""Float32 arrays of N×K elements that a method holds at its peak."""
MOST_BYTES = 16 * 10**9
"""Cases whose arrays need more are never run, so that all machines with this memory measure the same cases."""


@dataclass(frozen=True)
class Shape:
    """The size of a problem: tokens N, codes K, width dim D."""

    tokens: int
    codes: int
    dim: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 4096x1024x16. Raises InputError."""
        sizes = re.fullmatch(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", text)
        shape = cls(*map(int, sizes.groups())) if sizes else None
        if shape is None or min(shape.tokens, shape.dim) < 1 or shape.codes < 3:
            raise InputError(f"case {text!r}: give tokens, codes (3 or more) and dim as in 4096x1024x16")
        return shape


TARGETS = (Shape(4096, 16384, 16), Shape(4096, 4096, 64))
SHAPES = (
    Shape(4096, 1024, 16),
    *TARGETS,
    Shape(16384, 1024, 16),
    Shape(16384, 4096, 16),
    Shape(16384, 16384, 16),
    Shape(16384, 65536, 16),
)


def compare_assignments(
    shapes: Sequence[Shape] = SHAPES,
    *,
    rivals: Sequence[str] = RIVALS,
    rounds: int = ROUNDS,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure LGQ and its rivals at every shape, as described above.

    Returns a JSON object: protocol and environment, the machine's floor, one result per case with all rounds, and the
    rivals' costs as multiples of LGQ's. Raises InputError if there is nothing to measure, for an unknown rival, and for
    a shape or rival given twice.
    """
    _check(shapes, rivals, rounds)
    has_library = importlib.util.find_spec("vector_quantize_pytorch") is not None
    if not has_library and set(rivals) & set(LIBRARY_ARGUMENTS):
        tell(f"{_not_installed()}; {', '.join(LIBRARY_ARGUMENTS)} are left out")
    plan = [cases_of(shape, rivals) for shape in shapes]
    dims = sorted({shape.dim for shape in shapes})
    processes = rounds * (len(dims) + sum(map(len, plan)))
    results: list[dict[str, Any]] = []
    with Progress("soft assignment", processes, "processes", shown=progress) as bar:
        floors = [_floor(dim, rounds, bar) for dim in dims]
        for cases in plan:
            results += _measure_rounds(cases, rounds, bar)
    return {
        "benchmark": "soft-assignment",
        "date": today(),
        "device": device_name("cpu", THREADS),
        "environment": {"versions": _versions(has_library)},
        "protocol": {
            "clock": "CPU time",
            "threads": THREADS,
            "rounds": rounds,
            "backend": os.environ.get(BACKEND_VARIABLE, "auto"),
            "largest_logit_range_without_subnormals": LARGEST_LOGIT_RANGE,
            "library_arguments": LIBRARY_ARGUMENTS,
        },
        "floors": floors,
        "results": results,
        "ratios": ratios(results),
    }


def _check(shapes: Sequence[Shape], rivals: Sequence[str], rounds: int) -> None:
    if rounds < 1 or not shapes:
        raise InputError(f"{rounds} rounds of {len(shapes)} cases measure nothing: give 1 or more")
    unknown = [name for name in rivals if name not in RIVALS]
    if unknown:
        raise InputError(f"unknown rival {unknown[0]!r}: choose from {', '.join(RIVALS)}")
    for what in (shapes, rivals):
        if len(set(what)) < len(what):
            raise InputError(f"{', '.join(map(_spelt, what))}: give each once")


def _spelt(what: Shape | str) -> str:
    return what if isinstance(what, str) else f"{what.tokens}x{what.codes}x{what.dim}"


def cases_of(shape: Shape, rivals: Sequence[str] = RIVALS) -> list[AssignmentCase]:
    """The cases of a round at a shape, in order: dense and LGQ on the same data, LGQ with its threshold, the others."""
    temperatures = TEMPERATURES if shape in TARGETS else (TEMPERATURES[0], TEMPERATURES[-1])
    pairs = shape.tokens * shape.codes
    plain = AssignmentCase("lgq", **asdict(shape), steps=TIMED_STEPS if pairs < PAIRS_OF_A_LONG_STEP else 1)
    soft = [replace(plain, temperature=temperature) for temperature in temperatures]
    if shape in TARGETS:
        soft.append(replace(soft[0], subnormals=False))
    methods = ["dense", "lgq"] if "dense" in rivals else ["lgq"]
    cases = [replace(case, method=method) for case in soft for method in methods]
    cases.append(replace(plain, temperature=min(temperatures), drop=DROP))
    return cases + [replace(plain, method=rival) for rival in rivals if rival != "dense"]


def _measure_rounds(cases: Sequence[AssignmentCase], rounds: int, bar: Progress) -> list[dict[str, Any]]:
    """One result per case. A case that fails is not repeated, and its earlier rounds are discarded."""
    costs: dict[AssignmentCase, list[Cost]] = {case: [] for case in cases}
    obstacles = {case: obstacle(case) for case in cases}
    for _ in range(rounds):
        for case in cases:
            bar.note(f"{case.method}, N = {case.tokens}, K = {case.codes}, D = {case.dim}", at_once=True)
            if obstacles[case] is None:
                try:
                    costs[case].append(Cost(**in_fresh_process(measure_case, asdict(case))))
                except ProcessFailed as error:
                    obstacles[case] = str(error)
            bar.advance()
    return [result_of(case, costs[case], obstacles[case]) for case in cases]


def obstacle(case: AssignmentCase) -> str | None:
    """The reason for not running a case, or None."""
    if case.method in LIBRARY_ARGUMENTS and importlib.util.find_spec("vector_quantize_pytorch") is None:
        return _not_installed()
    needed, available = needed_bytes(case), min(MOST_BYTES, _available_bytes())
    if needed <= available:
        return None
    return f"its N×K arrays take {needed / 1e9:.1f} GB, more than the {available / 1e9:.1f} GB it may take"


def _not_installed() -> str:
    return f'{LIBRARY} is not installed: pip install "{LIBRARY}"'


def needed_bytes(case: AssignmentCase) -> int:
    """Memory in bytes of the N×K arrays that the method holds at once."""
    return N_BY_K_ARRAYS.get(case.method, 0) * 4 * case.tokens * case.codes


def _available_bytes() -> int:
    """Memory in bytes that is available without swapping (Linux), or the total memory."""
    try:
        entry = re.search(r"^MemAvailable:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        entry = None
    return 1024 * int(entry[1]) if entry else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def result_of(case: AssignmentCase, costs: Sequence[Cost], why_not: str | None = None) -> dict[str, Any]:
    """A case's entry under `results`: all rounds and their medians, or the reason for none."""
    costs = [] if why_not else costs
    seconds = [round(cost.seconds, 6) for cost in costs]
    megabytes = [None if cost.megabytes is None else round(cost.megabytes, 3) for cost in costs]
    of_lgq, of_pairs = case.method == "lgq", case.method != "FSQ"
    pairs = case.tokens * case.codes
    return {
        "method": case.method,
        "tokens": case.tokens,
        "codes": case.codes,
        "dim": case.dim,
        "codebook_size": case.codes if of_pairs else math.prod(fsq_levels(case.codes)),
        "temperature": case.temperature,
        "subnormals": case.subnormals if case.temperature is not None else None,
        "drop": case.drop if of_lgq else None,
        "steps": case.steps,
        "seconds": seconds,
        "median_seconds": _median(seconds),
        "megabytes": megabytes,
        "median_megabytes": _median(megabytes),
        "ns_per_pair": _median([1e9 * each / pairs for each in seconds]) if of_pairs else None,
        "needed_megabytes": needed_bytes(case) / 1e6,
        "not_run": why_not,
    }


def _floor(dim: int, rounds: int, bar: Progress) -> dict[str, Any]:
    bar.note(f"floor, D = {dim}", at_once=True)
    nanoseconds = []
    for _ in range(rounds):
        nanoseconds.append(in_fresh_process(measure_floor, {"dim": dim, "steps": TIMED_STEPS})["ns_per_pair"])
        bar.advance()
    return {"dim": dim, "ns_per_pair": nanoseconds, "median_ns_per_pair": statistics.median(nanoseconds)}


def ratios(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rival's cost over LGQ's, for each result of LGQ and each rival at its shape (dense: on the same data).

    `times_faster` and `times_less_memory` are medians over the rounds, which are listed, too; below 1 the rival is
    better. Pairs with a case that was not run are left out.
    """
    shape = ("tokens", "codes", "dim")
    found = []
    for ours in results:
        for rival in results:
            same = (*shape, "temperature", "subnormals") if rival["method"] == "dense" else shape
            comparable = all(ours[name] == rival[name] for name in same) and ours["seconds"] and rival["seconds"]
            if ours["method"] != "lgq" or rival["method"] == "lgq" or not comparable:
                continue
            faster = _quotients(rival["seconds"], ours["seconds"])
            smaller = _quotients(rival["megabytes"], ours["megabytes"])
            found.append(
                {
                    "rival": rival["method"],
                    **{name: ours[name] for name in (*shape, "temperature", "subnormals", "drop")},
                    "times_faster": _median(faster),
                    "times_faster_rounds": faster,
                    "times_less_memory": _median(smaller),
                    "times_less_memory_rounds": smaller,
                }
            )
    return found


def _quotients(above: Sequence[float | None], below: Sequence[float | None]) -> list[float | None]:
    """Quotients by round; None if a side is unknown, or the divisor is 0."""
    return [a / b if a is not None and b else None for a, b in zip(above, below, strict=True)]


def _median(rounds: Sequence[float | None]) -> float | None:
    """The median; None if there are no rounds, or one is unknown."""
    known = [each for each in rounds if each is not None]
    return statistics.median(known) if known and len(known) == len(rounds) else None


def _versions(has_library: bool) -> dict[str, str]:
    versions = {"python": platform.python_version(), "lgq_explore": __version__, "torch": torch.__version__}
    return {**versions, LIBRARY: version(LIBRARY)} if has_library else versions
