"""A panel that compares methods over their seeds: what was found, how fairly, at equal bits, and in which pictures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.analysis.comparison.at_equal_bits import shared_bits
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.group_numbers import group_numbers
from lgq_explore.analysis.comparison.phases import phase_of
from lgq_explore.analysis.comparison.run_numbers import measurable_numbers, run_numbers
from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import GAN_PHASES
from lgq_explore.frames.quantities import QUANTITIES, counted
from lgq_explore.kept import Kept
from lgq_explore.runs.study import CROPS, Study

from ..explorer import MAKE_AGAIN, Explorer
from ..parts.charts.widget import Picked
from ..parts.state.chosen import late_count_slider, late_slider, pair_menus, reach, set_ends, toggles
from ..parts.state.inputs import menu, row, tabs
from ..parts.state.pieces import DIGITS, Choice, Pair, Several, Whole, Within
from ..parts.studies import RunLike, remarks_on
from ..parts.work.background import Work
from ..parts.work.kernel_loop import running_loop
from .comparing import Comparing
from .numbers import caption_of, highlights, numbers_summary, numbers_table
from .pairs import PicturePair, picture_pair
from .subjects import subject_of_runs
from .words import Said, at_bits_in_words, paragraph, said_of

RATE, DISTORTION = "entropy_bits", "psnr_db"

FINDINGS, NUMBERS, PICTURES = "findings", "numbers", "pictures"
VIEWS = {"what was found": FINDINGS, "numbers and bits": NUMBERS, "pictures": PICTURES}
"""What is in sight: as the buttons say it, and as the trait does."""

ORDERS = {"the first gains most": "first", "the second gains most": "second"}
"""Which crops come first."""

BY_GROUP, CURVES, DIFFERENCES, CROPS_CHART = "numbers", "rate and distortion", "differences", "crops"
"""Names of charts."""

MOST_BITS = 64.0
"""The slider's end until the curves are known."""

ONE_RUN = "one run of each group"
"""What the title of differences says besides."""

FIGURES_KEPT, PAIRS_KEPT = 4, 3
STEPS = 100
"""Of the slider of bits, from end to end."""


