"""Who gets used? Usage of the codebook, of one run or of several beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.frozen_run import FrozenRun
from lgq_explore.runs.run import Run

from ..charts import Picked
from ..codes_box import CodesBox, checked_codes
from ..explorer import CROPS, Explorer, RunLike, frozen_run, held_out, one_of, run_argument, run_caption, run_names
from .tables import definitions_table, numbers_table, side_by_side

HITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WINDOWS = tuple(2**power for power in range(10, 18))
"""What the sliders offer; a trait may hold any whole number from 1 on."""

MAP = 0
"""The place of the map of codes among the charts."""


@dataclass(frozen=True, eq=False)
class _Subject:
    """A run that is looked at, and its held-out pictures."""

    run: FrozenRun
    encoding: Encoding

    @property
    def method(self) -> str:
        return self.run.config.quantizer.method


class UsageExplorer(Explorer):
    """Which codes are used, how unevenly, how many more there may be, and by whose definition.

        UsageExplorer(lgq.tutorial_run("lgq"), lgq.tutorial_run("vq"))

    runs: opened, folders, or names under data/runs; all are looked at through the same held-out crops, at most `crops`.
    The map shows one of them, `shown`: the name that the legends give it. Clicks and boxes in the map select codes.
    `hits`, `batch_images` and `window_tokens` are what the definitions ask for (`analysis.usage.definitions`).

    Raises:
        InputError: no runs, one that can't be opened or has no weights, or an unknown name in `shown`.
    """

    STATE: ClassVar[tuple[str, ...]] = ("shown", "hits", "batch_images", "window_tokens", "selection")
    shown = traitlets.Unicode()
    hits = traitlets.Int()
    batch_images = traitlets.Int()
    window_tokens = traitlets.Int()
    selection = traitlets.List(traitlets.Int())

    def __init__(
        self,
        *runs: RunLike,
        shown: str | None = None,
        hits: int = 5,
        batch_images: int = 32,
        window_tokens: int = 65_536,
        selection: Sequence[int] = (),
        crops: int = CROPS,
    ) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        opened = [frozen_run(run) for run in runs]
        names = run_names(opened)
        self._crops = crops
        self._subjects = {name: _Subject(run, held_out(run, crops)) for name, run in zip(names, opened, strict=True)}
        if shown is not None:
            one_of("shown", shown, names)
        self._methods = {name: subject.method for name, subject in self._subjects.items()}
        self._usage = {name: analysis.usage.per_code(subject.encoding) for name, subject in self._subjects.items()}
        self._summary = self._of_all(analysis.usage.summary)
        self._ranks = self._of_all(analysis.usage.by_rank)
        self._lorenz = self._of_all(analysis.usage.lorenz)
        self._accumulation = self._of_all(analysis.usage.accumulation)
        self._curves = [
            plots.usage.draw_by_rank(self._ranks, self._methods),
            plots.usage.draw_lorenz(self._lorenz, self._summary, self._methods),
            plots.usage.draw_accumulation(self._accumulation, self._methods),
        ]
        self._tables = ipywidgets.HTML()
        super().__init__(self._controls(names), [self._tables])
        self.charts.on_select(self._take)
        self._begin(
            shown=names[0] if shown is None else shown,
            hits=hits,
            batch_images=batch_images,
            window_tokens=window_tokens,
            selection=list(selection),
        )
        self.observe(self._forget_selection, "shown")

    def __repr__(self) -> str:
        return f"UsageExplorer({', '.join(self._subjects)})"

    @property
    def frames(self) -> plots.usage.UsageFrames:
        """The tidy frames behind the charts, with a column `run` each; `definitions` in the present state."""
        return plots.usage.UsageFrames(
            self._summary, self._ranks, self._lorenz, self._accumulation, self._definitions()
        )

    def frame(self) -> pd.DataFrame:
        """A row a run and code, unused ones included: run, code, count (tokens), share."""
        return analysis.comparison.of_several_runs(self._usage)

    def summary(self) -> dict[str, int | float | str]:
        """Every number of `analysis.usage.summary`, named "RUN NUMBER", and the rank of each run by each definition."""
        numbers = {
            f"{row['run']} {name}": value
            for row in self._summary.to_dict("records")
            for name, value in row.items()
            if name != "run"
        }
        ranked = self._definitions().dropna(subset="rank").to_dict("records")
        return numbers | {f"{row['run']} rank by {row['definition']}": int(row["rank"]) for row in ranked}

    def runs(self) -> list[Run]:
        others = [subject.run for name, subject in self._subjects.items() if name != self.shown]
        return [self._subjects[self.shown].run, *others]

    def draw(self) -> list[go.Figure]:
        definitions = self._definitions()
        usage_map = plots.usage.draw_grid(self._grid(), self._checked_selection(), self.shown)
        usage_map.layout.dragmode = "select"
        self._tables.value = side_by_side(numbers_table(self._summary), definitions_table(definitions))
        return [usage_map, *self._curves, plots.usage.draw_definitions(definitions, self._methods)]

    def figure(self) -> Figure:
        """The runs beside each other; `figures` adds the map of codes."""
        return plots.usage.publish_comparison(self.frames, self._methods, self._counted())

    def figures(self) -> list[Figure]:
        return [self.figure(), plots.usage.publish_grid(self._grid(), self._checked_selection(), self.shown)]

    def caption(self) -> str:
        runs = "; ".join(run_caption(subject.run, subject.encoding) for subject in self._subjects.values())
        return f"Map: {self.shown}. {runs}. {self._about_the_band()}"

    def subjects(self) -> list[str]:
        runs = [run_argument(subject.run) for subject in self._subjects.values()]
        return runs if self._crops == CROPS else [*runs, f"crops={self._crops}"]

    def hint(self) -> str:
        if self._summary["tokens"].nunique() > 1:
            return "The runs were counted over different numbers of tokens, and usage grows with them: not ranked."
        return ""

    def _of_all(self, question: Callable[[Encoding], pd.DataFrame]) -> pd.DataFrame:
        return analysis.comparison.of_several_runs(
            {name: question(subject.encoding) for name, subject in self._subjects.items()}
        )

    def _definitions(self) -> pd.DataFrame:
        return analysis.usage.definitions(
            {name: subject.encoding for name, subject in self._subjects.items()},
            batch_images=self.batch_images,
            window_tokens=self.window_tokens,
            hits=self.hits,
        )

    def _grid(self) -> pd.DataFrame:
        return analysis.usage.grid(self._usage[one_of("shown", self.shown, self._usage)])

    def _checked_selection(self) -> list[int]:
        return checked_codes(self.selection, len(self._usage[self.shown]))

    def _counted(self) -> str:
        """What was counted, for a title: the runs share it, unless they were encoded differently."""
        first = self._summary.iloc[0]
        more = " (of the first run)" if self._summary["tokens"].nunique() > 1 else ""
        return (
            f"N = {first['tokens']:,d} tokens of {first['images']:,d} held-out crops from {first['photographs']} "
            f"photographs{more}"
        )

    def _about_the_band(self) -> str:
        if (self._accumulation["unit"] == "photograph").all():
            return "Band: photographs resampled."
        return "Band: too few photographs, crops resampled; those of one photograph are not independent: too narrow."

    def _controls(self, names: list[str]) -> list[ipywidgets.Widget]:
        shown = ipywidgets.Dropdown(options=names, description="map of", layout={"width": "260px"})
        traitlets.link((shown, "value"), (self, "shown"))
        codes = CodesBox("codes", max(len(usage) for usage in self._usage.values()))
        traitlets.link((self, "selection"), (codes, "codes"))
        sliders = [
            self._slider("hits", "at least m hits", HITS),
            self._slider("batch_images", "batch of images", BATCHES),
            self._slider("window_tokens", "window of tokens", WINDOWS),
        ]
        return [ipywidgets.HBox([shown, codes]), ipywidgets.HBox(sliders)]

    def _slider(self, trait: str, label: str, offered: Sequence[int]) -> ipywidgets.SelectionSlider:
        """A slider over what is offered, joined to a trait whose other values it takes up among them."""
        slider = ipywidgets.SelectionSlider(
            options=_options(offered),
            description=label,
            style={"description_width": "initial"},
            layout={"width": "32%"},
        )

        def hear(change: traitlets.Bunch) -> None:
            setattr(self, trait, change["new"])

        def follow(change: traitlets.Bunch) -> None:
            slider.unobserve(hear, "value")  # new options set the first one for a moment
            slider.options = _options({*offered, change["new"]})
            slider.value = change["new"]
            slider.observe(hear, "value")

        slider.observe(hear, "value")
        self.observe(follow, trait)
        return slider

    def _take(self, picked: Picked) -> None:
        if picked.figure == MAP:
            self.selection = picked.codes

    def _forget_selection(self, change: traitlets.Bunch) -> None:
        """A code of one run has nothing to do with that of another."""
        self.selection = []


def _options(numbers: Sequence[int] | set[int]) -> list[tuple[str, int]]:
    return [(f"{number:,d}", number) for number in sorted(numbers)]
