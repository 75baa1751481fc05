"""Do a code's colours say how often it is used, how far it moved, and how many tokens lie around it?"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lgq_explore as lgq
from lgq_explore.analysis.geometry import COSTLY_COLOURS, code_cells, fit_grid, grid_colours, log_density, map_colours
from lgq_explore.analysis.temperature.annealing import split_temperatures
from lgq_explore.analysis.usage import code_history, per_code
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import config_tokenizer, noise_pictures, study_of
from tests.planted_methods.dot_product import DotProductConfig

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    snapshot_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        return lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "lgq", progress=False)


@pytest.fixture
def study(run: Run) -> Study:
    return lgq.study(run)


def test_counts_are_those_of_usage_and_of_the_codes_history(study: Study) -> None:
    assert map_colours(study)["count"].tolist() == per_code(study)["count"].tolist()
    history = code_history(study, range(16))
    early = history.query("step == 2")["count"]
    assert map_colours(study, 2)["count"].tolist() == early.tolist()


def test_tokens_are_counted_by_what_the_method_gives_them() -> None:
    study = study_of(config_tokenizer(DotProductConfig(16)), noise_pictures(8))
    assert map_colours(study)["count"].tolist() == per_code(study)["count"].tolist()


def test_moves_are_distances_between_snapshots(study: Study) -> None:
    books = {step: book for step, (book,) in study.snapshots.items()}
    colours = map_colours(study, 4)
    np.testing.assert_allclose(colours["drift"], np.linalg.norm(books[4] - books[0], axis=1))
    np.testing.assert_allclose(colours["last_move"], np.linalg.norm(books[4] - books[2], axis=1))
    first = map_colours(study, 0)
    assert (first["drift"] == 0).all()
    assert first["last_move"].isna().all()


def test_density_is_that_of_a_normal_distribution() -> None:
    tokens = np.random.default_rng(0).standard_normal((40_000, 2))
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    expected = -np.square(places).sum(axis=1) / 2 - math.log(2 * math.pi)
    np.testing.assert_allclose(log_density(places, tokens, neighbours=200), expected, atol=0.25)


def test_density_is_taken_where_the_tokens_vary() -> None:
    """A direction with next to no variance changes nothing."""
    rng = np.random.default_rng(0)
    tokens = rng.standard_normal((4000, 2))
    thick = np.concatenate([tokens, 1e-3 * rng.standard_normal((4000, 1))], axis=1)
    flat = log_density(tokens[:50], tokens)
    np.testing.assert_allclose(log_density(thick[:50], thick), flat, atol=1e-2)
    with pytest.raises(InputError, match="neighbours is 10 of 3 tokens"):
        log_density(tokens[:3], tokens[:3])


def test_what_costs_is_there_on_request(study: Study) -> None:
    assert set(COSTLY_COLOURS).isdisjoint(map_colours(study).columns)
    colours = map_colours(study, costly=COSTLY_COLOURS)
    (book,) = study.quantizer.codebooks()
    expected = split_temperatures(study.points, book, study.quantizer.temperature)
    np.testing.assert_allclose(colours["split_temperature"], expected["split_temperature"])
    np.testing.assert_allclose(colours["log_density"], log_density(book.numpy(), study.points.numpy()))
    np.testing.assert_allclose(colours["anisotropy"], code_cells(study, dimension=4.0)["anisotropy"])
    early = map_colours(study, 0, costly=["anisotropy"])
    (then,) = study.snapshots[0]
    of_then = code_cells(study, codebook=torch.from_numpy(np.array(then)), dimension=4.0)
    np.testing.assert_allclose(early["anisotropy"], of_then["anisotropy"])
    with pytest.raises(
        InputError, match=r"costly holds \['size'\]: choose of log_density, anisotropy, split_temperature"
    ):
        map_colours(study, costly=["size"])


def test_a_grid_does_not_move(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    grid_run = lgq.train(replace(RECIPE, quantizer=FSQConfig((3, 3)), loss_weights={}), progress=False)
    of_grid = lgq.study(grid_run)
    colours = map_colours(of_grid, costly=["split_temperature"])
    assert colours["count"].tolist() == per_code(of_grid)["count"].tolist()
    assert colours[["drift", "last_move", "split_temperature"]].isna().all(axis=None)
    fitted = fit_grid(study, (3, 3), steps=20)
    colours = grid_colours(study, fitted, COSTLY_COLOURS)
    assert list(colours.columns) == ["code", "count", "log_density", "anisotropy"]
    assert colours["count"].sum() == fitted.tokens


def test_a_step_without_snapshot_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match="no snapshot of step 3: choose one of 0, 2, 4, 6"):
        map_colours(study, 3)
