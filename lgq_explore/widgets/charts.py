"""How do plotly charts change in place while a cell trains?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs

FOLDER = Path(__file__).parent


class Charts(anywidget.AnyWidget):
    """Plotly figures, the first over the whole width, the others below it in two columns.

    One widget for all of them: a FigureWidget each would parse its own five megabytes of plotly.js while it is made,
    and a page gives a widget two seconds for that.
    """

    _esm = FOLDER / "charts.js"
    _css = FOLDER / "charts.css"

    plotly_source = traitlets.Unicode().tag(sync=True)
    figures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Each figure as plotly's JSON; one whose text stays the same is not drawn again."""

    def __init__(self) -> None:
        super().__init__(plotly_source=get_plotlyjs())

    def __repr__(self) -> str:
        return f"Charts({len(self.figures)})"

    def show(self, figures: Sequence[go.Figure]) -> None:
        """Draw these, in place of what is drawn."""
        self.figures = [figure.to_json() for figure in figures]
