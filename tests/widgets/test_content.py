"""Does a panel notice that what stands behind its run's name has changed, and keep to what it has read?"""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lgq_explore import widgets
from lgq_explore.errors import InputError
from lgq_explore.runs import study
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.widgets.explorer import Explorer

MAKERS: dict[str, Callable[[Path], Explorer]] = {
    "CodeInspector": lambda run: widgets.CodeInspector(run, selection=[1, 2]),
    "ComparisonExplorer": lambda run: widgets.ComparisonExplorer(run),
    "GeometryExplorer": lambda run: widgets.GeometryExplorer(run, colour="drift"),
    "HealthPanel": lambda run: widgets.HealthPanel(run),
    "PatchInspector": lambda run: widgets.PatchInspector(run),
    "TemperatureExplorer": lambda run: widgets.TemperatureExplorer(run, temperature=0.5),
    "UsageExplorer": lambda run: widgets.UsageExplorer(run, window_tokens=256),
}
PANELS = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)


@pytest.fixture(scope="module")
def trained(recipe: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same recipe with two seeds, and the first one's as it was after half of its steps."""
    folder = tmp_path_factory.mktemp("trained")
    config = replace(recipe, snapshot_steps=2, data="fake")
    controls = Controls()

    def stop(event: LogEvent) -> None:
        if event.row["step"] == recipe.steps // 2:
            controls.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(folder / "data"))
        return {
            "half": train(config, folder / "half", controls=controls, on_log=stop, progress=False).path,
            "first": train(config, folder / "first", progress=False).path,
            "second": train(replace(config, seed=1), folder / "second", progress=False).path,
        }


def state_of(panel: Explorer) -> tuple[object, ...]:
    return panel.frame().to_csv(), str(panel.summary()), panel.caption(), panel.charts.figures


def said_by(panel: Explorer) -> str:
    return html.unescape(panel._message.value)


def made_afresh(maker: Callable[[Path], Explorer], run: Path) -> Explorer:
    """With nothing kept from before."""
    study._studied.cache_clear()
    return maker(run)


def put(source: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source, place)


@PANELS
def test_a_run_trained_anew_at_the_same_path_is_shown_anew(
    maker: Callable[[Path | Run], Explorer], trained: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    opened = open_run(place)
    before = maker(opened)
    first = state_of(before)
    put(trained["second"], place)
    with pytest.raises(InputError, match="mine holds another run now than when it was opened"):
        maker(opened)  # neither run: this one was opened, that one lies there
    after = maker(place)
    assert state_of(after) == state_of(made_afresh(maker, place))
    assert "seed 1" in after.caption()
    assert state_of(after)[:2] != first[:2]
    # The panel that is open shows what it has read, and says so.
    before._redraw()
    assert state_of(before) == first
    assert "Another run has since been trained in the place of mine, to step 6" in said_by(before)
    assert "has since been trained" not in said_by(after)


@PANELS
def test_a_run_that_is_trained_on_under_an_open_panel_is_not_mixed(
    maker: Callable[[Path], Explorer], trained: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    put(trained["half"], place)
    open_panel = maker(place)
    then = state_of(open_panel)
    assert "step 3" in open_panel.caption()
    resume(place, progress=False)
    open_panel._redraw()
    assert state_of(open_panel) == then
    assert "mine has since been trained on, to step 6" in said_by(open_panel)
    assert "step 6" in maker(place).caption()


@PANELS
def test_other_weights_of_the_same_step_are_shown_anew(
    maker: Callable[[Path], Explorer], trained: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    before = maker(place)
    then = state_of(before)
    with safe_open(place / "weights.safetensors", "pt") as file:
        metadata = file.metadata()
    weights = {name: 1.5 * value for name, value in load_file(place / "weights.safetensors").items()}
    save_file(weights, tmp_path / "others", metadata=metadata)
    (tmp_path / "others").replace(place / "weights.safetensors")
    before._redraw()
    assert state_of(before) == then
    assert "mine has since got other weights of step 6" in said_by(before)
    after = maker(place)
    assert state_of(after) == state_of(made_afresh(maker, place))
    if not isinstance(after, widgets.HealthPanel):  # its rules may say the same of both
        assert state_of(after)[0] != then[0]


def test_what_is_beside_in_the_geometry_panel_is_watched_too(trained: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "other"
    put(trained["first"], place)
    panel = widgets.GeometryExplorer(trained["second"], beside=place)
    put(trained["second"], place)
    panel._redraw()
    assert "Another run has since been trained in the place of other" in said_by(panel)


def test_a_panel_stays_as_it_is_where_its_folder_is_gone(trained: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    panel = widgets.GeometryExplorer(place)
    then = panel.frame()
    shutil.rmtree(place)
    panel.colour = "density"
    panel.snapshot = 2
    assert "The folder of mine was moved since, or its weights can't be read" in said_by(panel)
    panel.snapshot = 6
    assert panel.frame()["x"].equals(then["x"])
    assert not place.exists()


def test_the_health_panel_looks_again_at_what_stands_there_now(trained: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    panel = widgets.HealthPanel(place)
    put(trained["second"], place)
    panel.look_again()
    assert "since" not in said_by(panel)
    assert state_of(panel) == state_of(made_afresh(MAKERS["HealthPanel"], place))


def test_runs_trained_at_one_place_one_after_the_other_are_not_linked(trained: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    old, old_too = widgets.CodeInspector(place), widgets.UsageExplorer(place)
    put(trained["second"], place)
    new, new_too = widgets.CodeInspector(place), widgets.UsageExplorer(place)
    widgets.link(old, old_too, new, new_too)
    old.selection = [3]
    assert old_too.selection == [3]
    assert new.selection == new_too.selection == []


@PANELS
def test_what_the_history_of_a_run_lacks_is_said_in_its_panels(
    maker: Callable[[Path], Explorer], trained: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    put(trained["first"], place)
    assert "torn row" not in said_by(maker(place))
    history = place / "history.csv"
    history.write_bytes(history.read_bytes()[:-3])
    assert "history.csv ends with step 5 of 6, and a torn row follows" in said_by(maker(place))


@pytest.mark.parametrize("maker", [MAKERS["TemperatureExplorer"], MAKERS["CodeInspector"]])
@pytest.mark.slow
def test_of_many_snapshots_a_panel_looks_at_some_and_says_so(
    maker: Callable[[Path], Explorer], recipe: TrainConfig, tmp_path: Path
) -> None:
    run = train(replace(recipe, steps=40, snapshot_steps=1), tmp_path / "mine", progress=False)
    assert "32 of its 41 saved codebooks" in maker(run.path).caption()
    few = train(replace(recipe, steps=4, snapshot_steps=1), tmp_path / "few", progress=False)
    assert "saved codebooks" not in maker(few.path).caption()


@PANELS
def test_a_run_that_was_stopped_is_shown_with_its_step(
    maker: Callable[[Path], Explorer], trained: dict[str, Path], recipe: TrainConfig
) -> None:
    half = recipe.steps // 2
    assert f"half is shown as it was at step {half} of {recipe.steps}." in said_by(maker(trained["half"]))
    assert "is shown as it was" not in said_by(maker(trained["first"]))
