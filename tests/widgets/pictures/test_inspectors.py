"""Do the inspectors show what the analysis says of the codes and the patch in their traits?"""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import traitlets

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study, study
from lgq_explore.training.loop import train
from lgq_explore.widgets import CodeInspector, PatchInspector
from lgq_explore.widgets.parts.state.codes_box import CodesBox
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of

CROPS = 6


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def data(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data whose runs all tests here share."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(shared))
    return shared


def trained(data: Path, method: str) -> Run:
    path = data / "runs" / method
    config = TrainConfig(
        data="fake",
        batch_size=4,
        steps=4,
        snapshot_steps=2,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=QUANTIZERS[method].for_codebook_size(64),
    )
    return Run(path) if path.exists() else train(config, path)


@pytest.fixture
def run(data: Path) -> Run:
    return trained(data, "lgq")


@pytest.fixture
def studied(run: Run) -> Study:
    return study(run, crops=CROPS)


@pytest.fixture
def encoding(studied: Study) -> Encoding:
    return studied.encoding


def used(studied: Study) -> list[int]:
    """The codes in use, most used first."""
    usage = analysis.usage.per_code(studied)
    return usage[usage["count"] > 0].sort_values("count", ascending=False, kind="stable")["code"].tolist()


def send(panel: ipywidgets.Widget, content: object) -> None:
    """What arrives when the page calls model.send(content) in the panel's charts."""
    panel.charts._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def parts_of(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts_of(child))]


def text_of(panel: ipywidgets.Widget) -> str:
    return "\n".join(html.unescape(part.value) for part in parts_of(panel) if isinstance(part, ipywidgets.HTML))


def press(panel: ipywidgets.Widget, label: str) -> None:
    (button,) = [part for part in parts_of(panel) if getattr(part, "description", None) == label]
    button.click()


def drawn(panel: ipywidgets.Widget, name: str) -> dict:
    """A figure by its name; of a panel with views, the one that shows it."""
    if name not in panel.charts.figures:
        panel.view = name
    return json.loads(panel.charts.figures[name])


def picks(figure: dict) -> list[int]:
    """The customdata of the figure's clickable points."""
    (numbers,) = [trace["customdata"] for trace in figure["data"] if "customdata" in trace]
    if isinstance(numbers, list):
        return numbers
    return np.frombuffer(base64.b64decode(numbers["bdata"]), numbers["dtype"]).tolist()


def test_a_selection_is_filled_with_patches_that_hold_the_code(run: Run, encoding: Encoding, studied: Study) -> None:
    first, second, *_ = used(studied)
    inspector = CodeInspector(run, crops=CROPS)
    assert "Select codes" in text_of(inspector)
    inspector.selection = [first, second]
    assert "Select codes" not in text_of(inspector)
    held = encoding.codes[:, 0].reshape(-1)
    shown = picks(drawn(inspector, "patches"))
    assert set(held[shown]) == {first, second}
    assert [found.count for found in inspector.patches()] == [(held == code).sum() for code in sorted([first, second])]


def test_turning_codes_off_gives_the_numbers_of_the_analysis(run: Run, encoding: Encoding, studied: Study) -> None:
    first, *_ = used(studied)
    inspector = CodeInspector(run, selection=[first], crops=CROPS)
    press(inspector, "turn selection off")
    assert inspector.turned_off == [first]
    expected = analysis.pictures.turn_codes_off(studied, [first])
    assert expected.reassigned == (encoding.codes == first).sum() > 0
    summary = inspector.summary()
    assert summary["reassigned_tokens"] == expected.reassigned
    assert summary["psnr_change_db"] == pytest.approx(expected.change_db)
    assert summary["tokens"] == encoding.codes.size
    title = drawn(inspector, "pictures")["layout"]["title"]["text"]
    assert f"{expected.reassigned:,d} tokens, {expected.change_db:+.3f} dB" in title
    assert f"{expected.reassigned:,d} of {encoding.codes.size:,d} tokens reassigned" in text_of(inspector)
    press(inspector, "turn all on")
    assert inspector.turned_off == []
    assert inspector.summary()["psnr_change_db"] == 0


