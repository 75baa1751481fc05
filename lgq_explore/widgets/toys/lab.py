"""What a method learns in a plane, what a temperature does, and where a codebook splits."""

from __future__ import annotations

import html
from collections.abc import Hashable, Sequence
from functools import lru_cache, partial
from typing import Any, Self

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.analysis.temperature.annealing import AnnealingPath
from lgq_explore.analysis.toys import ToyFit, ToySetting, ToyView
from lgq_explore.analysis.toys.references import TEMPERATURES
from lgq_explore.kept import Kept
from lgq_explore.plots.style import Title
from lgq_explore.quantizers import QUANTIZERS, SoftQuantizer, methods_with_codes
from lgq_explore.quantizers.initialization import INITIALIZATIONS
from lgq_explore.quantizers.usage_regularizers import USAGE_FORMS

from ..explorer import Explorer
from ..parts.frame.tables import numbers_as_table, numbers_in_full
from ..parts.state.inputs import button, menu, number_box, row, stop_slider, tabs, three_digits
from ..parts.state.pieces import Choice, Temperature, Weight, Whole
from ..parts.work.background import Piece
from ..parts.work.follower import Follower
from .annealing import Annealing
from .planes import equilibrium_plane, hard_plane, no_equilibrium_plane, no_temperature, soft_plane
from .trainer import ToyProgress, ToyTrainer

WEIGHTS = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of a regularizer; 0.005 is the published one."""
FEWEST_CODES, MOST_CODES = 3, 64
"""More can't be told apart in a plane."""
VIEWS = {"distance": "distance", "centres": "centres"}
"""What is drawn beside the splits: as the buttons say it, and as the trait does."""
FIGURES_KEPT = 4
"""Of annealed codebooks. What does not depend on the temperature is not drawn again at another one."""
SETTINGS_KEPT = 4
"""Whose views and pictures are kept, for a reader who goes to and fro between them."""
Measured = ToyFit | ToyProgress | ToyView
"""What has a curve of training."""
SETTING = (
    "data",
    "method",
    "codes",
    "peakedness",
    "usage",
    "usage_form",
    "initialization",
    "seed",
    "steps",
    "batch_size",
)
"""Pieces of the state on which depends what is learned: the fields of a `ToySetting`."""


