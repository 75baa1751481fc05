"""What do widget tests train? A recipe that is small enough to be trained in each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from tests.plots.conftest import checked_figures  # noqa: F401


@pytest.fixture(autouse=True)
def data_in_the_test_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def recipe() -> TrainConfig:
    return TrainConfig(
        data="fake",
        batch_size=4,
        steps=6,
        log_steps=1,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=LGQConfig(codebook_size=16),
    )


@pytest.fixture
def endless(recipe: TrainConfig) -> TrainConfig:
    """A recipe that ends only because somebody stops it."""
    return replace(recipe, steps=100_000)
