"""How does a test find the parts of a training monitor?"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import ipywidgets
import numpy as np

from lgq_explore.widgets import TrainingMonitor

Figure = dict[str, list[dict[str, object]]]


def button(monitor: TrainingMonitor, label: str) -> ipywidgets.Button:
    (found,) = [part for part in parts_of(monitor) if getattr(part, "description", None) == label]
    return found


def enabled(monitor: TrainingMonitor) -> list[str]:
    """The buttons that can be pressed."""
    return [name for name in ("Start", "Stop", "Resume") if not button(monitor, name).disabled]


def parts_of(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts_of(child))]


def text_of(monitor: TrainingMonitor) -> str:
    return "\n".join(part.value for part in parts_of(monitor) if isinstance(part, ipywidgets.HTML))


def temperature_control(monitor: TrainingMonitor) -> ipywidgets.Widget:
    (found,) = [part for part in parts_of(monitor) if hasattr(part, "effective_codes")]
    return found


def figures(monitor: TrainingMonitor) -> list[Figure]:
    (charts,) = [part for part in parts_of(monitor) if hasattr(part, "figures") and part is not monitor]
    return [json.loads(figure) for figure in charts.figures.values()]


def trace_names(figure: Figure) -> set[object]:
    return {trace["name"] for trace in figure["data"]}


def marked(figure: Figure) -> dict[str, float]:
    """The names of vertical lines, and their steps."""
    notes = figure["layout"]["annotations"]  # type: ignore[call-overload]
    return {note["text"]: note["x"] for note in notes if note["text"].startswith("GAN")}


def decoded(values: dict[str, str]) -> list[float]:
    """Numbers as plotly writes arrays."""
    return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).tolist()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def logged(monitor: TrainingMonitor) -> int:
    return 0 if monitor.run is None else len(monitor.run.history())
