"""Do panels of one run share what is picked, and keep their own where a run is another?"""

from __future__ import annotations

from dataclasses import replace

import pytest

import lgq_explore as lgq
from lgq_explore.errors import InputError
from lgq_explore.quantizers import VQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.widgets import CodeInspector, GeometryExplorer, PatchInspector, ToyLab, UsageExplorer, link

CROPS = 8


@pytest.fixture(scope="module")
def runs(recipe: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        folder = tmp_path_factory.mktemp("runs")
        vq = replace(recipe, quantizer=VQConfig(codebook_size=16), loss_weights={})
        return [lgq.train(config, folder / name) for config, name in ((recipe, "lgq"), (vq, "vq"))]


def test_what_is_picked_in_one_is_picked_in_all(runs: list[Run]) -> None:
    usage, codes, patch = (
        UsageExplorer(runs[0], crops=CROPS),
        CodeInspector(runs[0], crops=CROPS),
        PatchInspector(runs[0], crops=CROPS),
    )
    linked = link(usage, codes, patch)
    usage.selection = [2, 5]
    assert codes.selection == patch.selection == [2, 5]
    codes.patch = [1, 2, 3]
    assert patch.patch == [1, 2, 3]
    patch.selection = [7]
    assert usage.selection == codes.selection == [7]
    assert repr(linked).startswith("Link(UsageExplorer(lgq), CodeInspector(lgq")
    linked.unlink()
    usage.selection = [1]
    assert codes.selection == [7]


def test_what_was_picked_before_is_taken_over(runs: list[Run]) -> None:
    empty, picked = GeometryExplorer(runs[0]), CodeInspector(runs[0], selection=[3], crops=CROPS)
    link(empty, picked)
    assert empty.selection == picked.selection == [3]


def test_a_panel_of_several_runs_shares_with_those_of_the_one_it_shows(runs: list[Run]) -> None:
    usage = UsageExplorer(*runs, shown="lgq", crops=CROPS)
    of_lgq, of_vq = (CodeInspector(run, crops=CROPS) for run in runs)
    link(usage, of_lgq, of_vq)
    usage.selection = [4]
    assert (of_lgq.selection, of_vq.selection) == ([4], [])
    usage.shown = "vq"
    usage.selection = [9]
    assert (of_lgq.selection, of_vq.selection) == ([4], [9])
    of_lgq.selection = [1]
    assert usage.selection == [9]


def test_a_run_opened_twice_is_one_run(runs: list[Run]) -> None:
    codes, patch = CodeInspector(runs[0], crops=CROPS), PatchInspector(str(runs[0].path), crops=CROPS)
    link(codes, patch)
    codes.patch = [2, 0, 1]
    assert patch.patch == [2, 0, 1]


def test_panels_that_have_nothing_to_share_are_refused(runs: list[Run]) -> None:
    of_lgq, of_vq = (CodeInspector(run, crops=CROPS) for run in runs)
    with pytest.raises(InputError, match=r"^1 panels to link: give at least 2$"):
        link(of_lgq)
    with pytest.raises(InputError, match=r"^CodeInspector\(lgq.*\) has nothing to share with the others: link panels"):
        link(of_lgq, of_vq)
    with pytest.raises(InputError, match=r"^ToyLab\(.*\) has nothing to share"):
        link(GeometryExplorer(runs[0]), of_lgq, ToyLab())


def test_a_patch_that_another_panel_does_not_look_at_is_told_there(runs: list[Run]) -> None:
    codes, few = CodeInspector(runs[0], crops=CROPS), PatchInspector(runs[0], crops=4)
    link(codes, few)
    codes.patch = [CROPS - 1, 0, 0]
    assert few.patch == [0, 0, 0]
    assert "with picture 0 … 3" in few._message.value
