"""The training monitor: a run watched and steered in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.plots.paper import Width, printed_width
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_description import RunReplaced
from lgq_explore.runs.training_lock import is_held
from lgq_explore.training.controls import Controls
from lgq_explore.training.objectives.of_recipe import reconstruction_terms

from ..panel import Panel
from ..parts.frame.saving import Offered, SavedFile, file_stem
from ..parts.state.inputs import tabs
from ..parts.state.pieces import Choice, Stateful
from ..parts.studies import RunLike, as_run, run_argument
from ..parts.work.follower import Follower
from ..parts.work.kernel_loop import log_defect
from .latest_step import LatestStep
from .reader import RunReader
from .situation import NOTHING_YET, situation_of
from .trainer import Trainer
from .view import Actions, TrainingView, numbers_of
from .watch import RunWatch

VIEWS = {"losses and codes": "codes", "objectives": "objectives"}
"""Which curves are drawn: as the buttons say it, and as the trait does."""


class TrainingMonitor(Stateful, Panel):
    """A panel that trains a recipe in a thread and shows it live, or opens a run, wherever and however far it trained.

        monitor = TrainingMonitor(config)  # a new run
        display(monitor)
        run = await monitor.train()

        TrainingMonitor(run="lgq-1024-cb990e4a3b62-seed0")  # one that another process trains, was cut off, or finished

    The cell waits until training ends or is stopped, and the slider and the buttons work meanwhile. After Stop, the
    cells below run with what was saved, and panels say at which step that is. `start()` is the form that lets the cell
    end; `await finished()` joins it. Interrupting the kernel stops training after its step; so
    does shutting it down or restarting it. A run is continued as `lgq.resume` does it.

    config: the recipe of a new run. run: the folder to make; a free one under data/runs where it is None. Without a
    config, the run to open: opened already, its folder, or its name under data/runs.
    device: auto, cpu or cuda. pictures: how many held-out crops are reconstructed. controls: what steers;
    `ReplayedControls` repeat a run. Without them an opened run continues at the temperature that it was held at.
    view: the curves, `codes` or, of a recipe with several terms of the reconstruction or a GAN, `objectives`: how the
    terms share the decoder, and how the discriminator does. The start of the GAN is marked in both.

    Raises:
        InputError: neither a recipe nor a run, or a run that can't be opened.
    """

    view = Choice(lambda monitor: monitor.offered_views, "codes", tabs())

    def __init__(
        self,
        config: TrainConfig | None = None,
        run: RunLike | None = None,
        device: str = "auto",
        pictures: int = 6,
        controls: Controls | None = None,
        **state: Any,
    ) -> None:
        opened, self.config = _what_is_meant(config, run)
        self.controls = controls or Controls()
        path = None if run is None or isinstance(run, Run) else given_path_from_home(run)
        self._trainer = Trainer(self.config, path, device, self.controls, pictures, opened, controls is None)
        self._pictures = pictures
        actions = Actions(
            start=lambda: self._follower.clicked(self.start),
            stop=self._stop,
            resume=lambda: self._follower.clicked(self.resume),
            prepare_file=self._prepare_file,
        )
        self.take(state)
        inputs = self.bound_inputs(lambda error: self._view.show_error(error), self._draw_again)
        self._view = TrainingView(self.config, self.controls, actions, inputs.get("view"))
        self._latest: LatestStep | None = None
        self._trained: LatestStep | None = None  # the newest of this panel's own trainer
        self._drawn: LatestStep | None = None
        self._undrawn: Exception | None = None  # what kept the newest step from being drawn
        self._history = pd.DataFrame({"step": []})
        self._watch: RunWatch | None = None
        self._follower = Follower[Run](
            self, "monitor", in_a_script="lgq.train or lgq.resume", show=self._show, report=self._view.show_error
        )
        super().__init__(self._view.widgets)
        if opened is not None:
            self._watch_run(opened, is_own=False)
        self._draw()
        self.observe(self._draw_again, "view")

    def __repr__(self) -> str:
        quantizer = self.config.quantizer
        return f"TrainingMonitor({quantizer.method}, {quantizer.size} codes, {self.config.steps} steps)"

    @property
    def offered_views(self) -> dict[str, str]:
        """The views of this recipe, as the buttons say them, and as the trait does."""
        terms = reconstruction_terms(self.config)
        has_objectives = len(terms) > 1 or "gan" in terms
        return {name: view for name, view in VIEWS.items() if view == "codes" or has_objectives}

    @property
    def run(self) -> Run | None:
        """The run: the opened one, or the one that is trained, from its first logged step on."""
        return self._trainer.run

    async def train(self) -> Run:
        """Train, or continue the run, and return it: finished, or stopped and ready to be resumed.

        A finished run is returned as it is. Raises what training raised.
        """
        run = self.run
        if run is not None and run.is_finished:
            return run
        if run is None or self._follower.is_training:
            self.start()
        else:
            self.resume()
        return await self.finished()

    def start(self) -> None:
        """Begin to train in the background. Raises InputError where this panel, or another one, trains already."""
        self._follower.begin(self._trainer, self._trainer.start)

    def resume(self) -> None:
        """Continue the stopped run in the background, at the temperature held by hand, if one is.

        Raises InputError for a run that is finished, or trained by another process or panel.
        """
        run = self.run
        if run is not None and not self._follower.is_training and is_held(run.path):
            raise InputError(f"{printable(run.path)} is being trained already: wait for it, or stop it")
        self._follower.begin(self._trainer, self._trainer.resume)

    async def finished(self) -> Run:
        """Wait for the end of training, and return the run or raise what training raised."""
        return await self._follower.finished()

    def code(self) -> str:
        """One line of Python that opens this panel's run; empty before there is one."""
        if self.run is None:
            return ""
        state = "" if self.view == "codes" else f", view={self.view!r}"
        return f"lgq.widgets.TrainingMonitor(run={run_argument(self.run)}{state})"

    def figures(self) -> list[Figure]:
        return self.drawing()()

    def drawing(self) -> Callable[[], list[Figure]]:
        history, latest = self._history, self._latest  # which are replaced, and never changed
        return lambda: [] if latest is None else self._view.publish(history, latest)

    def _watch_run(self, run: Run, is_own: bool) -> None:
        if self._watch is None:
            self._watch = RunWatch(
                RunReader(run, self._pictures),
                is_paused=lambda: self._follower.is_training,
                is_over=lambda: self.comm is None,
                show=self._show_what_is_read,
                read=self._take_up_checkpoint,
            )
        self._watch.begin(is_known=is_own)

    def line(self) -> str:
        if self._latest is None:
            return ""
        row = self._latest.row
        return f"step {row['step']:.0f} of {self.config.steps}, loss {row['loss']:.3f}"

    def how_to_make_it_live(self) -> str:
        """The cell of a recipe trains a new run: what was trained is opened by its name."""
        how = super().how_to_make_it_live()
        return f"{how}, or {self.code()} to go on with this run" if self.code() else how

    def nothing_to_see(self) -> str:
        return NOTHING_YET

    def _show(self) -> None:
        """Show how far this panel's trainer is."""
        trained, run = self._trainer.newest(), self.run
        if run is not None:
            self._watch_run(run, is_own=True)
        if trained is not None and trained is not self._trained and run is not None and self._watch is not None:
            self._trained = self._latest = trained
            self._watch.reader.shown = trained.shown
            with suppress(RunReplaced):  # the trainer says that itself
                self._history = run.history()
        self._draw()

    def _show_what_is_read(self) -> None:
        assert self._watch is not None
        reader = self._watch.reader
        self._latest, self._history = reader.latest(), reader.history
        self._draw()

    def _take_up_checkpoint(self) -> None:
        """What a checkpoint of others held is held here, too, when this panel goes on."""
        assert self._watch is not None
        self._trainer.hold_as_before(self._watch.reader.held_temperature)
        if not self._follower.is_training:  # which began while it was read
            self._show_what_is_read()

    def _draw(self) -> None:
        reader = None if self._watch is None else self._watch.reader
        self._view.show_situation(situation_of(self._trainer, reader, self._latest), self._latest)
        self._view.offer(self.code())
        if self._latest is not None and self._latest is not self._drawn:
            self._drawn, self._undrawn = self._latest, None
            try:
                self._view.draw(self._history, self._latest, self.view)
                self.picture_changed()
            except Exception as error:  # training goes on, and so do the buttons
                self._undrawn = error
                log_defect("the monitor can't be drawn", error)
        if self._undrawn is not None:
            self._view.show_error(self._undrawn)

    def _draw_again(self, change: Any = None) -> None:
        self._drawn = None
        self._draw()

    def _prepare_file(self, kind: str) -> Callable[[], SavedFile]:
        latest, history = self._latest, self._history
        if latest is None:
            raise InputError("nothing was logged yet: save when the first step is made")
        stem = file_stem(repr(self) if self.run is None else self.run.name)

        def figure(width: Width) -> Figure:
            with printed_width(width):
                return self._view.publish(history, latest)[0]

        return Offered(stem, lambda: numbers_of(latest.row), lambda: history, figure).prepare(kind)

    def _stop(self) -> None:
        """End what is going on: training, or reading the newest checkpoint of a run that rests."""
        if self._follower.is_training:
            self.controls.stop()
            self._draw()
        elif self._watch is not None:
            self._watch.stop_reading()


def _what_is_meant(config: TrainConfig | None, run: RunLike | None) -> tuple[Run | None, TrainConfig]:
    """The run to open, as its folder holds it now, or None; and the recipe. Raises InputError."""
    if config is None:
        if run is None:
            raise InputError("there is nothing to train or to open: give a recipe, or a run, as TrainingMonitor(run=…)")
        given = as_run(run)
        given.require_unchanged()
        opened = open_run(given.path)
        return opened, opened.config
    if not isinstance(config, TrainConfig):
        raise InputError(f"config is {config!r}: give a recipe, or open a run with TrainingMonitor(run=…)")
    if isinstance(run, Run):
        raise InputError(
            f"a recipe and the run {run.name} are given: open the run without a recipe, or name a new folder"
        )
    return None, config
