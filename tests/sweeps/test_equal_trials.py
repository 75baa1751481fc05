"""From a sweep with trials to the ledger of `compare`: are equal numbers of trials fair, and unequal ones told?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lgq_explore.cli import main
from lgq_explore.sweeps.work import work_on
from tests.sweeps.toy import TOY, planned

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

LEARNS_NOTHING = 1e-9

ONE_OF_EACH = (
    ("[16, 64]", "[16]"),
    ("seeds = 2", "seeds = 1"),
    ("grid.learning_rate = [1e-3, 1e-9]\n", ""),
    ("[methods.none]\nreference = true\n\n", ""),
)
"""One size, one seed, and no method without trials."""


def tried(folder: Path, **rates: list[float]) -> Path:
    """The folder of a sweep that is done, in which each method has tried learning rates of its own."""
    (lgq, of_lgq), (other, of_other) = rates.items()
    methods = (
        ("[methods.lgq]", f"[methods.{lgq}]\ntrials.learning_rate = {of_lgq}"),
        ("[methods.fsq]", f"[methods.{other}]\ntrials.learning_rate = {of_other}"),
    )
    folder.mkdir()
    plan = planned(folder, TOY, *ONE_OF_EACH, *methods)
    for cell in plan.cells:
        work_on(plan, cell, "cpu")
    return plan.folder.path


def compared(capsys: pytest.CaptureFixture[str], *folders: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["compare", *map(str, folders), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def ledger_of(told: dict[str, Any], field: str) -> dict[str, Any]:
    (row,) = (row for row in told["ledger"] if row["field"] == field)
    return {name.split("-")[1]: value for name, value in row.items() if "-seed" in name}


@pytest.fixture(scope="module")
def equal(own_data_and_no_network: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials of each of two methods, which choose different learning rates."""
    folder = tmp_path_factory.mktemp("equal") / "of"
    return tried(folder, lgq=[1e-3, LEARNS_NOTHING], fsq=[LEARNS_NOTHING, 2e-3])


def test_what_equal_numbers_of_trials_have_chosen_is_fair(equal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = compared(capsys, equal)
    assert ledger_of(told, "tuning trials") == {"lgq": "2", "fsq": "2"}
    assert ledger_of(told, "learning rate") == {"lgq": "0.001", "fsq": "0.002"}
    assert told["unfair"] == []
    (chosen,) = told["tuned"]
    assert chosen.startswith("Learning rate: ")
    assert "what as many trials have chosen for each, no condition differs" in " ".join(told["found"])


def test_another_number_of_trials_is_told_with_both_numbers(
    equal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep refuses unequal numbers of trials, so the other number comes from another sweep."""
    told = compared(capsys, equal, tried(tmp_path / "other", vq=[2e-3], none=[2e-3]))
    assert ledger_of(told, "tuning trials") == {"lgq": "2", "fsq": "2", "vq": "1", "none": "1"}
    (trials,) = (sentence for sentence in told["unfair"] if sentence.startswith("Tuning trials: "))
    two, one = trials.removeprefix("Tuning trials: ").removesuffix(".").split("; ")
    assert (two.startswith("2 for "), "-lgq-" in two, "-fsq-" in two) == (True, True, True)
    assert (one.startswith("1 for "), "-vq-" in one, "-none-" in one) == (True, True, True)
    assert any("no fair comparison" in sentence and "tuning trials" in sentence for sentence in told["found"])
