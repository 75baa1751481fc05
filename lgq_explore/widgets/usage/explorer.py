"""Usage of the codebook, of one tokenizer or of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts import Picked
from ..parts.inputs import codes_box, count_slider, menu, row, tabs
from ..parts.state import Choice, Codes, Whole
from ..parts.studies import StudyLike, as_study, kind_of_crops, study_argument, study_caption, study_names
from ..parts.tables import tables_as_html
from .tables import definitions_table, numbers_table

HITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WINDOWS = tuple(2**power for power in range(10, 18))
"""What the sliders offer; a trait may hold any whole number from 1 on."""

MAP = "map"
"""The name of the chart whose codes can be picked."""

VIEWS = {
    "by rank": "ranks",
    "Lorenz curve": "lorenz",
    "accumulation": "accumulation",
    "definitions": "definitions",
}
"""What is drawn beside the map: as the buttons say it, and as the trait does."""

NUMBERS_BESIDE = {
    "ranks": ["active_codes", "utilization", "perplexity", "top_1_percent", "top_10_percent"],
    "lorenz": ["gini", "gini_uniform", "top_1_percent", "top_10_percent"],
    "accumulation": ["tokens", "active_codes", "chao2", "codebook_size"],
}
"""The columns of `analysis.usage.summary` that are read together with each curve."""


class UsageExplorer(Explorer):
    """Which codes are used, how unevenly, how many more there may be, and by whose definition.

        UsageExplorer(lgq.tutorial_run("lgq"), lgq.tutorial_run("vq"))

    runs: studies, or runs: opened, folders, or names under data/runs, which are looked at through the same held-out
    crops, at most `crops`.
    The map shows one of them, `shown`: the name that the legends give it. Clicks and boxes in the map select codes.
    view: the curves beside it, of all runs: ranks, lorenz, accumulation, definitions.
    `hits`, `batch_images` and `window_tokens` are what the definitions ask for (`analysis.usage.definitions`).

    Raises:
        InputError: no runs, one that can't be opened or has no weights, or an unknown name in `shown`.
    """

    view = Choice(VIEWS, "ranks", tabs())
    shown = Choice(lambda panel: panel.names, lambda panel: panel.names[0], menu("map of", "260px"))
    hits = Whole((1, None), 5, count_slider("at least m hits", HITS))
    batch_images = Whole((1, None), 32, count_slider("batch of images", BATCHES))
    window_tokens = Whole((1, None), 65_536, count_slider("window of tokens", WINDOWS))
    selection = Codes(lambda panel: panel.codebook_size, codes_box("codes"))

    def __init__(self, *runs: StudyLike, crops: int = CROPS, **state: Any) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        studies = [as_study(run, crops) for run in runs]
        self.names = study_names(studies)
        self._studies = dict(zip(self.names, studies, strict=True))
        self._methods = {name: study.method for name, study in self._studies.items()}
        self._usage = {name: analysis.usage.per_code(study) for name, study in self._studies.items()}
        self._summary = self._of_all(analysis.usage.summary)
        self._ranks = self._of_all(analysis.usage.by_rank)
        self._lorenz = self._of_all(analysis.usage.lorenz)
        self._accumulation = self._of_all(analysis.usage.accumulation)
        self._beside = ipywidgets.HTML()
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"UsageExplorer({', '.join(self._studies)})"

    @property
    def codebook_size(self) -> int:
        """K of the run that is shown."""
        return len(self._usage[self.shown])

    def above(self) -> Sequence[ipywidgets.Widget]:
        self._sliders = row(*(self.inputs[name] for name in ("hits", "batch_images", "window_tokens")))
        return [row(*(self.inputs[name] for name in ("shown", "selection", "view"))), self._sliders]

    def below(self) -> Sequence[ipywidgets.Widget]:
        return [self._beside]

    def pick(self, picked: Picked) -> None:
        if picked.figure == MAP:
            self.selection = picked.of(self.selection)

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

    def draw(self) -> dict[str, go.Figure]:
        usage_map = plots.usage.draw_grid(self._grid(), self.selection, self.shown)
        usage_map.layout.dragmode = "select"
        asks = self.view == "definitions"
        self._sliders.layout.display = None if asks else "none"  # they change nothing that is in sight elsewhere
        self._beside.value = tables_as_html(
            definitions_table(self._definitions()) if asks else numbers_table(self._summary, NUMBERS_BESIDE[self.view])
        )
        return {MAP: usage_map, self.view: self._curve()}

    def _curve(self) -> go.Figure:
        match self.view:
            case "ranks":
                return plots.usage.draw_by_rank(self._ranks, self._methods)
            case "lorenz":
                return plots.usage.draw_lorenz(self._lorenz, self._summary, self._methods)
            case "accumulation":
                return plots.usage.draw_accumulation(self._accumulation, self._methods)
            case _:
                return plots.usage.draw_definitions(self._definitions(), self._methods)

    def line(self) -> str:
        row = next(row for row in self._summary.to_dict("records") if row["run"] == self.shown)
        return (
            f"{self.shown}: {row['active_codes']:,d} of {row['codebook_size']:,d} codes used by "
            f"N = {row['tokens']:,d} tokens, perplexity {row['perplexity']:,.0f}"
        )

    def tables(self) -> Sequence[pd.DataFrame]:
        return [numbers_table(self._summary), definitions_table(self._definitions())]

    def figure(self) -> Figure:
        """The runs beside each other; `figures` adds the map of codes."""
        return plots.usage.publish_comparison(self.frames, self._methods, self._counted())

    def figures(self) -> list[Figure]:
        return [self.figure(), plots.usage.publish_grid(self._grid(), self.selection, self.shown)]

    def caption(self) -> str:
        studies = "; ".join(map(study_caption, self._studies.values()))
        return f"Map: {self.shown}. {studies}. {self._about_the_band()}"

    def arguments_as_code(self) -> list[str]:
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
        return analysis.usage.grid(self._usage[self.shown])

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

    @traitlets.observe("shown")
    def _forget_selection(self, change: traitlets.Bunch) -> None:
        """A code of one run has nothing to do with that of another."""
        self.selection = []
