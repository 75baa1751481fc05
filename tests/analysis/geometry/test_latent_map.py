"""Does a map hold the points it says, fitted on those it says, and come back from the run's folder as it was?"""

from __future__ import annotations

import math
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

import lgq_explore as lgq
from lgq_explore.analysis.geometry import decoded_points, fit_grid, latent_map, projection_quality
from lgq_explore.analysis.geometry.fsq_grid import FittedGrid
from lgq_explore.analysis.geometry.latent_map import MOST_FITTED, _read
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=12,
    snapshot_steps=1,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
STEPS = [0, 2, 3, 5, 7, 9, 10, 12]
"""Eight of thirteen snapshots."""


@pytest.fixture(scope="module", autouse=True)
def data_in_a_folder_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "lgq", progress=False)


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = replace(RECIPE, quantizer=FSQConfig((5, 4)), loss_weights={})
    return lgq.train(recipe, tmp_path_factory.mktemp("runs") / "fsq", progress=False)


@pytest.fixture(scope="module")
def study(run: Run) -> Study:
    return lgq.study(run)


def test_it_holds_the_codes_of_eight_snapshots_and_every_token_once(study: Study) -> None:
    made = latent_map(study)
    assert made.steps == STEPS
    for step in STEPS:
        assert made.of("code", step)["code"].tolist() == list(range(16))
    tokens = made.of("token")
    assert tokens["token"].tolist() == list(range(made.tokens))
    assert tokens["code"].tolist() == study.codes.tolist()
    assert made.fitted + made.placed == len(made.points) == 8 * 16 + made.tokens
    assert made.of("code").equals(made.of("code", 12))
    with pytest.raises(InputError, match="no snapshot of step 1: choose one of 0, 2"):
        made.of("code", 1)


def test_places_are_those_of_scikit_learns_pca_in_the_space_of_rounding(study: Study) -> None:
    made, tokens = latent_map(study), study.points.numpy()
    books = {step: book for step, (book,) in study.snapshots.items()}
    points = np.concatenate([*(books[step] for step in STEPS), tokens]).astype(np.float64)
    fitted = made.points["fitted"].to_numpy()
    reference = PCA(n_components=2).fit(points[fitted])
    places = made.points[["x", "y"]].to_numpy()
    np.testing.assert_allclose(np.abs(places), np.abs(reference.transform(points)), atol=1e-4)
    np.testing.assert_allclose(made.explained_variance, reference.explained_variance_ratio_, rtol=1e-4)
    shown = np.concatenate([books[12], tokens])
    on_map = np.concatenate([made.of("code")[["x", "y"]], made.of("token")[["x", "y"]]])
    assert made.quality == projection_quality(shown, on_map)
    left, right, bottom, top = made.span
    assert (left, right) == (made.points["x"].min(), made.points["x"].max())
    assert (bottom, top) == (made.points["y"].min(), made.points["y"].max())


def test_today_and_one_older_place_of_each_code_are_fitted(study: Study) -> None:
    made = latent_map(study)
    codes = made.points[made.points["kind"] == "code"]
    assert codes[codes["step"] == 12]["fitted"].all()
    older = codes[codes["step"] < 12]
    assert (older.groupby("code")["fitted"].sum() == 1).all()
    assert older[older["fitted"]]["step"].nunique() == 7
    assert f"fitted on {made.fitted:,d} points, {made.placed:,d} placed by projection" in made.sentence


def test_many_tokens_are_drawn_by_seed_and_every_used_code_is_among_the_fitted(study: Study) -> None:
    encoding = study.encoding
    copies = math.ceil(25_000 / encoding.codes[:, 0].size)
    copied = replace(
        encoding,
        **{
            name: np.concatenate([getattr(encoding, name)] * copies)
            for name in ("images", "latents", "codes", "reconstructions", "photograph")
        },
    )
    # A code that one token in 25,000 holds.
    copied.codes[copied.codes == 15] = 14
    copied.codes[0, 0, 0, 0] = 15
    many = Study(study.trained, copied, study.run)
    made = latent_map(many, seed=1)
    tokens = made.of("token")
    assert len(tokens) == 20_000 < made.tokens
    assert made.fitted == MOST_FITTED
    assert set(tokens[tokens["fitted"]]["code"]) == set(many.codes)
    assert made.points.equals(latent_map(many, seed=1).points)
    assert not made.points.equals(latent_map(many, seed=2).points)


@pytest.mark.slow
def test_a_codebook_larger_than_the_map_leaves_half_of_the_fit_to_tokens(tmp_path_factory) -> None:
    recipe = replace(RECIPE, steps=1, quantizer=LGQConfig(codebook_size=6000), batch_size=256)
    large = lgq.train(recipe, tmp_path_factory.mktemp("large") / "lgq", progress=False)
    made = latent_map(lgq.study(large))
    codes = made.points[made.points["kind"] == "code"]
    assert codes["fitted"].sum() == MOST_FITTED // 2
    assert codes[codes["fitted"]]["step"].unique().tolist() == [1]


