"""RESULTS.md: the outcome of the registered comparison, or what is complete of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lgq_explore.bench.markdown import count
from lgq_explore.runs.sweep_paths import FINAL, TRIAL
from lgq_explore.statistics import MIN_SEEDS
from lgq_explore.sweeps.folder import SweepFolder

from . import tables
from .cells import AllCells, Summary, cells_in, rounding_replicates
from .exploratory import STUDIES
from .hypotheses import RIVALS, Compared, compared
from .protocol import exploratory_sweep, finals_by_kind, largest_size, registered_sweep, trials_by_method
from .studies_page import study_sections
from .verdict import Outcome

FIGURE = "benchmarks/headline/rate_distortion.png"
SENTENCES = {
    Outcome.SUPPORTED: "LGQ has the better FD with fewer active codes",
    Outcome.QUALITY_ONLY: "LGQ has the better FD, and a better rate is not shown",
    Outcome.RATE_ONLY: "LGQ has the better rate at a quality that is not worse, and a better FD is not shown",
    Outcome.CONTRADICTED: "the claim does not hold at this scale",
    Outcome.UNDECIDED: "it takes more photographs or seeds",
}
NOT_TESTED = """\
This is not the paper's experiment, and nothing of it is reproduced: it is the claim's analogue at 64 × 64 pixels, with
479 training photographs, 1,500 steps and L1 alone. Not tested: 128 and 256 pixels, 16,384 codes, ImageNet as a whole,
GANs and perceptual losses, Inception's features, generation from codes, and methods that are not in the table."""
SEEDS_FIRST = (
    f"Seeds come before sizes: an interval takes {MIN_SEEDS} seeds of both methods, and where there are fewer, numbers "
    "stand without one."
)


@dataclass(frozen=True)
class Results:
    """What the page is made of.

    pilot: its cells. trials, trials_done: numbers of those, by method. explored: cells of each study, by its name.
    """

    cells: AllCells
    found: Mapping[str, Compared]
    pilot: AllCells
    replicates: Sequence[Summary]
    expected: Mapping[tuple[str, int], int]
    done: Mapping[tuple[str, int], int]
    trials: Mapping[str, int]
    trials_done: Mapping[str, int]
    size: int
    explored: Mapping[str, AllCells]

    @classmethod
    def of(
        cls,
        registered: Sequence[Summary],
        pilot: Sequence[Summary],
        explored: Mapping[str, Sequence[Summary]] = MappingProxyType({}),
    ) -> Results:
        """From summaries, of which any may be missing. explored: those of exploratory sweeps, by their names.

        Raises InputError for some that don't belong together.
        """
        sweep = registered_sweep()
        size = largest_size(sweep)
        finals = Counter((each["method"], each["codebook_size"]) for each in registered if each["kind"] == FINAL)
        tried = Counter(each["method"] for each in registered if each["kind"] == TRIAL)
        repeated = [name for name, method in sweep.methods.items() if method.rounding_replicates > 1]
        replicates = [each for name in repeated for each in rounding_replicates(registered, name)]
        cells = cells_in(each for each in registered if each["method"] not in repeated)
        trials = trials_by_method(sweep)
        expected, found = finals_by_kind(sweep), compared(cells, size)
        of_studies = {study.name: cells_in(explored.get(study.name, ())) for study in STUDIES}
        return cls(cells, found, cells_in(pilot), replicates, expected, finals, trials, tried, size, of_studies)

    @property
    def is_complete(self) -> bool:
        """Whether every registered final cell is there, so that there is a verdict."""
        return all(self.done.get(key, 0) >= number for key, number in self.expected.items())


def page(results: Results) -> str:
    """RESULTS.md as text."""
    sections = [
        "# Does learned geometry beat the grid?",
        outcome_sentence(results),
        "By the protocol of [PREREGISTRATION.md](benchmarks/PREREGISTRATION.md), from the summaries in "
        "[benchmarks/headline](benchmarks/headline).",
        "## What is complete",
        _counted(results),
        tables.complete_table(results.expected, results.done),
    ]
    if results.found:
        sections += _hypotheses(results)
    if results.cells:
        sections += _numbers(results)
    sections += ["## The paper's ratios beside these", tables.paper_table(results.found)]
    sections += [
        "Numbers of the paper are of its abstract (arXiv 2602.16086), at 16,384 codes on ImageNet. Its effective "
        "representation rate is not defined there; the ratio of perplexities agrees with it."
    ]
    if any(len(each.seeds) > 1 for each in results.pilot.values()):
        pilot = [tables.pilot_table(results.pilot), tables.pilot_sentence(results.pilot)]
        sections += ["## The pilot, on validation photographs", *pilot]
    for study in STUDIES:
        sections += study_sections(study, results.explored[study.name], finals_by_kind(exploratory_sweep(study.name)))
    sections += ["## What was not tested", NOT_TESTED, "## To run it again", _again(results)]
    return "\n\n".join(sections) + "\n"


