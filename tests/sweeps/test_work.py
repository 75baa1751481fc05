"""Tests of whole sweeps of toy size: what summaries hold, which trial is chosen, and that nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.images.division import VALIDATION
from lgq_explore.runs import encoding
from lgq_explore.runs import evaluate as evaluating
from lgq_explore.runs.config import config_from_json
from lgq_explore.runs.run import open_run
from lgq_explore.sweeps import Plan, frame, photographs, summaries
from lgq_explore.sweeps.folder import CellTaken, SweepFolder
from lgq_explore.sweeps.tuning import TrialsMissing
from lgq_explore.sweeps.work import work_on
from lgq_explore.training.energy import joules_of
from tests.sweeps.toy import TOY, UNTUNED, planned

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture(scope="module")
def swept(own_data_and_no_network: None, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A sweep with two trials each, at one size and one seed, all done."""
    smaller = (("[16, 64]", "[16]"), ("seeds = 2", "seeds = 1"))
    plan = planned(tmp_path_factory.mktemp("swept"), TOY, *smaller)
    for cell in plan.cells:
        work_on(plan, cell, "cpu")
    return plan


def of(plan: Plan, kind: str, method: str) -> dict[str, Any]:
    (found, *_) = (each for each in summaries(plan.folder.path) if (each["kind"], each["method"]) == (kind, method))
    return found


def test_there_is_a_summary_and_a_run_of_each_cell(swept: Plan) -> None:
    found = {each["run"]: each for each in summaries(swept.folder.path)}
    assert len(found) == len(swept.cells) == 7
    for name, summary in found.items():
        assert name.startswith(f"{summary['portable_hash']}-{summary['method']}")
        assert open_run(swept.folder.path / "runs" / name).is_finished
        assert config_from_json(summary["recipe"]).recipe_hash == summary["portable_hash"]
        assert "recipe_hash" not in summary
    assert swept.folder.file.read_bytes() == swept.content


def test_a_summary_has_no_path_and_is_small(swept: Plan) -> None:
    for path in (swept.folder.path / "summaries").iterdir():
        text = path.read_text()
        assert str(swept.folder.path.parent) not in text
        assert str(Path.home()) not in text
        assert "/tmp" not in text
        assert len(text) < 20_000


def test_a_final_summary_has_the_numbers_of_the_held_out_photographs(swept: Plan) -> None:
    summary = of(swept, "final", "lgq")
    run = open_run(swept.folder.path / "runs" / summary["run"])
    numbers = evaluating.evaluate(run, crops=64, metrics=["quality"], without=["lpips", "fd"], progress=False)
    assert summary["numbers"]["psnr_db"] == numbers["psnr_db"]
    assert summary["evaluation_set"]["split"] == "held out"
    assert summary["environment"]["held_out_photographs"] == len(summary["photographs"]) == 5
    rows = summary["photographs"].values()
    mean = np.average([row["l1"] for row in rows], weights=[row["crops"] for row in rows])
    assert mean == pytest.approx(numbers["l1"], rel=1e-6)
    assert summary["cost"]["training_seconds"] > 0
    assert summary["cost"]["training_cpu_seconds"] > 0
    assert summary["cost"]["training_joules"] == joules_of(run)


def test_a_trial_is_evaluated_on_validation_photographs_alone(swept: Plan) -> None:
    summary = of(swept, "trial", "lgq")
    run = open_run(swept.folder.path / "runs" / summary["run"])
    assert summary["evaluation_set"]["split"] == VALIDATION
    assert summary["evaluation_set"]["photographs"] == 3
    assert summary["photographs"] == {}
    assert summary["evaluation_set"]["digest"] != of(swept, "final", "lgq")["evaluation_set"]["digest"]
    numbers = evaluating.evaluate(
        run, crops=64, split=VALIDATION, metrics=["quality"], without=["lpips", "fd"], progress=False
    )
    assert summary["numbers"]["psnr_db"] == numbers["psnr_db"]
    with pytest.raises(InputError, match="there is no split 'test' to evaluate on"):
        evaluating.evaluate(run, split="test")
    assert not (run.path / evaluating.METRICS).exists()  # which keeps results on held-out photographs


