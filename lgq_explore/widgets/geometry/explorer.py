"""A panel on the shape of a learned codebook, beside a grid."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore import plots
from lgq_explore.errors import InputError, printable
from lgq_explore.frames.geometry import CODE, TOKEN
from lgq_explore.kept import Kept
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts.widget import Picked
from ..parts.state.inputs import codes_box, menu, row, step_slider, steps_beside
from ..parts.state.pieces import Choice, Codes
from ..parts.studies import StudyLike, as_study, study_arguments, study_caption
from ..parts.work.background import Abandoned, Piece, Work
from .panes import MapRequest, PaneRequest, StudyMaps, numbers_of, of_the_same_map

BESIDE = {
    "the other run, in its own space": "lattice",
    "the other run, in its latents": "latents",
    "a grid fitted to these tokens": "fitted",
    "these codes where they started": "start",
    "nothing": "nothing",
}
"""What is shown beside: as the menu says it, and as the trait does."""

OF_THE_OTHER = ("lattice", "latents")
ON_THE_SAME_AXES = ("fitted", "start")

REPLAY_MILLISECONDS = 900

CHARTS = ("map", "beside")
FIGURES_KEPT = 4
"""Of the last states: whoever compares two goes back and forth between them."""


class GeometryExplorer(Explorer):
    """Codes and held-out tokens on one map, over the steps of training, and a grid beside them.

        GeometryExplorer(lgq.tutorial_run("lgq"), beside=lgq.tutorial_run("fsq"))

    study, beside: studies made before, or runs: opened, folders, or names under data/runs, looked at through at most
    `crops` held-out crops, or crops of `data`: the SPEC of other pictures, such as folder:PATH. method: `pca`, drawn at
    once, or `umap`, which is made in the background where a kernel's loop runs, and kept in the run's folder. colour:
    of `plots.geometry.CODE_COLOURS`.
    snapshot: the step of a saved codebook, by default the newest; tokens are always those of today's encoder.
    beside_as: `lattice`, in the space where the one beside rounds; `latents`, as what its codes decode to among its raw
    latents; both on axes of their own. Or on the same axes: `fitted`, a grid with the levels of `beside` (without: of
    the nearest size), fitted to the same tokens; `start`, the same codes of the first snapshot. Or `nothing`, which is
    where one begins without another run. selection: joint codes
    of `study`, set by a click or a lasso.

    Raises:
        InputError: a run that can't be opened, has no weights, or has more codes than can be listed.
    """

    method = Choice({"PCA": "pca", "UMAP": "umap"}, "pca", menu("map by", "170px"))
    colour = Choice(
        {name.replace("_", " "): name for name in plots.geometry.CODE_COLOURS}, "usage", menu("colour", "240px")
    )
    snapshot = Choice(lambda panel: panel.steps, lambda panel: panel.steps[-1], step_slider("codes of step"))
    beside_as = Choice(
        lambda panel: panel.offered_beside,
        lambda panel: next(iter(panel.offered_beside.values())),
        menu("beside", "330px"),
    )
    selection = Codes(lambda panel: panel.study.quantizer.codebook_size, codes_box("codes", "280px"))

    def __init__(
        self,
        study: StudyLike,
        beside: StudyLike | None = None,
        crops: int = CROPS,
        data: str | None = None,
        **state: Any,
    ) -> None:
        self.study = as_study(study, crops, data)
        self._other = None if beside is None else StudyMaps(as_study(beside, crops, data))
        grid = None if self._other is None else self._other.quantizer
        levels = grid.lattice if grid is not None and grid.codebook_is_fixed else ()
        self._maps = StudyMaps(self.study, levels or None)
        self.steps = self._maps.map(MapRequest("pca")).steps
        # Without another run, nothing comes first, and nothing of another run is offered.
        alone = {"nothing": "nothing", **{said: name for said, name in BESIDE.items() if name not in OF_THE_OTHER}}
        self.offered_beside = alone if self._other is None else BESIDE
        self._progress = ""
        self._failures: dict[tuple[StudyMaps, MapRequest | PaneRequest], str] = {}
        self._shown: tuple[Hashable, ...] = ()
        self._figures = Kept[tuple[Hashable, ...], list[go.Figure]](most=FIGURES_KEPT)
        super().__init__(**state)

    def __repr__(self) -> str:
        other = f", beside {printable(self._other.study.name)}" if self._other else ""
        return f"GeometryExplorer({printable(self.study.name)}{other})"

    def above(self) -> Sequence[ipywidgets.Widget]:
        steps = self.inputs.get("snapshot")
        return [
            row(*(self.inputs[name] for name in ("method", "colour", "beside_as"))),
            row(steps, self._player_of(steps), self.inputs["selection"]),
        ]

    def _player_of(self, steps: ipywidgets.Widget | None) -> ipywidgets.Play | None:
        """What moves the slider by itself, from step to step."""
        if steps is None:
            return None
        play = ipywidgets.Play(
            value=self.steps.index(self.snapshot),
            max=len(self.steps) - 1,
            interval=REPLAY_MILLISECONDS,
            show_repeat=False,
            layout={"width": "90px"},
        )
        ipywidgets.jslink((play, "value"), (steps, "index"))
        return play

    def pick(self, picked: Picked) -> None:
        self.selection = picked.of(self.selection)

    def studies(self) -> list[Study]:
        return [self.study]

    def looked_at(self) -> list[Study]:
        return [self.study, *([self._other.study] if self._other else [])]

    def draw(self) -> dict[str, go.Figure]:
        self._shown = self._asked_for()
        return dict(zip(CHARTS, self._figures.get(self._shown, self._draw_maps), strict=False))

    def marks(self) -> dict[str, go.Figure]:
        marks = [plots.geometry.mark_codes(pane, self.selection) for pane in self._panes()]
        return dict(zip(CHARTS, marks, strict=False))

    def _asked_for(self) -> tuple[Hashable, ...]:
        """All that the figures depend on."""
        return (self.beside_as, *self._pane_requests())

    def _draw_maps(self) -> list[go.Figure]:
        return plots.geometry.draw_latent_maps(self._panes(), self.colour, shared_axes=self._is_shared())

    def printed(self) -> Figure:
        return plots.geometry.publish_latent_map(
            self._panes(),
            self.colour,
            selected=self.selection,
            shared_axes=self._is_shared(),
        )

    def frame(self) -> pd.DataFrame:
        """One row per point shown: map (its heading), kind (code, token), code, x, y, fitted, colours of codes."""
        parts = []
        for pane in self._panes():
            parts.append(pane.codes.assign(map=pane.heading, kind=CODE))
            tokens = pane.tokens[["code", "token", "x", "y", "fitted"]]
            parts.append(tokens.assign(map=pane.heading, kind=TOKEN))
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
        for place, (pane, (maps, request)) in enumerate(zip(self._panes(), drawn, strict=True)):
            numbers |= numbers_of(pane, maps.map(request), "beside_" if place else "")
        return numbers

    def line(self) -> str:
        return self._panes()[0].under[0]

    def caption(self) -> str:
        parts = [
            f"{study_caption(self.study)}. Codes of step {self.snapshot:,d}, encoder of step "
            f"{self.study.trained.finished_steps:,d}.",
            *(f"{pane.heading}: {' '.join(pane.under)}" for pane in self._panes()),
        ]
        if self.beside_as == "fitted":
            parts.append(
                "Beside: a grid fitted to the very tokens that are shown, while the codes learned from others, which "
                "favours the grid. Both maps are one: their axes are shared."
            )
        elif self.beside_as == "start":
            parts.append("Beside: the same codes where they started, among the tokens of today's encoder.")
        elif self._other and self.beside_as != "nothing":
            parts.append(
                f"Beside: {study_caption(self._other.study)}. Two runs, two pairs of axes: "
                "places on one map say nothing about places on the other."
            )
        return " ".join(parts)

    def arguments_as_code(self) -> list[str]:
        beside = {} if self._other is None else {"beside": self._other.study}
        return study_arguments(self.study, **beside)

    def hint(self) -> str:
        failed = [said for requested, said in self._failures.items() if requested in self._requested()]
        return failed[0] if failed else ""

    def awaited(self) -> str:
        missing = self._next_unknown()
        if missing is None:
            return ""
        shown = "Drawn by PCA until UMAP is made" if missing[1].method == "umap" else "The grid follows"
        return f"{shown}: {self._progress or 'starting'}"

    def _requested(self) -> list[tuple[StudyMaps, MapRequest]]:
        """The maps of the present state, from left to right."""
        if self.beside_as == "fitted":
            both = (self._maps, MapRequest(self.method, with_grid=True))
            return [both, both]
        alone = [(self._maps, MapRequest(self.method))]
        if self.beside_as == "start":
            return [*alone, *alone]
        if self._other is None or self.beside_as == "nothing":
            return alone
        return [
            *alone,
            (self._other, MapRequest(self.method, "latents" if self.beside_as == "latents" else "rounding")),
        ]

    def _drawn(self) -> list[tuple[StudyMaps, MapRequest]]:
        """The maps that are shown, made."""
        shown = self._to_draw()
        for maps, request in shown:
            maps.map(request)
        return shown

    def _to_draw(self) -> list[tuple[StudyMaps, MapRequest]]:
        """The maps that are shown: those requested for, or, while these are made, what takes less long."""
        requested = self._requested()
        if self._loop.is_running and not all(maps.has(request) for maps, request in requested):
            at_once = [(maps, replace(request, method="pca")) for maps, request in requested]
            if at_once[0][1].with_grid and not self._maps.has(at_once[0][1]):
                at_once = [(self._maps, MapRequest("pca"))]
            requested = at_once
        return requested

    def _is_shared(self) -> bool:
        drawn = self._drawn()
        return len(drawn) == 2 and self.beside_as in ON_THE_SAME_AXES

    def _panes(self) -> list[plots.geometry.MapPane]:
        self._drawn()
        left, *beside = (maps.pane(pane) for maps, pane in self._pane_requests())
        if not beside or self.beside_as == "fitted":
            return [left, *beside]
        if self.beside_as == "start":
            return [left, of_the_same_map(beside[0])]
        return [left, replace(beside[0], selectable=False)]

    def _pane_requests(self) -> list[tuple[StudyMaps, PaneRequest]]:
        """The panes that are shown, from left to right."""
        (maps, request), *others = self._to_draw()
        left = (maps, PaneRequest(request, self.colour, self.snapshot))
        if not others:
            return [left]
        other, beside = others[0]
        step = self.steps[0] if self.beside_as == "start" else None
        return [left, (other, PaneRequest(beside, self.colour, step, of_grid=self.beside_as == "fitted"))]

    def _next_unknown(self) -> tuple[StudyMaps, MapRequest] | None:
        missing = (one for one in self._requested() if not one[0].has(one[1]) and one not in self._failures)
        return next(missing, None)

    def _next_steps(self) -> Iterator[tuple[StudyMaps, PaneRequest]]:
        """The codes of the steps beside the present one, where the slider goes next."""
        maps, pane = self._pane_requests()[0]
        for step in steps_beside(self.steps, self.snapshot):
            yield maps, replace(pane, step=step)

    def missing(self) -> Work | None:
        for maps, request in self._to_draw():
            if not maps.has(request):
                return Work("the map", partial(maps.map, request))
        for maps, pane in self._pane_requests():
            if not maps.at_hand(pane):
                return Work(f"the map coloured by {self.colour.replace('_', ' ')}", partial(maps.pane, pane))
        return None

    def ahead(self) -> Piece | None:
        unknown = self._next_unknown()
        if unknown is not None:
            maps, request = unknown
            return partial(self._attempt, unknown, partial(maps.map, request, self._hear))
        steps = ((maps, pane) for maps, pane in self._next_steps() if not maps.at_hand(pane))
        step = next((one for one in steps if one not in self._failures), None)
        return None if step is None else partial(self._attempt, step, partial(step[0].pane, step[1]))

    def computed(self) -> None:
        if self._asked_for() == self._shown:
            self._say_hint()
        else:
            self._state_changed()

    def _attempt(self, asked: tuple[StudyMaps, MapRequest | PaneRequest], make: Piece) -> None:
        """Make a map or a pane ahead; called in another thread, where no widget may be touched."""
        self._progress = ""
        try:
            make()
        except Abandoned:
            raise
        except Exception as error:  # of a map it is shown in the panel; neither is tried again ahead
            self._failures[asked] = str(error) if isinstance(error, InputError) else repr(error)

    def _hear(self, sentence: str) -> None:
        self._background.require_wanted()
        self._progress = sentence
        if self._loop.is_running:
            self._loop.soon(self._say_hint)
