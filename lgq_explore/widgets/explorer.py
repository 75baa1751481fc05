"""What all panels that explore trained tokenizers have in common."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore.errors import InputError, printable
from lgq_explore.folders import runs_folder
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.study import CROPS, Study, study

from .charts import Charts
from .copy_code import CopyCode
from .panel import ERROR_COLOUR, QUIET_COLOUR, Panel
from .parts.kernel_loop import running_loop

COALESCE_SECONDS = 0.03
"""A drag sends moves faster than they can be drawn: those that arrive within this time are drawn once."""

MAKE_AGAIN = "make the panel again to see it"

RunLike = Run | str | os.PathLike[str]
"""A run: opened, its folder, or its name under data/runs."""

StudyLike = Study | RunLike
"""What a panel looks at: a study, or a run whose study of its held-out pictures is meant."""


class Explorer(Panel):
    """A panel that answers one question about runs, from one line of Python.

    Traits hold its state, and `STATE` names them in the order of the constructor's keywords. They can be read and set
    from Python; what is picked, codes in the trait `selection` or a `patch`, is shared with other panels by `link`.
    Where a kernel's loop runs, the charts follow a moment later, once for many moves; elsewhere at once.

    What it shows of a run is what its folder held when the panel was made (`FrozenRun`). Where the folder has moved on
    since, the panel says so.

    A subclass builds its widgets, calls ``super().__init__(controls, below)`` with those above and below the charts,
    and last ``self._begin(**state)``. It says what it shows by `draw` (live), `figure` (static), `frame` and
    `summary`, all of the traits' present values. InputError raised by `draw` is shown to the reader, and what was
    drawn and said before stays.
    """

    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, controls: Sequence[ipywidgets.Widget] = (), below: Sequence[ipywidgets.Widget] = ()) -> None:
        self.charts = Charts()
        self._message, self._caption, self._copy = ipywidgets.HTML(), ipywidgets.HTML(), CopyCode()
        super().__init__([*controls, self._message, self.charts, *below, self._caption, self._copy])
        self._kernel_loop = running_loop()
        self._is_due = False

    def studies(self) -> list[Study]:
        """Whose codes can be picked here, first the one that is shown at the moment; by default there are none."""
        return []

    def moved_on(self) -> list[str]:
        """A sentence for each run whose folder holds something else by now than what is shown."""
        said = [study.run.watch.moved_on(MAKE_AGAIN) for study in self.studies() if study.run is not None]
        return [sentence for sentence in said if sentence]

    def remarks(self) -> list[str]:
        """What the folders of the runs lacked when the panel was made (`Run.remarks`)."""
        return [remark for study in self.studies() if study.run is not None for remark in study.run.remarks()]

    def draw(self) -> list[go.Figure]:
        """The interactive figures of the present state, the first over the whole width, the others in two columns."""
        raise NotImplementedError("abstract: an explorer draws itself")

    def figure(self) -> Figure:
        """What the panel shows now, as a static figure."""
        raise NotImplementedError("abstract: an explorer is printed")

    def frame(self) -> pd.DataFrame:
        """The data behind what the panel shows now."""
        raise NotImplementedError("abstract: an explorer has data")

    def summary(self) -> dict[str, int | float | str]:
        """The numbers of what the panel shows now, each with the N it is taken over."""
        raise NotImplementedError("abstract: an explorer has numbers")

    def caption(self) -> str:
        """What is shown, of which run, seed and N."""
        raise NotImplementedError("abstract: an explorer says what it shows")

    def subjects(self) -> list[str]:
        """The positional arguments that make this panel again, as Python; `study_argument` writes that of a study."""
        raise NotImplementedError("abstract: an explorer knows what it was made of")

    def hint(self) -> str:
        """One sentence that says what to do where there is nothing to see; empty where there is something."""
        return ""

    def code(self) -> str:
        """One line of Python that makes the panel again in its present state."""
        state = [f"{name}={getattr(self, name)!r}" for name in self.STATE]
        return f"lgq.widgets.{type(self).__name__}({', '.join([*self.subjects(), *state])})"

    def figures(self) -> list[Figure]:
        return [self.figure()]

    def _begin(self, **state: Any) -> None:
        """Take the first state, draw it, and follow it from now on."""
        for name, value in state.items():
            setattr(self, name, value)
        self._redraw()
        self.observe(self._follow, list(self.STATE))

    @property
    def _is_followed(self) -> bool:
        """Whether a kernel's loop draws what changes, so that something quick may be drawn before the rest."""
        return self._kernel_loop is not None and not self._kernel_loop.is_closed()

    def _follow(self, change: Any = None) -> None:
        if self._kernel_loop is not None and self._is_followed:
            # A move may arrive in another thread than the one that draws.
            self._kernel_loop.call_soon_threadsafe(self._redraw_soon)
        else:
            self._redraw()

    def _redraw_soon(self) -> None:
        assert self._kernel_loop is not None
        if not self._is_due:
            self._is_due = True
            self._kernel_loop.call_later(COALESCE_SECONDS, self._redraw)

    def _redraw(self) -> None:
        self._is_due = False
        try:
            self.charts.show(self.draw())
        except InputError as error:
            self._say(str(error), ERROR_COLOUR)
        except Exception as error:  # a defect: the kernel's log has the rest
            self._say(f"{type(error).__name__}: {error}", ERROR_COLOUR)
            raise
        else:
            self._say_hint()
            self._caption.value = f'<span style="color: {QUIET_COLOUR}">{html.escape(self.caption())}</span>'
            self._copy.code = self.code()

    def _say_hint(self) -> None:
        self._say("\n".join(said for said in (*self.moved_on(), *self.remarks(), self.hint()) if said), QUIET_COLOUR)

    def _say(self, sentence: str, colour: str) -> None:
        lines = "\n".join(map(printable, sentence.split("\n")))
        said = f'<span role="status" style="color: {colour}; white-space: pre-line">{html.escape(lines)}</span>'
        self._message.value = said if sentence else ""


