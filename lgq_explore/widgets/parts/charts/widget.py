"""Plotly charts that change in place and report the codes picked in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anywidget
import ipywidgets
import plotly.graph_objects as go
import traitlets
from plotly.io import to_json
from plotly.offline import get_plotlyjs

from lgq_explore.plots.style import ON_CANVAS, ON_GROUND, ON_TOP, THEMED

from ..page_part import PagePart, script

FOLDER = Path(__file__).parent
SCRIPTS = (
    "theme.js",
    "picking.js",
    "marks.js",
    "dots.js",
    "tools.js",
    "sliders.js",
    "widget.js",
)
STYLES = ("widget.css", "tools.css")
"""Parts of one script, and of one style sheet: a widget has one of each."""

FIGURES_KEPT = 12
"""Of those drawn last, as text: for a reader who goes to and fro between states whose figures a panel keeps."""

Mode = Literal["replace", "add", "remove"]


@dataclass(frozen=True)
class Picked:
    """What a click, a box or a lasso caught: figure, its name among those shown; codes, ascending, each once.

    mode: what becomes of what was picked before. A reader holds Shift to add to it, and Alt to remove from it.
    """

    figure: str
    codes: list[int]
    mode: Mode = "replace"

    def of(self, selection: Iterable[int]) -> list[int]:
        """The selection after this was picked, ascending."""
        before = set(selection)
        match self.mode:
            case "add":
                return sorted(before.union(self.codes))
            case "remove":
                return sorted(before.difference(self.codes))
            case _:
                return self.codes


class PlotlyLibrary(anywidget.AnyWidget):
    """plotly.js for all charts of a kernel: some five megabytes, sent once."""

    _esm = "export default {};"

    source = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__(source=get_plotlyjs())

    def __repr__(self) -> str:
        return "PlotlyLibrary()"


_libraries: list[PlotlyLibrary] = []


def plotly_library() -> PlotlyLibrary:
    """The kernel's one copy of plotly.js, made when first asked for, and again after it was closed."""
    if not _libraries or _libraries[-1].comm is None:
        _libraries[:] = [PlotlyLibrary()]
    return _libraries[-1]


class Charts(PagePart):
    """Plotly figures in two columns, or in one where there is no room for two.

    One widget for all of them: a FigureWidget each would parse its own five megabytes of plotly.js while it is made,
    and a page gives a widget two seconds for that.
    """

    _esm = script(*(FOLDER / name for name in SCRIPTS))
    _css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)

    plotly = traitlets.Instance(PlotlyLibrary).tag(sync=True, **ipywidgets.widget_serialization)
    figures = traitlets.Dict(traitlets.Unicode()).tag(sync=True)
    """Each figure as plotly's JSON, by name, in their order; one whose text stays the same is not drawn again."""
    marks = traitlets.Dict(traitlets.Unicode()).tag(sync=True)
    """Those traces and shapes of each figure that are ON_TOP, as a figure of their own, which the page draws itself."""
    dots = traitlets.Dict(traitlets.Unicode()).tag(sync=True)
    """Those traces of each figure that are ON_CANVAS, likewise."""
    ground = traitlets.Dict(traitlets.Unicode()).tag(sync=True)
    """Those that are ON_GROUND, apart: a trait travels when it changes, and they seldom do."""
    themed = traitlets.Dict(THEMED).tag(sync=True)
    """Colours of figures that follow the page's theme, each with the variable of the page that it becomes."""
    stale = traitlets.Bool().tag(sync=True)
    """Whether what is drawn isn't what is asked for yet: it is dimmed."""

    def __init__(self, wide: Sequence[str] = ()) -> None:
        super().__init__(plotly=plotly_library(), wide=list(wide))
        self._callbacks: list[Callable[[Picked], None]] = []
        self._texts = deque[_Texts](maxlen=FIGURES_KEPT)
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return f"Charts({len(self.figures)})"

    wide = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The names of figures that go over both columns; one that is alone does anyway."""

    def show(self, figures: Mapping[str, go.Figure], marks: Mapping[str, go.Figure] | None = None) -> None:
        """Draw these, in place of what is drawn; a figure keeps its zoom while its name stays.

        A figure that is the same object as one of the last FIGURES_KEPT is taken to be unchanged. marks: for figures by
        name, what lies on top of them: traces and shapes that are ON_TOP. It goes before such parts of the figure
        itself, and is passed over where there is no such figure.
        """
        texts = {name: self._text_of(figure) for name, figure in figures.items()}
        given = {name: _parted(mark)[1] for name, mark in (marks or {}).items() if name in figures}
        with self.hold_sync():
            self.figures = {name: text.rest for name, text in texts.items()}
            own = {name: text.marks for name, text in texts.items() if text.marks}
            self.marks = own | given
            self.dots = {name: text.dots for name, text in texts.items() if text.dots}
            self.ground = {name: text.ground for name, text in texts.items() if text.ground}

    def _text_of(self, figure: go.Figure) -> _Texts:
        known = next((text for text in self._texts if text.figure is figure), None)
        if known is None:
            known = _Texts(figure, *_parted(figure))
            self._texts.append(known)
        return known

    def on_select(self, callback: Callable[[Picked], None]) -> None:
        """Call this with what a reader clicks, or catches in a box or a lasso.

        A point's codes are its `customdata`: one whole number, or several. Points without are passed over. In a heat
        map a box or lasso catches the cells whose centres it holds. Drag boxes and lassos in figures whose layout has
        the `dragmode` "select" or "lasso"; a double click there picks nothing, and gives no codes. `Picked.of` says
        what becomes of a selection.
        """
        self._callbacks.append(callback)

    def _hear(self, widget: Charts, content: Any, buffers: Any) -> None:
        """The page sends ``{"figure": name, "codes": [3], "mode": "add"}``; anything else is another widget's talk."""
        match content:
            case {
                "figure": str(figure),
                "codes": list(codes),
                "mode": "replace" | "add" | "remove" as mode,
            } if figure in self.figures and _all_whole(codes):
                picked = Picked(figure, sorted(set(codes)), mode)
                for callback in self._callbacks:
                    callback(picked)


