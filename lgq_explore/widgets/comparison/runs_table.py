"""All runs of a folder in a table, from which other panels are opened."""

from __future__ import annotations

import html
import os
import shlex
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.analysis.comparison import over_seeds, runs_in, unequal_phases
from lgq_explore.errors import InputError, printable
from lgq_explore.folders import runs_folder
from lgq_explore.runs.overview import how_to_make_a_run, stamps
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.study import CROPS, Study, study

from ..panel import ERROR_COLOUR, QUIET_COLOUR, Panel, spoken
from ..parts.frame.foot import Foot
from ..parts.frame.saving import NUMBER_FORMATS, Offered, SavedFile
from ..parts.state.inputs import button, check_box, row, text_box
from ..parts.state.pieces import Choice, Stateful
from ..parts.work.background import Background
from ..parts.work.kernel_loop import KernelLoop
from .columns import COLUMNS, split_columns
from .filtering import filtered, why_none
from .openers import OPENERS, opener
from .pieces import Filter, RunNames
from .rows import UNEQUAL, Section, sections, table_for_papers
from .table_view import TableView, static_table

MOST_NAMED = 4
"""Names above an open panel; of more runs there is the number."""

LOOK_SECONDS = 2.0
"""Time between two looks at whether the folder's files have changed, while a panel is open below the table."""


