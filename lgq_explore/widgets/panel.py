"""What makes a panel of widgets readable in a notebook that nobody runs?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import ipywidgets
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure
from PIL import Image

PICTURE_DPI = 80


class Panel(ipywidgets.VBox):
    """Widgets in a column that leave a picture of themselves beside the live view.

    A panel says how it is drawn for print (`figures`); a saved notebook then shows that picture where no kernel runs,
    and the live widgets where one does. `__repr__` must not change from run to run: notebooks are compared by it.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget]) -> None:
        super().__init__(children)
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


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The kernel's event loop; None in a script, which has none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def stacked_png(figures: Sequence[Figure]) -> bytes:
    """The figures under each other as one PNG, on white."""
    pictures = [_picture(figure) for figure in figures]
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    target = BytesIO()
    sheet.save(target, "PNG", optimize=True)
    return target.getvalue()


def _picture(figure: Figure) -> Image.Image:
    target = BytesIO()
    figure.savefig(target, format="png", dpi=PICTURE_DPI, bbox_inches="tight", facecolor="white")
    return Image.open(target).convert("RGB")
