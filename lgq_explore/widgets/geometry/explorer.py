"""A panel on the shape of a learned codebook, beside a grid."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.analysis.geometry.embedding import say_nothing
from lgq_explore.errors import InputError, printable
from lgq_explore.runs.study import Study

from ..charts import Picked
from ..codes_box import CodesBox, checked_codes
from ..explorer import MAKE_AGAIN, Explorer, StudyLike, as_study, one_of, study_argument, study_caption
from ..parts.kernel_loop import running_loop
from .panes import Subject, Wish, numbers_of, of_the_same_map

BESIDE = {
    "the other run, in its own space": "lattice",
    "the other run, in its latents": "latents",
    "a grid fitted to these tokens": "fitted",
    "these codes where they started": "start",
}
"""What is shown beside: as the menu says it, and as the trait does."""

ON_THE_SAME_AXES = ("fitted", "start")

REPLAY_MILLISECONDS = 900


class GeometryExplorer(Explorer):
    """Codes and held-out tokens on one map, over the steps of training, and a grid beside them.

        GeometryExplorer(lgq.tutorial_run("lgq"), beside=lgq.tutorial_run("fsq"))

    study, beside: studies made before, or runs: opened, folders, or names under data/runs. method: `pca`, drawn at
    once, or `umap`, which is made in the background where a kernel's loop runs, and kept in the run's folder. colour:
    of `plots.geometry.CODE_COLOURS`.
    snapshot: the step of a saved codebook, by default the newest; tokens are always those of today's encoder.
    beside_as: `lattice`, in the space where the one beside rounds; `latents`, as what its codes decode to among its raw
    latents; both on axes of their own. Or on the same axes: `fitted`, a grid with the levels of `beside` (without: of
    the nearest size), fitted to the same tokens; `start`, the same codes of the first snapshot. selection: joint codes
    of `study`, set by a click or a lasso.

    Raises:
        InputError: a run that can't be opened, has no weights, or has more codes than can be listed.
    """

    STATE: ClassVar[tuple[str, ...]] = ("method", "colour", "snapshot", "beside_as", "selection")
    method = traitlets.Unicode()
    colour = traitlets.Unicode()
    snapshot = traitlets.Int()
    beside_as = traitlets.Unicode()
    selection = traitlets.List(traitlets.Int())

    def __init__(
        self,
        study: StudyLike,
        beside: StudyLike | None = None,
        method: str = "pca",
        colour: str = "usage",
        snapshot: int | None = None,
        beside_as: str = "lattice",
        selection: Sequence[int] = (),
    ) -> None:
        self.study = as_study(study)
        self._other = None if beside is None else Subject(as_study(beside))
        grid = None if self._other is None else self._other.quantizer
        levels = grid.lattice if grid is not None and grid.codebook_is_fixed else ()
        self._subject = Subject(self.study, levels or None)
        self._steps = self._subject.map(Wish("pca"), say_nothing).steps
        self._size = self._subject.quantizer.codebook_size
        self._progress = ""
        self._failures: dict[tuple[Subject, Wish], str] = {}
        self._background: asyncio.Task[None] | None = None
        super().__init__(self._controls())
        self.charts.on_select(self._take)
        self._begin(
            method=method,
            colour=colour,
            snapshot=self._steps[-1] if snapshot is None else snapshot,
            beside_as=beside_as,
            selection=list(selection),
        )

    def __repr__(self) -> str:
        other = f", beside {printable(self._other.study.name)}" if self._other else ""
        return f"GeometryExplorer({printable(self.study.name)}{other})"

    async def ready(self) -> None:
        """Wait until what the present state asks for is made and drawn. `figure` and `frame` have PCA until then."""
        self._redraw()
        while self._background is not None and not self._background.done():
            await asyncio.shield(self._background)
        self._redraw()

    def studies(self) -> list[Study]:
        return [self.study]

    def moved_on(self) -> list[str]:
        beside = self._other.study.run if self._other else None
        return [*super().moved_on(), *([beside.watch.moved_on(MAKE_AGAIN)] if beside else [])]

    def draw(self) -> list[go.Figure]:
        return [
            plots.geometry.draw_latent_map(
                self._panes(),
                self.colour,
                selected=self._checked_selection(),
                shared_axes=self._is_shared(),
            )
        ]

    def figure(self) -> Figure:
        return plots.geometry.publish_latent_map(
            self._panes(),
            self.colour,
            selected=self._checked_selection(),
            shared_axes=self._is_shared(),
        )

    def frame(self) -> pd.DataFrame:
        """One row per point shown: map (its heading), kind (code, token), code, x, y, fitted, colours of codes."""
        parts = []
        for pane in self._panes():
            parts.append(pane.codes.assign(map=pane.heading, kind="code"))
            tokens = pane.tokens[["code", "token", "x", "y", "fitted"]]
            parts.append(tokens.assign(map=pane.heading, kind="token"))
        return pd.concat(parts, ignore_index=True)

    def summary(self) -> dict[str, int | float | str]:
        """Codes, unused ones and tokens of each map, and how far it can be believed, with k and N."""
        drawn = self._drawn()
        numbers: dict[str, int | float | str] = {
            "run": self.study.name,
            "method": drawn[0][1].method,
            "snapshot": self.snapshot,
            "selected_codes": len(self.selection),
        }
        for place, (pane, (subject, wish)) in enumerate(zip(self._panes(), drawn, strict=True)):
            numbers |= numbers_of(pane, subject.maps[wish], "beside_" if place else "")
        return numbers

    def caption(self) -> str:
        parts = [
            f"{study_caption(self.study)}. Codes of step {self.snapshot:,d}, encoder of step "
            f"{self.study.trained.finished_steps:,d}."
        ]
        if self.beside_as == "fitted":
            parts.append(
                "Beside: a grid fitted to the very tokens that are shown, while the codes learned from others, which "
                "favours the grid. Both maps are one: their axes are shared."
            )
        elif self.beside_as == "start":
            parts.append("Beside: the same codes where they started, among the tokens of today's encoder.")
        elif self._other:
            parts.append(
                f"Beside: {study_caption(self._other.study)}. Two runs, two pairs of axes: "
                "places on one map say nothing about places on the other."
            )
        return " ".join(parts)

    def subjects(self) -> list[str]:
        beside = [f"beside={study_argument(self._other.study)}"] if self._other else []
        return [study_argument(self.study), *beside]

    def hint(self) -> str:
        failed = [said for wished, said in self._failures.items() if wished in self._wished()]
        if failed:
            return failed[0]
        missing = self._next_unknown()
        if missing is None or not self._is_followed:
            return ""
        what = "UMAP" if missing[1].method == "umap" else "the grid"
        shown = "Drawn by PCA until UMAP is made" if what == "UMAP" else "The grid follows"
        return f"{shown}: {self._progress or 'starting'} …"

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:
        return one_of("method", proposal["value"], analysis.geometry.MAP_METHODS)

    @traitlets.validate("colour")
    def _check_colour(self, proposal: Any) -> str:
        return one_of("colour", proposal["value"], plots.geometry.CODE_COLOURS)

    @traitlets.validate("beside_as")
    def _check_beside(self, proposal: Any) -> str:
        return one_of("beside_as", proposal["value"], BESIDE.values())

    @traitlets.validate("snapshot")
    def _check_snapshot(self, proposal: Any) -> int:
        if proposal["value"] not in self._steps:
            raise InputError(
                f"there is no snapshot of step {proposal['value']} on the map: "
                f"choose one of {', '.join(map(str, self._steps))}"
            )
        return proposal["value"]

    def _wished(self) -> list[tuple[Subject, Wish]]:
        """The maps of the present state, from left to right."""
        if self.beside_as == "fitted":
            both = (self._subject, Wish(self.method, with_grid=True))
            return [both, both]
        alone = [(self._subject, Wish(self.method))]
        if self.beside_as == "start":
            return [*alone, *alone]
        if self._other is None:
            return alone
        return [*alone, (self._other, Wish(self.method, "latents" if self.beside_as == "latents" else "rounding"))]

    def _drawn(self) -> list[tuple[Subject, Wish]]:
        """The maps that are shown: those wished for, or, while these are made, what there is at once."""
        wished = self._wished()
        if self._is_followed and not all(self._is_known(*one) for one in wished):
            at_once = [(subject, replace(wish, method="pca")) for subject, wish in wished]
            if not self._is_known(*at_once[0]) and at_once[0][1].with_grid:
                at_once = [(self._subject, Wish("pca"))]
            wished = at_once
        for subject, wish in wished:
            subject.map(wish, say_nothing)
        return wished

    def _is_shared(self) -> bool:
        drawn = self._drawn()
        return len(drawn) == 2 and self.beside_as in ON_THE_SAME_AXES

    def _panes(self) -> list[plots.geometry.MapPane]:
        (subject, wish), *others = self._drawn()
        left = subject.pane(wish, self.colour, self.snapshot)
        if not others:
            return [left]
        other, beside = others[0]
        match self.beside_as:
            case "fitted":
                right = other.grid_pane(beside, self.colour)
            case "start":
                right = of_the_same_map(other.pane(beside, self.colour, self._steps[0]))
            case _:
                right = replace(other.pane(beside, self.colour), selectable=False)
        return [left, right]

    def _checked_selection(self) -> list[int]:
        return checked_codes(self.selection, self._size)

    def _is_known(self, subject: Subject, wish: Wish) -> bool:
        return wish in subject.maps

    def _next_unknown(self) -> tuple[Subject, Wish] | None:
        missing = (one for one in self._wished() if not self._is_known(*one) and one not in self._failures)
        return next(missing, None)

    def _controls(self) -> list[ipywidgets.Widget]:
        method = ipywidgets.Dropdown(
            options=[("PCA", "pca"), ("UMAP", "umap")], description="map by", layout={"width": "170px"}
        )
        colour = ipywidgets.Dropdown(
            options=[(name.replace("_", " "), name) for name in plots.geometry.CODE_COLOURS],
            description="colour",
            layout={"width": "240px"},
        )
        beside = ipywidgets.Dropdown(options=list(BESIDE.items()), description="beside", layout={"width": "330px"})
        slider = ipywidgets.SelectionSlider(
            options=self._steps,
            value=self._steps[-1],
            description="codes of step",
            style={"description_width": "initial"},
            layout={"width": "330px"},
        )
        last = len(self._steps) - 1
        play = ipywidgets.Play(value=last, max=last, interval=REPLAY_MILLISECONDS, show_repeat=False)
        ipywidgets.jslink((play, "value"), (slider, "index"))
        codes = CodesBox("codes", self._size)
        self.snapshot = self._steps[-1]
        for trait, box in (("method", method), ("colour", colour), ("beside_as", beside), ("snapshot", slider)):
            setattr(self, trait, box.value)
            traitlets.link((self, trait), (box, "value"))
        traitlets.link((self, "selection"), (codes, "codes"))
        first = [method, colour, beside]
        return [ipywidgets.HBox(first), ipywidgets.HBox([slider, play, codes])]

    def _take(self, picked: Picked) -> None:
        self.selection = picked.codes

    def _redraw(self) -> None:
        super()._redraw()
        loop = running_loop()
        if loop is not None and self._next_unknown() and (self._background is None or self._background.done()):
            self._background = loop.create_task(self._make_what_is_missing())

    async def _make_what_is_missing(self) -> None:
        """Make the maps of the present state in another thread, one after the other; draw each when it is there."""
        while (missing := self._next_unknown()) is not None:
            subject, wish = missing
            self._progress = ""
            try:
                await asyncio.to_thread(subject.map, wish, self._hear)
            except Exception as error:  # shown where a person looks, and not tried again
                self._failures[missing] = str(error) if isinstance(error, InputError) else repr(error)
            self._follow()

    def _hear(self, sentence: str) -> None:
        """Called in the other thread, where no widget may be touched."""
        self._progress = sentence
        if self._kernel_loop is not None and self._is_followed:
            self._kernel_loop.call_soon_threadsafe(self._say_progress)

    def _say_progress(self) -> None:
        self._say_hint()
