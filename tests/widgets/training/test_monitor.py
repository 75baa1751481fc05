"""Does the monitor train, show, stop, resume and fail as its panel says, without a browser?"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import ipywidgets
import pytest
import torch
from PIL import Image

import lgq_explore as lgq
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.temperature import TemperatureSchedule
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.controls import Controls, ReplayedControls
from lgq_explore.training.loop import train
from lgq_explore.widgets import TrainingMonitor
from tests.widgets.training.monitor_parts import (
    button,
    decoded,
    enabled,
    figures,
    logged,
    marked,
    parts_of,
    temperature_control,
    text_of,
    trace_names,
    until,
)


def test_a_monitored_run_is_the_run_that_train_makes(recipe: TrainConfig, tmp_path: Path) -> None:
    run = asyncio.run(TrainingMonitor(recipe).train())
    assert isinstance(run, Run)
    assert run.is_finished
    alone = train(recipe, tmp_path / "alone", progress=False).tokenizer().state_dict()
    watched = run.tokenizer().state_dict()
    assert all(torch.equal(watched[name], alone[name]) for name in alone)


def test_the_panel_is_empty_before_and_shows_the_last_step_after(recipe: TrainConfig) -> None:
    monitor = TrainingMonitor(recipe, pictures=3)
    assert "Nothing to see yet" in text_of(monitor)
    assert figures(monitor) == []
    before = Image.open(BytesIO(monitor.still()["image/png"]))
    assert before.height < 60, "a sentence"
    asyncio.run(monitor.train())
    curves, usage, pictures = figures(monitor)
    assert {"weighted sum", "active", "in force"} <= {trace["name"] for trace in curves["data"]}
    assert usage["data"][0]["type"] == "heatmap"
    assert [trace["name"] for trace in pictures["data"]] == ["input", "soft", "hard"]
    assert "finished · step 6 of 6" in text_of(monitor)
    assert temperature_control(monitor).in_force == pytest.approx(0.1)
    assert [button(monitor, name).disabled for name in ("Start", "Stop", "Resume")] == [True, True, True]


@pytest.mark.slow
def test_a_run_with_a_gan_shows_how_its_terms_share_the_decoder(recipe: TrainConfig) -> None:
    adversarial = replace(
        recipe,
        loss_weights={**recipe.loss_weights, "gan": 0.1},
        objectives={"gan": {"start_step": 2, "ramp_steps": 3, "layers": 1, "width": 4, "r1_weight": 1.0}},
    )
    monitor = TrainingMonitor(adversarial)
    asyncio.run(monitor.train())
    curves, *others = figures(monitor)
    assert {"weighted sum", "active"} <= trace_names(curves)
    assert marked(curves) == {"GAN starts": 2, "GAN in full": 5}
    (tabs,) = [part for part in parts_of(monitor) if isinstance(part, ipywidgets.ToggleButtons)]
    assert tabs.value == "codes"
    tabs.value = "objectives"
    assert monitor.view == "objectives"
    objectives, *same = figures(monitor)
    assert trace_names(objectives) == {"real", "reconstructed", "λ", "R1", "l1", "gan"}
    assert marked(objectives) == marked(curves)
    assert same == others
    logits = next(trace for trace in objectives["data"] if trace["name"] == "real")
    history = monitor.run.history()
    assert decoded(logits["y"]) == pytest.approx(history["gan_logits_real"].tolist(), nan_ok=True)
    again = eval(monitor.code(), {"lgq": lgq})
    assert again.view == "objectives"
    assert trace_names(figures(again)[0]) == trace_names(objectives)
    printed = [axes.get_ylabel() for axes in monitor.figures()[0].axes]
    assert {"loss", "mean logit", "share of the gradient"} <= set(printed), "a saved picture has no tabs"


def test_a_run_of_one_term_has_no_such_view(recipe: TrainConfig) -> None:
    monitor = TrainingMonitor(recipe)
    assert not [part for part in parts_of(monitor) if isinstance(part, ipywidgets.ToggleButtons)]
    with pytest.raises(InputError, match="view is 'objectives': choose one of codes"):
        monitor.view = "objectives"


def test_a_saved_notebook_gets_a_picture_beside_the_live_view(recipe: TrainConfig) -> None:
    monitor = TrainingMonitor(recipe)
    asyncio.run(monitor.train())
    bundle = monitor.still()
    assert bundle["text/plain"] == "TrainingMonitor(lgq, 16 codes, 6 steps)"
    assert monitor._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]["model_id"] == monitor.model_id
    picture = Image.open(BytesIO(bundle["image/png"]))
    assert picture.width > 300
    assert len(picture.convert("RGB").getcolors(maxcolors=2**24)) > 100


@pytest.mark.slow
def test_stop_saves_and_resume_goes_on_to_the_weights_of_an_uninterrupted_run(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    recipe = replace(recipe, steps=60)

    async def stop_and_resume() -> Run:
        monitor = TrainingMonitor(recipe)
        monitor.start()
        await until(lambda: logged(monitor) >= 2)
        button(monitor, "Stop").click()
        stopped = await monitor.finished()
        assert 2 <= stopped.finished_steps < recipe.steps
        assert "stopped" in text_of(monitor)
        await until(
            lambda: f"Cells below use the run as it was saved at step {stopped.finished_steps}:" in text_of(monitor)
        )
        assert not button(monitor, "Resume").disabled
        button(monitor, "Resume").click()
        await until(lambda: logged(monitor) > stopped.finished_steps)
        assert "Cells below" not in text_of(monitor)
        return await monitor.finished()

    resumed = asyncio.run(stop_and_resume())
    assert resumed.finished_steps == recipe.steps
    alone = train(recipe, tmp_path / "alone", progress=False).tokenizer().state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in resumed.tokenizer().state_dict().items())


def test_the_temperature_is_held_by_hand_through_a_rest_and_given_back(endless: TrainConfig) -> None:
    async def steer() -> None:
        monitor = TrainingMonitor(endless)
        monitor.start()
        await until(lambda: logged(monitor) >= 2)
        monitor.controls.temperature = 0.25
        await until(lambda: monitor.run.history()["temperature"].iloc[-1] == 0.25)
        monitor.controls.stop()
        stopped = (await monitor.finished()).finished_steps
        monitor.resume()
        await until(lambda: logged(monitor) > stopped)
        assert monitor.run.history()["temperature_override"].iloc[-1] == 0.25
        monitor.controls.stop()
        stopped = (await monitor.finished()).finished_steps
        assert temperature_control(monitor).held == 0.25
        monitor.controls.temperature = None  # given back while the run rests
        monitor.resume()
        await until(lambda: logged(monitor) > stopped)
        assert monitor.run.history()["temperature"].iloc[-1] > 0.9
        monitor.controls.stop()
        await monitor.finished()

    asyncio.run(steer())


@pytest.mark.slow
def test_a_steered_run_is_replayed_from_its_history(recipe: TrainConfig) -> None:
    steered = asyncio.run(TrainingMonitor(recipe, controls=Controls(temperature=0.3)).train())
    replay = asyncio.run(TrainingMonitor(recipe, controls=ReplayedControls(steered.history())).train())
    assert replay.path != steered.path
    assert (replay.history()["temperature"] == 0.3).all()
    assert all(
        torch.equal(value, replay.tokenizer().state_dict()[name])
        for name, value in steered.tokenizer().state_dict().items()
    )


def test_no_widget_is_touched_outside_of_the_thread_that_shows(
    recipe: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched_in = set()
    notify = ipywidgets.Widget.notify_change

    def heard(widget: ipywidgets.Widget, change: object) -> None:
        touched_in.add(threading.current_thread().name)
        notify(widget, change)

    monkeypatch.setattr(ipywidgets.Widget, "notify_change", heard)
    asyncio.run(TrainingMonitor(recipe).train())
    assert touched_in == {threading.main_thread().name}


def test_what_ends_training_is_shown_and_raised(recipe: TrainConfig, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    monitor = TrainingMonitor(recipe, run=taken)
    with pytest.raises(InputError, match="taken exists already"):
        asyncio.run(monitor.train())
    assert "taken exists already" in text_of(monitor)
    assert "failed" in text_of(monitor)
    assert list(taken.iterdir()) == []


def test_an_error_is_shown_in_two_lines_and_as_text(recipe: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("<b>out</b> of memory\nsecond line\nthird line")

    monkeypatch.setattr("lgq_explore.widgets.training.trainer.train", fail)
    monitor = TrainingMonitor(recipe)
    with pytest.raises(RuntimeError, match="out"):
        asyncio.run(monitor.train())
    assert "&lt;b&gt;out&lt;/b&gt; of memory\nsecond line" in text_of(monitor)
    assert "third line" not in text_of(monitor)


def test_a_step_that_can_not_be_drawn_is_reported_and_training_and_buttons_go_on(
    endless: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("in the drawing")

    async def train_blindly() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        monitor = TrainingMonitor(endless)
        with monkeypatch.context() as patch:
            patch.setattr("lgq_explore.widgets.training.view.TrainingView.draw", fail)
            monitor.start()
            await until(lambda: "in the drawing" in text_of(monitor))
            assert enabled(monitor) == ["Stop"]
        await until(lambda: len(figures(monitor)) == 3)
        assert "in the drawing" not in text_of(monitor)
        button(monitor, "Stop").click()
        await monitor.finished()
        assert enabled(monitor) == ["Resume"]

    asyncio.run(train_blindly())


@pytest.mark.parametrize("named", [False, True])
def test_a_run_that_failed_before_its_first_step_is_started_again_in_its_folder(
    recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("no memory left")

    monitor = TrainingMonitor(recipe, run=tmp_path / "mine" if named else None)
    with monkeypatch.context() as patch:
        patch.setattr("lgq_explore.training.codes_from_data.CodesFromData.start", fail)
        with pytest.raises(RuntimeError, match="no memory left"):
            asyncio.run(monitor.train())
    assert [button(monitor, name).disabled for name in ("Start", "Stop", "Resume")] == [False, True, True]
    run = asyncio.run(monitor.train())
    assert run.is_finished
    assert [path.name for path in run.path.parent.iterdir() if (path / "config.json").exists()] == [run.path.name]
    alone = train(recipe, tmp_path / "alone", progress=False).tokenizer().state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in run.tokenizer().state_dict().items())


def test_a_folder_of_somebody_else_is_never_resumed(recipe: TrainConfig, tmp_path: Path) -> None:
    other = train(replace(recipe, seed=3), tmp_path / "other", progress=False)
    monitor = TrainingMonitor(recipe, run=other.path)
    for _ in range(2):
        with pytest.raises(InputError, match="other exists already"):
            asyncio.run(monitor.train())
    assert open_run(other.path).config.seed == 3


def test_stop_is_heard_before_the_first_step_and_the_run_is_resumed(
    recipe: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathering, go_on = threading.Event(), threading.Event()
    initialize = LGQ.initialize

    def slowly(quantizer: LGQ, tokens: torch.Tensor, generator: torch.Generator, on_round: object) -> None:
        gathering.set()
        assert go_on.wait(60)
        initialize(quantizer, tokens, generator, on_round)

    async def stop_early() -> TrainingMonitor:
        monitor = TrainingMonitor(recipe)
        with monkeypatch.context() as patch:
            patch.setattr(LGQ, "initialize", slowly)
            monitor.start()
            await until(gathering.is_set)
            button(monitor, "Stop").click()
            assert "Stopping" in text_of(monitor)
            assert button(monitor, "Stop").disabled
            go_on.set()
            stopped = await monitor.finished()
        assert stopped.finished_steps == 0
        assert "stopped" in text_of(monitor)
        assert "Stopping" not in text_of(monitor)
        assert [button(monitor, name).disabled for name in ("Start", "Stop", "Resume")] == [True, True, False]
        monitor.resume()
        await monitor.finished()
        return monitor

    assert asyncio.run(stop_early()).run.is_finished


def test_cancelling_the_waiting_cell_stops_training_and_keeps_it(endless: TrainConfig) -> None:
    async def interrupt() -> TrainingMonitor:
        monitor = TrainingMonitor(endless)
        cell = asyncio.ensure_future(monitor.train())
        await until(lambda: logged(monitor) >= 2)
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        return monitor

    monitor = asyncio.run(interrupt())
    assert "stopped" in text_of(monitor)
    assert open_run(monitor.run.path).finished_steps >= 2


def test_training_twice_or_two_at_once_is_refused(endless: TrainConfig) -> None:
    async def collide() -> None:
        monitor, other = TrainingMonitor(endless), TrainingMonitor(endless)
        monitor.start()
        with pytest.raises(InputError, match="training already"):
            await monitor.train()
        with pytest.raises(InputError, match="another panel is training"):
            await other.train()
        await until(lambda: logged(monitor) >= 1)
        monitor.controls.stop()
        await monitor.finished()
        with pytest.raises(InputError, match="has its run"):
            monitor.start()

    asyncio.run(collide())


def test_a_click_on_start_reports_in_the_panel_what_it_cannot_do(endless: TrainConfig) -> None:
    async def collide() -> None:
        monitor, other = TrainingMonitor(endless), TrainingMonitor(endless)
        monitor.start()
        button(other, "Start").click()
        await until(lambda: "another panel is training" in text_of(other))
        await until(lambda: logged(monitor) >= 1)
        monitor.controls.stop()
        await monitor.finished()

    asyncio.run(collide())


def test_outside_of_a_notebook_the_remedy_is_named(recipe: TrainConfig) -> None:
    monitor = TrainingMonitor(recipe)
    with pytest.raises(InputError, match=r"lgq\.train"):
        monitor.start()
    with pytest.raises(InputError, match=r"call monitor\.start\(\) first"):
        asyncio.run(monitor.finished())


def test_a_method_without_temperature_says_so_and_shows_no_soft_pictures(recipe: TrainConfig) -> None:
    monitor = TrainingMonitor(replace(recipe, quantizer=FSQConfig(), loss_weights={}))
    assert temperature_control(monitor).why_disabled.startswith("fsq ")
    asyncio.run(monitor.train())
    assert temperature_control(monitor).why_disabled.startswith("fsq ")
    assert [trace["name"] for trace in figures(monitor)[2]["data"]] == ["input", "hard"]


def test_the_slider_spans_a_decade_around_the_schedule(recipe: TrainConfig) -> None:
    assert (
        temperature_control(TrainingMonitor(recipe)).lowest,
        temperature_control(TrainingMonitor(recipe)).highest,
    ) == (
        0.01,
        10,
    )
    schedule = TemperatureSchedule(start=2.0, end=0.5, unit="per_dimension")  # absolute: 8 to 2, as D = 4
    config = replace(recipe, quantizer=replace(recipe.quantizer, temperature=schedule))
    control = temperature_control(TrainingMonitor(config))
    assert (control.lowest, control.highest) == (0.1, 100)


def test_a_monitor_leaves_torch_random_numbers_alone(recipe: TrainConfig) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    TrainingMonitor(recipe)
    assert torch.equal(torch.rand(3), expected)
