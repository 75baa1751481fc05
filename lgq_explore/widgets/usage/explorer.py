"""Usage of the codebook, of one tokenizer or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError
from lgq_explore.runs.frozen_run import frozen
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts.widget import Picked
from ..parts.frame.tables import tables_as_html
from ..parts.state.inputs import codes_box, count_slider, menu, row, tabs
from ..parts.state.pieces import Choice, Codes, Whole
from ..parts.studies import (
    StudyLike,
    as_run,
    kind_of_crops,
    method_of,
    study_caption,
    study_names,
)
from ..parts.work.background import Piece, Work
from ..parts.work.kernel_loop import running_loop
from .counting import AT_ONCE, CountedRun, Counting, frame_of
from .tables import definitions_note, definitions_table, numbers_beside, numbers_table

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
    crops, at most `crops`, or through crops of `data`: the SPEC of other pictures, such as folder:PATH.
    Of more than four runs, the others follow one after the other where a kernel's loop runs (`await panel.ready()`
    waits for them); `frame`, `frames` and `summary` count all before they return.
    The map shows one of them, `shown`: the name that the legends give it. selection: codes of it, set by
    clicks and boxes in the map, or typed.
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

    def __init__(self, *runs: StudyLike, crops: int = CROPS, data: str | None = None, **state: Any) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        # Opened now, so that one that can't be is refused before anything is counted.
        opened = [run if isinstance(run, Study) else frozen(as_run(run)) for run in runs]
        self.names = study_names(opened)
        subjects = dict(zip(self.names, opened, strict=True))
        self._methods = {name: method_of(subject) for name, subject in subjects.items()}
        self._counting = Counting(subjects, crops, data)
        for name in self.names if running_loop() is None else self.names[:AT_ONCE]:
            self._counting.of(name)
        self._beside = ipywidgets.HTML()
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"UsageExplorer({', '.join(self.names)})"

    @property
    def codebook_size(self) -> int:
        """K of the run that is shown."""
        return self._counting.codebook_size(self.shown)

    @property
    def _map(self) -> CountedRun:
        """The run in the map, counted now if it was not before."""
        return self._counting.of(self.shown)

    def above(self) -> Sequence[ipywidgets.Widget]:
        self._sliders = row(*(self.inputs[name] for name in ("hits", "batch_images", "window_tokens")))
        return [row(*(self.inputs.get(name) for name in ("shown", "selection", "view"))), self._sliders]

    def below(self) -> Sequence[ipywidgets.Widget]:
        return [self._beside]

    def pick(self, picked: Picked) -> None:
        if picked.figure == MAP:
            self.selection = picked.of(self.selection)

    @property
    def frames(self) -> plots.usage.UsageFrames:
        """The tidy frames behind the charts, with a column `run` each; `definitions` in the present state."""
        return self._frames(self._counting.all())

    def frame(self) -> pd.DataFrame:
        """One row per run and code, unused ones included: run, code, count (tokens), share."""
        return frame_of(self._counting.all(), "usage")

    def summary(self) -> dict[str, int | float | str]:
        """Every number of `analysis.usage.summary`, named "RUN NUMBER", and the rank of each run by each definition."""
        frames = self.frames
        numbers = {
            f"{row['run']} {name}": value
            for row in frames.summary.to_dict("records")
            for name, value in row.items()
            if name != "run"
        }
        ranked = frames.definitions.dropna(subset="rank").to_dict("records")
        return numbers | {f"{row['run']} rank by {row['definition']}": int(row["rank"]) for row in ranked}

    def studies(self) -> list[Study]:
        shown = self._map.study
        return [shown, *(run.study for name, run in self._counting.known().items() if name != self.shown)]

    def compared(self) -> Mapping[str, Study]:
        return {name: run.study for name, run in self._counting.known().items()}

    def draw(self) -> dict[str, go.Figure]:
        runs = self._counting.known()
        usage_map = plots.usage.draw_grid(self._grid(), self.selection, self.shown)
        usage_map.layout.dragmode = "select"
        self._sliders.layout.display = (
            None if self.view == "definitions" else "none"
        )  # they change nothing that is in sight elsewhere
        self._beside.value = self._table_below(runs)
        return {MAP: usage_map, self.view: self._curve(runs)}

    def _table_below(self, runs: Mapping[str, CountedRun]) -> str:
        """The numbers that are read together with the curve."""
        if self.view != "definitions":
            return tables_as_html(numbers_beside(frame_of(runs, "summary"), NUMBERS_BESIDE[self.view]))
        definitions = self._definitions(runs)
        return tables_as_html(definitions_table(definitions), note=definitions_note(definitions))

    def _curve(self, runs: Mapping[str, CountedRun]) -> go.Figure:
        match self.view:
            case "ranks":
                return plots.usage.draw_by_rank(frame_of(runs, "ranks"), self._methods)
            case "lorenz":
                summary = frame_of(runs, "summary")
                return plots.usage.draw_lorenz(frame_of(runs, "lorenz"), summary, self._methods)
            case "accumulation":
                return plots.usage.draw_accumulation(frame_of(runs, "accumulation"), self._methods)
            case _:
                return plots.usage.draw_definitions(self._definitions(runs), self._methods)

    def line(self) -> str:
        (row,) = self._map.summary.to_dict("records")
        return (
            f"{self.shown}: {row['active_codes']:,d} of {row['codebook_size']:,d} codes used by "
            f"N = {row['tokens']:,d} tokens, perplexity {row['perplexity']:,.0f}"
        )

    def tables(self) -> Sequence[pd.DataFrame]:
        runs = self._counting.known()
        return [numbers_table(frame_of(runs, "summary")), definitions_table(self._definitions(runs))]

    def numbers(self) -> pd.DataFrame:
        """`analysis.usage.summary` of the runs that are counted."""
        return frame_of(self._counting.known(), "summary")

    def printed(self) -> Figure:
        runs = self._counting.known()
        return plots.usage.publish_beside_map(
            self._frames(runs), self._methods, self.view, self._grid(), self.shown, self.selection, self._counted(runs)
        )

    def figures(self) -> list[Figure]:
        """Every view, and the map: where they are shown, none can be chosen."""
        runs = self._counting.known()
        return [
            plots.usage.publish_comparison(self._frames(runs), self._methods, self._counted(runs)),
            plots.usage.publish_grid(self._grid(), self.selection, self.shown),
        ]

    def caption(self) -> str:
        runs = self._counting.known()
        studies = "; ".join(study_caption(run.study) for run in runs.values())
        band = _about_the_band(frame_of(runs, "accumulation"))
        return " ".join(filter(None, [f"Map: {self.shown}. {studies}. {band}", self.unequal_phases()]))

    def arguments_as_code(self) -> list[str]:
        return self._counting.arguments()

    def hint(self) -> str:
        said = [self._counting.refused()]
        if frame_of(self._counting.known(), "summary")["tokens"].nunique() > 1:
            said.append(
                "The runs were counted over different numbers of tokens, and usage grows with them: not ranked."
            )
        return "\n".join(filter(None, said))

    def missing(self) -> Work | None:
        return self._counting.work(self.shown, f"the usage of {self.shown}")

    def ahead(self) -> Piece | None:
        return self._counting.next_piece()

    def awaited(self) -> str:
        return self._counting.progress()

    def computed(self) -> None:
        """Lines of all runs are drawn at once: they would jump as often as there are runs."""
        if self._counting.next_due() is None:
            self._state_changed()
        else:
            self._say_hint()

    def _frames(self, runs: Mapping[str, CountedRun]) -> plots.usage.UsageFrames:
        return plots.usage.UsageFrames(
            frame_of(runs, "summary"),
            frame_of(runs, "ranks"),
            frame_of(runs, "lorenz"),
            frame_of(runs, "accumulation"),
            self._definitions(runs),
        )

    def _definitions(self, runs: Mapping[str, CountedRun]) -> pd.DataFrame:
        return analysis.usage.definitions(
            {name: run.study for name, run in runs.items()},
            batch_images=self.batch_images,
            window_tokens=self.window_tokens,
            hits=self.hits,
        )

    def _grid(self) -> pd.DataFrame:
        return analysis.usage.grid(self._map.usage)

    def _counted(self, runs: Mapping[str, CountedRun]) -> str:
        """What was counted, for a title: the runs share it, unless they were encoded differently."""
        summary, kinds = frame_of(runs, "summary"), {kind_of_crops(run.study) for run in runs.values()}
        first, kind = summary.iloc[0], kinds.pop() if len(kinds) == 1 else "crops"
        more = " (of the first run)" if summary["tokens"].nunique() > 1 else ""
        counted = (
            f"N = {first['tokens']:,d} tokens of {first['images']:,d} {kind} from "
            f"{first['photographs']} photographs{more}"
        )
        return ". ".join(filter(None, [counted, self.unequal_phases()]))

    @traitlets.observe("shown")
    def _forget_selection(self, change: traitlets.Bunch) -> None:
        """A code of one run has nothing to do with that of another."""
        self.selection = []


def _about_the_band(accumulation: pd.DataFrame) -> str:
    if (accumulation["unit"] == "photograph").all():
        return "Band: photographs resampled."
    return "Band: too few photographs, crops resampled; those of one photograph are not independent: too narrow."
