"""Does the history of a code end where usage says, and follow a planted codebook of any method?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lgq_explore as lgq
from lgq_explore.analysis.usage import code_history, per_code
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=4,
    snapshot_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))
    return train(RECIPE, tmp_path / "run")


def test_the_last_snapshot_counts_as_usage_does(run: Run) -> None:
    study = lgq.study(run, crops=4)
    history = code_history(study, range(16))
    assert sorted(history["step"].unique()) == sorted(run.codebook_snapshots())
    last = history[history["step"] == 4]
    assert last["count"].tolist() == per_code(study)["count"].tolist()
    assert (last["moved"] == 0).all()
    assert history.groupby("step")["share"].sum().to_numpy() == pytest.approx(1)


def test_a_planted_snapshot_is_followed(run: Run) -> None:
    stored = np.array(run.codebook_snapshots()[4][0])
    planted = np.full_like(stored, 1000.0)
    planted[5] = 0  # all tokens are nearest to it
    np.save(run.path / "codebooks" / "step-00000001.npy", planted)
    study = lgq.study(run, crops=4)
    history = code_history(study, [5, 3])
    first = history[history["step"] == 1]
    assert first["code"].tolist() == [3, 5]
    assert first["count"].tolist() == [0, study.codes.size]
    assert first["moved"].tolist() == pytest.approx(
        [np.linalg.norm(planted[code] - stored[code]) for code in (3, 5)], rel=1e-5
    )


def test_a_fixed_grid_has_no_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))
    run = train(replace(RECIPE, quantizer=FSQConfig(levels=(4, 4)), loss_weights={}), tmp_path / "grid")
    with pytest.raises(InputError, match="fsq are a fixed grid"):
        code_history(lgq.study(run, crops=2), [0])


def test_nonsense_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="code 16 is outside"):
        code_history(lgq.study(run, crops=2), [16])
    for snapshot in (run.path / "codebooks").glob("*.npy"):
        snapshot.unlink()
    with pytest.raises(InputError, match="no snapshots"):
        code_history(lgq.study(run, crops=2), [0])
