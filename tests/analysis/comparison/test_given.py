"""Which runs are meant by paths of runs, of folders, and of a sweep with what it has noted?"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lgq_explore.analysis.comparison import Recorded, compare, given_runs, unfairness
from lgq_explore.analysis.comparison.compare import names_of
from lgq_explore.errors import InputError
from lgq_explore.runs.run import open_run
from lgq_explore.training.loop import train
from tests.analysis.runs_folder import GRID, SOFT

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    for name, recipe in {"soft": SOFT, "grid": GRID, "tried": replace(SOFT, learning_rate=0.01)}.items():
        train(recipe, folder / "runs" / name, device="cpu", progress=False)
    return folder


@pytest.fixture
def sweep(trained: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(trained, tmp_path / "sweep")
    (folder / "sweep.toml").write_text('methods = ["ours", "theirs"]\n')
    (folder / "summaries").mkdir()
    for name, summary in {
        "soft": {
            "kind": "final",
            "method": "ours",
            "tuning": {"trials": [{"settings": {"learning_rate": 0.1}}, {}]},
            "cost": {"training_cpu_seconds": 9},
        },
        "grid": {"kind": "final", "method": "theirs", "tuning": {"trials": [{}]}},
        "tried": {"kind": "trial", "method": "ours", "tuning": None},
    }.items():
        (folder / "summaries" / f"{name}.json").write_text(json.dumps(summary))
    return folder


def test_runs_and_folders_may_be_mixed(trained: Path) -> None:
    given = given_runs([trained / "runs" / "tried", trained / "runs"])
    assert [run.name for run in given.runs] == ["tried", "grid", "soft", "tried"]
    assert given.recorded == given.sweeps == {}
    with pytest.raises(InputError, match="is given twice: leave one of them out"):
        compare(given.runs, crops=4)


def test_a_sweep_gives_its_final_runs_and_what_it_noted(sweep: Path) -> None:
    given = given_runs([sweep])
    assert [run.name for run in given.runs] == ["grid", "soft"]
    assert given.recorded[sweep / "runs" / "soft"] == Recorded(
        method="ours", trials=2, tuned=frozenset({"learning_rate"}), cpu_seconds=9.0
    )
    assert given.sweeps == {str(sweep / "sweep.toml"): 'methods = ["ours", "theirs"]\n'}
    noted = {name: given.recorded[run.path] for name, run in names_of(given.runs).items()}
    comparison = compare(given.runs, crops=4, recorded=noted)
    assert [group.name for group in comparison.grouped.groups] == ["theirs", "ours"]
    assert "Tuning trials: 1 for grid; 2 for soft." in unfairness(comparison.ledger)
    assert compare(sweep, crops=4).ledger.equals(comparison.ledger)


def test_equal_numbers_of_trials_are_not_told(sweep: Path) -> None:
    summary = {"kind": "final", "method": "theirs", "tuning": {"trials": [{}, {}]}}
    (sweep / "summaries" / "grid.json").write_text(json.dumps(summary))
    given = given_runs([sweep])
    noted = {name: given.recorded[run.path] for name, run in names_of(given.runs).items()}
    assert unfairness(compare(given.runs, crops=4, recorded=noted).ledger) == []


def test_a_run_without_weights_is_left_out_of_a_folder_and_refused_by_name(trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained / "runs", tmp_path / "runs")
    (folder / "soft" / "weights.safetensors").unlink()
    given = given_runs([folder])
    assert [run.name for run in given.runs] == ["grid", "tried"]
    assert given.skipped == (f"{folder / 'soft'} has no weights yet and is left out",)
    with pytest.raises(InputError, match="has no weights yet"):
        given_runs([folder / "soft"])


def test_paths_that_are_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is neither a run nor a folder of runs"):
        given_runs([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="holds no trained run"):
        given_runs([tmp_path])


def test_names_paths_and_opened_runs_are_compared_alike(trained: Path) -> None:
    folder = trained / "runs"
    numbers = compare([folder / "soft", folder / "grid"], crops=4).numbers
    assert compare([str(folder / "soft"), open_run(folder / "grid")], crops=4).numbers.equals(numbers)
    assert list(compare(str(folder / "soft"), crops=4).runs) == list(compare(folder / "soft", crops=4).runs) == ["soft"]
    with pytest.raises(InputError, match="no_such_run is neither a run nor a folder of runs"):
        compare("no_such_run")
    with pytest.raises(InputError, match=r"7 is no run: give opened runs, names under data/runs, or folders"):
        compare([7])  # type: ignore[list-item]


def test_two_runs_of_one_name_are_told_apart_by_their_paths(trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained / "runs" / "soft", tmp_path / "soft")
    runs = given_runs([trained / "runs" / "soft", copy]).runs
    assert list(names_of(runs)) == [str(trained / "runs" / "soft"), str(copy)]
    renamed = copy.rename(tmp_path / "differs")
    assert list(names_of(given_runs([renamed]).runs)) == [str(renamed)]