class RunsTable(Stateful, Panel):
    """All runs of a folder, with their recipes, steps, dates and numbers, to be compared and opened in other panels.

        table = RunsTable(words="data=photos step>=300", sort="psnr_db", descending=True)
        table.open_in("UsageExplorer")  # of the runs that are ticked

    folder: holds run folders; by default data/runs. Nothing is computed: the numbers on held-out pictures are those of
    the last `evaluate`, and the loss is that of the step that is shown. A run that can't be opened stands there with
    the reason.
    words: which runs are shown. A word is looked for in names, methods, data and remarks; `method=lgq`, `seed!=0`,
    `psnr>22` or `begun>=2026-11` compare a column, called as in `frame()` or in its head.
    sort, descending: the column by which they are sorted, as a click on its head does.
    grouped: whether the runs of a recipe, which differ in their seeds alone, stand below their mean ± standard
    deviation; only finished ones count.
    selection: the names of the runs that are ticked.

    Raises:
        InputError: no such folder, one that is itself a run, or a state that the table can't have.
    """

    words = Filter(None, "", text_box("filter", "words, or method=lgq seed=0 psnr>22", "360px"))
    sort = Choice(tuple(COLUMNS), "run")
    descending = Choice((False, True), False)
    grouped = Choice((False, True), True, check_box("mean of each recipe"))
    selection = RunNames(lambda panel: panel.names)

    def __init__(self, folder: str | os.PathLike[str] | None = None, **state: Any) -> None:
        self._folder = folder
        self._seen = stamps(folder)
        self._runs = runs_in(folder)
        self._columns: list[str] = []
        self._shared: dict[str, str] = {}
        self._shown: list[Section] = []
        self._why_empty = ""
        self._opened: Panel | None = None
        self._opened_as, self._wanted = "", ""
        self._studies: dict[str, Study] = {}
        self._failure: InputError | None = None
        self._loop = KernelLoop()
        self._looks = False
        self._background = Background(self._next_piece, self._open_if_ready, self.refuse)
        self._view = TableView(self._sort_by, self._tick)
        self._message, self._note = ipywidgets.HTML(), ipywidgets.HTML()
        self.foot = Foot(NUMBER_FORMATS, self._prepare_file)
        self._place = ipywidgets.VBox()
        self.take(state)
        inputs = self.bound_inputs(self.refuse, self._follow)
        self._buttons = {name: self._button(name) for name in OPENERS}
        self._close_button = close = button("close", "close the panel below", self.close_panel)
        again = button("look again", "read the folder anew", self.look_again)
        opening = row(ipywidgets.HTML("open ticked runs in"), *self._buttons.values(), close)
        super().__init__(
            [
                row(*inputs.values(), again),
                self._view,
                self._note,
                opening,
                self._message,
                self.foot,
                self._place,
            ]
        )
        self._follow()
        self.observe(self._follow, list(self.STATE))
        self.observe(self._feed, "selection")

    def __repr__(self) -> str:
        return f"RunsTable({len(self._runs)} runs)"

    @property
    def names(self) -> list[str]:
        """The runs of the folder that can be opened."""
        return list(self._runs.loc[self._runs["opens"], "run"])

    def frame(self) -> pd.DataFrame:
        """That of `analysis.comparison.runs_in`, of the runs that `words` shows, sorted by name."""
        return filtered(self._runs, self.words).reset_index(drop=True)

    def summary(self) -> pd.DataFrame:
        """That of `analysis.comparison.over_seeds`, of the runs that `words` shows."""
        return over_seeds(self.frame())

    def runs(self) -> list[Run]:
        """The ticked runs, in the order in which they were ticked; where none is, all that are shown and can be opened.

        Raises:
            InputError: one that was deleted since.
        """
        shown = [row.run for section in self._shown for row in section.rows if row.opens]
        return [open_run(self._path(name)) for name in self.selection or shown]

    def studies(self, crops: int = CROPS) -> list[Study]:
        """The studies of `runs`, on at most `crops` held-out crops. Raises InputError."""
        return [study(run, crops=crops) for run in self.runs()]

    def open_in(self, panel: str = "UsageExplorer") -> Panel:
        """Open the ticked runs in a panel, below the table in the same cell. panel: the name of its class.

        Raises:
            InputError: an unknown panel, one that takes no such number of runs, or runs that it refuses.
        """
        chosen = opener(panel)
        objection = chosen.objection(len(self.selection))
        if objection:
            raise InputError(f"{panel} can't be opened: {objection}")
        subjects = self._ticked_studies(chosen.study) if chosen.study else self.runs()
        return self._show_panel(panel, chosen.make(*subjects, **self._kept_state(panel)))

    def close_panel(self) -> None:
        """Close the panel below the table, if there is one."""
        self._wanted, self._opened_as, self._opened, self._place.children = "", "", None, ()
        self._follow()

    async def ready(self) -> None:
        """Wait until the panel that a click asked for is open, or refused."""
        await self._background.finished()

    def look_again(self) -> None:
        """Read the folder anew; runs that can't be opened any more are no longer ticked."""
        self._seen = stamps(self._folder)  # first: what is written while it is read is read again
        try:
            self._runs = runs_in(self._folder)
        except InputError as error:
            self.refuse(error)
            return
        self.selection = [name for name in self.selection if name in self.names]
        self._follow()

    def code(self) -> str:
        """One line of Python that makes the table again in its present state."""
        arguments = [] if self._folder is None else [repr(os.fspath(self._folder))]
        state = [f"{name}={value!r}" for name, value in self.state().items() if value != self.piece(name).default(self)]
        return f"lgq.widgets.RunsTable({', '.join([*arguments, *state])})"

    def figures(self) -> list[Figure]:
        """Those of the panel that is open below the table."""
        return [] if self._opened is None else self._opened.figures()

    def refuse(self, error: BaseException) -> None:
        """Say what was wrong with something that a reader asked for; the table stays."""
        self._message.value = spoken(str(error), ERROR_COLOUR)

    def line(self) -> str:
        """How many runs are shown and ticked."""
        return self.foot.line

    def nothing_to_see(self) -> str:
        return ""  # the table itself needs no picture

    def still_of(self, picture: bytes | None) -> dict[str, Any]:
        shown = static_table(self._columns, self._shown, self.selection, self._why_empty)
        # A reader of a saved notebook may sit at another machine, where the runs' folder says nothing.
        notes = self._notes(self.frame(), with_folders=False)
        shown += f"<p>{html.escape(self.foot.line)}</p><p>{_as_html(notes)}</p>"
        shown += _picture(picture, repr(self._opened)) if picture else ""
        return {"text/plain": repr(self), "text/html": f'<div data-panel="{html.escape(repr(self))}">{shown}</div>'}

    def _follow(self, change: Any = None) -> None:
        frame = self.frame()
        if change is None or change["name"] != "selection":
            self._columns, self._shared = split_columns(frame if len(frame) else self._runs)
            self._shown = sections(frame, self.sort, self.descending, self.grouped)
            self._why_empty = why_none(self._runs, self.words) if len(self._runs) and not len(frame) else ""
            self._view.show(self._columns, self._shown, self.sort, self.descending, self._why_empty)
        self._view.ticked = self.selection
        self._note.value = f'<div style="color: {QUIET_COLOUR}; line-height: 18px">{_as_html(self._notes(frame))}</div>'
        self._message.value = "" if len(self._runs) else spoken(how_to_make_a_run(self._folder), QUIET_COLOUR)
        for name, opening in self._buttons.items():
            objection = OPENERS[name].objection(len(self.selection))
            opening.disabled, opening.tooltip = bool(objection), objection or f"open them below, in a {name}"
        self._close_button.layout.display = None if self._opened is not None else "none"
        self.foot.copied = {"copy code": self.code(), "copy names": "\n".join(self.selection)}
        self.foot.line = self._counted(frame)
        self._view.is_compact = self._opened is not None
        self.picture_changed()

    def _prepare_file(self, kind: str) -> Callable[[], SavedFile]:
        return Offered("runs", self.summary, self.frame, printed=lambda: table_for_papers(self.frame())).prepare(kind)

    def _counted(self, frame: pd.DataFrame) -> str:
        hidden = len(set(self.selection) - set(frame["run"]))
        ticked = f"{len(self.selection)} ticked" + (f", {hidden} of them not shown" if hidden else "")
        return f"{len(frame)} of {len(self._runs)} runs shown, {ticked}"

    def _notes(self, frame: pd.DataFrame, with_folders: bool = True) -> list[str]:
        """What the table says below itself, in a few sentences; the code in them stands between backquotes."""
        if not len(self._runs):
            return []
        notes = [f"All: {', '.join(self._shared.values())}."] if self._shared else []
        notes += filter(None, [unequal_phases(frame[frame["opens"]])])
        notes += _sentence_on_tokens(frame)
        if any(UNEQUAL in section.head.values() for section in self._shown):
            notes.append(f"{UNEQUAL}: numbers over different N, or of different features, have no mean.")
        if any("(n = " in text for section in self._shown for text in section.head.values()):
            notes.append("n: the finished runs that a mean is over, where others lack the number.")
        if "loss" in self._columns and frame["method"].replace("", pd.NA).nunique() > 1:
            notes.append("Losses of different methods are sums of different terms, and rank no methods.")
        missing = frame[frame["opens"] & frame["tokens"].isna()]["run"]
        if len(missing):
            path = shlex.quote(str(self._path(missing.iloc[0]))) if with_folders else "RUN"
            command = f"`lgq-explore evaluate {path}`"
            notes.append(
                f"1 run has no numbers on held-out pictures: {command} measures them."
                if len(missing) == 1
                else f"{len(missing)} runs have no numbers on held-out pictures: measure each, the first by {command}."
            )
        return notes

    def _path(self, name: str) -> Path:
        return (runs_folder() if self._folder is None else Path(os.path.expanduser(self._folder))) / name

    def _button(self, panel: str) -> ipywidgets.Button:
        return button(OPENERS[panel].label, "", lambda: self._loop.soon(lambda: self._begin_to_open(panel)))

    def _sort_by(self, column: str) -> None:
        """A second click turns the order around."""
        if column == self.sort:
            self.descending = not self.descending
        else:
            self.sort = column

    def _tick(self, runs: list[str], on: bool) -> None:
        try:
            added = [run for run in runs if run not in self.selection] if on else []
            self.selection = [run for run in self.selection if on or run not in runs] + added
        except InputError as error:
            self.refuse(error)

    def _begin_to_open(self, panel: str) -> None:
        """Open a panel without holding up the kernel's loop: its studies are made in another thread first."""
        self._wanted, self._failure = panel, None
        self._say_progress()
        if self._loop.is_running and self._next_piece() is not None:
            self._background.begin()
        else:
            self._open_wanted()

    def _next_piece(self) -> Callable[[], object] | None:
        """What makes the next study that the wanted panel lacks."""
        make = OPENERS[self._wanted].study if self._wanted and self._failure is None else None
        missing = next((name for name in self.selection if name not in self._studies), None)
        return None if make is None or missing is None else partial(self._make_study, make, missing)

    def _ticked_studies(self, make: Callable[[Path], Study]) -> list[Study]:
        """Those made in the background, and others made now."""
        return [self._studies.get(name) or make(self._path(name)) for name in self.selection]

    def _make_study(self, make: Callable[[Path], Study], name: str) -> None:
        try:
            self._studies[name] = make(self._path(name))
        except InputError as error:
            self._failure = error

    def _open_if_ready(self) -> None:
        if self._wanted and self._next_piece() is None:
            self._open_wanted()
        elif self._wanted:
            self._say_progress()

    def _say_progress(self) -> None:
        ready, ticked = len({*self._studies} & {*self.selection}), len(self.selection)
        so_far = f"{ready} of {ticked} runs are ready" if ready else f"{ticked} run{'s' if ticked > 1 else ''}"
        self._message.value = spoken(f"opening {OPENERS[self._wanted].label}: {so_far} …", QUIET_COLOUR)

    def _open_wanted(self) -> None:
        panel, self._wanted = self._wanted, ""
        try:
            if self._failure is not None:
                raise self._failure
            self.open_in(panel)
        except InputError as error:
            self.refuse(error)
        finally:
            self._studies.clear()

    def _feed(self, change: Any) -> None:
        """Let the panel below follow what is ticked, where it takes that."""
        name = self._wanted or self._opened_as
        if not name or not OPENERS[name].follows:
            return
        objection = OPENERS[name].objection(len(self.selection))
        if objection:
            self._message.value = spoken(f"{OPENERS[name].label} stays as it is: {objection}", QUIET_COLOUR)
        else:
            self._begin_to_open(name)

    def _kept_state(self, panel: str) -> dict[str, Any]:
        """What the open panel passes on to one of its kind, of other runs."""
        is_same = self._opened is not None and panel == self._opened_as
        return {name: getattr(self._opened, name) for name in OPENERS[panel].keeps if is_same}

    def _show_panel(self, name: str, panel: Panel) -> Panel:
        self._opened, self._opened_as = panel, name
        if isinstance(panel, Stateful):
            panel.observe(lambda change: self.picture_changed(), list(panel.STATE))
        runs = ", ".join(self.selection) if len(self.selection) <= MOST_NAMED else f"{len(self.selection)} runs"
        title = ipywidgets.HTML(f"<b>{OPENERS[name].label}</b> of {html.escape(printable(runs))}")
        self._place.children = (title, panel)
        self._follow()
        if self._loop.is_running and not self._looks:
            self._looks = True
            self._loop.soon(lambda: self._loop.later(LOOK_SECONDS, self._keep_looking))
        return panel

    def _keep_looking(self) -> None:
        """The panel below may train, and says itself how far it is: the table says the same."""
        self._looks = self._opened is not None and self.comm is not None
        if self._looks:
            if stamps(self._folder) != self._seen:
                self.look_again()
            self._loop.later(LOOK_SECONDS, self._keep_looking)


def _sentence_on_tokens(frame: pd.DataFrame) -> list[str]:
    tokens = sorted(frame["tokens"].dropna().unique())
    if not tokens:
        return []
    over = " or ".join(f"{number:,d}" for number in tokens)
    return [f"PSNR to bits: held-out pictures, N = {over} tokens; loss: of the step shown."]


def _as_html(sentences: Sequence[str]) -> str:
    parts = html.escape(printable(" ".join(sentences))).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _picture(png: bytes, name: str) -> str:
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{b64encode(png).decode()}">'
