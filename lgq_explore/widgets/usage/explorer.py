"""Usage of the codebook, of one tokenizer or of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from ..charts import Picked
from ..codes_box import CodesBox, checked_codes
from ..explorer import (
    CROPS,
    Explorer,
    StudyLike,
    as_study,
    kind_of_crops,
    one_of,
    study_argument,
    study_caption,
    study_names,
)
from .tables import definitions_table, numbers_table, side_by_side

HITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WINDOWS = tuple(2**power for power in range(10, 18))
"""What the sliders offer; a trait may hold any whole number from 1 on."""

MAP = 0
"""The place of the map of codes among the charts."""


class UsageExplorer(Explorer):
    """Which codes are used, how unevenly, how many more there may be, and by whose definition.

        UsageExplorer(lgq.tutorial_run("lgq"), lgq.tutorial_run("vq"))

    runs: studies, or runs: opened, folders, or names under data/runs, which are looked at through the same held-out
    crops, at most `crops`.
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
        *runs: StudyLike,
        shown: str | None = None,
        hits: int = 5,
        batch_images: int = 32,
        window_tokens: int = 65_536,
        selection: Sequence[int] = (),
        crops: int = CROPS,
    ) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        studies = [as_study(run, crops) for run in runs]
        names = study_names(studies)
        self._studies = dict(zip(names, studies, strict=True))
        if shown is not None:
            one_of("shown", shown, names)
        self._methods = {name: study.method for name, study in self._studies.items()}
        self._usage = {name: analysis.usage.per_code(study) for name, study in self._studies.items()}
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
        return f"UsageExplorer({', '.join(self._studies)})"

    @property
    def frames(self) -> plots.usage.UsageFrames:
        """The tidy frames behind the charts, with a column `run` each; `definitions` in the present state."""
        return plots.usage.UsageFrames(
            self._summary, self._ranks, self._lorenz, self._accumulation, self._definitions()
        )

    def frame(self) -> pd.DataFrame:
        """One row per run and code, unused ones included: run, code, count (tokens), share."""
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

    def studies(self) -> list[Study]:
        others = [study for name, study in self._studies.items() if name != self.shown]
        return [self._studies[self.shown], *others]

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
        studies = "; ".join(map(study_caption, self._studies.values()))
        return f"Map: {self.shown}. {studies}. {self._about_the_band()}"

    def subjects(self) -> list[str]:
        return [study_argument(study) for study in self._studies.values()]

    def hint(self) -> str:
        if self._summary["tokens"].nunique() > 1:
            return "The runs were counted over different numbers of tokens, and usage grows with them: not ranked."
        return ""

    def _of_all(self, question: Callable[[Study], pd.DataFrame]) -> pd.DataFrame:
        return analysis.comparison.of_several_runs({name: question(study) for name, study in self._studies.items()})

    def _definitions(self) -> pd.DataFrame:
        return analysis.usage.definitions(
            self._studies,
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
            f"N = {first['tokens']:,d} tokens of {first['images']:,d} {self._kind_of_crops()} from "
            f"{first['photographs']} photographs{more}"
        )

    def _kind_of_crops(self) -> str:
        kinds = {kind_of_crops(study) for study in self._studies.values()}
        return kinds.pop() if len(kinds) == 1 else "crops"

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
