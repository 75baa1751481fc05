"""Does the geometry panel show what the analysis says, follow its traits and gestures, and wait for nothing?"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import traitlets

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.widgets import GeometryExplorer
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of

TOKENS, LINES, HOLLOW, COLOURED = range(4)

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    log_steps=1,
    snapshot_steps=3,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """One that learns its codes, and one whose codes are a grid."""
    grid = replace(RECIPE, quantizer=FSQConfig((4, 3)), loss_weights={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        folder = tmp_path_factory.mktemp("runs")
        return [lgq.train(recipe, folder / name) for recipe, name in ((RECIPE, "lgq"), (grid, "fsq"))]


def figure_of(panel: GeometryExplorer, name: str = "map") -> dict[str, Any]:
    return json.loads(panel.charts.figures[name])


def points_of(panel: GeometryExplorer, name: str = "map") -> list[dict[str, Any]]:
    """What the page draws on its canvas: tokens, lines, hollow codes and coloured ones."""
    return [trace for part in (panel.charts.ground, panel.charts.dots) for trace in json.loads(part[name])["data"]]


def marks_of(panel: GeometryExplorer, name: str = "map") -> dict[str, Any]:
    (marks,) = json.loads(panel.charts.marks[name])["data"]
    return marks


def headings(panel: GeometryExplorer) -> list[str]:
    titles = [json.loads(figure)["layout"]["title"]["text"] for figure in panel.charts.figures.values()]
    return [re.findall("<b>(.*?)</b>", title)[0] for title in titles]


def numbers(encoded: Any) -> list[float]:
    """What a trace holds: bytes, or an empty list."""
    if not encoded:
        return []
    return np.frombuffer(base64.b64decode(encoded["bdata"]), encoded["dtype"]).tolist()


def places(panel: GeometryExplorer, name: str = "map") -> dict[int, tuple[float, float]]:
    """Code → its place in a pane that is drawn, hollow and coloured ones."""
    found = {}
    for trace in points_of(panel, name)[HOLLOW : COLOURED + 1]:
        codes, x, y = (numbers(trace[name]) if name in trace else [] for name in ("customdata", "x", "y"))
        found |= {int(code): (left, up) for code, left, up in zip(codes, x, y, strict=True)}
    return found


def expected_places(codes: Any) -> dict[int, tuple[float, float]]:
    return {int(row.code): (row.x, row.y) for row in codes.itertuples()}


def said_by(panel: GeometryExplorer) -> str:
    return html.unescape(panel._message.value)


def test_it_opens_on_todays_codes_by_pca_beside_the_lattice(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs)
    mapped = analysis.geometry.latent_map(lgq.study(runs[0]))
    assert places(panel) == expected_places(mapped.of("code", 6))
    assert headings(panel) == ["lgq: 16 learned codes, step 6", "fsq: 4 × 3 grid, in its own space"]
    assert not figure_of(panel)["layout"]["meta"]["linked"]
    assert "two pairs of axes" in panel.caption()
    lattice = analysis.geometry.latent_map(lgq.study(runs[1]))
    right = points_of(panel, "beside")
    drawn = sorted(numbers(right[HOLLOW]["x"]) + numbers(right[COLOURED]["x"]))
    assert drawn == sorted(lattice.of("code")["x"].tolist())
    assert len(numbers(right[LINES]["x"])) == 3 * (3 * 3 + 2 * 4)
    summary = panel.summary()
    assert summary["trustworthiness"] == mapped.quality.trustworthiness
    assert summary["beside_neighbour_overlap"] == lattice.quality.neighbour_overlap
    assert (summary["codes"], summary["beside_codes"]) == (16, 12)
    assert summary["unused_codes"] == (analysis.usage.per_code(lgq.study(runs[0]))["count"] == 0).sum()


def test_every_map_says_how_far_it_can_be_believed(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs)
    quality = analysis.geometry.latent_map(lgq.study(runs[0])).quality
    assert panel.caption().count("Trustworthiness") == 2
    assert quality.sentence in panel.caption()
    assert "Lattice regularity 1.00" in panel.caption()
    assert "placed by projection" in panel.caption()
    below = " ".join(note["text"].replace("<br>", " ") for note in figure_of(panel)["layout"].get("annotations", []))
    assert quality.warning == below


def test_the_slider_replays_the_codes_on_axes_that_stay(runs: list[Run]) -> None:
    panel = GeometryExplorer(runs[0])
    mapped = analysis.geometry.latent_map(lgq.study(runs[0]))
    before = figure_of(panel)["layout"]
    for step in (0, 3):
        slider_of(panel, "codes of step").value = step
        assert panel.snapshot == step
        assert places(panel) == expected_places(mapped.of("code", step))
    after = figure_of(panel)["layout"]
    assert (before["xaxis"]["range"], before["yaxis"]["range"]) == (after["xaxis"]["range"], after["yaxis"]["range"])
    panel.snapshot = 6
    assert slider_of(panel, "codes of step").value == 6


def test_a_lasso_selects_codes_that_are_marked_typed_and_linked(runs: list[Run]) -> None:
    panel, inspector = GeometryExplorer(*runs), lgq.widgets.CodeInspector(runs[0])
    traitlets.link((panel, "selection"), (inspector, "selection"))
    panel.charts._handle_custom_msg({"figure": "map", "codes": [9, 2, 5], "mode": "replace"}, [])
    assert panel.selection == inspector.selection == [2, 5, 9]
    marked, where = marks_of(panel), places(panel)
    assert list(zip(marked["x"], marked["y"], strict=True)) == [where[code] for code in (2, 5, 9)]
    inspector.selection = [1]
    assert panel.selection == [1]
    # What lies in the other pane is of another codebook.
    assert all("customdata" not in trace for trace in points_of(panel, "beside"))
    with pytest.raises(InputError, match="code 16 is outside 0 … 15"):
        panel.selection = [16]


def test_the_start_shares_the_axes_and_may_be_picked_from(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs, beside_as="start", selection=[3])
    mapped = analysis.geometry.latent_map(lgq.study(runs[0]))
    assert places(panel) == expected_places(mapped.of("code", 6))
    assert places(panel, "beside") == expected_places(mapped.of("code", 0))
    left, right = figure_of(panel), figure_of(panel, "beside")
    assert left["layout"]["meta"]["linked"] == right["layout"]["meta"]["linked"] == "map"
    assert left["layout"]["xaxis"]["range"] == right["layout"]["xaxis"]["range"]
    assert points_of(panel)[TOKENS]["x"] == points_of(panel, "beside")[TOKENS]["x"]
    for name in ("map", "beside"):
        assert marks_of(panel, name)["x"] == [places(panel, name)[3][0]]
    assert "where they started" in panel.caption()
    start = panel.frame().query("kind == 'code' and map.str.endswith('step 0')")
    assert len(start) == 16
    assert panel.summary()["beside_unused_codes"] == (start["count"] == 0).sum()


def test_codes_that_began_as_a_grid_keep_its_lines(runs: list[Run], tmp_path: Path) -> None:
    """A net of 4 × 4 has 24 lines; evenly spaced at step 0, stretched by training since."""
    quantizer = LGQConfig(codebook_size=16, initialization="grid")
    begun = replace(RECIPE, quantizer=quantizer, learning_rate=2e-3)
    panel = GeometryExplorer(lgq.train(begun, tmp_path / "begun"), beside_as="start")
    assert headings(panel) == [f"lgq: 16 learned codes, step {step}" for step in (6, 0)]
    assert panel.caption().count("Codes began as a grid of 4 × 4") == 2
    lengths = []
    for lines in (points_of(panel, name)[LINES] for name in ("map", "beside")):
        ends = np.array([numbers(lines["x"]), numbers(lines["y"])]).T.reshape(24, 3, 2)
        lengths.append(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))
    now, start = lengths
    assert start[:12] == pytest.approx(start[0].repeat(12), rel=1e-3)
    assert np.ptp(now[:12]) > 10 * np.ptp(start[:12])
    codebooks = [analysis.geometry.codebook_at(panel.study, step) for step in (6, 0)]
    learned, begun_as = (analysis.geometry.lattice_regularity(codebook).value for codebook in codebooks)
    assert begun_as == pytest.approx(1, abs=1e-3)
    assert learned < begun_as - 0.005
    panel.method = "umap"  # where lines are not drawn
    assert panel.caption().count("Codes began as a grid of 4 × 4. ") == 2
    assert "lines join" not in panel.caption()


def test_a_fitted_grid_shares_the_axes_and_the_tokens(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs, beside_as="fitted")
    left, right = figure_of(panel), figure_of(panel, "beside")
    assert left["layout"]["meta"]["linked"] == right["layout"]["meta"]["linked"] == "map"
    assert left["layout"]["xaxis"]["range"] == right["layout"]["xaxis"]["range"]
    assert points_of(panel)[TOKENS]["x"] == points_of(panel, "beside")[TOKENS]["x"]
    study = lgq.study(runs[0])
    mapped = analysis.geometry.latent_map(study, grid=analysis.geometry.fit_grid(study, (4, 3)))
    right = points_of(panel, "beside")
    drawn = sorted(numbers(right[HOLLOW]["x"]) + numbers(right[COLOURED]["x"]))
    assert drawn == sorted(mapped.of("grid")["x"].tolist())
    assert places(panel) == expected_places(mapped.of("code"))
    assert "favours the grid" in panel.caption()
    alone = GeometryExplorer(runs[0], beside_as="fitted")
    assert "grid, fitted to the same tokens" in alone.charts.figures["beside"]


def test_a_map_alone_takes_the_room_and_offers_what_it_has(runs: list[Run]) -> None:
    def height(panel: GeometryExplorer) -> int:
        return figure_of(panel)["layout"]["height"]

    alone, both = GeometryExplorer(runs[0]), GeometryExplorer(*runs)
    assert [value for _, value in alone.inputs["beside_as"].options] == ["nothing", "fitted", "start"]
    assert (alone.beside_as, both.beside_as) == ("nothing", "lattice")
    assert height(alone) > height(both) + 50
    both.beside_as = "nothing"
    assert list(both.charts.figures) == ["map"]
    assert height(both) == height(alone)
    assert "Beside" not in both.caption()


def test_one_snapshot_has_no_slider(runs: list[Run], tmp_path: Path) -> None:
    once = lgq.train(replace(runs[0].config, snapshot_steps=10**6), tmp_path / "once")
    for path in sorted((once.path / "codebooks").glob("step-*"))[:-1]:
        path.unlink()
    panel = GeometryExplorer(once.path)
    assert panel.steps == [panel.snapshot]
    assert "snapshot" not in panel.inputs
    assert not [part for part in below(panel) if isinstance(part, ipywidgets.Play)]


def test_raw_latents_of_the_grid_are_shown_with_what_its_codes_decode_to(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs, beside_as="latents")
    mapped = analysis.geometry.latent_map(lgq.study(runs[1]), space="latents")
    right = points_of(panel, "beside")
    drawn = sorted(numbers(right[HOLLOW]["x"]) + numbers(right[COLOURED]["x"]))
    assert drawn == sorted(mapped.of("code")["x"].tolist())
    assert "projected out, among its raw latents" in headings(panel)[1]


@pytest.mark.parametrize("colour", lgq.plots.geometry.CODE_COLOURS)
def test_every_colour_comes_from_the_analysis(runs: list[Run], colour: str) -> None:
    panel = GeometryExplorer(*runs, colour=colour)
    column = lgq.plots.geometry.CODE_COLOURS[colour].column
    expected = analysis.geometry.map_colours(lgq.study(runs[0]), costly=analysis.geometry.COSTLY_COLOURS)[column]
    shown = panel.frame().query("kind == 'code'").iloc[:16][column]
    np.testing.assert_allclose(shown.to_numpy(dtype=float), expected.to_numpy(dtype=float))


@pytest.mark.slow
def test_umap_is_made_at_once_in_a_script(runs: list[Run]) -> None:
    panel = GeometryExplorer(runs[0], method="umap")
    mapped = analysis.geometry.latent_map(lgq.study(runs[0]), "umap")
    assert places(panel) == expected_places(mapped.of("code"))
    assert panel.summary()["method"] == "umap"
    assert "UMAP 1 (no unit)" in panel.charts.figures["map"]


@pytest.mark.slow
def test_umap_follows_pca_where_a_kernels_loop_runs(runs: list[Run]) -> None:
    study = lgq.study(runs[0])
    by_pca = expected_places(analysis.geometry.latent_map(study).of("code"))
    for kept in (runs[0].path / "maps").glob("*"):
        kept.unlink()

    async def open_and_wait() -> tuple[GeometryExplorer, list[str], set[int]]:
        panel = GeometryExplorer(runs[0], method="umap")
        assert places(panel) == by_pca
        said, threads = [], set()

        def hear(change: traitlets.Bunch) -> None:
            said.append(change["new"])
            threads.add(threading.get_ident())

        panel._message.observe(hear, "value")
        await panel.ready()
        return panel, said, threads

    panel, said, threads = asyncio.run(open_and_wait())
    assert places(panel) == expected_places(analysis.geometry.latent_map(study, "umap").of("code"))
    assert any("Drawn by PCA until UMAP is made: fitting" in sentence for sentence in said)
    assert said[-1] == ""
    assert threads == {threading.get_ident()}


def test_a_grid_asked_for_is_there_when_it_is_waited_for(runs: list[Run]) -> None:
    async def ask() -> tuple[int, int]:
        panel = GeometryExplorer(runs[0])
        alone = len(panel.charts.figures)
        panel.beside_as = "fitted"
        await panel.ready()
        return alone, len(panel.charts.figures)

    assert asyncio.run(ask()) == (1, 2)


def test_what_fails_in_the_background_is_said_and_not_tried_again(runs: list[Run]) -> None:
    async def fail() -> tuple[str, dict[str, Any], int]:
        panel = GeometryExplorer(runs[0])
        encoding = panel.study.encoding
        diverged = replace(encoding, latents=np.full_like(encoding.latents, np.nan))
        panel._maps.study = lgq.study(runs[0], encoding=diverged)
        panel.method = "umap"
        await asyncio.sleep(0.1)
        await panel.ready()
        return said_by(panel), panel.summary(), len(panel._failures)

    said, summary, failures = asyncio.run(fail())
    assert "not finite: the model has diverged" in said
    assert summary["method"] == "pca"
    assert failures == 1


def drawings_of(panel: GeometryExplorer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes, from now on, the colour of each drawing of maps."""
    drawn: list[str] = []
    draw = lgq.plots.geometry.draw_latent_maps

    def noted(panes: Any, colour: str, **settings: Any) -> Any:
        drawn.append(colour)
        return draw(panes, colour, **settings)

    monkeypatch.setattr(lgq.plots.geometry, "draw_latent_maps", noted)
    return drawn


