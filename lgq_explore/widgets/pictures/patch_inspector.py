"""A panel on the codes that one patch could have taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.errors import printable
from lgq_explore.quantizers import SoftQuantizer
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts.widget import Picked
from ..parts.state.inputs import decade_slider, place_boxes, row
from ..parts.state.pieces import Place, Temperature
from ..parts.studies import StudyLike, as_study, study_arguments, study_caption

LOWEST_DECADE, HIGHEST_DECADE = -3, 2
"""The ends of the temperature's slider; the trait may hold any positive number."""


class PatchInspector(Explorer):
    """The posterior over codes of one patch, its margin, and the picture decoded with the runner-up there.

        PatchInspector(lgq.tutorial_run("lgq"), patch=[5, 3, 3])

    study: made before, or of a run: opened, its folder, or its name under data/runs, looked at through at most `crops`
    held-out crops, or crops of `data`: the SPEC of other pictures, such as folder:PATH.
    patch: number of the picture, row and column of the token; empty for the first.
    temperature: of the posterior; None for the one in force at the end of training, which is all that a method without
    a temperature takes: its distances are shown instead.
    A click in a picture moves the patch; one on a bar puts its code into the trait `selection`, to be linked to others.

    Raises:
        InputError: a run that can't be opened, has no weights, or more codes than can be listed.
    """

    WIDE = ("pictures", "posterior")

    patch = Place(lambda panel: panel.axes, (0, 0, 0), place_boxes())
    temperature = Temperature(
        lambda panel: panel.temperature_in_force,
        None,
        decade_slider("temperature", LOWEST_DECADE, HIGHEST_DECADE),
        allow_none=True,
    )
    selection = traitlets.List(traitlets.Int())
    """What was clicked, for panels that are linked; nothing here shows it."""

    def __init__(self, study: StudyLike, crops: int = CROPS, data: str | None = None, **state: Any) -> None:
        self.study = as_study(study, crops, data)
        self.study.quantizer.require_listed()
        self._tokens = analysis.pictures.token_table(self.study)
        self._method = self.study.method
        self._answer: analysis.pictures.PatchPosterior | None = None
        self._asked: list[Any] = []
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"PatchInspector({printable(self.study.name)}, patch {self.patch})"

    @property
    def axes(self) -> dict[str, int]:
        """What numbers a patch, and how many there are of each."""
        images, _, height, width = self.study.encoding.codes.shape
        return {"picture": images, "row": height, "column": width}

    @property
    def temperature_in_force(self) -> float | None:
        """The temperature that training ended with; None for a method that has none."""
        quantizer = self.study.quantizer
        return quantizer.temperature if isinstance(quantizer, SoftQuantizer) else None

    def above(self) -> Sequence[ipywidgets.Widget]:
        return [row(*self.inputs.values())]

    def pick(self, picked: Picked) -> None:
        match picked:
            case Picked(figure="pictures", codes=[token]):
                self.patch = [int(value) for value in self._tokens.loc[token, ["image", "row", "column"]]]
            case Picked(figure="posterior", codes=[code]):
                self.selection = [code]

    def posterior(self) -> analysis.pictures.PatchPosterior:
        """Posterior of `patch` at `temperature`. Raises InputError for a temperature that the method can't have."""
        asked = [self.patch, self.temperature]
        if self._answer is None or asked != self._asked:
            image, row, column = self.patch
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

    def draw(self) -> dict[str, go.Figure]:
        answer = self.posterior()
        return {
            "pictures": plots.pictures.draw_patch_pictures(
                self._pictures(), self._numbers(), answer.row, answer.column, self._where()
            ),
            "posterior": plots.pictures.draw_posterior(
                answer.candidates, method=self._method, metric=answer.metric, detail=self._at()
            ),
        }

    def printed(self) -> Figure:
        """The pictures; `figures` adds the posterior."""
        answer = self.posterior()
        return plots.pictures.publish_patch_pictures(
            self._pictures(), self._numbers(), answer.row, answer.column, f"{self._where()} · {self._margin()}"
        )

    def figures(self) -> list[Figure]:
        answer = self.posterior()
        printed = plots.pictures.publish_posterior(
            answer.candidates, method=self._method, metric=answer.metric, detail=self._at()
        )
        return [self.figure(), printed]

    def line(self) -> str:
        answer = self.posterior()
        return f"code {answer.code}, runner-up {answer.runner_up} · {self._margin()}"

    def caption(self) -> str:
        return study_caption(self.study)

    def arguments_as_code(self) -> list[str]:
        return study_arguments(self.study)

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

    def _where(self) -> str:
        answer = self.posterior()
        photograph = self.study.encoding.photograph_names[self.study.encoding.photograph[answer.image]]
        return f"row {answer.row}, column {answer.column} of picture {answer.image} ({photograph})"

    def _margin(self) -> str:
        answer = self.posterior()
        return f"margin {answer.margin:.3g} · the runner-up changes a value by {answer.largest_change} of 255 at most"

    def _at(self) -> str:
        temperature = self.posterior().temperature
        return "" if temperature is None else f"temperature {temperature:.3g}"
