"""Are runs that have been trained with a GAN for unequally many steps told, and equal ones not?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lgq_explore as lgq
from lgq_explore.analysis.comparison import agreement, gan_phases, runs_in, unequal_phases
from lgq_explore.frames.comparison import GAN_PHASES
from lgq_explore.runs.config import config_from_json
from lgq_explore.runs.study import Study
from lgq_explore.training.loop import resume
from tests.analysis.planted_codes import study_of_codes
from tests.analysis.runs_folder import plant_phases

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

DIFFERENT = (
    "These runs are at different GAN phases. after: 2 steps since it started; before: before it starts; plain: no GAN."
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    return plant_phases(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def studies(planted: Path) -> dict[str, Study]:
    return {name: lgq.study(planted / name, crops=4) for name in ("after", "before", "plain")}


def phases(**steps: int | None) -> pd.DataFrame:
    return GAN_PHASES.frame(
        [
            {
                "run": run,
                "gan_start": pd.NA if number is None else 100,
                "gan_steps": pd.NA if number is None else number,
            }
            for run, number in steps.items()
        ]
    )


def test_the_table_of_runs_has_the_steps_since_the_start(planted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(planted, tmp_path / "runs")
    frame = runs_in(folder).set_index("run")
    assert frame["gan_start"].tolist() == [2, 2, pd.NA]
    assert frame["gan_steps"].tolist() == [2, 0, pd.NA]
    assert unequal_phases(frame.reset_index()) == DIFFERENT
    resume(folder / "before", progress=False)
    assert runs_in(folder).set_index("run")["gan_steps"].tolist() == [2, 2, pd.NA]
    assert unequal_phases(runs_in(folder)[:2]) == ""


def test_studies_have_the_phase_of_their_weights(studies: dict[str, Study]) -> None:
    found = gan_phases(studies)
    pd.testing.assert_frame_equal(
        found, GAN_PHASES.frame({"run": list(studies), "gan_start": [2, 2, pd.NA], "gan_steps": [2, 0, pd.NA]})
    )
    assert unequal_phases(found) == DIFFERENT


def test_of_a_study_without_a_run_nothing_is_said(studies: dict[str, Study]) -> None:
    unknown = study_of_codes(np.zeros((2, 1, 4, 4), dtype=np.int64), [3])
    assert gan_phases({"unknown": unknown}).empty
    assert unequal_phases(gan_phases({"unknown": unknown, "after": studies["after"]})) == ""


def test_equal_phases_are_not_told() -> None:
    assert unequal_phases(phases(a=None, b=None)) == ""
    assert unequal_phases(phases(a=200, b=200)) == ""
    assert unequal_phases(phases(a=200)) == unequal_phases(phases()) == ""


def test_runs_of_one_phase_are_named_together_and_many_are_counted() -> None:
    told = unequal_phases(phases(a=1200, b=None, c=1200, d=None, e=None, f=None))
    assert told.endswith("phases. a, c: 1,200 steps since it started; 4 runs: no GAN.")


def test_pairs_of_codes_are_told_apart_by_phase(studies: dict[str, Study]) -> None:
    told = agreement(studies, draws=2).set_index(["first", "second"])["unequal_phase"]
    assert told["after", "before"].endswith("after: 2 steps since it started; before: before it starts.")
    assert (agreement({"a": studies["after"], "b": studies["after"]}, draws=2)["unequal_phase"] == "").all()


def test_a_run_of_another_version_with_other_settings_stands_in_the_table(planted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(planted, tmp_path / "runs")
    path = folder / "after" / "config.json"
    content = json.loads(path.read_text())
    content["recipe"]["objectives"]["gan"]["start"] = 3
    content["recipe_hash"] = config_from_json(content["recipe"]).recipe_hash
    path.write_text(json.dumps(content))
    (folder / "after" / "weights.safetensors").unlink()  # which name the recipe that was trained
    row = runs_in(folder).set_index("run").loc["after"]
    assert not row["opens"]
    assert "unknown field 'objectives.gan.start'" in row["remark"]
