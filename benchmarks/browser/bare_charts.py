"""Charts in a page without Jupyter, for benchmarks and tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from playwright.sync_api import Locator, Page

from lgq_explore.widgets.parts.charts.widget import Charts

PAGE = """<!doctype html><meta charset="utf-8">
<body data-jp-theme-light="true"><div id="charts" style="width: {width}px"></div></body>"""

THEMES = """
body { --jp-ui-font-color0: #000000; --jp-ui-font-color1: #212121; --jp-ui-font-color2: #616161;
       --jp-border-color1: #bdbdbd; --jp-border-color2: #e0e0e0; --jp-layout-color0: #ffffff; --jp-layout-color2: #eee;
       background: var(--jp-layout-color0); }
body[data-jp-theme-light="false"] { --jp-ui-font-color0: #ffffff; --jp-ui-font-color1: #dedede;
       --jp-ui-font-color2: #a0a0a0; --jp-border-color1: #616161; --jp-border-color2: #424242;
       --jp-layout-color0: #111111; --jp-layout-color2: #424242; }
"""
"""What JupyterLab's two themes say, as far as charts ask."""

RENDER = """async ([script, state, plotly]) => {
    const { default: widget } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    const callbacks = {};
    globalThis.sent = [];
    globalThis.model = {
        get: (name) => state[name],
        set: (changed) => {
            Object.assign(state, changed);
            Object.keys(changed).forEach((name) => callbacks[`change:${name}`]?.());
        },
        on: (event, callback) => (callbacks[event] = callback),
        off: () => {},
        send: (content) => {
            globalThis.sentAt ??= performance.now();
            sent.push(content);
        },
        widget_manager: { get_model: async () => ({ get: () => plotly, _handle_comm_msg: async () => null }) },
    };
    globalThis.widget = widget;
    await widget.render({ model, el: document.getElementById("charts") });
}"""


class BareCharts:
    """Charts in a page of their own, as wide as given in pixels, and with JupyterLab's colours."""

    def __init__(self, page: Page, figures: Sequence[go.Figure], width: int = 855) -> None:
        self.page, self.errors = page, list[str]()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        charts = Charts()
        page.set_content(PAGE.format(width=width))
        page.add_style_tag(content=THEMES + charts._css)
        state = {name: value for name, value in charts.get_state().items() if not name.startswith("_")}
        state |= {**self.shown(figures), "plotly": "IPY_MODEL_0"}
        page.evaluate(RENDER, [str(charts._esm), state, charts.plotly.source])
        self.settle()

    def show(self, figures: Sequence[go.Figure]) -> None:
        self.set(self.shown(figures))

    @staticmethod
    def shown(figures: Sequence[go.Figure]) -> dict[str, Any]:
        """The state of charts that show these figures, named by their places: "0", "1"."""
        charts = Charts()
        charts.show({str(place): figure for place, figure in enumerate(figures)})
        return {"figures": charts.figures, "marks": charts.marks, "dots": charts.dots, "ground": charts.ground}

    def set(self, state: Mapping[str, Any]) -> None:
        self.page.evaluate("model.set", state)
        self.settle()

    def settle(self) -> None:
        """Wait until every chart is drawn."""
        self.page.wait_for_function(
            "[...document.querySelectorAll('.lgq-chart')].every(chart => chart.querySelector('.main-svg'))"
        )
        self.page.wait_for_function("!document.querySelector('.lgq-drawing')")
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert not self.errors, self.errors

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the charts told Python."""
        return self.page.evaluate("sent")

    def button(self, tool: str, number: int = 0) -> Locator:
        return self.page.locator(".lgq-chart").nth(number).locator(f"button[data-tool={tool}]")

    def read(self, expression: str, number: int = 0) -> Any:
        """The value of an expression of JavaScript on `chart`, plotly's element."""
        return self.page.evaluate(
            f"(chart => {expression})(document.querySelectorAll('.lgq-charts .js-plotly-plot')[{number}])"
        )

    def on_screen(self, corners: Sequence[Sequence[float]], axes: str = "", number: int = 0) -> list[list[float]]:
        """Where places in a chart's data lie on the screen."""
        return self.read(
            f"{json.dumps(corners)}.map(([x, y]) => {{"
            f"const {{ xaxis{axes}: across, yaxis{axes}: up }} = chart._fullLayout;"
            "const box = chart.getBoundingClientRect();"
            "return [box.left + across._offset + across.d2p(x), box.top + up._offset + up.d2p(y)]; })",
            number,
        )

    def drag(self, corners: Sequence[Sequence[float]], axes: str = "", key: str | None = None, number: int = 0) -> None:
        """Drag along places in a chart's data, and hold a key meanwhile."""
        mouse, (start, *others) = self.page.mouse, self.on_screen(corners, axes, number)
        if key:
            self.page.keyboard.down(key)
        mouse.move(*start)
        mouse.down()
        for x, y in others:
            mouse.move(x, y, steps=8)
        mouse.up()
        if key:
            self.page.keyboard.up(key)