class ComparisonExplorer(Explorer):
    """Methods compared over their seeds: findings, fairness, numbers, PSNR at equal bits, and pictures side by side.

        ComparisonExplorer("lgq-0", "lgq-1", "fsq-0", "fsq-1", pair=("lgq", "fsq"))

    runs: opened, names under data/runs, or folders, as `lgq-explore compare` takes them: of a run, of several runs, or
    of a sweep, whose names of methods and trials are known then. They are looked at through at most `crops` held-out
    crops each. Or one comparison that is made already (`analysis.comparison.compare`). Runs whose recipes differ in the
    seed alone are a group. Where a kernel's loop runs they are measured in the background, one after the
    other (`await panel.ready()` waits for them). features: whether FD and the feature error are measured, too, which
    takes some 0.1 s a crop on a CPU.
    view: `findings`, in words, with the ledger of what differs besides the methods; `numbers`, one `number` of all
    groups beside rate and distortion; `pictures`. groups, seeds: those that are compared; all else follows them.
    highlight: a group or one of its seeds, ringed in all charts; a click does that, too. bits: per token, where the
    methods' curves are read; by default the middle of where two of them are known. pair: names of two groups whose
    pictures stand side by side, by default the two of the highest PSNR. order: `first` or `second`, whose greatest gain
    comes first. rank: of the crop that is shown, from 1.

    Raises:
        InputError: no runs, one that can't be opened or has no weights, or runs without a common photograph.
    """

    OPENS_EMPTY = True
    WIDE = (DIFFERENCES, CROPS_CHART)

    view = Choice(VIEWS, FINDINGS, tabs())
    number = Choice(lambda panel: panel.offered_numbers, DISTORTION, menu("number", "240px"))
    highlight = Choice(lambda panel: panel.offered_highlights, "", menu("highlight", "260px"))
    groups = Several(lambda panel: panel.group_names, lambda panel: panel.group_names, toggles("groups"))
    seeds = Several(lambda panel: panel.offered_seeds, lambda panel: panel.offered_seeds, toggles("seeds"))
    bits = Within(lambda panel: panel.bits_ends, None, late_slider("bits per token", MOST_BITS), allow_none=True)
    pair = Pair(lambda panel: panel.group_names, None, pair_menus("first", "second"), allow_none=True)
    order = Choice(ORDERS, "first", menu("order", "220px"))
    rank = Whole(lambda panel: (1, panel.ranked_crops), 1, late_count_slider("rank", CROPS))

    def __init__(self, *runs: RunLike | Comparison, crops: int = CROPS, features: bool = False, **state: Any) -> None:
        self._comparing = _comparing(runs, crops, features)
        self.group_names = list(self._comparing.groups)
        self.offered_seeds = self._comparing.seeds
        measurable = measurable_numbers(self._comparing.runs, features=self._comparing.features)
        self.offered_numbers = {QUANTITIES[number].heading: number for number in measurable}
        self.offered_highlights, self._numbered, self._number_of = highlights(self._comparing.groups)
        self.bits_ends: tuple[float, float] | None = None
        self.ranked_crops: int | None = None
        self._figures = Kept[tuple[Hashable, ...], dict[str, go.Figure]](most=FIGURES_KEPT)
        self._pairs = Kept[tuple[Hashable, ...], PicturePair](most=PAIRS_KEPT)
        self._shown: dict[str, go.Figure] = {}
        self._words, self._beside = ipywidgets.HTML().add_class("lgq-words-place"), ipywidgets.HTML()
        self._said_of = Kept[Comparison, Said](most=FIGURES_KEPT)
        if running_loop() is None:
            self._comparing.measure_all()
            self.bits_ends = _rounded_ends(self._comparing.whole)
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"ComparisonExplorer({', '.join(map(printable, self.group_names))})"

    def above(self) -> Sequence[ipywidgets.Widget]:
        get = self.inputs.get
        self._rows = {
            (FINDINGS, NUMBERS): row(get("number"), get("highlight")),
            (NUMBERS,): row(get("bits")),
            (PICTURES,): row(get("pair"), get("order"), get("rank")),
        }
        return [row(get("view")), row(get("groups"), get("seeds")), *self._rows.values(), self._words]

    def below(self) -> Sequence[ipywidgets.Widget]:
        return [self._beside]

    def pick(self, picked: Picked) -> None:
        if not picked.codes:
            return
        (code, *_) = picked.codes
        if picked.figure == DIFFERENCES:
            self.rank = code
        elif picked.figure in (BY_GROUP, CURVES):
            named = next((name for name, number in self._number_of.items() if number == code), "")
            self.highlight = "" if named == self.highlight else named

    @property
    def comparison(self) -> Comparison:
        """Of the groups and seeds that are chosen. Raises InputError where no run is of both."""
        return self._comparing.of(self.groups, self.seeds)

    def studies(self) -> list[Study]:
        return []

    def moved_on(self) -> list[str]:
        return list(filter(None, (run.watch.moved_on(MAKE_AGAIN) for run in self._comparing.runs.values())))

    def remarks(self) -> list[str]:
        of_runs = (remark for run in self._comparing.runs.values() for remark in remarks_on(run))
        return [*(f"{line}." for line in self._comparing.subject.skipped), *of_runs]

    def unequal_phases(self) -> str:
        chosen = [run for name in self.groups for run in self._comparing.groups[name] if run.config.seed in self.seeds]
        runs = {run.name: self._comparing.runs[run.name] for run in chosen}
        rows = [{"run": name, **phase_of(run.config, run.finished_steps)} for name, run in runs.items()]
        return analysis.comparison.unequal_phases(GAN_PHASES.frame(rows))

    def missing(self) -> Work | None:
        waits = self._comparing.work(self.groups, self.seeds)
        if waits is not None or self.view != PICTURES:
            return waits
        if self._why_no_pair() or self._pairs.is_known(self._pair_key()):
            return None
        names = " and ".join(map(printable, filter(None, self._pair_names())))
        return Work(f"what {names} made of the pictures", partial(self._picture_pair))

    def hint(self) -> str:
        return "\n".join(filter(None, [self._comparing.refused(), self._about_bits()]))

    def draw(self) -> dict[str, go.Figure]:
        comparison = self.comparison
        self._settle()
        for views, place in self._rows.items():
            place.layout.display = None if self.view in views else "none"
        if (slider := self.inputs.get("bits")) is not None:
            slider.layout.display = None if self.bits_ends else "none"
        self._words.layout.display = None if self.view == FINDINGS else "none"
        (self.add_class if self.view == FINDINGS else self.remove_class)("lgq-words-beside")
        self._words.value = self._said_about(comparison).words
        self._beside.value = self._said_below()
        self._shown = self._draw_pictures() if self.view == PICTURES else self._draw_numbers()
        return self._shown

    def marks(self) -> dict[str, go.Figure]:
        picked = self._number_of.get(self.highlight)
        if self.view == PICTURES:
            return {DIFFERENCES: plots.comparison.mark_disagreement(self.rank)} if DIFFERENCES in self._shown else {}
        marks = {BY_GROUP: plots.comparison.rings(self._shown[BY_GROUP], picked)}
        if CURVES in self._shown:
            bits = self.bits if self.bits_ends else None
            marks[CURVES] = plots.comparison.mark_rate_distortion(self._shown[CURVES], bits, picked)
        return marks

    def printed(self) -> Figure:
        if self.view == PICTURES and not (pair := self._picture_pair()).why:
            ordered = pair.ordered(self.order == "first")
            crop = ordered.iloc[self.rank - 1]
            return plots.comparison.publish_pair_pictures(pair.pictures(crop), pair.title(crop, self.rank))
        return plots.comparison.publish_group_numbers(*self._numbers_and_runs([self.number]))

    def figures(self) -> list[Figure]:
        """The number and the curves, and in the view of pictures these, too."""
        if not self._shown:
            return []
        numbers, runs = self._numbers_and_runs([self.number])
        found = [
            plots.comparison.publish_group_numbers(numbers, runs),
            plots.comparison.publish_rate_distortion(self.comparison.numbers, self.bits if self.bits_ends else None),
        ]
        return [self.figure(), *found] if self.view == PICTURES else found

    def nothing_to_see(self) -> str:
        return self._comparing.refused() or super().nothing_to_see()

    def frame(self) -> pd.DataFrame:
        """One row per run and number (`analysis.comparison.run_numbers`); in the view of pictures one per crop."""
        if self.view == PICTURES and not (pair := self._picture_pair()).why:
            return pair.ordered(self.order == "first")
        return run_numbers(self.comparison.grouped, list(self.offered_numbers.values()))

    def summary(self) -> dict[str, int | float | str]:
        """Each number of each group, "GROUP NUMBER", with the ends of its interval; the methods at `bits`; and N."""
        return numbers_summary(self.comparison, self.bits if self.bits_ends else None)

    def line(self) -> str:
        if waits := self._comparing.progress():
            return waits
        comparison = self.comparison
        if self.view == PICTURES and not (pair := self._picture_pair()).why:
            crop = pair.ordered(self.order == "first").iloc[self.rank - 1]
            return f"rank {self.rank:,d} of N = {pair.crops:,d} crops: {printable(pair.said(crop))}"
        quantity = QUANTITIES[self.number]
        rows = comparison.numbers[comparison.numbers["number"] == self.number].dropna(subset="estimate")
        told = [f"{printable(row['group'])} {quantity.value(row['estimate'])}" for _, row in rows.head(4).iterrows()]
        more = f", {len(rows) - 4} more" if len(rows) > 4 else ""
        of = f"N = {counted(len(comparison.runs), 'run')} on {counted(len(comparison.grouped.digests), 'photograph')}"
        return f"{quantity.heading}: {', '.join(told)}{more} · {of}"

    def tables(self) -> Sequence[pd.DataFrame]:
        return [numbers_table(self.comparison.numbers)]

    def numbers(self) -> pd.DataFrame:
        """`analysis.comparison.group_numbers` of what is chosen."""
        return self.comparison.numbers

    def caption(self) -> str:
        caption = caption_of(self.comparison)
        if self.view == PICTURES and not (pair := self._picture_pair()).why:
            return f"{caption} {pair.warning}"
        return caption

    def arguments_as_code(self) -> list[str]:
        return self._comparing.arguments

    def _settle(self) -> None:
        """What follows from what is chosen: the ends of the slider, and what stands where nothing was asked for."""
        self.bits_ends = _rounded_ends(self.comparison)
        if self.bits_ends is not None:
            low, high = self.bits_ends
            wanted = (low + high) / 2 if self.bits is None else self.bits
            reach(self.inputs["bits"], low, high)
            self.bits = min(max(wanted, low), high)
            # Stops of as many digits as are shown and kept: the page and the words round alike.
            set_ends(self.inputs["bits"], low, high, max(round((high - low) / STEPS, DIGITS), 10**-DIGITS))
        if self.pair is None and len(self.group_names) > 1:
            self.pair = [*self._best_pair()]

    def _said_about(self, comparison: Comparison) -> Said:
        return self._said_of.get(comparison, lambda: said_of(comparison))

    def _about_bits(self) -> str:
        return self._said_about(self.comparison).why_no_bits if self.view == NUMBERS else ""

    def _said_below(self) -> str:
        if self.view == FINDINGS:
            return self._said_about(self.comparison).ledger
        if self.view == PICTURES:
            pair = self._picture_pair()
            return "" if pair.why else paragraph(pair.warning)
        if self.bits_ends is not None and self.bits is not None:
            frame = analysis.comparison.at_equal_bits(self.comparison.grouped, self.bits)
            return at_bits_in_words(frame, self.comparison.numbers)
        return ""

    def _numbers_and_runs(self, numbers: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        compared = self.comparison.grouped
        return group_numbers(compared, numbers), run_numbers(compared, numbers)

    def _draw_numbers(self) -> dict[str, go.Figure]:
        key = (*map(tuple, (self.groups, self.seeds)), self.number)
        found = {BY_GROUP: self._figures.get((BY_GROUP, *key), self._draw_by_group)[BY_GROUP]}
        if self.view == NUMBERS:
            found |= self._figures.get((CURVES, *key[:2]), self._draw_curves)
        return found

    def _draw_by_group(self) -> dict[str, go.Figure]:
        numbers, runs = self._numbers_and_runs([self.number])
        return {BY_GROUP: plots.comparison.draw_group_numbers(numbers, runs, self._numbered)}

    def _draw_curves(self) -> dict[str, go.Figure]:
        numbers, runs = self._numbers_and_runs([RATE, DISTORTION])
        lines = analysis.comparison.curve_lines(self.comparison.grouped)
        return {CURVES: plots.comparison.draw_rate_distortion(numbers, runs, lines, self._numbered)}

    def _draw_pictures(self) -> dict[str, go.Figure]:
        pair = self._picture_pair()
        if pair.why:
            return {CROPS_CHART: plots.comparison.draw_no_pictures(pair.why)}
        self.ranked_crops = pair.crops
        self.rank = min(self.rank, pair.crops)
        set_ends(self.inputs["rank"], 1, pair.crops, 1)
        ordered = pair.ordered(self.order == "first")
        crop = ordered.iloc[self.rank - 1]
        first, second = pair.runs_named
        return {
            DIFFERENCES: self._figures.get(
                (DIFFERENCES, *self._pair_key(), self.order),
                lambda: {DIFFERENCES: plots.comparison.draw_disagreement(ordered, first, second, ONE_RUN)},
            )[DIFFERENCES],
            CROPS_CHART: plots.comparison.draw_pair_pictures(pair.pictures(crop), pair.title(crop, self.rank)),
        }

    def _pair_names(self) -> tuple[str, str]:
        first, second = self.pair or self._best_pair()
        return first, second

    def _pair_key(self) -> tuple[Hashable, ...]:
        return self._pair_names(), tuple(self.seeds)

    def _picture_pair(self) -> PicturePair:
        names = self._pair_names()
        if why := self._why_no_pair():
            return PicturePair(names, why=why)
        comparison = self.comparison
        return self._pairs.get(self._pair_key(), lambda: picture_pair(comparison, names))

    def _best_pair(self) -> tuple[str, str]:
        """Of the groups that are on; of all where one is on alone."""
        first, second = self.comparison.pair()
        return (first, second) if second else self._comparing.whole.pair()

    def _why_no_pair(self) -> str:
        """A sentence where a group of the pair is off, or has no run of the chosen seeds."""
        for name in filter(None, self._pair_names()):
            if name not in self.groups:
                return f"{printable(name)} is switched off: switch it on above, or choose another group here."
            if not any(run.config.seed in self.seeds for run in self._comparing.groups[name]):
                return f"{printable(name)} has no run of the chosen seeds: switch on more seeds."
        return ""


def _comparing(runs: Sequence[RunLike | Comparison], crops: int, features: bool) -> Comparing:
    ready = [run for run in runs if isinstance(run, Comparison)]
    if len(ready) == len(runs) == 1:
        return Comparing.ready_made(ready[0])
    if ready:
        raise InputError(f"{len(runs)} arguments, one of which is a comparison: give it alone, or runs")
    return Comparing(subject_of_runs([run for run in runs if not isinstance(run, Comparison)]), crops, features)


def _rounded_ends(comparison: Comparison) -> tuple[float, float] | None:
    """The bits that two curves have in common, inwards to three digits after the point."""
    ends = shared_bits(comparison.grouped)
    if ends is None:
        return None
    low, high = -(-ends[0] * 1000 // 1) / 1000, ends[1] * 1000 // 1 / 1000
    return (low, high) if low < high else None
