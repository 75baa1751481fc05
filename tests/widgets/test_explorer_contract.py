"""Does every panel give its figure, its data and its numbers, name what it shows, and work without a mouse?"""

from __future__ import annotations

import html
import inspect
import math
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

import lgq_explore
from lgq_explore import widgets
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.plots.paper import Width
from lgq_explore.quantizers import LGQConfig, VQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from lgq_explore.widgets.explorer import Explorer
from lgq_explore.widgets.panel import Panel
from lgq_explore.widgets.parts.state.pieces import Choice

CODES = 16


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    soft = TrainConfig(
        data="fake",
        batch_size=4,
        steps=6,
        log_steps=1,
        snapshot_steps=3,
        seed=5,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=LGQConfig(codebook_size=CODES),
    )
    hard = replace(soft, quantizer=VQConfig(codebook_size=CODES), loss_weights={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        return [train(recipe, folder / name, progress=False) for name, recipe in (("soft", soft), ("hard", hard))]


MAKERS: dict[str, Callable[[list[Run]], Explorer]] = {
    "CodeInspector": lambda runs: widgets.CodeInspector(runs[0], selection=[1, 2]),
    "ComparisonExplorer": lambda runs: widgets.ComparisonExplorer(*runs),
    "GeometryExplorer": lambda runs: widgets.GeometryExplorer(runs[0], selection=[1, 2]),
    "HealthPanel": lambda runs: widgets.HealthPanel(*runs),
    "PatchInspector": lambda runs: widgets.PatchInspector(runs[0]),
    "TemperatureExplorer": lambda runs: widgets.TemperatureExplorer(runs[0]),
    "ToyLab": lambda runs: widgets.ToyLab(codes=4, seed=5, steps=20).train(),
    "UsageExplorer": lambda runs: widgets.UsageExplorer(*runs, window_tokens=256),
}

EXPLORERS = sorted(
    name
    for name in widgets.__all__
    if isinstance(getattr(widgets, name), type) and issubclass(getattr(widgets, name), Explorer)
)


@pytest.fixture(params=EXPLORERS)
def panel(request: pytest.FixtureRequest, runs: list[Run]) -> Explorer:
    return MAKERS[request.param](runs)


OF_PICTURES = sorted({*EXPLORERS} - {"ComparisonExplorer", "HealthPanel", "ToyLab"})
"""Panels that look at pictures that one can choose; those of health and toys look at logged numbers and at points in a
plane, and runs are compared on the held-out pictures that all of them share."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one's own pictures."""
    folder = tmp_path_factory.mktemp("own")
    noise = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(noise.integers(0, 256, (40, 72, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def bereft(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose photographs are gone."""
    gone = tmp_path_factory.mktemp("training") / "gone"
    gone.mkdir()
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(picture).save(gone / f"{number}.png")
    recipe = replace(runs[0].config, data=f"folder:{gone}")
    run = train(recipe, tmp_path_factory.mktemp("bereft") / "mine", progress=False)
    shutil.rmtree(gone)
    return run


@pytest.mark.parametrize("name", OF_PICTURES)
@pytest.mark.slow
def test_pictures_of_one_s_own_are_looked_at_though_those_of_training_are_gone(
    name: str, bereft: Run, pictures: Path
) -> None:
    panel = getattr(widgets, name)(bereft, data=f"folder:{pictures}")
    (study,) = panel.studies()
    own = lgq_explore.study(bereft, f"folder:{pictures}")
    assert study.encoding.codes.tolist() == own.encoding.codes.tolist()
    assert set(study.encoding.photograph_names) == {"0.png", "1.png", "2.png"}
    assert f"from 3 photographs of folder:{pictures}" in panel.caption()
    assert panel.still()["image/png"]
    assert f"widgets.{name}({str(bereft.path)!r}, data='folder:{pictures}'" in panel.code()
    again = eval(panel.code(), {"lgq": lgq_explore})
    assert (again.code(), again.caption(), again.charts.figures) == (
        panel.code(),
        panel.caption(),
        panel.charts.figures,
    )


@pytest.mark.parametrize("name", OF_PICTURES)
def test_pictures_that_can_t_be_used_are_refused(name: str, bereft: Run, runs: list[Run], tmp_path: Path) -> None:
    panel = getattr(widgets, name)
    with pytest.raises(InputError, match="there is no folder"):
        panel(bereft)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        panel(bereft, data=f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match=r"unknown data .*: give one of"):
        panel(bereft, data="pictures")
    with pytest.raises(InputError, match="has its pictures already: give a run instead of a study"):
        panel(lgq_explore.study(runs[0]), data="fake")


@pytest.mark.parametrize("name", OF_PICTURES)
def test_as_few_pictures_are_looked_at_as_are_asked_for(name: str, runs: list[Run]) -> None:
    panel = getattr(widgets, name)(runs[0], crops=4)
    (study,) = panel.studies()
    assert len(study.encoding) == 4
    assert eval(panel.code(), {"lgq": lgq_explore}).caption() == panel.caption()


def below(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from below(child)


def test_it_is_printed_as_a_figure_a_frame_and_numbers(panel: Explorer) -> None:
    figure, frame, summary = panel.figure(), panel.frame(), panel.summary()
    assert isinstance(figure, Figure)
    assert figure.axes
    assert isinstance(frame, pd.DataFrame)
    assert len(frame)
    assert summary
    for name, value in summary.items():
        assert isinstance(value, int | float | str | np.integer | np.floating), name
        assert isinstance(value, str) or not math.isinf(value), name


@pytest.mark.parametrize("width", ["column", "text"])
def test_it_fits_a_page_of_a_paper(panel: Explorer, width: Width) -> None:
    figure = panel.figure(width)
    assert figure.get_figwidth() <= {"column": 3.25, "text": 6.75}[width]
    assert figure.get_figheight() <= 9


def test_its_caption_names_the_number_of_tokens_the_seed_and_the_run(panel: Explorer, runs: list[Run]) -> None:
    caption = panel.caption()
    assert "N = " in caption
    assert "tokens" in caption
    assert "seed 5" in caption
    assert panel.data in caption if isinstance(panel, widgets.ToyLab) else runs[0].path.name in caption


PANELS = [
    getattr(widgets, name)
    for name in widgets.__all__
    if isinstance(getattr(widgets, name), type) and issubclass(getattr(widgets, name), Panel)
]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.__name__)
def test_its_docstring_tells_every_keyword(panel: type[Panel]) -> None:
    taken = {*inspect.signature(panel.__init__).parameters} - {"self", "state"}
    keywords = taken | {*getattr(panel, "STATE", ())}
    assert not [name for name in keywords if not re.search(rf"\b{name}\b", panel.__doc__ or "")]


def test_its_code_makes_it_again(panel: Explorer) -> None:
    code = panel.code()
    assert "\n" not in code
    again = eval(code, {"lgq": lgq_explore})
    assert again.code() == code
    assert repr(again) == repr(panel)
    assert " at 0x" not in repr(panel)


@pytest.mark.slow
def test_it_leaves_a_picture_where_no_kernel_runs(panel: Explorer) -> None:
    bundle = panel.still()
    assert bundle["text/plain"] == repr(panel)
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_every_part_of_its_state_can_be_set_by_the_keyboard(panel: Explorer) -> None:
    """Sliders, boxes and lists can; what is drawn can't be reached without a mouse."""
    controls = [
        part
        for part in below(panel)
        if isinstance(part, ipywidgets.ValueWidget) and not isinstance(part, ipywidgets.HTML)
    ]
    for trait in panel.STATE:
        if trait == "seeds":  # all runs have one seed: there is nothing to choose
            continue
        before = [control.value for control in controls]
        if isinstance(word := getattr(panel, trait), str):  # of a list that is offered
            assert word in before, f"no control shows {trait}"
            continue
        panel.set_trait(trait, _another(panel, trait))
        assert [control.value for control in controls] != before, f"no control shows {trait}"


def _another(panel: Explorer, trait: str) -> object:
    match trait, getattr(panel, trait):
        case "patch", _:
            return [1, 2, 3]
        case "snapshot", _:
            return 3
        case "groups", names:
            return list(names)[:1]
        case "pair", names:
            return list(names)[::-1]
        case _, [*codes]:
            return [3] if codes != [3] else [4]
        case _, int(number):
            return number + 1
        case _, float(number):
            return number * 2
        case _, None:
            return 0.5
    raise AssertionError(f"{trait}: say here what else it may be")


def test_what_it_says_is_read_aloud(panel: Explorer) -> None:
    """A screen reader is told when a message changes."""
    spoken = [part.value for part in below(panel) if isinstance(part, ipywidgets.HTML) and part.value]
    message = panel.hint()
    assert not message or any('role="status"' in said and html.escape(message) in said for said in spoken)


@pytest.mark.parametrize(
    "raised", [InputError("no such thing"), ZeroDivisionError("a defect")], ids=["input", "defect"]
)
def test_an_error_in_one_drawing_is_said_and_leaves_every_control_working(
    panel: Explorer, raised: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, before = panel.draw, dict(panel.charts.figures)
    drawn: list[int] = []

    def fails_once() -> object:
        drawn.append(len(drawn))
        if len(drawn) == 1:
            raise raised
        return draw()

    monkeypatch.setattr(panel, "draw", fails_once)
    with nullcontext() if isinstance(raised, InputError) else pytest.raises(ZeroDivisionError):
        panel._redraw()
    assert str(raised) in panel._message.value
    assert panel.charts.figures == before  # what was drawn stays
    for name in panel.STATE:
        piece = panel.piece(name)
        if isinstance(piece, Choice) or panel.inputs.get(name) is None:
            continue
        times = len(drawn)
        panel.inputs[name].value = _another(panel, name)
        assert len(drawn) > times, f"{name} does not draw any more"
        assert str(raised) not in panel._message.value


def test_saved_numbers_are_for_programs(panel: Explorer) -> None:
    saved = pd.read_csv(StringIO(panel._prepare_file("numbers, CSV")().data.decode()))
    assert len(saved) > 0
    assert not [name for name in saved if str(name).startswith("Unnamed")]
    assert saved.columns.tolist() == panel.numbers().columns.tolist()