def test_a_fixed_grid_has_today_only_in_both_spaces(grid_run: Run) -> None:
    study = lgq.study(grid_run)
    lattice = latent_map(study)
    assert lattice.steps == [12]
    assert lattice.width == 2
    # Two dimensions are a turned picture of themselves.
    assert sum(lattice.explained_variance) == pytest.approx(1)
    assert lattice.quality.neighbour_overlap > 0.99
    distances = torch.cdist(study.code_points, study.code_points).numpy()
    places = lattice.of("code")[["x", "y"]].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(places[:, None] - places, axis=2), distances, atol=1e-4)
    raw = latent_map(study, space="latents")
    assert raw.width == 4
    tokens = study.encoding.latents.transpose(0, 2, 3, 1).reshape(-1, 4)
    points = np.concatenate([decoded_points(study.quantizer), tokens]).astype(np.float64)
    reference = PCA(n_components=2).fit(points[raw.points["fitted"].to_numpy()])
    np.testing.assert_allclose(
        np.abs(raw.points[["x", "y"]].to_numpy()), np.abs(reference.transform(points)), atol=1e-4
    )


def test_a_fitted_grid_shares_the_map_of_its_tokens_and_no_other(grid_run: Run, study: Study) -> None:
    grid = fit_grid(study, (5, 4), steps=50)
    made = latent_map(study, grid=grid)
    assert made.of("grid")["code"].tolist() == list(range(20))
    assert made.of("grid")["fitted"].all()
    # One linear map for all: what is half way between two codes in space is so on the map.
    both = np.concatenate([made.of("grid")[["x", "y"]], made.of("code")[["x", "y"]]])
    points = np.concatenate([grid.points, study.code_points.numpy()])
    with_offset = np.c_[points, np.ones(len(points))]
    solved = np.linalg.lstsq(with_offset, both, rcond=None)[0]
    np.testing.assert_allclose(with_offset @ solved, both, atol=1e-4)
    with pytest.raises(InputError, match="two runs have axes of their own"):
        latent_map(lgq.study(grid_run), grid=grid)
    with pytest.raises(InputError, match="a fitted grid lies where the method rounds"):
        latent_map(study, space="latents", grid=grid)


@pytest.fixture(scope="module")
def by_umap(study: Study) -> pd.DataFrame:
    return latent_map(study, "umap").points


@pytest.mark.slow
def test_a_map_by_umap_is_kept_and_found_again(run: Run, study: Study, by_umap: pd.DataFrame) -> None:
    (kept,) = (run.path / "maps").iterdir()
    heard: list[str] = []
    again = latent_map(study, "umap", report=heard.append)
    assert heard == []
    pd.testing.assert_frame_equal(again.points, by_umap)
    assert again.explained_variance is None
    assert again.parameters["n_neighbors"] == 15
    # What is kept is what is drawn.
    with np.load(kept) as arrays:
        stored = {"places": arrays["places"][::-1].copy()}
    whole = kept.read_bytes()
    np.savez(kept, **stored)
    assert latent_map(study, "umap").points["x"].iloc[0] == by_umap["x"].iloc[-1]
    kept.write_bytes(whole)


@pytest.mark.parametrize(
    "header",
    ["((((", repr({"descr": "<f4", "fortran_order": False, "shape": (2**40,)}), "no header", ""],
    ids=["brackets", "huge", "text", "nothing"],
)
def test_a_map_with_a_damaged_header_is_none(tmp_path: Path, header: str) -> None:
    path = tmp_path / "map.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("places.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    assert _read(path, 100) is None
    np.savez(path, places=np.ones((100, 2), np.float32))
    assert _read(path, 100) is not None


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "noise", "shape", "nan", "pickle", "empty"])
def test_a_damaged_map_is_made_anew(run: Run, study: Study, by_umap: pd.DataFrame, damage: str) -> None:
    (kept,) = (run.path / "maps").iterdir()
    whole = kept.read_bytes()
    places = by_umap[["x", "y"]].to_numpy()
    match damage:
        case "cut":
            kept.write_bytes(whole[: len(whole) // 2])
        case "noise":
            kept.write_bytes(whole[:200] + bytes(len(whole) - 200))
        case "shape":
            np.savez(kept, places=places[:-1])
        case "nan":
            np.savez(kept, places=np.full_like(places, np.nan))
        case "pickle":
            np.savez(kept, places=np.array([{}], dtype=object))
        case "empty":
            kept.write_bytes(b"")
    heard: list[str] = []
    made = latent_map(study, "umap", report=heard.append)
    assert heard
    pd.testing.assert_frame_equal(made.points, by_umap)
    assert kept.read_bytes() == whole


@pytest.mark.slow
def test_other_tokens_seeds_and_codes_have_maps_of_their_own(run: Run, study: Study) -> None:
    latent_map(study, "umap")
    before = set((run.path / "maps").iterdir())
    latents = study.encoding.latents
    others = replace(study.encoding, latents=latents + 0.01 * np.float32(latents**2))
    latent_map(Study(study.trained, others, study.run), "umap")
    latent_map(study, "umap", seed=1)
    grid: FittedGrid = fit_grid(study, (3, 3), steps=1)
    latent_map(study, "umap", grid=grid)
    added = set((run.path / "maps").iterdir()) - before
    assert len(added) == 3
    for path in added:
        path.unlink()


def test_a_study_without_a_run_has_a_map_of_today() -> None:
    study = study_of(method_tokenizer("vq"), noise_pictures(8))
    made = latent_map(study)
    assert made.steps == [0]
    assert len(made.of("token")) == len(study.points)


def test_nonsense_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match="method is 'tsne': choose one of pca, umap"):
        latent_map(study, "tsne")
    with pytest.raises(InputError, match="space is 'pixels': choose one of rounding, latents"):
        latent_map(study, space="pixels")
