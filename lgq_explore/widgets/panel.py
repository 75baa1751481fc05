"""The base of all panels: widgets that leave a picture in a notebook that nobody runs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import ipywidgets
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure
from PIL import Image

from lgq_explore.errors import printable
from lgq_explore.plots.style import png_bytes

PICTURE_DPI = 80

ERROR_COLOUR = "var(--jp-error-color1, #b00020)"
QUIET_COLOUR = "var(--jp-ui-font-color2, #666)"
"""Of words, in JupyterLab's light and dark themes."""


def spoken(sentence: str, colour: str) -> str:
    """HTML of a message that a screen reader is told when it changes; empty for an empty one."""
    lines = "\n".join(map(printable, sentence.split("\n")))
    said = f'<span role="status" style="color: {colour}; white-space: pre-line">{html.escape(lines)}</span>'
    return said if sentence else ""


class Panel(ipywidgets.VBox):
    """Widgets in a column that leave a picture of themselves beside the live view.

    A panel says how it is drawn for print (`figures`); a saved notebook then shows that picture where no kernel runs,
    and the live widgets where one does. `__repr__` must not change from run to run: notebooks are compared by it.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget]) -> None:
        super().__init__(children)
        self.add_class("lgq-panel")
        self._handles: list[DisplayHandle] = []

    def figures(self) -> list[Figure]:
        """What the panel shows now as static figures, from top to bottom; none where there is nothing to see."""
        raise NotImplementedError("abstract: a panel knows its figures")

    def renew_pictures(self) -> None:
        """Replace the picture beside each live view by one of the current state."""
        for handle in self._handles:
            handle.update(self._repr_mimebundle_(), raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        bundle = {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}
        figures = self.figures()
        return {**bundle, "image/png": stacked_png(figures)} if figures else bundle

    def _ipython_display_(self, **kwargs: Any) -> None:
        handle = display(self._repr_mimebundle_(), raw=True, display_id=True)
        self._handles.append(handle)


def stacked_png(figures: Sequence[Figure]) -> bytes:
    """The figures under each other as one PNG, on white; those that fit beside the one before share its row."""
    pictures = [_picture(figure) for figure in figures]
    rows = _rows(pictures)
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new("RGB", (max(picture.width for picture in pictures), sum(heights)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            sheet.paste(picture, (left, top))
            left += picture.width
        top += height
    palettes = {getattr(figure, "palette", None) for figure in figures}
    return png_bytes(sheet, palettes.pop() if len(palettes) == 1 else None)


def _rows(pictures: Sequence[Image.Image]) -> list[list[Image.Image]]:
    """Rows no wider than the widest picture."""
    widest = max(picture.width for picture in pictures)
    rows: list[list[Image.Image]] = []
    for picture in pictures:
        if rows and sum(other.width for other in rows[-1]) + picture.width <= widest:
            rows[-1].append(picture)
        else:
            rows.append([picture])
    return rows


def _picture(figure: Figure) -> Image.Image:
    target = BytesIO()
    figure.savefig(target, format="png", dpi=PICTURE_DPI, bbox_inches="tight", facecolor="white")
    return Image.open(target).convert("RGB")