def test_clicks_select_codes_and_patches(run: Run, encoding: Encoding, studied: Study) -> None:
    first, second, *_ = used(studied)
    inspector = CodeInspector(run, selection=[first], crops=CROPS)
    token = picks(drawn(inspector, "patches"))[-1]
    send(inspector, {"figure": "patches", "codes": [int(token)], "mode": "replace"})
    image, row, column = inspector.patch
    assert encoding.codes[image, 0, row, column] == first
    inspector.view = "neighbours"
    send(inspector, {"figure": "neighbours", "codes": [second], "mode": "replace"})
    assert inspector.selection == sorted([first, second])
    inspector.view = "shares"
    send(inspector, {"figure": "shares", "codes": [second], "mode": "replace"})
    assert inspector.selection == [second]


def test_codes_can_be_typed(run: Run) -> None:
    inspector = CodeInspector(run, crops=CROPS)
    chosen, off = (part for part in parts_of(inspector) if isinstance(part, CodesBox))
    chosen.children[0].value = "5, 3"
    off.children[0].value = "7"
    assert (inspector.selection, inspector.turned_off) == ([3, 5], [7])


def test_the_frame_holds_a_row_a_selected_code(run: Run, studied: Study) -> None:
    chosen = used(studied)[:3]
    frame = CodeInspector(run, selection=chosen, crops=CROPS).frame()
    assert frame["code"].tolist() == sorted(chosen)
    usage = analysis.usage.per_code(studied).set_index("code")["count"]
    assert frame["count"].tolist() == usage[sorted(chosen)].tolist()
    assert (frame["neighbour"] != frame["code"]).all()


def test_of_many_codes_the_most_used_are_shown(run: Run, encoding: Encoding, studied: Study) -> None:
    inspector = CodeInspector(run, selection=list(range(64)), crops=CROPS)
    assert [found.code for found in inspector.patches()] == sorted(used(studied)[:5])
    assert inspector.summary()["tokens_of_selection"] == encoding.codes.size
    assert "5 most used of 64" in drawn(inspector, "patches")["layout"]["title"]["text"]


def test_a_code_that_does_not_exist_is_refused(run: Run) -> None:
    inspector = CodeInspector(run, crops=CROPS)
    with pytest.raises(InputError, match="code 64 is outside 0 … 63"):
        inspector.selection = [64]
    inspector.turned_off = list(range(64))
    assert "leave at least one on" in text_of(inspector)


@pytest.mark.parametrize("method", ["fsq", "vq", "simvq"])
def test_methods_of_other_kinds_are_inspected_too(data: Path, method: str) -> None:
    run = trained(data, method)
    studied = study(run, crops=CROPS)
    code = int(analysis.usage.per_code(studied)["count"].argmax())
    inspector = CodeInspector(run, selection=[code], turned_off=[code], crops=CROPS)
    assert inspector.summary()["reassigned_tokens"] == analysis.usage.per_code(studied)["count"].max()
    history = drawn(inspector, "history")
    said = history["layout"]["annotations"][0]
    assert said["visible"] == (method == "fsq")
    assert ("fixed grid" in said["text"]) == (method == "fsq")
    patch = PatchInspector(run, patch=[0, 1, 2], crops=CROPS)
    assert "responsibility" not in patch.summary()
    assert "Distance" in drawn(patch, "posterior")["layout"]["title"]["text"]
    assert len(inspector.figures()) == (4 if method == "fsq" else 5)
    assert len(patch.figures()) == 2


def test_a_patch_shows_the_posterior_of_the_analysis(run: Run, encoding: Encoding, studied: Study) -> None:
    inspector = PatchInspector(run, patch=[2, 3, 1], temperature=0.5, crops=CROPS)
    expected = analysis.pictures.posterior(studied, 2, 3, 1, temperature=0.5)
    assert inspector.summary()["code"] == expected.code == encoding.codes[2, 0, 3, 1]
    assert inspector.summary()["runner_up"] == expected.runner_up
    assert inspector.summary()["margin"] == pytest.approx(expected.margin)
    assert inspector.frame().equals(expected.candidates)
    (bars,) = drawn(inspector, "posterior")["data"]
    assert bars["customdata"] == expected.candidates["code"].tolist()