class ToyLab(Explorer):
    """A mixture in the plane whose best codebook is known, and any method that learns it, live.

    Three planes: whose place is whose, by the method's own hard choice; the same codes, shared at the temperature of
    the slider; and the codebook that minimises the free energy at that temperature, whose centres all coincide above
    τ_c. Below, where these part on the way from hot to cold, and how near training came to the best codebook.

    The button Train learns in the background; `train()` learns in the cell, and gives the lab back. It is the same
    either way: deterministic, by one recipe for all methods.

    Where a kernel's loop runs, what takes long is computed in the background: the least distortion, where no formula
    has it, and the codebook of the plane at the right, which is annealed from hot to cold. What needs neither is
    drawn at once. Another setting is served first, and Stop ends annealing, too.

    data: one of `lgq.analysis.toys.TOYS`. method: one of `lgq.QUANTIZERS` that has codes. codes: K, by default what
    suits the data; a grid takes the nearest product. temperature: of the slider; LGQ trains with its published
    schedule, 1.0 to 0.1. peakedness, usage: weights of LGQ's regularizers; usage_form: one of `USAGE_FORMS`.
    initialization: where codes start, of methods that can be told: random, kmeans++, kmeans, grid; empty for the
    method's own. seed: of the points, the start and the order. steps: of training; batch_size: points per step. view:
    what is drawn beside the splits: the `distance` to the best codebook during training, or how many `centres` can be
    told apart at each temperature.

    Raises:
        InputError: an unknown name, or a number out of range.
    """

    WIDE = ("planes",)

    data = Choice(list(analysis.toys.TOYS), "ring", menu("data"))
    method = Choice(lambda lab: methods_with_codes(), "lgq", menu("method"))
    codes = Whole(
        (FEWEST_CODES, MOST_CODES), lambda lab: analysis.toys.toy_named(lab.data).codes, number_box("K", "66px")
    )
    temperature = Temperature(three_digits(TEMPERATURES), 0.4, stop_slider("temperature τ", "275px"))
    peakedness = Weight(WEIGHTS, 0.005, stop_slider("λ peak", "230px"))
    usage = Weight(WEIGHTS, 0.005, stop_slider("λ usage", "230px"))
    usage_form = Choice(USAGE_FORMS, "published", menu("usage as"))
    initialization = Choice({"its own": "", **{name: name for name in INITIALIZATIONS}}, "", menu("start"))
    seed = Whole((0, 2**31 - 1), 0, number_box("seed", "76px"))
    steps = Whole((1, 100_000), 500, number_box("steps", "98px"))
    batch_size = Whole((2, 100_000), 512, number_box("batch", "98px"))
    view = Choice(VIEWS, "distance", tabs())

    def __init__(self, data: str = "ring", **state: Any) -> None:
        self._fit: ToyFit | None = None
        self._live: ToyProgress | None = None  # of the present setting, while it is learned
        self._trainer: ToyTrainer | None = None
        self._follower = Follower[ToyFit](
            self, "lab", in_a_script="lab.train()", show=self._show_training, report=self.refuse
        )
        self._seen: ToyView | None = None
        self._view_of = lru_cache(maxsize=SETTINGS_KEPT)(_make_view)
        self._annealing: Annealing | None = None  # what the present setting needs, and how far it is
        self._annealing_stopped = False
        self._drawn_path = lru_cache(maxsize=FIGURES_KEPT)(_draw_path)
        self._drawn_distance = lru_cache(maxsize=SETTINGS_KEPT)(_draw_distance)
        self._hard_plane = lru_cache(maxsize=SETTINGS_KEPT)(hard_plane)
        self._drawn_planes = Kept[tuple[Hashable, ...], go.Figure](most=SETTINGS_KEPT)
        self._train_button = button(
            "Train", "learn this setting", lambda: self._follower.clicked(self.start), icon="play"
        )
        self._stop_button = button(
            "Stop", "keep what was learned so far, and anneal no further", self.stop, icon="stop"
        )
        self._numbers = ipywidgets.HTML()
        super().__init__(data=data, **state)

    def above(self) -> Sequence[ipywidgets.Widget]:
        rows = (
            ("data", "method", "codes", "initialization", "seed", "steps"),
            ("peakedness", "usage", "usage_form"),
        )
        what, how = (row(*(self.inputs[name] for name in names)) for names in rows)
        training = (self.inputs["batch_size"], self._train_button, self._stop_button)
        return [what, how, row(*training, self.inputs["temperature"], self.inputs["view"]), self._numbers]

    def __repr__(self) -> str:
        return f"ToyLab({self.data}, {self.method}, {self.codes} codes)"

    @property
    def setting(self) -> ToySetting:
        """What is learned, and how."""
        return ToySetting(**{name: getattr(self, name) for name in SETTING})

    @property
    def fit(self) -> ToyFit | None:
        """What was learned with the present setting; None before."""
        return self._fit

    def train(self) -> Self:
        """Learn the present setting in this cell, draw it, and give the lab back. Raises what learning raised."""
        self._follower.require_idle()
        self._fit = analysis.toys.fit_toy(self.setting)
        self._redraw()
        self.renew_pictures()
        return self

    def start(self) -> None:
        """Learn the present setting in the background; `await finished()` joins it. Raises InputError if busy."""
        trainer = ToyTrainer(self.setting)
        self._follower.begin(trainer, trainer.start)
        self._trainer, self._fit, self._live = trainer, None, None
        self._annealing_stopped = False
        self._say_numbers()

    def stop(self) -> None:
        """Keep what was learned so far, and anneal no further until training begins or another setting is shown."""
        self._follower.stop()
        if not self._has_path:
            self._annealing_stopped = True
            if self._annealing is not None:
                self._annealing.give_up()
            self._state_changed()

    async def finished(self) -> ToyFit:
        """Wait for what `start` began, and return what was learned, stopped or not, or raise what learning raised."""
        return await self._follower.finished()

    def draw(self) -> dict[str, go.Figure]:
        self._enable_what_the_method_has()
        self._say_numbers()
        return {
            "planes": self._drawn_planes.get(self._planes_asked_for(), self._draw_planes),
            "splits": self._draw_path("splits"),
            self.view: self._draw_view(),
        }

    def _draw_view(self) -> go.Figure:
        if self.view == "distance":
            return self._drawn_distance(self._measured, self.method, self._distance_detail(), self.steps)
        return self._draw_path(self.view)

    def _draw_path(self, name: str) -> go.Figure:
        """A figure of the annealed codebook, or its place while there is none."""
        if self._has_path:
            return self._drawn_path(name, self._view.path)
        return plots.toys.empty_place(Title("How centres part", self._why_no_path))

    def marks(self) -> dict[str, go.Figure]:
        over = ("splits", "centres") if self._has_path else ()
        return dict.fromkeys(over, plots.temperature.mark_present(self.temperature))

    def printed(self) -> Figure:
        """The three planes."""
        return plots.toys.publish_toy_plane(
            self._planes(with_equilibrium=True), self._view.tokens.numpy(), self._title()
        )

    def figures(self) -> list[Figure]:
        path = self._view.path
        return [
            self.figure(),
            plots.temperature.publish_bifurcation(
                path.centres, path.states, path.critical_temperature, self.temperature
            ),
            plots.toys.publish_toy_distance(self._curves(), self._distance_detail(), self.steps),
        ]

    def frame(self) -> pd.DataFrame:
        """One row per code: `analysis.toys.ToyView.frame` at the present temperature."""
        return self._view.frame(self.temperature)

    def summary(self) -> dict[str, int | float | str]:
        """`analysis.toys.ToyView.numbers` at the present temperature, and the steps that were made."""
        return {**self._numbers_of_setting(), **self._view.numbers(self.temperature)}

    def tables(self) -> Sequence[pd.DataFrame]:
        return [numbers_as_table(self._numbers_at_hand())]

    def numbers(self) -> pd.DataFrame:
        return numbers_in_full(self._numbers_at_hand())

    def _numbers_at_hand(self) -> dict[str, int | float | str]:
        """The numbers of `summary` that are at hand: what the background computes follows."""
        at_hand = self._view.numbers(self.temperature, self._has_optimum, self._has_path)
        return {"state": self._state, **self._numbers_of_setting(), **at_hand}

    def _numbers_of_setting(self) -> dict[str, int | float | str]:
        return {"data": self.data, "method": self.method, "finished_steps": self._finished_steps()}

    def line(self) -> str:
        view, least = self._view, "the least is computed by k-means …"
        numbers = view.hard_numbers
        if self._has_optimum:
            of_optimum = view.optimum_numbers()
            least = f"{of_optimum['ratio']:.2f} × the least ({of_optimum['optimum_how']})"
        return (
            f"distortion {numbers['distortion']:.4f} = {least} · {numbers['active_codes']} codes used · "
            f"N = {numbers['tokens']:,d}"
        )

    def caption(self) -> str:
        view = self._view
        least = f"{view.optimum.distortion:.4f} {view.optimum.how}" if self._has_optimum else "not known yet"
        return (
            f"{self.method} on {self.data}: {analysis.toys.toy_named(self.data).what} · K = {len(view.codebook)} "
            f"· seed {self.seed} · step {self._finished_steps():,d} of {self.steps:,d}, "
            f"{self.batch_size:,d} points each · measured on N = {len(view.tokens):,d} held-out tokens "
            f"· least distortion {least}. Colours mix where codes share a place, down to grey where all do; a code is "
            "as large as what it holds."
        )

    def picture_changed(self) -> None:
        if self._has_path:  # a picture shows the equilibrium, too, and must not anneal in the kernel's loop
            super().picture_changed()

    def arguments_as_code(self) -> list[str]:
        return []

    def code(self) -> str:
        is_trained = self._fit is not None and self._finished_steps() == self.steps
        return super().code() + (".train()" if is_trained else "")

    def hint(self) -> str:
        if self._annealing_stopped and not self._has_path:
            return "Annealing was stopped: it begins again with Train, or with another setting."
        return ""

    @property
    def _view(self) -> ToyView:
        """Of what was learned, what is being learned, or the start; those of the last settings are kept."""
        self._seen = self._view_of(self.setting, self._fit or self._live)
        return self._seen

    @property
    def _has_optimum(self) -> bool:
        """Whether the least distortion is at hand; in a script it is computed when it is asked for."""
        return self._view.knows_optimum or not self._loop.is_running

    @property
    def _has_path(self) -> bool:
        """Whether the annealed codebook is at hand; in a script it is annealed when it is asked for."""
        return self._view.knows_path or not self._loop.is_running

    @property
    def _measured(self) -> Measured | None:
        """What says how near training came to the best codebook; before training, how near the start is."""
        return self._fit or self._live or (self._view if self._has_optimum else None)

    def _curves(self) -> dict[str, pd.DataFrame]:
        return _curves_of(self._measured, self.method)

    def _finished_steps(self) -> int:
        return 0 if self._measured is None else int(self._measured.curve["step"].iloc[-1])

    def _planes_asked_for(self) -> tuple[Hashable, ...]:
        """All that the figure of the planes depends on."""
        return (self._view, self.temperature, self._has_path or self._why_no_equilibrium, self._title())

    def _draw_planes(self) -> go.Figure:
        planes = self._planes(with_equilibrium=self._has_path)
        return plots.toys.draw_toy_plane(planes, self._view.tokens.numpy(), self._title())

    def _planes(self, *, with_equilibrium: bool) -> list[plots.toys.PlanePanel]:
        view, temperature = self._view, self.temperature
        third = (
            equilibrium_plane(view, temperature)
            if with_equilibrium
            else no_equilibrium_plane(view, self._why_no_equilibrium)
        )
        return [self._hard_plane(view, self.method), soft_plane(view, temperature), third]

    def _title(self) -> Title:
        view = self._view
        return Title(
            f"{self.method} on {self.data}",
            f"K = {len(view.codebook)}, seed {self.seed}, step {self._finished_steps():,d}; "
            f"{plots.toys.POINTS_SHOWN} of N = {len(view.tokens):,d} held-out points",
        )

    def _distance_detail(self) -> str:
        began = "" if self._fit or self._live else "the start, not trained yet · "
        return f"{began}N = {len(self._view.tokens):,d}"

    @traitlets.observe(*SETTING)
    def _forget(self, change: Any) -> None:
        """Another setting has learned nothing yet."""
        self._fit = self._live = None
        self._annealing_stopped = False
        self._follower.stop()

    def _enable_what_the_method_has(self) -> None:
        has_weights = "peakedness" in QUANTIZERS[self.method].default_loss_weights
        for name in ("peakedness", "usage", "usage_form"):
            self.inputs[name].disabled = not has_weights
        self.inputs["initialization"].disabled = not analysis.toys.can_start_otherwise(self.method)

    def _say_numbers(self) -> None:
        view, training = self._view, self._follower.is_training
        soft = view.soft_numbers(self.temperature)
        self._train_button.disabled, self._stop_button.disabled = training, not (training or self._is_computing)
        made = f", step {self._finished_steps():,d} of {self.steps:,d}" if training or self._fit is not None else ""
        of_softness = (
            f"over {soft['batch_tokens']:,d} points: peakedness {soft['peakedness']:.3f}, usage "
            f"{soft['usage_published']:.3f} (at least {soft['usage_bound']:.3f}; unbiased {soft['usage_unbiased']:.3f})"
            if isinstance(view.quantizer, SoftQuantizer)
            else no_temperature(self.method)
        )
        self._numbers.value = html.escape(f"{self._state}{made} · {self._say_path()} · {of_softness}")

    @property
    def _state(self) -> str:
        if self._follower.is_training:
            return "training"
        return "trained" if self._fit is not None else "not trained yet: press Train"

    def _say_path(self) -> str:
        """The critical temperature, or how far annealing is."""
        if self._has_path:
            return f"τ_c = {self._view.path.critical_temperature:.3g}"
        return f"equilibrium {self._why_no_path}"

    @property
    def _why_no_path(self) -> str:
        if self._annealing_stopped:
            return "not annealed: stopped"
        return "being annealed …" if self._annealing is None else self._annealing.progress

    @property
    def _why_no_equilibrium(self) -> str:
        """The same in few words, without how far annealing is."""
        return self._why_no_path.partition(",")[0]

    @property
    def _is_computing(self) -> bool:
        """Whether the background computes something of the present setting, or is about to."""
        return not self._has_optimum or not (self._has_path or self._annealing_stopped)

    def _redraw(self) -> None:
        super()._redraw()
        if self._annealing is not None and self._seen is not None and not self._annealing.is_for(self._seen):
            self._annealing.give_up()  # what the reader set meanwhile is first

    def ahead(self) -> Piece | None:
        """What the setting that is drawn lacks: the least distortion, then the annealed codebook."""
        if self._seen is None:
            return None
        view = self._seen
        if not view.knows_optimum:
            return partial(analysis.toys.toy_optimum, view.setting.data, len(view.codebook))
        if view.knows_path or self._annealing_stopped:
            return None
        if self._annealing is None or not self._annealing.is_for(view):
            self._annealing = Annealing(view, lambda: self._loop.soon(self._say_numbers))
        return self._annealing

    def computed(self) -> None:
        self._redraw()

    def _show_training(self) -> None:
        """Draw what is new of the present setting; the reader may have turned to another one meanwhile."""
        trainer = self._trainer
        if trainer is None or trainer.setting != self.setting:
            return
        if self._follower.is_training:
            newest = trainer.newest()
            if newest is not self._live:
                self._live = newest
                self._redraw()
            return
        self._fit, self._live = trainer.result, None
        self._redraw()
        if trainer.error is not None:
            self.refuse(trainer.error)


def _make_view(setting: ToySetting, source: ToyFit | ToyProgress | None) -> ToyView:
    return ToyView(setting, analysis.toys.toy_start(setting) if source is None else source.quantizer)


def _draw_path(name: str, path: AnnealingPath) -> go.Figure:
    """What is annealed, as `splits` of the centres or by the number of `centres`."""
    if name == "splits":
        return plots.temperature.draw_bifurcation(path.centres, path.states, path.critical_temperature)
    return plots.temperature.draw_centre_counts(path.states, path.critical_temperature)


def _draw_distance(measured: Measured | None, method: str, detail: str, steps: int) -> go.Figure:
    return plots.toys.draw_toy_distance(_curves_of(measured, method), detail, steps)


def _curves_of(measured: Measured | None, method: str) -> dict[str, pd.DataFrame]:
    return {} if measured is None else {method: measured.curve}