def test_a_selection_is_marked_on_the_map_that_is_drawn_already(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = GeometryExplorer(*runs)
    before, drawn = (panel.charts.figures, panel.charts.dots), drawings_of(panel, monkeypatch)
    panel.selection = [2, 5]
    assert (panel.charts.figures, panel.charts.dots, drawn) == (*before, [])
    where = places(panel)
    assert list(zip(marks_of(panel)["x"], marks_of(panel)["y"], strict=True)) == [where[code] for code in (2, 5)]
    assert marks_of(panel, "beside")["x"] == []


def test_tokens_do_not_travel_again_with_other_codes_or_colours(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = GeometryExplorer(*runs)
    assert '"name":"tokens"' in panel.charts.ground["map"]
    assert '"name":"tokens"' not in panel.charts.dots["map"]
    sent: list[set[str]] = []
    monkeypatch.setattr(
        panel.charts, "send_state", lambda key=None: sent.append({key} if isinstance(key, str) else set(key))
    )
    for name, value in (("snapshot", 0), ("colour", "drift"), ("selection", [3])):
        sent.clear()
        setattr(panel, name, value)
        travelled = set().union(*sent)
        assert "ground" not in travelled, name
        assert ("dots" in travelled) == (name != "selection")
    sent.clear()
    panel.beside_as = "latents"
    assert "ground" in set().union(*sent)


def test_maps_of_the_last_states_are_kept(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    panel = GeometryExplorer(*runs)
    before, drawn = panel.charts.figures, drawings_of(panel, monkeypatch)
    for colour in ("drift", "usage", "drift"):
        panel.colour = colour
    assert drawn == ["drift"]
    panel.colour = "usage"
    assert panel.charts.figures == before


def test_what_takes_long_is_computed_beside_the_loop_and_the_rest_at_once(runs: list[Run]) -> None:
    async def colour() -> list[tuple[str, bool]]:
        panel = GeometryExplorer(runs[0])
        seen = []
        for wanted in ("last_move", "density", "anisotropy", "density"):
            panel.colour = wanted
            panel._redraw()
            seen.append((wanted, panel.charts.stale))
            await panel.ready()
        return seen

    expected = [("last_move", False), ("density", True), ("anisotropy", True), ("density", False)]
    assert asyncio.run(colour()) == expected


def test_a_colour_does_not_wait_for_umap(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    is_begun, is_coloured = threading.Event(), threading.Event()
    make = analysis.geometry.latent_map

    def made_last(study: lgq.Study, method: str, **settings: Any) -> analysis.geometry.LatentMap:
        if method == "umap":
            is_begun.set()
            assert is_coloured.wait(10)
        return make(study, "pca", **settings)

    monkeypatch.setattr(analysis.geometry, "latent_map", made_last)

    async def colour() -> list[bool]:
        panel = GeometryExplorer(runs[0], method="umap", colour="density")
        assert await asyncio.to_thread(is_begun.wait, 10)
        panel.colour = "anisotropy"
        panel._redraw()
        waits = [panel.charts.stale]
        while panel.charts.stale:
            await asyncio.sleep(0.001)
        waits.append(bool(panel.awaited()))
        is_coloured.set()
        await panel.ready()
        return [*waits, bool(panel.awaited())]

    assert asyncio.run(colour()) == [True, True, False]


def test_the_steps_beside_the_present_one_are_there_when_the_slider_moves(runs: list[Run]) -> None:
    async def move() -> list[bool]:
        panel = GeometryExplorer(runs[0], snapshot=0)
        await panel.ready()
        waited = []
        for step in (3, 0):
            panel.snapshot = step
            panel._redraw()
            waited.append(panel.charts.stale)
        panel.snapshot = 6
        panel._redraw()
        return [*waited, panel.charts.stale]

    assert asyncio.run(move()) == [False, False, True]


def test_a_step_that_fails_ahead_is_told_when_it_is_asked_for(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    async def move() -> tuple[str, str]:
        panel = GeometryExplorer(runs[0])
        quantizer_at = panel.study.quantizer_at

        def damaged(step: int) -> Any:
            if step == 3:
                raise InputError("the snapshot of step 3 is damaged")
            return quantizer_at(step)

        monkeypatch.setattr(panel.study, "quantizer_at", damaged)
        await panel.ready()
        before = said_by(panel)
        panel.snapshot = 3
        panel._redraw()
        await panel._background.finished()
        return before, said_by(panel)

    before, after = asyncio.run(move())
    assert before == ""
    assert "the snapshot of step 3 is damaged" in after


def test_its_code_makes_it_again(runs: list[Run]) -> None:
    panel = GeometryExplorer(*runs, colour="density", snapshot=3, beside_as="latents", selection=[4])
    again = eval(panel.code(), {"lgq": lgq})
    assert again.code() == panel.code()
    assert again.charts.figures == panel.charts.figures
    assert repr(again) == "GeometryExplorer(lgq, beside fsq)"
    assert repr(GeometryExplorer(runs[0])) == "GeometryExplorer(lgq)"


def test_studies_without_runs_are_shown_beside_each_other() -> None:
    learned, grid = (study_of(method_tokenizer(method), noise_pictures(8)) for method in ("vq", "fsq"))
    panel = GeometryExplorer(learned, beside=grid)
    assert places(panel) == expected_places(analysis.geometry.latent_map(learned).of("code"))
    assert "without a run" in panel.caption()
    assert panel.summary()["beside_codes"] == grid.quantizer.codebook_size


def test_it_leaves_a_picture_of_itself(runs: list[Run]) -> None:
    assert GeometryExplorer(*runs).still()["image/png"].startswith(b"\x89PNG")


def test_a_grid_can_be_looked_at_on_its_own(runs: list[Run]) -> None:
    panel = GeometryExplorer(runs[1], colour="drift")
    assert panel.snapshot == 6
    assert len(places(panel)) == 12
    assert panel.frame()["drift"].isna().all()


def test_nonsense_is_refused_in_a_sentence(runs: list[Run]) -> None:
    for state, sentence in (
        ({"method": "tsne"}, "method is 'tsne': choose one of pca, umap"),
        ({"colour": "red"}, "colour is 'red': choose one of usage"),
        ({"beside_as": "overlay"}, "beside_as is 'overlay': choose one of nothing, fitted, start"),
        ({"beside_as": "lattice"}, "beside_as is 'lattice': choose one of nothing, fitted, start"),
        ({"snapshot": 5}, "snapshot is 5: choose one of 0, 3, 6"),
    ):
        with pytest.raises(InputError, match=sentence):
            GeometryExplorer(runs[0], **state)


def slider_of(panel: GeometryExplorer, description: str) -> ipywidgets.SelectionSlider:
    found = [part for part in below(panel) if getattr(part, "description", "") == description]
    assert len(found) == 1
    return found[0]


def below(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    children = getattr(widget, "children", ())
    return [*children, *(part for child in children for part in below(child))]
