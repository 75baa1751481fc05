"""Does the lab show what the analysis says of what was learned, and learn the same in the background?"""

from __future__ import annotations

import asyncio
import base64
import html
import inspect
import json
import threading
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lgq_explore import analysis
from lgq_explore.analysis.toys import ToySetting, ToyView, references, toy_path_is_known
from lgq_explore.errors import InputError
from lgq_explore.plots.toys.plane import field_picture
from lgq_explore.widgets import ToyLab
from lgq_explore.widgets.toys.lab import MOST_CODES

PLANES, _, DISTANCE = range(3)
LINES, CODES, _DEAD = range(3)
TRACES = 3
"""Traces of one plane."""


def figures(lab: ToyLab) -> list[dict[str, Any]]:
    return [json.loads(figure) for figure in lab.charts.figures.values()]


def lines(lab: ToyLab, plane: int) -> list[float]:
    """x of what is drawn between the codes of a plane, three numbers a line."""
    return _numbers(figures(lab)[PLANES]["data"][TRACES * plane + LINES]["x"]).tolist()


def places(lab: ToyLab, plane: int) -> np.ndarray:
    """Where the codes of a plane are drawn, [K, 2]."""
    trace = figures(lab)[PLANES]["data"][TRACES * plane + CODES]
    return np.array([_numbers(trace["x"]), _numbers(trace["y"])]).T


def _numbers(values: Any) -> np.ndarray:
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
    return np.array(values)


def text_of(lab: ToyLab) -> str:
    lab.foot.is_open = True
    said = [lab._numbers.value, lab._message.value, lab.foot.line, lab.foot.details]
    return lab.foot.line + html.unescape("".join(said))


def fields(lab: ToyLab) -> list[str]:
    images = figures(lab)[PLANES]["layout"]["images"]
    return [image["source"] for image in images if image["name"] == "field"]