def as_study(subject: StudyLike, crops: int = CROPS) -> Study:
    """A study as it is; for a run, the study of at most `crops` held-out crops. Raises InputError."""
    return subject if isinstance(subject, Study) else study(as_run(subject), crops=crops)


def as_run(run: RunLike) -> Run:
    """The run that is meant by an opened run, a folder, or a name under data/runs. Raises InputError."""
    if isinstance(run, Run):
        return run
    named = runs_folder() / run
    return open_run(named if (named / "config.json").is_file() and not Path(run).exists() else run)


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """The value of a trait, if it is one of its choices. Raises InputError."""
    if value not in choices:
        raise InputError(f"{name} is {value!r}: choose one of {', '.join(choices)}")
    return value


def run_argument(run: Run) -> str:
    """How `Explorer.code` names a run: by its name where that is enough."""
    is_named = run.path.resolve().parent == runs_folder().resolve()
    return repr(run.name if is_named else str(run.path))


def study_argument(study: Study) -> str:
    """How `Explorer.code` names a study: by its run where that is enough; one without a run is called `study`."""
    run, encoding = study.run, study.encoding
    if run is None:
        return "study"
    if encoding.split == "held out" and encoding.crops == CROPS:
        return run_argument(run)
    data = "" if encoding.split == "held out" else f", {encoding.data!r}"
    return f"lgq.study({str(run.path)!r}{data}, crops={encoding.crops})"


def study_names(studies: Sequence[Study]) -> list[str]:
    """As short as tells the studies apart: those of `run_names`, or methods, numbered, where one has no run.

    Raises InputError where a run was given twice.
    """
    runs = [study.run for study in studies if study.run is not None]
    if len(runs) == len(studies):
        return run_names(runs)
    methods = [study.method for study in studies]
    return [f"{method} {methods[:place].count(method) + 1}" for place, method in enumerate(methods)]


def run_names(runs: Sequence[Run]) -> list[str]:
    """As short as tells the runs apart: methods, methods with seeds, folders, or folders with those that hold them.

    Raises InputError where a folder was given twice.
    """
    methods = [run.config.quantizer.method for run in runs]
    seeds = [f"{method}, seed {run.config.seed}" for method, run in zip(methods, runs, strict=True)]
    paths = [Path(os.path.abspath(run.path)) for run in runs]
    depths = range(1, max((len(path.parts) for path in paths), default=0) + 1)
    folders = ([printable("/".join(path.parts[-depth:])) for path in paths] for depth in depths)
    for names in (methods, seeds, *folders):
        if len(set(names)) == len(names):
            return names
    twice = next(path for path in paths if paths.count(path) > 1)
    raise InputError(f"{printable(twice)} is given more than once: give each run once")


def snapshots_caption(study: Study) -> str:
    """How many of the saved codebooks are looked at, where these are not all."""
    run = study.run
    if run is None:
        return ""
    looked_at = len(run.codebook_snapshots())
    return "" if looked_at == run.saved_snapshots else f" · {looked_at} of its {run.saved_snapshots:,d} saved codebooks"


def study_caption(study: Study) -> str:
    """The words about a tokenizer and its pictures that captions begin with."""
    images, _, height, width = study.encoding.codes.shape
    photographs = len(set(study.encoding.photograph.tolist()))
    run, size = study.run, study.quantizer.codebook_size
    whose = f"{study.method}, K = {size:,d} · "
    if run is None:
        whose += "without a run"
    else:
        whose += f"run {printable(run.name)} · seed {run.config.seed} · step {study.encoding.steps:,d}"
    tokens = f"N = {images * height * width:,d} tokens of {images:,d} {kind_of_crops(study)}"
    return f"{whose} · {tokens} from {photographs} photographs"


def kind_of_crops(study: Study) -> str:
    """What the pictures of a study are called."""
    return {"held out": "held-out crops", "training": "training crops"}.get(study.encoding.split, "crops")