@dataclass(frozen=True, eq=False)
class _Texts:
    """A figure as JSON: what plotly draws, what lies on top, on the canvas and below; empty where nothing is."""

    figure: go.Figure
    rest: str
    marks: str
    dots: str
    ground: str


def _parted(figure: go.Figure) -> tuple[str, str, str, str]:
    """A figure as JSON without what the page draws, its parts ON_TOP, its traces ON_CANVAS, and those ON_GROUND."""
    whole = figure.to_dict()
    layout = whole["layout"]
    traces, marks = _without(ON_TOP, whole["data"], "meta")
    traces, dots = _without(ON_CANVAS, traces, "meta")
    traces, ground = _without(ON_GROUND, traces, "meta")
    shapes, frames = _without(ON_TOP, layout.get("shapes", ()), "name")
    rest = whole | {"data": traces + _colour_bars(dots)}
    if frames:
        rest["layout"] = layout | {"shapes": shapes}
    on_top = _json({"data": marks, "layout": {"shapes": frames}}) if marks or frames else ""
    on_canvas, below = (_json({"data": traces}) if traces else "" for traces in (dots, ground))
    return _json(rest), on_top, on_canvas, below


def _without(word: str, parts: Iterable[dict[str, Any]], key: str) -> tuple[list[Any], list[Any]]:
    """The parts that do not have the word as their `key`, and those that do."""
    kept: list[Any] = []
    others: list[Any] = []
    for part in parts:
        (others if part.get(key) == word else kept).append(part)
    return kept, others


def _colour_bars(dots: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Traces without points on the colour axes of others: plotly draws a bar where a trace of its own has the axis."""
    axes = sorted({trace["marker"]["coloraxis"] for trace in dots if "coloraxis" in trace.get("marker", {})})
    return [
        {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "hoverinfo": "skip", "showlegend": False,
         "marker": {"color": [0], "coloraxis": axis}}
        for axis in axes
    ]  # fmt: skip


def _json(figure: Mapping[str, Any]) -> str:
    return to_json(figure, validate=False)


def _all_whole(numbers: list[Any]) -> bool:
    return all(type(number) is int and number >= 0 for number in numbers)
