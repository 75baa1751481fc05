"""What do all figures look like?

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart
(https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import plotly.graph_objects as go
import seaborn
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

METHOD_COLOURS: dict[str, str] = {
    "lgq": BLUE,
    "lgq-paper": SKY_BLUE,
    "fsq": VERMILION,
    "simvq": GREEN,
    "simvq-mlp": ORANGE,
    "vq": PURPLE,
    "vq-gradient": BLACK,
}
"""One colour a method, the same in every figure. The eighth of the palette, yellow, is too faint on white."""

OTHER_METHOD = "#666666"
GUIDE = "#555555"
"""Colour of lines to compare with, and of axes."""
DEAD = "#D4D4D4"
"""Colour of codes that no token chose."""
INK = "#222222"

FONT = {"family": "Source Sans Pro, Helvetica Neue, Arial, sans-serif", "size": 13, "color": INK}


@dataclass(frozen=True)
class Title:
    """subject: what is shown. detail: of what, with N."""

    subject: str
    detail: str


def method_colour(method: str) -> str:
    """The method's colour; grey for one that METHOD_COLOURS does not know."""
    return METHOD_COLOURS.get(method, OTHER_METHOD)


def style_figure(figure: go.Figure, *, title: Title, height: int) -> None:
    """Give an interactive figure the house style. Its width is that of the cell it is shown in."""
    figure.update_layout(
        template="plotly_white",
        title_text=f'<b>{title.subject}</b>  <span style="color:{GUIDE}; font-size:13px">{title.detail}</span>',
        title={"x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad_t": 12, "font_size": 15},
        font=FONT,
        height=height,
        margin={"l": 64, "r": 24, "t": 64, "b": 56},
        hoverlabel={"bgcolor": "white", "font": FONT},
        # A zoom outlives an update of the data.
        uirevision="keep",
        modebar={
            "remove": ["zoom", "pan", "select", "lasso2d", "zoomIn", "zoomOut", "autoScale", "resetScale"],
            "bgcolor": "rgba(0,0,0,0)",
        },
    )
    figure.update_xaxes(AXIS)
    figure.update_yaxes(AXIS)


AXIS = {
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": "#BBBBBB",
    "linecolor": "#BBBBBB",
    "showline": True,
    "zeroline": False,
    "gridcolor": "#EEEEEE",
    "title_standoff": 6,
    "title_font_size": 12,
    "tickfont_size": 11,
}


def say_when_empty(figure: go.Figure, sentence: str, *, empty: bool) -> None:
    """Put `sentence` in the middle of a figure that has nothing to show.

    The annotation is always there, and last, so that a figure updated in place loses it again.
    """
    figure.add_annotation(
        text=sentence,
        visible=empty,
        x=0.5, y=0.5, xref="paper", yref="paper", xanchor="center", yanchor="middle",
        showarrow=False,
        font={"size": 15, "color": GUIDE},
    )  # fmt: skip
    figure.update_xaxes(visible=not empty)
    figure.update_yaxes(visible=not empty)


@contextmanager
def publication_style() -> Iterator[None]:
    """The house style for seaborn, for as long as the context lasts."""
    typography = {"font.family": "sans-serif", "axes.edgecolor": "#888888", "grid.color": "#E6E6E6", "text.color": INK}
    with seaborn.axes_style("whitegrid", typography), seaborn.plotting_context("notebook", font_scale=0.85):
        yield


class PrintedFigure(Figure):
    """A figure that notebooks show as a picture, though pyplot, which would see to that, knows nothing of it."""

    def _repr_png_(self) -> bytes:
        target = BytesIO()
        self.savefig(target, format="png")
        return target.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches that pyplot knows nothing of: nothing is shown twice, and none is kept alive."""
    figure = PrintedFigure(figsize=(width, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    return figure


def publish_title(figure: Figure, title: Title) -> None:
    """The title of a printed figure, on the left as in an interactive one."""
    subject = title.subject.replace(" ", r"\ ")
    figure.suptitle(rf"$\bf{{{subject}}}$  {title.detail}", x=0.01, ha="left", fontsize="medium")


def publish_sentence(figure: Figure, sentence: str) -> Figure:
    """What `say_when_empty` is to an interactive figure."""
    figure.text(0.5, 0.5, sentence, ha="center", va="center", color=GUIDE, fontsize="large")
    return figure