def test_a_patch_is_moved_by_boxes_clicks_and_links(run: Run, encoding: Encoding) -> None:
    inspector, codes = PatchInspector(run, crops=CROPS), CodeInspector(run, crops=CROPS)
    picture, row, column = (part for part in parts_of(inspector) if isinstance(part, ipywidgets.IntText))
    picture.value, row.value = 3, 2
    assert inspector.patch == [3, 2, 0]
    token = picks(drawn(inspector, "pictures"))[5]
    send(inspector, {"figure": "pictures", "codes": [int(token)], "mode": "replace"})
    assert [picture.value, row.value, column.value] == inspector.patch
    assert inspector.patch[0] == 3
    traitlets.link((inspector, "patch"), (codes, "patch"))
    codes.patch = [1, 1, 1]
    assert [picture.value, row.value, column.value] == inspector.patch == [1, 1, 1]
    traitlets.link((inspector, "selection"), (codes, "selection"))
    candidate = inspector.frame()["code"].iloc[1]
    send(inspector, {"figure": "posterior", "codes": [int(candidate)], "mode": "replace"})
    assert codes.selection == [candidate]


def test_the_temperature_of_the_posterior_follows_its_slider_and_its_trait(run: Run) -> None:
    inspector = PatchInspector(run, crops=CROPS)
    slider = inspector.inputs["temperature"]
    assert slider.value == pytest.approx(run.tokenizer().quantizer.temperature)
    slider.value = 10.0
    warm = inspector.summary()
    inspector.temperature = 0.01
    assert slider.value == 0.01
    assert inspector.summary()["responsibility"] > warm["responsibility"]
    inspector.temperature = 1e-6
    assert inspector.temperature == 1e-6, "the slider's ends are not the trait's"


def test_a_patch_that_does_not_exist_is_refused(run: Run) -> None:
    inspector = PatchInspector(run, crops=CROPS)
    with pytest.raises(InputError, match=f"give .picture, row, column. with picture 0 … {CROPS - 1}, row"):
        inspector.patch = [CROPS, 0, 0]
    with pytest.raises(InputError, match=r"patch is .1, 2.: give .picture, row, column."):
        inspector.patch = [1, 2]
    assert inspector.patch == [0, 0, 0]


def test_the_code_of_a_panel_makes_it_again(run: Run) -> None:
    inspector = CodeInspector(run, selection=[5], turned_off=[7], crops=CROPS)
    seen = f"lgq.study({str(run.path)!r}, crops={CROPS})"
    assert inspector.code() == f"lgq.widgets.CodeInspector({seen}, view='shares', selection=[5], turned_off=[7])"
    assert eval(inspector.code(), {"lgq": lgq}).summary() == inspector.summary()
    patch = PatchInspector(run, patch=[1, 2, 3], crops=CROPS)
    assert eval(patch.code(), {"lgq": lgq}).summary() == patch.summary()
    assert PatchInspector(study(run)).code() == "lgq.widgets.PatchInspector('lgq', patch=[0, 0, 0], temperature=None)"


def test_a_study_without_a_run_is_inspected_too() -> None:
    foreign = study_of(method_tokenizer("lgq"), noise_pictures(4))
    inspector, patch = CodeInspector(foreign, selection=sorted(used(foreign)[:2])), PatchInspector(foreign)
    assert [found.count for found in inspector.patches()] == np.bincount(foreign.codes)[inspector.selection].tolist()
    assert "has no run" in drawn(inspector, "history")["layout"]["annotations"][0]["text"]
    assert "without a run" in patch.caption()
    assert patch.summary()["code"] == foreign.codes[0]
    assert patch.code().startswith("lgq.widgets.PatchInspector(study, ")


def test_captions_carry_run_seed_and_n(run: Run, encoding: Encoding) -> None:
    for panel in (CodeInspector(run, crops=CROPS), PatchInspector(run, crops=CROPS)):
        assert f"run lgq · seed 0 · step 4 · N = {encoding.codes.size:,d} tokens" in panel.caption()
