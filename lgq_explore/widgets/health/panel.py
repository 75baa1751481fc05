"""Whether a run is healthy, by which evidence, and what to change where it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError, printable
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study

from ..explorer import Explorer
from ..parts.state.inputs import button, row, tabs
from ..parts.state.pieces import Choice
from ..parts.studies import StudyLike, as_run, require_own_pictures, run_argument, run_names
from ..parts.work.background import Piece, Work
from ..parts.work.kernel_loop import running_loop
from .gathering import GatheredRun, Gathering
from .tables import in_one_sentence, overview, verdict_lines


class HealthPanel(Explorer):
    """What the rules of `analysis.health.assess` say of a run, the curves they read, and what to change as a command.

        HealthPanel(lgq.tutorial_run("lgq"))

    runs: opened, folders, names under data/runs, or studies whose runs are meant; of several, `shown` names the one
    that is told in words. A run may still be training: the button looks at it again. Where a kernel's loop runs, they
    are looked at in the background, one after the other.
    crops: the most held-out crops of each that are encoded, or crops of `data`: the SPEC of other pictures, such as
    folder:PATH, also for runs whose photographs are gone.

    Raises:
        InputError: no runs, one that can't be opened, or an unknown name in `shown`.
    """

    OPENS_EMPTY = True

    shown = Choice(lambda panel: panel.names, lambda panel: panel.names[0], tabs())

    def __init__(
        self, *runs: StudyLike, crops: int = analysis.health.CROPS, data: str | None = None, **state: Any
    ) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        self._given = [_run_of(run, data) for run in runs]
        self.names = run_names(self._given)
        self._gathering = Gathering(dict(zip(self.names, self._given, strict=True)), crops, data)
        if running_loop() is None:
            self._gathering.all()
        self._lines = ipywidgets.HTML()
        self._again = button("look again", "read the run folders anew", lambda: self._loop.soon(self.look_again))
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"HealthPanel({', '.join(self.names)})"

    def above(self) -> Sequence[ipywidgets.Widget]:
        return [row(*self.inputs.values(), self._again), self._lines]

    def look_again(self) -> None:
        """Read the runs' folders anew, and show what they say now; in the background where the kernel's loop runs."""
        self._gathering.renew()
        if self._loop.is_running:
            self._background.allow()
        else:
            for name in self.names:
                self._gathering.attempt(name)
        self._redraw()

    def missing(self) -> Work | None:
        return self._gathering.work(self.shown, f"the evidence of {self.shown}")

    def ahead(self) -> Piece | None:
        return self._gathering.next_piece()

    def awaited(self) -> str:
        return self._gathering.progress()

    def computed(self) -> None:
        self._state_changed()

    def hint(self) -> str:
        return self._gathering.refused()

    @property
    def _told(self) -> GatheredRun:
        """The run that is told in words."""
        return self._gathering.newest(self.shown)

    def draw(self) -> dict[str, go.Figure]:
        told = self._told
        others = {name: run.verdicts for name, run in self._gathering.known().items() if name != self.shown}
        self._lines.value = verdict_lines(told.verdicts, others)
        curves = analysis.health.rule_curves(told.evidence)
        marks = analysis.health.step_marks(told.run.config)
        return {"rules": plots.health.draw_verdicts(curves, told.verdicts, self._of_what(), marks)}

    def printed(self) -> Figure:
        told = self._told
        curves = analysis.health.rule_curves(told.evidence)
        marks = analysis.health.step_marks(told.run.config)
        return plots.health.publish_verdicts(curves, told.verdicts, self._of_what(), marks)

    def still(self) -> dict[str, Any]:
        self._gathering.attempt(self.shown)  # a cell waits for that: a picture of nothing might be saved
        return super().still()

    def figures(self) -> list[Figure]:
        return [self.figure()] if self.shown in self._gathering.known() else []

    def nothing_to_see(self) -> str:
        return self._gathering.refused() or super().nothing_to_see()

    def frame(self) -> pd.DataFrame:
        """That of `analysis.health.assess`, one row per run and rule."""
        return analysis.comparison.of_several_runs(_verdicts(self._gathering.all()))

    def summary(self) -> dict[str, int | float | str]:
        """The state of each rule, "RUN RULE", and the most severe, "RUN state"; and the N that was looked at."""
        numbers: dict[str, int | float | str] = {}
        for name, run in self._gathering.all().items():
            numbers[f"{name} state"] = analysis.health.worst_state(run.verdicts)
            numbers |= {f"{name} {row['rule']}": row["state"] for row in run.verdicts.to_dict("records")}
            numbers[f"{name} {run.evidence.kind_of_tokens}"] = run.evidence.held_out_tokens
        return numbers

    def line(self) -> str:
        known = self._gathering.known()
        return f"{self.shown}: {in_one_sentence(known[self.shown].verdicts)}" if self.shown in known else ""

    def tables(self) -> Sequence[pd.DataFrame]:
        """The states of all rules, one column per run that was looked at."""
        return [overview(_verdicts(self._gathering.known()))]

    def numbers(self) -> pd.DataFrame:
        return self.tables()[0].rename_axis("rule").reset_index()

    def copied(self) -> dict[str, str]:
        command = analysis.health.advised_command(self._told.run, self._told.verdicts)
        return {**super().copied(), "copy command": command}

    def caption(self) -> str:
        run, evidence = self._told.run, self._told.evidence
        return (
            f"{self._of_what()} · run {printable(run.name)} · {len(evidence.history):,d} logged steps of "
            f"N = {evidence.tokens_a_step:,d} tokens · N = {evidence.held_out_tokens:,d} {evidence.kind_of_tokens}. "
            "The rules speak of this run alone, and compare no methods."
        )

    def arguments_as_code(self) -> list[str]:
        return [*map(run_argument, self._given), *self._gathering.arguments()]

    def moved_on(self) -> list[str]:
        return [run.watch.moved_on("press look again to see it") for run in self._gathering.known().values()]

    def remarks(self) -> list[str]:
        return [remark for run in self._gathering.known().values() for remark in run.remarks]

    def _of_what(self) -> str:
        config, evidence = self._told.run.config, self._told.evidence
        return (
            f"{config.quantizer.method}, K = {config.quantizer.size:,d}, D = {config.backbone.dim}, "
            f"seed {config.seed}, step {evidence.finished_steps:,d} of {config.steps:,d}"
        )


def _run_of(subject: StudyLike, data: str | None) -> Run:
    """The run that is meant, as its folder holds it now. Raises InputError."""
    if isinstance(subject, Study):
        require_own_pictures(subject, data)
        run: Run = subject.require_run()
    else:
        run = as_run(subject)
    run.require_unchanged()  # from now on the folder is read anew
    return run


def _verdicts(runs: Mapping[str, GatheredRun]) -> dict[str, pd.DataFrame]:
    return {name: run.verdicts for name, run in runs.items()}