def pixels_of(source: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


@pytest.fixture
def lab() -> ToyLab:
    return ToyLab(codes=4, steps=40, temperature=0.4)


def test_before_training_it_shows_the_start_and_says_what_to_do(lab: ToyLab) -> None:
    assert lab.fit is None
    assert "press Train" in text_of(lab)
    start = analysis.toys.fit_toy(ToySetting(codes=4, steps=0))
    assert places(lab, 0) == pytest.approx(start.fitted.codebook.numpy(), abs=1e-5)
    (curve,) = figures(lab)[DISTANCE]["data"]
    ratio = ToyView(lab.setting, lab._view.quantizer).optimum_numbers()["ratio"]
    assert (_numbers(curve["x"]).tolist(), _numbers(curve["y"]).tolist()) == ([0], [ratio])
    assert "the start, not trained yet" in figures(lab)[DISTANCE]["layout"]["title"]["text"]
    (table,) = lab.tables()
    assert table.loc["state", ""] == "not trained yet: press Train"
    assert table.loc["ratio", ""] == f"{ratio:.4g}"
    assert table.drop("state").index.tolist() == [*lab.summary()]
    assert not lab.code().endswith(".train()")


def test_training_in_the_cell_gives_the_lab_back_and_shows_what_was_learned(lab: ToyLab) -> None:
    assert lab.train() is lab
    expected = analysis.toys.fit_toy(ToySetting(codes=4, steps=40))
    assert places(lab, 0) == pytest.approx(expected.fitted.codebook.numpy(), abs=1e-5)
    curve = figures(lab)[DISTANCE]["data"][0]
    assert _numbers(curve["y"]) == pytest.approx(expected.curve["ratio"].to_numpy())
    assert f"{expected.curve['ratio'].iloc[-1]:.2f} × the least" in text_of(lab)
    assert lab.summary()["ratio"] == pytest.approx(expected.curve["ratio"].iloc[-1])
    assert lab.code().endswith(".train()")


def test_the_temperature_moves_what_is_soft_and_nothing_that_is_hard(lab: ToyLab) -> None:
    before = fields(lab.train())
    lab.temperature = 1.0
    after = fields(lab)
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert after[2] != before[2]
    view = ToyView(lab.setting, lab.fit.quantizer)  # type: ignore[union-attr]
    assert pixels_of(after[1]) == pytest.approx(field_picture(view.soft(1.0).shared, 4))
    assert pixels_of(after[2]) == pytest.approx(field_picture(view.equilibrium(1.0).shared, 4))
    assert places(lab, 2) == pytest.approx(view.equilibrium(1.0).codes[["x", "y"]].to_numpy())
    assert lab.inputs["temperature"].value == pytest.approx(1.0)


def test_a_state_that_is_come_back_to_is_drawn_by_the_same_figures(lab: ToyLab) -> None:
    before = lab.draw()
    lab.temperature = 1.0
    lab.method = "vq"
    assert lab.draw()["planes"] is not before["planes"]
    lab.method, lab.temperature = "lgq", 0.4
    after = lab.draw()
    assert after.keys() == before.keys()
    assert all(figure is before[name] for name, figure in after.items())


def test_above_the_critical_temperature_all_centres_coincide(lab: ToyLab) -> None:
    critical = lab.summary()["critical_temperature"]
    lab.temperature = 1.2 * float(critical)
    together = places(lab, 2)
    assert np.ptp(together, axis=0).max() < 0.01
    assert "1 of 4 distinct" in str(figures(lab)[PLANES]["layout"]["annotations"])
    assert "4×" in figures(lab)[PLANES]["data"][TRACES * 2 + CODES]["text"]
    lab.temperature = 0.1 * float(critical)
    assert np.ptp(places(lab, 2), axis=0).max() > 1
    assert "4 of 4 distinct" in str(figures(lab)[PLANES]["layout"]["annotations"])
    (line,) = json.loads(lab.charts.marks["splits"])["layout"]["shapes"]
    assert line["x0"] == lab.temperature


def test_another_setting_forgets_what_was_learned(lab: ToyLab) -> None:
    lab.train()
    lab.usage = 0.02
    assert lab.fit is None
    assert lab.inputs["usage"].value == 0.02
    lab.train()
    assert lab.fit is not None
    lab.method = "fsq"
    assert lab.fit is None
    assert lab.inputs["usage"].disabled
    assert "fsq has no temperature" in text_of(lab)
    _, live, dead = figures(lab)[PLANES]["data"][:TRACES]
    assert sorted(live["meta"] + dead["meta"]) == list(range(9))


def test_codes_start_where_they_are_told_and_a_grids_lines_stay(lab: ToyLab) -> None:
    assert not lines(lab, 0)
    lab.initialization = "grid"
    assert lab.inputs["initialization"].value == "grid"
    (a, b), (c, d) = (corner for corner in places(lab, 0).reshape(2, 2, 2))
    assert b - a == pytest.approx(d - c, abs=1e-5)
    assert len(lines(lab, 0)) == len(lines(lab, 1)) == 3 * 4
    assert not lines(lab, 2)
    assert "initialization='grid'" in lab.code()
    learned = lab.train().summary()["distortion"]
    own = ToyLab(codes=4, steps=lab.steps).train().summary()["distortion"]
    assert learned != own
    lab.codes = 7
    assert "codebook_size is 7: no even grid in 2 directions has so many codes; choose a number" in text_of(lab)
    lab.method = "simvq"
    assert lab.inputs["initialization"].disabled
    with pytest.raises(InputError, match="initialization is 'gird': choose one of random"):
        lab.initialization = "gird"


def test_controls_and_traits_follow_each_other(lab: ToyLab) -> None:
    lab.inputs["temperature"].value = lab.inputs["temperature"].options[0][1]
    assert lab.temperature == pytest.approx(0.02, rel=0.01)
    lab.temperature = 0.33  # between two stops
    assert lab.temperature == 0.33
    assert lab.inputs["temperature"].value == pytest.approx(0.316, abs=0.04)
    lab.peakedness = 0.0
    assert lab.inputs["peakedness"].value == 0.0
    lab.inputs["peakedness"].value = 0.1
    assert lab.setting.loss_weights["peakedness"] == 0.1


def test_the_background_learns_what_the_cell_learns() -> None:
    steps = 1_000  # of no other test: the process keeps whole fits, and a kept one is there at once

    async def learn() -> tuple[ToyLab, str]:
        lab = ToyLab(codes=4, steps=steps)
        lab.start()
        async with asyncio.timeout(60):
            while lab._live is None:
                await asyncio.sleep(0.01)
        lab._redraw()
        heard = text_of(lab)
        with pytest.raises(InputError, match="training already"):
            lab.start()
        await lab.finished()
        return lab, heard

    lab, heard = asyncio.run(learn())
    assert "training, step" in heard
    assert lab.fit is not None
    assert lab.fit.fitted.codebook.tolist() == ToyLab(codes=4, steps=steps).train().fit.fitted.codebook.tolist()  # type: ignore[union-attr]
    assert "trained, step 1,000 of 1,000" in text_of(lab)


def test_stop_keeps_what_was_learned_so_far_and_the_lab_can_go_on() -> None:
    async def learn() -> ToyLab:
        lab = ToyLab(codes=4, steps=100_000)
        lab._train_button.click()
        while lab._live is None:
            await asyncio.sleep(0.01)
        lab._stop_button.click()
        fit = await lab.finished()
        assert 0 < fit.fitted.finished_steps < 100_000
        assert not lab.code().endswith(".train()")
        lab.steps = 20
        lab.start()
        await lab.finished()
        return lab

    lab = asyncio.run(learn())
    assert lab.code().endswith("steps=20, batch_size=512, view='distance').train()")


def test_a_change_of_setting_while_it_learns_drops_that_fit() -> None:
    async def learn() -> ToyLab:
        lab = ToyLab(codes=4, steps=100_000)
        lab.start()
        while lab._live is None:
            await asyncio.sleep(0.01)
        lab.seed = 3
        await lab.finished()
        return lab

    lab = asyncio.run(learn())
    assert lab.fit is None
    assert "not trained yet" in text_of(lab)


def test_the_background_needs_a_loop() -> None:
    with pytest.raises(InputError, match=r"lab.train\(\)"):
        ToyLab(codes=4, steps=5).start()


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"data": "rnig"}, "did you mean ring"),
        ({"method": "lqg"}, "did you mean lgq"),
        ({"codes": 2}, "codes is 2"),
        ({"codes": MOST_CODES + 1}, f"from 3 to {MOST_CODES}"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"usage": -0.1}, "usage is -0.1"),
        ({"usage_form": "fair"}, "usage_form is 'fair'"),
        ({"seed": -1}, "seed is -1"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 1}, "batch_size is 1"),
    ],
)
def test_a_state_that_does_not_do_is_named(state: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        ToyLab(**{"steps": 5, **state})


def test_the_data_may_be_given_first() -> None:
    assert ToyLab("ring", codes=4, steps=5).code().startswith("lgq.widgets.ToyLab(data='ring', method='lgq', codes=4")
    assert list(inspect.signature(ToyLab).parameters)[:3] == ["data", "method", "codes"]


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Annealing waits at its first temperature until this is set."""
    go_on, anneal = threading.Event(), references.annealing_path

    def wait_and_anneal(*given: Any, on_round: Any, **settings: Any) -> Any:
        def wait(done: int, temperatures: int) -> None:
            on_round(done, temperatures)
            if not done:
                go_on.wait(60)

        return anneal(*given, on_round=wait, **settings)

    monkeypatch.setattr(references, "annealing_path", wait_and_anneal)
    return go_on


def equilibrium_heading(lab: ToyLab) -> str:
    return figures(lab)[PLANES]["layout"]["annotations"][2]["text"]


def test_what_takes_long_is_computed_in_the_background_and_the_rest_is_drawn_at_once(held_up: threading.Event) -> None:
    async def look() -> None:
        lab = ToyLab(codes=5, seed=11)
        assert "being annealed" in equilibrium_heading(lab)
        assert len(fields(lab)) == 2  # the planes at the left and in the middle are drawn
        assert len(places(lab, 0)) == 5
        assert "k-means" in text_of(lab)
        assert not lab._stop_button.disabled
        (table,) = lab.tables()  # of what is at hand: nothing is waited for
        assert {"state", "distortion", "active_codes", "effective_codes"} <= {*table.index}
        assert "critical_temperature" not in table.index
        soft = fields(lab)[1]
        lab.temperature = 0.05
        await asyncio.sleep(0.2)
        assert fields(lab)[1] != soft  # another temperature is drawn meanwhile
        held_up.set()
        await lab.ready()
        view = ToyView(lab.setting, lab._view.quantizer)
        assert places(lab, 2) == pytest.approx(view.equilibrium(0.05).codes[["x", "y"]].to_numpy())
        assert f"= {view.optimum_numbers()['ratio']:.2f} × the least" in text_of(lab)
        assert f"τ_c = {view.path.critical_temperature:.3g}" in text_of(lab)
        assert lab._stop_button.disabled

    asyncio.run(look())


def test_another_setting_is_served_first(held_up: threading.Event) -> None:
    async def turn() -> ToyLab:
        lab = ToyLab(codes=5, seed=12)
        while lab._annealing is None:
            await asyncio.sleep(0.01)
        lab.codes = 6
        await asyncio.sleep(0.2)
        held_up.set()
        await lab.ready()
        return lab

    lab = asyncio.run(turn())
    assert not toy_path_is_known("ring", 5, 12)  # given up
    assert toy_path_is_known("ring", 6, 12)
    assert "of 6 distinct" in equilibrium_heading(lab)


def test_a_change_that_needs_the_same_codebook_annealed_does_not_give_it_up(held_up: threading.Event) -> None:
    async def turn() -> None:
        lab = ToyLab(codes=5, seed=13)
        while lab._annealing is None:
            await asyncio.sleep(0.01)
        annealing = lab._annealing
        lab.peakedness = 0.1
        await asyncio.sleep(0.2)
        held_up.set()
        await lab.ready()
        assert lab._annealing is annealing
        assert "distinct" in equilibrium_heading(lab)

    asyncio.run(turn())


def test_stop_ends_annealing_until_training_or_another_setting(held_up: threading.Event) -> None:
    async def stop() -> None:
        lab = ToyLab(codes=5, seed=14, steps=5)
        while lab._annealing is None:
            await asyncio.sleep(0.01)
        lab._stop_button.click()
        held_up.set()
        await lab.ready()
        await asyncio.sleep(0.2)
        assert not toy_path_is_known("ring", 5, 14)
        assert "not annealed: stopped" in equilibrium_heading(lab)
        assert "Annealing was stopped" in text_of(lab)
        assert lab._stop_button.disabled
        lab.start()
        await lab.finished()
        await lab.ready()
        assert "distinct" in equilibrium_heading(lab)
        assert "stopped" not in text_of(lab)

    asyncio.run(stop())
