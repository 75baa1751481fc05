"""What all panels that explore trained tokenizers have in common."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from time import monotonic
from typing import Any, ClassVar

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.plots.paper import Width, printed_width
from lgq_explore.runs.study import Study
from lgq_explore.threads import half_of_the_threads, one_thread

from .panel import ERROR_COLOUR, QUIET_COLOUR, Panel, spoken
from .parts.charts.widget import Charts, Picked
from .parts.frame.foot import Foot
from .parts.frame.saving import FORMATS, Offered, SavedFile, file_stem
from .parts.frame.tables import numbers_as_table, numbers_in_full, tables_as_html
from .parts.state.inputs import button, row
from .parts.state.pieces import Stateful
from .parts.studies import remarks_on
from .parts.work.background import Background, Piece, Work
from .parts.work.kernel_loop import KernelLoop

PAUSE_SECONDS = 0.03
"""From one drawing to the next: a drag sends moves faster than they can be drawn, and these are drawn once."""

REST_SECONDS = 0.2
"""From the last drawing until what may be asked for next is computed: the page draws meanwhile, on the same cores."""

MAKE_AGAIN = "make the panel again to see it"


class Explorer(Stateful, Panel):
    """A panel that answers one question about runs, from one line of Python.

    Its state is what its class declares (`parts.state.pieces`): keywords of the constructor, and traits that can be
    read and set from Python. What is picked, codes in the trait `selection` or a `patch`, is shared with other panels
    by `link`. Where a kernel's loop runs, the charts follow as soon as it is free, once for many moves of a drag;
    elsewhere at once.

    What it shows of a run is what its folder held when the panel was made (`FrozenRun`). Where the folder has moved on
    since, the panel says so.

    From top to bottom it has rows of inputs, a message, charts, and a foot: the most important numbers in one line,
    from which all numbers, the caption and the line of code unfold. A panel with more charts than fit a screen has a
    piece of state that chooses which are in sight.

    A subclass reads what it is given, and calls ``super().__init__(**state)`` last. It says where its `inputs` stand
    by `above` and `below`, what a click does by `pick`, and what it shows by `draw` (live), `printed` (static),
    `frame`, `summary` and `line`, all of the state's present values. InputError raised by `draw` is shown to the
    reader, and what was drawn and said before stays.

    From a move to a picture: an input sets its piece (`parts.state.pieces`), which checks the value. `_state_changed`
    asks the kernel's loop to draw once for all moves since the last time. `_redraw` has `draw` make the figures, whose
    numbers come from `analysis` and whose shapes from `plots`. `Charts` sends those that changed to the page. What
    only moves over a figure, as the line at the present temperature does, is given by `marks`, and the figure is kept.

    Where that would hold the kernel's loop for longer than a quarter of a second, the subclass says by `missing` what
    has to be computed first. It is computed in the background; meanwhile the charts are marked as not up to date, the
    message says why, and every input works. What is only likely to be asked for next is given by `ahead`; what is
    missing does not wait for the end of it, so both may be computed at once. While the reader waits, for what is
    `missing` or for what `awaited` tells, Stop stands beside the message.
    """

    WIDE: ClassVar[tuple[str, ...]] = ()
    """The names of charts that go over both columns."""

    OPENS_EMPTY: ClassVar[bool] = False
    """Whether it is there before anything is drawn, where a kernel's loop runs; others compute that first."""

    def __init__(self, **state: Any) -> None:
        self.charts = Charts(self.WIDE)
        self._message = ipywidgets.HTML()
        self._stop_or_go_on = button("Stop", "compute no further", self._stop_or_continue)
        self.foot = Foot(FORMATS, self._prepare_file)
        self._loop = KernelLoop()
        self._is_due = False
        self._drawn_at = -math.inf
        self._background = Background(
            self._piece_ahead, self._piece_done, self._work_failed, urgent=self._missing_piece, rest=self._rest
        )
        self.take(state)
        self.inputs = self.bound_inputs(self.refuse, self._state_changed)
        said = row(self._message, self._stop_or_go_on)
        super().__init__([*self.above(), said, self.charts, *self.below(), self.foot])
        self.charts.on_select(self.pick)
        self.foot.observe(self._state_changed, "is_open")
        self._redraw()
        self.observe(self._moved, list(self.STATE))

    def above(self) -> Sequence[ipywidgets.Widget]:
        """The rows of widgets above the charts; `inputs` holds one for each piece of the state that has one."""
        return []

    def below(self) -> Sequence[ipywidgets.Widget]:
        """The widgets below the charts."""
        return []

    def pick(self, picked: Picked) -> None:
        """Take what a click, a box or a lasso caught; by default nothing comes of it."""

    def looked_at(self) -> list[Study]:
        """Whose tokenizers are shown, also those whose codes can't be picked."""
        return self.studies()

    def moved_on(self) -> list[str]:
        """A sentence for each run whose folder holds something else by now than what is shown."""
        said = [study.run.watch.moved_on(MAKE_AGAIN) for study in self.looked_at() if study.run is not None]
        return [sentence for sentence in said if sentence]

    def remarks(self) -> list[str]:
        """What the folders of the runs lacked when the panel was made: rows of the history, or the end of training."""
        runs = [study.run for study in self.looked_at() if study.run is not None]
        return [remark for run in runs for remark in remarks_on(run)]

    def compared(self) -> Mapping[str, Study]:
        """The studies that are held against each other, by their runs' names."""
        return {study.name: study for study in self.looked_at()}

    def unequal_phases(self) -> str:
        """A sentence on how the GAN phases of what is compared differ; empty where they don't."""
        return analysis.comparison.unequal_phases(analysis.comparison.gan_phases(self.compared()))

    def missing(self) -> Work | None:
        """What takes long and has to be computed before the present state can be drawn; None where nothing has."""
        return None

    def ahead(self) -> Piece | None:
        """What may be computed while nobody moves, once nothing is missing; None where there is nothing."""
        return None

    def computed(self) -> None:
        """Called after each piece of `ahead`, in the loop's thread."""

    def awaited(self) -> str:
        """How far that is what the reader waits for and `ahead` computes, without a full stop; empty where it is done.

        It is followed by " …" while it goes on, and by "; stopped." after Stop.
        """
        return ""

    def stop(self) -> None:
        """Compute no further until something else is asked for; what is drawn stays."""
        self._background.stop()
        self._state_changed()

    def go_on(self) -> None:
        """Compute what is still missing after `stop`."""
        self._background.allow()
        self._state_changed()

    async def ready(self) -> None:
        """Wait until nothing is left to be computed in the background, and everything is drawn."""
        self._background.allow()
        self._redraw()
        await self._background.finished()
        self._redraw()

    def draw(self) -> dict[str, go.Figure]:
        """The interactive figures of the present state by name, in two columns; those in WIDE go over both."""
        raise NotImplementedError("abstract: an explorer draws itself")

    def marks(self) -> dict[str, go.Figure]:
        """What lies on top of figures of `draw`, by their names, where it moves without them (`Charts.show`)."""
        return {}

    def figure(self, width: Width = "screen") -> Figure:
        """What the panel shows now, as a static figure: for a screen, or for a "column" or the "text" of a paper.

        Of a panel whose charts make no single figure it is the first of them; `figures` has all.

        Raises:
            InputError: another width.
        """
        with printed_width(width):
            return self.printed()

    def printed(self) -> Figure:
        """What `figure` gives, of the width that `plots.paper` is set to."""
        raise NotImplementedError("abstract: an explorer is printed")

    def frame(self) -> pd.DataFrame:
        """The data behind what the panel shows now."""
        raise NotImplementedError("abstract: an explorer has data")

    def summary(self) -> dict[str, int | float | str]:
        """The numbers of what the panel shows now, each with the N it is taken over."""
        raise NotImplementedError("abstract: an explorer has numbers")

    def line(self) -> str:
        """The most important numbers of what the panel shows now, with their N, in one line."""
        raise NotImplementedError("abstract: an explorer has a most important number")

    def tables(self) -> Sequence[pd.DataFrame]:
        """The numbers that unfold below the line. The first table is the one that is saved for papers."""
        return [numbers_as_table(self.summary())]

    def numbers(self) -> pd.DataFrame:
        """The numbers of the first of `tables` in full, in named columns, as they are saved for programs."""
        return numbers_in_full(self.summary())

    def caption(self) -> str:
        """What is shown, of which run, seed and N."""
        raise NotImplementedError("abstract: an explorer says what it shows")

    def arguments_as_code(self) -> list[str]:
        """The positional arguments that make this panel again, as Python; `study_argument` writes that of a study."""
        raise NotImplementedError("abstract: an explorer knows what it was made of")

    def hint(self) -> str:
        """One sentence that says what to do where there is nothing to see; empty where there is something."""
        return ""

    def code(self) -> str:
        """One line of Python that makes the panel again in its present state."""
        state = [f"{name}={self.piece(name).as_code(value)}" for name, value in self.state().items()]
        return f"lgq.widgets.{type(self).__name__}({', '.join([*self.arguments_as_code(), *state])})"

    def copied(self) -> dict[str, str]:
        """What the buttons of the foot put into the clipboard, by their labels."""
        return {"copy code": self.code()}

    def figures(self) -> list[Figure]:
        return [self.figure()]

    def _moved(self, change: Any) -> None:
        self._background.allow()  # Stop was about something else
        self._state_changed()

    def _state_changed(self, change: Any = None) -> None:
        # A move may arrive in another thread than the one that draws.
        self._loop.soon(self._redraw_soon)

    def _redraw_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.later(max(0.0, self._drawn_at + PAUSE_SECONDS - monotonic()), self._redraw)

    def _redraw(self) -> None:
        self._is_due = False
        try:
            missing = self._missing_beside_the_loop()
            self.charts.stale = missing is not None
            if missing is not None:
                ends = "not computed: stopped." if self._background.is_stopped else "computed …"
                self._say(
                    f"{'Not up to date' if self.charts.figures else 'Nothing'} yet: {missing.what} is {ends}",
                    QUIET_COLOUR,
                )
                return
            # The page needs the other cores to draw; what a panel opens with may have all.
            with one_thread() if self.charts.figures else nullcontext():
                self.charts.show(self.draw(), self.marks())
                self._tell()
        except InputError as error:
            self._say(str(error), ERROR_COLOUR)
        except Exception as error:  # a defect: the kernel's log has the rest
            self._say(f"{type(error).__name__}: {error}", ERROR_COLOUR)
            raise
        finally:
            self._drawn_at = monotonic()
            self._background.begin()

    def _tell(self) -> None:
        """Say what there is to say about what is drawn."""
        self._say_hint()
        self.foot.line, self.foot.copied = self.line(), self.copied()
        self.picture_changed()
        if self.foot.is_open:  # numbers take time: those that nobody looks at are not made
            self.foot.details = f"{tables_as_html(*self.tables())}<p>{html.escape(self.caption())}</p>"

    def _missing_beside_the_loop(self) -> Work | None:
        """What is missing where the background can compute it; most panels compute at once what they open with."""
        can_wait = self.OPENS_EMPTY or self.charts.figures
        return self.missing() if self._loop.is_running and can_wait else None

    def _missing_piece(self) -> Piece | None:
        try:
            missing = self._missing_beside_the_loop()
        except InputError:  # the reader was told when the state was to be drawn
            return None
        return None if missing is None else self._beside_the_page(missing.do)

    def _piece_ahead(self) -> Piece | None:
        try:
            piece = self.ahead() if self._missing_beside_the_loop() is None else None
        except InputError:
            return None
        return None if piece is None else self._beside_the_page(piece)

    def _beside_the_page(self, piece: Piece) -> Piece:
        """The piece in half of the threads: the page needs cores to draw. What a panel opens with may have all."""
        return partial(_within_half_of_the_threads, piece) if self.charts.figures else piece

    def _rest(self) -> float:
        return self._drawn_at + REST_SECONDS - monotonic()

    def _piece_done(self) -> None:
        if self.charts.stale:
            self._redraw()
        else:
            self.computed()

    def _work_failed(self, error: Exception) -> None:
        self._say(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}", ERROR_COLOUR)

    def _prepare_file(self, kind: str) -> Callable[[], SavedFile]:
        offered = Offered(file_stem(repr(self)), self.numbers, self.frame, self.figure, lambda: self.tables()[0])
        return offered.prepare(kind)

    def _say_hint(self) -> None:
        awaited = self.awaited() if self._loop.is_running else ""
        progress = awaited and awaited + ("; stopped." if self._background.is_stopped else " …")
        said = (*self.moved_on(), *self.remarks(), self.unequal_phases(), progress, self.hint())
        self._say("\n".join(filter(None, said)), QUIET_COLOUR)

    def _say(self, sentence: str, colour: str) -> None:
        self._message.value = spoken(sentence, colour)
        waits = self._loop.is_running and (self.charts.stale or bool(self.awaited()))
        self._stop_or_go_on.layout.display = None if waits else "none"
        self._stop_or_go_on.description = "Go on" if self._background.is_stopped else "Stop"

    def _stop_or_continue(self) -> None:
        self._loop.soon(self.go_on if self._background.is_stopped else self.stop)

    def refuse(self, error: BaseException) -> None:
        """Say what was wrong with something that a reader asked for; what is drawn stays."""
        self._say(str(error), ERROR_COLOUR)


def _within_half_of_the_threads(piece: Piece) -> None:
    with half_of_the_threads():
        piece()
