"""Source text of the notebook cells whose panels are measured in a browser.

A notebook has two cells: the preparation, and the panel.
"""

from __future__ import annotations

TEMPERATURE_PANEL = (
    """\
import json
from pathlib import Path
from lgq_explore.widgets import TemperatureExplorer
""",
    """\
panel = TemperatureExplorer("lgq")
Path("panel.json").write_text(json.dumps({"tokens": len(panel.frame())}))
panel
""",
)
"""The temperature panel of the named run, and its number of tokens."""

_MAP_DATA = """\
import json
import time
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd

generator = np.random.default_rng(0)
hills = generator.normal(scale=2, size=(32, 2))


def scattered(points):
    return hills[generator.integers(len(hills), size=points)] + generator.normal(scale=0.6, size=(points, 2))


tokens = pd.DataFrame(scattered({tokens}), columns=["x", "y"])
codes = pd.DataFrame(scattered({codes}), columns=["x", "y"]).assign(
    code=np.arange({codes}),
    count=generator.poisson(generator.gamma(0.5, 4, size={codes})),
    drift=generator.gamma(2, size={codes}),
)
span = (-8.0, 8.0, -8.0, 8.0)
start = codes[["x", "y"]].to_numpy()
shown = {{"colour": "usage", "time": 1.0}}


def at(time):
    places = time * start
    return codes.assign(x=places[:, 0], y=places[:, 1])


def tell(selected):
    arrived = time.time()
    if not len(selected):  # a lasso that begins ends the selection before it
        return
    target = Path("selection.part")
    target.write_text(json.dumps({{"arrived": arrived, "codes": len(selected)}}))
    target.rename("selection.json")


def buttons(**actions):
    made = []
    for name, action in actions.items():
        made.append(ipywidgets.Button(description=name))
        made[-1].on_click(lambda _, action=action: action())
    return ipywidgets.HBox(made)
"""

_CANVAS = (
    """\
from lgq_explore.plots.geometry import MapPane, draw_latent_maps
from lgq_explore.widgets.parts.charts.widget import Charts
""",
    """\
edges = pd.DataFrame({"code": [], "neighbour": []}, dtype=int)
charts = Charts()


def show(**change):
    shown.update(change)
    pane = MapPane(f"{len(codes):,d} codes", at(shown["time"]), tokens, edges, ("first axis", "second axis"), span)
    (drawn,) = draw_latent_maps([pane], shown["colour"])
    charts.show({"map": drawn})


charts.on_select(lambda picked: tell(picked.codes))
show()
ipywidgets.VBox([
    buttons(
        recolour=lambda: show(colour="drift" if shown["colour"] == "usage" else "usage"),
        move=lambda: show(time=0.9 * shown["time"]),
    ),
    charts,
])
""",
)

_JUPYTER_SCATTER = (
    """\
import jscatter
""",
    """\
def points():
    moved = at(shown["time"])
    places = pd.concat([tokens, moved[["x", "y"]]], ignore_index=True)
    none = np.zeros(len(tokens))
    return places.assign(
        kind=pd.Categorical(["token"] * len(tokens) + ["code"] * len(codes), categories=["token", "code"]),
        usage=np.concatenate([none, np.log10(1 + codes["count"])]),
        drift=np.concatenate([none, codes["drift"]]),
    )


def show(**change):
    shown.update(change)
    scatter.data(points())


def recolour():
    shown["colour"] = "drift" if shown["colour"] == "usage" else "usage"
    scatter.color(by=shown["colour"], map="viridis", norm=(0, float(points()[shown["colour"]].max())))


side = 346  # as large as the chart draws its square
scatter = jscatter.Scatter(
    data=points(), x="x", y="y", x_scale=span[:2], y_scale=span[2:], width=side, height=side, axes=True, legend=True,
    color_by="usage", color_map="viridis",
    opacity_by="kind", opacity_map=[0.3, 1.0], size_by="kind", size_map=[2.5, 3.5],
)
scatter.widget.observe(lambda change: tell(np.flatnonzero(change["new"] >= len(tokens))), "selection")
ipywidgets.VBox([
    buttons(
        recolour=recolour,
        move=lambda: show(time=0.9 * shown["time"]),
        lasso=lambda: scatter.mouse("lasso"),
    ),
    scatter.widget,
])
""",
)


def map_notebook(way: str, codes: int, tokens: int) -> tuple[str, str]:
    """The cells of a map, drawn as one of MAPS: random codes, coloured by usage, among faint tokens.

    Buttons change the colours of the codes and move them. Selections by lasso are recorded with their times.
    """
    needed, cell = MAPS[way]
    return _MAP_DATA.format(codes=codes, tokens=tokens) + needed, cell


MAPS = {"canvas": _CANVAS, "jupyter-scatter": _JUPYTER_SCATTER}
"""Ways to draw a map: the package's charts, which draw points on a canvas, and https://jupyter-scatter.dev."""