def test_a_pilot_evaluates_final_cells_on_validation_photographs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held-out photographs are not even cut into crops."""

    def refuse(*_: object) -> None:
        raise AssertionError("the held-out photographs were looked at")

    smaller = (("[16, 64]", "[16]"), ("seeds = 2", "seeds = 1"))
    of_validation = (("crops = 64", 'crops = 64\nsplit = "validation"'), ('["quality"]', '["quality", "usage"]'))
    plan = planned(tmp_path, UNTUNED, *smaller, *of_validation)
    (cell, *_) = plan.cells
    opened = encoding.source_of

    def without_held_out(*given: Any) -> Any:
        source = opened(*given)
        object.__setattr__(source, "held_out", refuse)
        return source

    monkeypatch.setattr(encoding, "source_of", without_held_out)
    summary = work_on(plan, cell, "cpu")
    assert summary["evaluation_set"]["split"] == summary["evaluation"]["split"] == VALIDATION
    assert summary["evaluation_set"]["photographs"] == len(summary["photographs"]) == 3
    rows = list(summary["photographs"].values())
    assert np.mean([row["active_codes"] for row in rows]) == pytest.approx(summary["numbers"]["active_codes"])
    run = open_run(plan.folder.path / "runs" / summary["run"])
    assert not (run.path / evaluating.METRICS).exists()


def test_summaries_of_before_there_was_a_choice_of_photographs_are_taken(swept: Plan, tmp_path: Path) -> None:
    plan = planned(tmp_path, TOY, ("[16, 64]", "[16]"), ("seeds = 2", "seeds = 1"))
    older = of(swept, "final", "lgq")
    older["evaluation"] = {name: value for name, value in older["evaluation"].items() if name != "split"}
    plan.folder.save_summary(older["run"], older)
    plan.check("cpu")
    other = planned(tmp_path, TOY, ("[16, 64]", "[16]"), ("crops = 64", 'crops = 64\nsplit = "validation"'))
    with pytest.raises(InputError, match=r"evaluation\.split is 'validation', and 'held out' in the summaries"):
        other.check("cpu")


def test_the_best_trial_is_taken_and_all_are_recorded(swept: Plan) -> None:
    """A learning rate of 1e-9 learns nothing: the other one is better for any method."""
    for method in ("lgq", "fsq"):
        summary = of(swept, "final", method)
        tuning = summary["tuning"]
        assert [trial["settings"] for trial in tuning["trials"]] == [{"learning_rate": 1e-3}, {"learning_rate": 1e-9}]
        values = [trial["value"] for trial in tuning["trials"]]
        assert tuning["chosen"] == int(np.argmax(values)) == 0
        assert summary["recipe"]["learning_rate"] == 1e-3
    assert of(swept, "final", "none")["tuning"] is None


def test_what_is_done_is_not_done_again(swept: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is left to train or to evaluate")

    for name in ("train_to_the_end", "summary_of"):
        monkeypatch.setattr(f"lgq_explore.sweeps.work.{name}", refuse)
    again = Plan.read(swept.file, swept.folder.path)
    assert [work_on(again, cell, "cpu")["run"] for cell in again.cells] == [
        work_on(swept, cell, "cpu")["run"] for cell in swept.cells
    ]


def test_the_committed_summaries_are_enough_to_go_on(swept: Plan, tmp_path: Path) -> None:
    """Another machine has the file and the summaries, and neither runs nor claims."""
    elsewhere = SweepFolder(tmp_path / "sweep")
    elsewhere.make(swept.content)
    for path in (swept.folder.path / "summaries").iterdir():
        (elsewhere.summaries / path.name).write_bytes(path.read_bytes())
    plan = Plan.read(elsewhere.file, elsewhere.path)
    assert all(plan.is_done(cell) for cell in plan.cells)
    plan.check("cpu")


def test_cells_that_an_older_version_has_finished_are_done(swept: Plan, tmp_path: Path) -> None:
    """Its summaries had another name for the hash, and are used as they are."""
    elsewhere = SweepFolder(tmp_path / "sweep")
    elsewhere.make(swept.content)
    for path in (swept.folder.path / "summaries").iterdir():
        summary = json.loads(path.read_text())
        older = {"recipe_hash": summary.pop("portable_hash"), **summary, "format": 1}
        (elsewhere.summaries / path.name).write_text(json.dumps(older))
    plan = Plan.read(elsewhere.file, elsewhere.path)
    assert all(plan.is_done(cell) for cell in plan.cells)
    plan.check("cpu")
    assert frame(elsewhere.path).equals(frame(swept.folder.path))
    assert photographs(elsewhere.path).equals(photographs(swept.folder.path))


def test_the_frame_has_a_row_for_each_cell(swept: Plan) -> None:
    table = frame(swept.folder.path)
    assert list(table["cell"]) == list(range(7))
    assert set(table["state"]) == {"done"}
    assert table["psnr_db"].notna().all()
    assert table["settings"].tolist()[:2] == ["learning_rate = 0.001", "learning_rate = 0.001"]
    of_final = table[table["kind"] == "final"].set_index("method")["settings"]
    assert set(of_final[["lgq", "fsq"]]) <= {"learning_rate = 0.001", "learning_rate = 1e-09"}
    assert of_final["none"] == ""
    assert str(swept.cells[0]) == "lgq, K = 16, trial 0 (learning_rate = 0.001), seed 1"
    assert set(photographs(swept.folder.path)["method"]) == {"lgq", "fsq", "none"}
    assert len(photographs(swept.folder.path)) == 3 * 5


def test_another_evaluation_or_other_pictures_are_refused(swept: Plan, tmp_path: Path) -> None:
    other = planned(tmp_path, TOY, ("crops = 64", "crops = 32"))
    with pytest.raises(InputError, match=r"evaluation\.crops is 32, and 64 in the summaries"):
        Plan(other.file, other.content, other.sweep, swept.folder, other.cells).check("cpu")
    divided = planned(tmp_path, TOY, ("held_out = 0.3", "held_out = 0.4"))
    with pytest.raises(InputError, match="the pictures are not those of the summaries"):
        Plan(divided.file, divided.content, divided.sweep, swept.folder, divided.cells).check("cpu")


def test_a_cell_alone_refuses_other_pictures_too(swept: Plan, tmp_path: Path) -> None:
    """As a job of a cluster that begins when the pictures are no longer those of the plan."""
    divided = planned(tmp_path, TOY, ("held_out = 0.3", "held_out = 0.4"))
    plan = Plan(divided.file, divided.content, divided.sweep, swept.folder, divided.cells)
    with pytest.raises(InputError, match="the pictures are not those of the summaries"):
        work_on(plan, plan.cells[0], "cpu")


def test_photographs_are_of_the_cells_that_the_file_has(swept: Plan, tmp_path: Path) -> None:
    elsewhere = SweepFolder(tmp_path / "sweep")
    elsewhere.make(swept.content)
    for path in swept.folder.summaries.iterdir():
        (elsewhere.summaries / path.name).write_bytes(path.read_bytes())
    longer = swept.content.replace(b"[methods.none]", b"[methods.none]\nset.batch_size = 4")
    elsewhere.file.write_bytes(longer)
    assert set(photographs(elsewhere.path)["method"]) == {"lgq", "fsq"}
    assert len(summaries(elsewhere.path)) == len(summaries(swept.folder.path))


def test_a_final_cell_waits_for_its_trials(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    with pytest.raises(TrialsMissing, match="0, 2"):
        work_on(plan, plan.cells[4], "cpu")
    assert list(frame(plan.folder.path)["state"].unique()) == ["waiting"]


def test_a_cell_that_another_process_works_on_is_left_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, UNTUNED)
    with plan.folder.claimed(plan.decided(plan.cells[0]).key):
        assert frame(plan.folder.path)["state"].tolist()[:2] == ["running", "waiting"]
        with pytest.raises(CellTaken):
            work_on(plan, plan.cells[0], "cpu")
    assert not plan.folder.is_claimed(plan.decided(plan.cells[0]).key)


def test_a_trial_that_diverges_is_the_worst(tmp_path: Path) -> None:
    smaller = (("[16, 64]", "[16]"), ("seeds = 2", "seeds = 1"), ("[1e-3, 1e-9]", "[1e30, 1e-9]"))
    text = TOY.replace("\n[methods.fsq]\n", "\n").replace("[methods.none]\nreference = true\n", "")
    plan = planned(tmp_path, text, *smaller, ("steps = 4", "steps = 4\nwarmup_steps = 0"))
    diverged, *_, final = (work_on(plan, cell, "cpu") for cell in plan.cells)
    assert diverged["diverged"].startswith("the loss is nan")
    assert final["tuning"]["trials"][0]["value"] is None
    assert final["tuning"]["chosen"] == 1
