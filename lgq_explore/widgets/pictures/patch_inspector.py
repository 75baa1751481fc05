"""A panel on the codes that one patch could have taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError, printable
from lgq_explore.quantizers import SoftQuantizer
from lgq_explore.runs.study import CROPS, Study

from ..charts import Picked
from ..explorer import Explorer, StudyLike, as_study, study_argument, study_caption

PICTURES, POSTERIOR = 0, 1
"""The places of the charts."""

LOWEST_DECADE, HIGHEST_DECADE = -3, 2
"""The ends of the temperature's slider; the trait may hold any positive number."""


class PatchInspector(Explorer):
    """The posterior over codes of one patch, its margin, and the picture decoded with the runner-up there.

        PatchInspector(lgq.tutorial_run("lgq"), patch=[5, 3, 3])

    study: made before, or of a run: opened, its folder, or its name under data/runs, looked at through at most `crops`
    held-out crops.
    patch: number of the picture, row and column of the token; empty for the first.
    temperature: of the posterior; None for the one in force at the end of training, which is all that a method without
    a temperature takes: its distances are shown instead.
    A click in a picture moves the patch; one on a bar puts its code into the trait `selection`, to be linked to others.

    Raises:
        InputError: a run that can't be opened, has no weights, or more codes than can be listed.
    """

    STATE: ClassVar[tuple[str, ...]] = ("patch", "temperature")
    patch = traitlets.List(traitlets.Int())
    temperature = traitlets.Float(None, allow_none=True)
    selection = traitlets.List(traitlets.Int())

    def __init__(
        self,
        study: StudyLike,
        patch: Sequence[int] = (0, 0, 0),
        temperature: float | None = None,
        crops: int = CROPS,
    ) -> None:
        self.study = as_study(study, crops)
        self.study.quantizer.require_listed()
        self._tokens = analysis.pictures.token_table(self.study)
        self._method = self.study.method
        self._answer: analysis.pictures.PatchPosterior | None = None
        self._asked: list[Any] = []
        super().__init__(self._controls())
        self.charts.on_select(self._take)
        self._begin(patch=list(patch), temperature=temperature)

    def __repr__(self) -> str:
        return f"PatchInspector({printable(self.study.name)}, patch {self.patch})"

    def posterior(self) -> analysis.pictures.PatchPosterior:
        """Of the patch at the temperature in the traits. Raises InputError where one of them is no such thing."""
        asked = [self.patch, self.temperature]
        if self._answer is None or asked != self._asked:
            image, row, column = self._checked_patch()
            self._answer = analysis.pictures.posterior(self.study, image, row, column, self.temperature)
            self._asked = asked
        return self._answer

    def frame(self) -> pd.DataFrame:
        """One row per candidate, nearest first: rank, code, distance, responsibility."""
        return self.posterior().candidates

    def summary(self) -> dict[str, int | float | str]:
        answer = self.posterior()
        first, second, *_ = answer.candidates.itertuples()
        numbers: dict[str, int | float | str] = {
            "picture": answer.image,
            "row": answer.row,
            "column": answer.column,
            "code": answer.code,
            "runner_up": answer.runner_up,
            "distance": first.distance,
            "margin": answer.margin,
            "largest_change": answer.largest_change,
        }
        if answer.temperature is None:
            return numbers
        return numbers | {
            "temperature": answer.temperature,
            "responsibility": first.responsibility,
            "responsibility_runner_up": second.responsibility,
        }

    def studies(self) -> list[Study]:
        return [self.study]

    def draw(self) -> list[go.Figure]:
        answer = self.posterior()
        return [
            plots.pictures.draw_patch_pictures(
                self._pictures(), self._numbers(), answer.row, answer.column, self._detail()
            ),
            plots.pictures.draw_posterior(
                answer.candidates, method=self._method, metric=answer.metric, detail=self._at()
            ),
        ]

    def figure(self) -> Figure:
        """The pictures; `figures` adds the posterior."""
        answer = self.posterior()
        return plots.pictures.publish_patch_pictures(
            self._pictures(), self._numbers(), answer.row, answer.column, self._detail()
        )

    def figures(self) -> list[Figure]:
        answer = self.posterior()
        printed = plots.pictures.publish_posterior(
            answer.candidates, method=self._method, metric=answer.metric, detail=self._at()
        )
        return [self.figure(), printed]

    def caption(self) -> str:
        return study_caption(self.study)

    def subjects(self) -> list[str]:
        return [study_argument(self.study)]

    def _controls(self) -> list[ipywidgets.Widget]:
        images, _, height, width = self.study.encoding.codes.shape
        ends = {"picture": images, "row": height, "column": width}
        self._place = [
            ipywidgets.BoundedIntText(description=name, min=0, max=range(end)[-1], layout={"width": "170px"})
            for name, end in ends.items()
        ]
        for part in self._place:
            part.observe(self._read_place, "value")
        self.observe(self._write_place, "patch")
        quantizer = self.study.quantizer
        sliders = [self._temperature_slider(quantizer.temperature)] if isinstance(quantizer, SoftQuantizer) else []
        return [ipywidgets.HBox([*self._place, *sliders], layout={"flex_flow": "row wrap"})]

    def _temperature_slider(self, in_force: float) -> ipywidgets.FloatLogSlider:
        slider = ipywidgets.FloatLogSlider(
            value=in_force,
            min=LOWEST_DECADE,
            max=HIGHEST_DECADE,
            step=0.05,
            description="temperature",
            readout_format=".3g",
            style={"description_width": "initial"},
        )

        def read(change: Any) -> None:
            # The page rounds the value it is given, and sends that back.
            if not math.isclose(change["new"], change["old"], rel_tol=1e-6):
                self.temperature = change["new"]

        def write(change: Any) -> None:
            _write(slider, in_force if self.temperature is None else self.temperature, read)

        slider.observe(read, "value")
        self.observe(write, "temperature")
        return slider

    def _read_place(self, change: Any) -> None:
        self.patch = [part.value for part in self._place]

    def _write_place(self, change: Any) -> None:
        for part, value in zip(self._place, self.patch, strict=False):
            _write(part, value, self._read_place)

    def _take(self, picked: Picked) -> None:
        match picked:
            case Picked(figure=place, codes=[token]) if place == PICTURES:
                self.patch = [int(value) for value in self._tokens.loc[token, ["image", "row", "column"]]]
            case Picked(figure=place, codes=[code]) if place == POSTERIOR:
                self.selection = [code]

    def _checked_patch(self) -> list[int]:
        if self.patch and len(self.patch) != len(self._place):
            raise InputError(f"patch is {self.patch}: give the number of the picture, a row and a column")
        return self.patch or [0] * len(self._place)

    def _pictures(self) -> dict[str, NDArray[np.uint8]]:
        answer = self.posterior()
        return {
            "input": answer.picture,
            f"decoded, code {answer.code}": answer.decoded,
            f"with the runner-up, code {answer.runner_up}": answer.decoded_runner_up,
        }

    def _numbers(self) -> NDArray[np.int64]:
        _, _, height, width = self.study.encoding.codes.shape
        own = self._tokens[self._tokens["image"] == self.posterior().image]
        return own["token"].to_numpy().reshape(height, width)

    def _detail(self) -> str:
        answer = self.posterior()
        photograph = self.study.encoding.photograph_names[self.study.encoding.photograph[answer.image]]
        return (
            f"row {answer.row}, column {answer.column} of picture {answer.image} ({photograph}) · margin "
            f"{answer.margin:.3g} · the runner-up changes a value by {answer.largest_change} of 255 at most"
        )

    def _at(self) -> str:
        temperature = self.posterior().temperature
        return "" if temperature is None else f"temperature {temperature:.3g}"


def _write(control: ipywidgets.Widget, value: float, reader: Callable[[Any], None]) -> None:
    """Show a value that came from elsewhere: read back, it would be cut to the control's own ends."""
    control.unobserve(reader, "value")
    control.value = value
    control.observe(reader, "value")
