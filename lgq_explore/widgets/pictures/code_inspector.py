"""A panel on what codes mean in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore import analysis, plots
from lgq_explore.errors import InputError, printable
from lgq_explore.frames.usage import CODE_HISTORY
from lgq_explore.plots.pictures.patches import NO_CODES
from lgq_explore.plots.style import Title
from lgq_explore.runs.study import CROPS, Study

from ..explorer import Explorer
from ..parts.charts.widget import Picked
from ..parts.state.inputs import button, codes_box, row, tabs
from ..parts.state.pieces import Choice, Codes
from ..parts.studies import StudyLike, as_study, snapshots_caption, study_arguments, study_caption
from ..parts.work.background import Work

MOST_CODES = 5
"""Rows of patches: a lasso may catch hundreds of codes, and the most used of them are shown."""

MOST_PATCHES = 12
PATCHES_KEPT = 64
"""Codes whose patches are kept: they are shown again with every move."""

PICTURES = 4

VIEWS = {
    "share of the total": "shares",
    "nearest codes": "neighbours",
    "over training": "history",
    "pictures without them": "pictures",
}
"""What is drawn below the patches: as the buttons say it, and as the trait does."""

NO_HISTORY = CODE_HISTORY.frame({})


class CodeInspector(Explorer):
    """Patches that use the selected codes, their share of the loss, their neighbours, and the pictures without some.

        inspector = CodeInspector(lgq.tutorial_run("lgq"), selection=[3, 17])
        lgq.widgets.link(usage, inspector)

    study: made before, or of a run: opened, its folder, or its name under data/runs, looked at through at most `crops`
    held-out crops, or crops of `data`: the SPEC of other pictures, such as folder:PATH.
    selection, turned_off: joint codes, 0 … K − 1. Tokens of codes that are turned off take the nearest one left.
    view: what is drawn below the patches: shares, neighbours, history, or pictures without the codes turned off.
    A click on a patch puts its picture, row and column into the trait `patch`, which a `PatchInspector` can be linked
    to; a click on a neighbour adds it to the selection, one on a bar selects its code only, adds it with Shift, and
    removes it with Alt.

    Raises:
        InputError: a run that can't be opened, has no weights, or more codes than can be listed.
    """

    WIDE = ("patches", *VIEWS.values())

    view = Choice(VIEWS, "shares", tabs())
    selection = Codes(lambda panel: panel.study.quantizer.codebook_size, codes_box("codes", "180px"))
    turned_off = Codes(lambda panel: panel.study.quantizer.codebook_size, codes_box("off", "180px"))
    patch = traitlets.List(traitlets.Int())
    """What was clicked, for panels that are linked; nothing here shows it."""

    def __init__(self, study: StudyLike, crops: int = CROPS, data: str | None = None, **state: Any) -> None:
        self.study = as_study(study, crops, data)
        self.study.quantizer.require_listed()
        self._size = self.study.quantizer.codebook_size
        self._tokens = analysis.pictures.token_table(self.study)
        self._distortion = analysis.pictures.distortion(self._tokens, self._size)
        self._field = analysis.pictures.receptive_field(self.study)
        self._reach = analysis.pictures.reach_holding(self._field)
        self._method = self.study.method
        self._patches_of = lru_cache(maxsize=PATCHES_KEPT)(self._make_patches)
        self._history: pd.DataFrame | None = None
        self._why_no_history = NO_CODES
        self._marks = analysis.health.step_marks(None if self.study.run is None else self.study.run.config)
        self._without: analysis.pictures.TurnedOff | None = None
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"CodeInspector({printable(self.study.name)}, {len(self.selection)} codes, {len(self.turned_off)} off)"

    def above(self) -> Sequence[ipywidgets.Widget]:
        turn_off = button("turn selection off", "see what the pictures are without it", self._turn_selection_off)
        turn_on = button("turn all on", "use every code again", lambda: self.set_trait("turned_off", []))
        return [
            row(self.inputs["selection"], turn_off, self.inputs["turned_off"], turn_on),
            row(self.inputs["view"]),
        ]

    def patches(self) -> list[analysis.pictures.CodePatches]:
        """The patches of each code that is shown: of the selected ones the most used, ascending."""
        return [self._patches_of(code) for code in self._shown()]

    def without(self) -> analysis.pictures.TurnedOff:
        """The pictures with the codes in `turned_off` off."""
        codes = self.turned_off
        if self._without is None or self._without.turned_off != codes:
            self._without = analysis.pictures.turn_codes_off(self.study, codes)
        return self._without

    def frame(self) -> pd.DataFrame:
        """One row per selected code: code, count (tokens), shares of the whole, its nearest code and its distance."""
        chosen = self.selection
        nearest = analysis.geometry.code_neighbours(self.study, chosen, neighbours=1)
        return self._distortion.loc[chosen].merge(nearest.drop(columns="rank"), on="code")

    def summary(self) -> dict[str, int | float | str]:
        sums = self._distortion.loc[self.selection].sum()
        without = self.without()
        return {
            "selected_codes": len(self.selection),
            "codebook_size": self._size,
            "tokens": without.tokens,
            "tokens_of_selection": int(sums["count"]),
            "token_share": float(sums["token_share"]),
            "quantization_error_share": float(sums["quantization_error_share"]),
            "pixel_error_share": float(sums["pixel_error_share"]),
            "turned_off_codes": len(without.turned_off),
            "reassigned_tokens": without.reassigned,
            "pictures": len(self.study.encoding),
            "psnr_change_db": without.change_db,
        }

    def studies(self) -> list[Study]:
        return [self.study]

    def missing(self) -> Work | None:
        if self.turned_off and (self._without is None or self._without.turned_off != self.turned_off):
            return Work("what the pictures are without the codes that are turned off", self.without)
        if self.view == "history" and self.selection and self._history is None:
            return Work("how each code was used in the past", lambda: self._history_of(self._shown()))
        return None

    def draw(self) -> dict[str, go.Figure]:
        patches = plots.pictures.draw_code_patches(self._rows(), self._reach, self._detail())
        return {"patches": patches, self.view: self._draw_view()}

    def _draw_view(self) -> go.Figure:
        codes = self._shown()
        match self.view:
            case "shares":
                return plots.pictures.draw_distortion(self._distortion.loc[codes], method=self._method)
            case "neighbours":
                return plots.geometry.draw_code_neighbours(analysis.geometry.code_neighbours(self.study, codes))
            case "history":
                history = self._history_of(codes)
                return plots.usage.draw_code_history(
                    history, self._marks, method=self._method, sentence=self._why_no_history
                )
            case _:
                return plots.pictures.draw_images(self._pictures(), self._picture_title())

    def printed(self) -> Figure:
        """The patches; `figures` adds the shares, the neighbours, the history and the pictures without codes."""
        return plots.pictures.publish_code_patches(self._rows(), self._reach, self._detail())

    def figures(self) -> list[Figure]:
        codes = self._shown()
        printed = [self.figure()]
        if codes:
            printed += [
                plots.pictures.publish_distortion(self._distortion.loc[codes], method=self._method),
                plots.geometry.publish_code_neighbours(analysis.geometry.code_neighbours(self.study, codes)),
            ]
        if codes and len(history := self._history_of(codes)):
            printed.append(plots.usage.publish_code_history(history, self._marks, method=self._method))
        if self.turned_off:
            printed.append(plots.pictures.publish_images(self._pictures(), self._picture_title()))
        return printed

    def line(self) -> str:
        sums, tokens = self._distortion.loc[self.selection].sum(), len(self._tokens)
        return (
            f"{len(self.selection):,d} of {self._size:,d} codes selected: {int(sums['count']):,d} of N = {tokens:,d} "
            f"tokens ({sums['token_share']:.1%}), {sums['pixel_error_share']:.1%} of the squared error of pixels"
        )

    def caption(self) -> str:
        side = analysis.pictures.patch_side(self.study)
        seen = self._field.set_index("reach").loc[self._reach]
        whose = study_caption(self.study) + snapshots_caption(self.study)
        return (
            f"{whose}. Patches: a token's own {side} × {side} pixels, outlined, in a "
            f"window of {seen['side']:.0f} pixels that holds {seen['share']:.0%} of what moves its latents (squared "
            "gradients with respect to the picture)."
        )

    def arguments_as_code(self) -> list[str]:
        return study_arguments(self.study)

    def hint(self) -> str:
        sentences = [] if self.selection else ["Select codes: pick some in a linked panel, or type them into the box."]
        if self.turned_off:
            without = self.without()
            sentences.append(
                f"{_codes(without)} turned off: {without.reassigned:,d} of {without.tokens:,d} tokens reassigned to "
                f"the nearest code left, ΔPSNR {without.change_db:+.3f} dB over {len(self.study.encoding):,d} pictures."
            )
        return "\n".join(sentences)

    def _make_patches(self, code: int) -> analysis.pictures.CodePatches:
        return analysis.pictures.code_patches(self.study, self._tokens, code, self._reach, MOST_PATCHES)

    def _turn_selection_off(self) -> None:
        self.turned_off = analysis.usage.checked_codes([*self.turned_off, *self.selection], self._size)

    def pick(self, picked: Picked) -> None:
        match picked:
            case Picked(figure="patches", codes=[token]):
                self.patch = [int(value) for value in self._tokens.loc[token, ["image", "row", "column"]]]
            case Picked(figure="shares", codes=[_]):
                self.selection = picked.of(self.selection)
            case Picked(figure="neighbours", codes=[code]):
                self.selection = analysis.usage.checked_codes([*self.selection, code], self._size)

    def _shown(self) -> list[int]:
        chosen = self._distortion.loc[self.selection]
        return chosen.nlargest(MOST_CODES, "count")["code"].sort_values().tolist()

    def _rows(self) -> list[plots.pictures.PatchRow]:
        return [
            plots.pictures.PatchRow(
                name=f"code {found.code}<br>{found.count:,d} token{'' if found.count == 1 else 's'}",
                alone=found.alone,
                mean_input=found.mean_input,
                mean_reconstruction=found.mean_reconstruction,
                patches=found.patches,
                numbers=found.tokens["token"].to_numpy(),
                inside=found.inside,
            )
            for found in self.patches()
        ]

    def _detail(self) -> str:
        shown, chosen = len(self._shown()), len(self.selection)
        spread = f"up to {MOST_PATCHES} of each, evenly spread over all that hold it"
        return f"the {shown} most used of {chosen:,d} selected, {spread}" if chosen > shown else spread if shown else ""

    def _history_of(self, codes: list[int]) -> pd.DataFrame:
        if not codes:
            return NO_HISTORY
        if self._history is None:
            try:
                self._history = analysis.usage.code_history(self.study, list(range(self._size)))
            except InputError as error:
                self._history, self._why_no_history = NO_HISTORY, str(error)
        return self._history[self._history["code"].isin(codes)]

    def _pictures(self) -> dict[str, NDArray[np.uint8]]:
        without = self.without()
        touched = without.pictures.nlargest(PICTURES, "reassigned")["image"].sort_values().to_numpy()
        return {
            "input": self.study.encoding.images[touched],
            "all codes": self.study.encoding.reconstructions[touched],
            "without": without.reconstructions[touched],
        }

    def _picture_title(self) -> Title:
        without = self.without()
        return Title(f"Without {_codes(without)}", f"{without.reassigned:,d} tokens, {without.change_db:+.3f} dB")


def _codes(without: analysis.pictures.TurnedOff) -> str:
    count = len(without.turned_off)
    return f"{count} code{'s' * (count > 1)}"
