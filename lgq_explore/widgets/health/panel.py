"""Whether a run is healthy, by which evidence, and what to change where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.analysis.health import Evidence
from lgq_explore.errors import InputError, printable
from lgq_explore.runs.frozen_run import FolderWatch, stamp_of
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.study import Study

from ..explorer import Explorer
from ..parts.background import Work
from ..parts.inputs import button, row, tabs
from ..parts.state import Choice
from ..parts.studies import StudyLike, as_run, run_argument, run_names
from .tables import in_one_sentence, overview, verdict_lines


class HealthPanel(Explorer):
    """What the rules of `analysis.health.assess` say of a run, the curves they read, and what to change as a command.

        HealthPanel(lgq.tutorial_run("lgq"))

    runs: opened, folders, names under data/runs, or studies whose runs are meant; of several, `shown` names the one
    that is told in words. A run may still be training: the button looks at it again.

    Raises:
        InputError: no runs, one that can't be opened, or an unknown name in `shown`.
    """

    shown = Choice(lambda panel: panel.names, lambda panel: panel.names[0], tabs())

    def __init__(self, *runs: StudyLike, **state: Any) -> None:
        if not runs:
            raise InputError("no runs to look at: give at least one, such as lgq.tutorial_run('lgq')")
        opened = [run.require_run() if isinstance(run, Study) else as_run(run) for run in runs]
        for run in opened:
            run.require_unchanged()  # from now on the folders are read anew
        self.names = run_names(opened)
        self._runs: dict[str, Run] = {}
        self._evidence: dict[str, Evidence] = {}
        self._paths = {name: run.path for name, run in zip(self.names, opened, strict=True)}
        self._gather()
        self._lines = ipywidgets.HTML()
        self._is_looking = False
        self._again = button("look again", "read the run folders anew", lambda: self._loop.soon(self.look_again))
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"HealthPanel({', '.join(self._runs)})"

    def above(self) -> Sequence[ipywidgets.Widget]:
        return [row(*self.inputs.values(), self._again), self._lines]

    def look_again(self) -> None:
        """Read the runs' folders anew, and show what they say now; in the background where the kernel's loop runs."""
        self._is_looking = True
        if not self._loop.is_running:
            try:
                self._gather()
            except InputError as error:  # what was said before stays
                self.refuse(error)
                return
        self._redraw()

    def missing(self) -> Work | None:
        return Work("the evidence of each run", self._gather) if self._is_looking else None

    def draw(self) -> dict[str, go.Figure]:
        verdicts = self._verdicts[self.shown]
        others = {name: others for name, others in self._verdicts.items() if name != self.shown}
        self._lines.value = verdict_lines(verdicts, others)
        curves = analysis.health.rule_curves(self._evidence[self.shown])
        return {"rules": plots.health.draw_verdicts(curves, verdicts, self._of_what())}

    def printed(self) -> Figure:
        curves = analysis.health.rule_curves(self._evidence[self.shown])
        return plots.health.publish_verdicts(curves, self._verdicts[self.shown], self._of_what())

    def frame(self) -> pd.DataFrame:
        """That of `analysis.health.assess`, one row per run and rule."""
        return analysis.comparison.of_several_runs(self._verdicts)

    def summary(self) -> dict[str, int | float | str]:
        """The state of each rule, "RUN RULE", and the most severe, "RUN state"; and the N that was looked at."""
        numbers: dict[str, int | float | str] = {}
        for name, verdicts in self._verdicts.items():
            numbers[f"{name} state"] = analysis.health.worst_state(verdicts)
            numbers |= {f"{name} {row['rule']}": row["state"] for row in verdicts.to_dict("records")}
            numbers[f"{name} held-out tokens"] = self._evidence[name].held_out_tokens
        return numbers

    def line(self) -> str:
        return f"{self.shown}: {in_one_sentence(self._verdicts[self.shown])}"

    def tables(self) -> Sequence[pd.DataFrame]:
        """The states of all rules, one column per run."""
        return [overview(self._verdicts)]

    def copied(self) -> dict[str, str]:
        command = analysis.health.advised_command(self._runs[self.shown], self._verdicts[self.shown])
        return {**super().copied(), "copy command": command}

    def caption(self) -> str:
        run, evidence = self._runs[self.shown], self._evidence[self.shown]
        return (
            f"{self._of_what()} · run {printable(run.name)} · {len(evidence.history):,d} logged steps of "
            f"N = {evidence.tokens_a_step:,d} tokens · N = {evidence.held_out_tokens:,d} held-out tokens. "
            "The rules speak of this run alone, and compare no methods."
        )

    def arguments_as_code(self) -> list[str]:
        return [run_argument(run) for run in self._runs.values()]

    def moved_on(self) -> list[str]:
        return [watch.moved_on("press look again to see it") for watch in self._watches]

    def remarks(self) -> list[str]:
        return self._remarks

    def _work_failed(self, error: Exception) -> None:
        self.charts.stale = False  # what was said before is all there is
        super()._work_failed(error)

    def _gather(self) -> None:
        """Open the runs anew: the recipe belongs to what is read."""
        self._is_looking = False
        stamps = {name: stamp_of(path) for name, path in self._paths.items()}
        runs = {name: open_run(path) for name, path in self._paths.items()}
        evidence = {name: analysis.health.gather_evidence(run) for name, run in runs.items()}
        verdicts = {name: analysis.health.judge(found) for name, found in evidence.items()}
        remarks = [remark for run in runs.values() for remark in run.remarks()]
        watches = [
            FolderWatch(runs[name], found.weights, found.finished_steps, stamps[name])
            for name, found in evidence.items()
        ]
        # All at once: another thread may be drawing.
        self._runs, self._evidence, self._verdicts, self._remarks, self._watches = (
            runs, evidence, verdicts, remarks, watches,
        )  # fmt: skip

    def _of_what(self) -> str:
        config, evidence = self._runs[self.shown].config, self._evidence[self.shown]
        return (
            f"{config.quantizer.method}, K = {config.quantizer.size:,d}, D = {config.backbone.dim}, "
            f"seed {config.seed}, step {evidence.finished_steps:,d} of {config.steps:,d}"
        )