def outcome_sentence(results: Results) -> str:
    """The outcome in a sentence, whichever way it fell; or that it is open."""
    done, expected = sum(results.done.values()), sum(results.expected.values())
    if not results.is_complete:
        return f"**The verdict is open**: {done} of {count(expected, 'registered cell')} are complete."
    outcomes = {rival: results.found[rival].verdict.outcome for rival in RIVALS}
    said = [f"against {rival}, {outcome}: {SENTENCES[outcome]}" for rival, outcome in outcomes.items()]
    return f"**With K = {results.size}: {'; '.join(said)}.**"


def _counted(results: Results) -> str:
    done, expected = sum(results.done.values()), sum(results.expected.values())
    trials = sum(results.trials.values())
    of_each = ", ".join(f"{method}: {number}" for method, number in results.trials.items())
    return (
        f"{done} of {count(expected, 'cell')}, each a training and its evaluation. {SEEDS_FIRST}\n\n"
        f"{sum(results.trials_done.values())} of {count(trials, 'trial')} ({of_each}), which choose settings on "
        "validation photographs and are not among the cells."
    )


def _hypotheses(results: Results) -> list[str]:
    sections = [f"## The hypotheses, K = {results.size}"]
    if not results.is_complete:
        sections.append("Cells are missing: the outcomes of this table are those of what is there, and no verdict.")
    sections.append(tables.hypotheses_table(results.found.values()))
    sections.append(
        "Ratios and differences are LGQ's against the rival's; brackets are intervals at 95 % over photographs and "
        "independent seeds."
    )
    for one in results.found.values():
        resampled = tables.interval(one.resampled)
        sections.append(f"Against {one.rival}: log FD ratio by percentiles of the crossed bootstrap {resampled}.")
        if one.why_no_curve:
            sections.append(f"Against {one.rival}, PSNR at equal bits: {one.why_no_curve}")
        if one.verdict.required is not None:
            required = one.verdict.required
            what = required.why or (
                f"{required.seeds} seeds of each method and {required.photographs} photographs find this difference, "
                f"or 2 % if that is more, with a probability of {required.power:.0%}."
            )
            sections.append(f"Against {one.rival}, it would take more: {what}")
    return sections


def _numbers(results: Results) -> list[str]:
    photographs = len(next(iter(results.cells.values())).digests)
    crops = int(next(iter(results.cells.values())).crops.sum())
    sections = [
        "## All methods",
        f"![PSNR against bits per token, by method and codebook size]({FIGURE})",
        f"On {photographs} held-out photographs, {crops:,d} crops. FD and feature error are of EfficientNet-Lite0. "
        "Bits: entropy as counted, corrected by Miller and Madow, and of a causal model. `recipe` names the recipe.",
        tables.numbers_table(
            (each for _, each in sorted(results.cells.items(), key=lambda item: item[0][::-1])),
            {**tables.QUALITY, **tables.USAGE, **tables.OTHER_BITS, **tables.RECIPE},
        ),
        "### FD against the number of photographs",
        tables.fd_course_table(results.cells, results.size),
    ]
    replicates = tables.rounding_sentence(results.replicates)
    return [*sections, replicates] if replicates else sections


def _again(results: Results) -> str:
    none_yet = "\nNo cell has a summary yet." if not results.done else ""
    return f"""\
The photographs are those of [manifest.csv](benchmarks/headline/manifest.csv); PATH is their folder. One cell, by the
summary KEY.json that has its recipe and its seed; with one thread, since rounding depends on their number.{none_yet}

    OMP_NUM_THREADS=1 lgq-explore train --data folder:PATH --run data/runs/again \\
        --config benchmarks/headline/registered/summaries/KEY.json
    lgq-explore evaluate data/runs/again --crops 3840

All cells that are missing, and this page:

    lgq-explore sweep benchmarks/headline/registered.toml --data folder:PATH --jobs 2 --threads 1 \\
        --out benchmarks/headline/registered
    python -m benchmarks.headline"""


def read_results(headline: Path) -> Results:
    """From the folder of all sweeps. Raises InputError for a file that is no summary, and as `Results.of`."""

    def summaries(name: str) -> list[Summary]:
        return list(SweepFolder(headline / name).all_summaries())

    explored = {study.name: summaries(study.name) for study in STUDIES}
    return Results.of(summaries("registered"), summaries("pilot"), explored)
