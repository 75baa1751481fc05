"""Does the plan of a sweep count all that a cell takes: its process, its training and its evaluation?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lgq_explore.sweeps import Workers, costs, forecast
from lgq_explore.sweeps.costs import CellCost, measured_costs
from lgq_explore.sweeps.forecast import duration
from tests.sweeps.toy import TOY, planned

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

SMALL = (("[16, 64]", "[16]"), ("seeds = 2", "seeds = 1"), ("[methods.fsq]\n\n", ""))
"""Two trials and a final cell of LGQ, and one of a reference."""

ALL = CellCost(startup=10.0, start=3.0, step=0.5, evaluation={"trial": 20.0, "final": 100.0}, megabytes=50.0)


def test_a_cell_takes_its_start_its_training_and_its_evaluation() -> None:
    assert ALL.training(4) == 5.0
    assert ALL.cell("trial", 4) == 35.0
    assert ALL.cell("final", 4) == 115.0


def test_the_plan_adds_up_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trials of 35 s and two final cells of 115 s take 300 s: training 20 s, evaluation 240 s, start 40 s."""
    plan = planned(tmp_path, TOY, *SMALL)
    monkeypatch.setattr(forecast, "measured_costs", lambda _, kinds, *__: dict.fromkeys(kinds, ALL))
    told = forecast.forecast(plan, Workers(jobs=2, threads=3), keep=False)
    head, rule, lgq, none, last = (line for line in told.splitlines()[1:] if line.strip())
    assert [cell.strip() for cell in head.split("|")[4:9]] == ["step, ms", "start", "training", "evaluation", "a cell"]
    assert [cell.strip() for cell in lgq.split("|")[5:10]] == ["10 s", "5 s", duration(100), "2 min", "3 min"]
    assert set(rule) <= set("|-: ")
    assert "none" in none
    assert "4 cells to train: 5 min, of which training takes 20 s, evaluation 4 min" in last
    assert "starting of processes 40 s; with 2 jobs of 3 threads each, some 2 min." in last


def test_the_plan_says_that_the_source_has_its_own_held_out_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "measured_costs", lambda _, kinds, *__: dict.fromkeys(kinds, ALL))
    told = "split.held_out is 0: final cells are evaluated on the source's own held-out pictures."
    plan = planned(tmp_path, TOY, *SMALL, ("held_out = 0.3", "held_out = 0.0"))
    lines = forecast.forecast(plan, Workers(), keep=False).splitlines()
    assert lines.count(told) == 1


def test_costs_are_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path, TOY, *SMALL)
    workers = Workers(devices=("cpu",))
    kinds = {"lgq": [plan.cells[0], plan.cells[2]], "none": [plan.cells[3]]}
    found = measured_costs(plan, kinds, workers, keep=True)
    assert {kind: set(cost.evaluation) for kind, cost in found.items()} == {
        "lgq": {"trial", "final"},
        "none": {"final"},
    }
    for cost in found.values():
        assert 0 < cost.step < 10
        assert all(seconds > 0 for seconds in cost.evaluation.values())
        assert cost.startup > 0.5  # no process imports PyTorch sooner
    monkeypatch.setattr(costs.subprocess, "Popen", lambda *_, **__: pytest.fail("it is measured again"))
    assert measured_costs(plan, kinds, workers, keep=True) == found
    (machine,) = json.loads(plan.folder.costs.read_text())
    assert '"crops": 64' in machine
