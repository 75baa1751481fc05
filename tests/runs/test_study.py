"""Tests of studies: whose encoding they take, what they keep, and what they do without a run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lgq_explore as lgq
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig, joint_codes, methods_with_codes
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import encode
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from lgq_explore.widgets.parts.studies import study_argument, study_caption
from tests.analysis.planted_tokenizer import colour_tokenizer, method_tokenizer, noise_pictures, study_of

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    log_steps=1,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "mine", progress=False)


def test_it_is_made_once_for_a_folder_that_has_not_changed(run: Run, tmp_path: Path) -> None:
    study = lgq.study(run, crops=5)
    assert lgq.study(run.path, crops=5) is study
    assert len(study.encoding) == 5
    assert len(lgq.study(run, crops=4).encoding) == 4
    copy = shutil.copytree(run.path, tmp_path / "copy")
    elsewhere = lgq.study(copy, crops=5)
    assert elsewhere.require_run().name == "copy"
    history = copy / "history.csv"
    history.write_bytes(history.read_bytes()[:-3])
    assert lgq.study(copy, crops=5).require_run().remarks() != elsewhere.require_run().remarks() == []


def test_a_folder_that_was_moved_keeps_its_held_out_split(tmp_path: Path) -> None:
    first, moved = tmp_path / "first", tmp_path / "moved"
    first.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 48, 48, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(first / f"{number}.png")
    run = lgq.train(replace(RECIPE, data=f"folder:{first}", steps=1), tmp_path / "run", device="cpu", progress=False)
    before = lgq.study(run, crops=8)
    first.rename(moved)
    with pytest.raises(InputError, match=rf"no folder {first}\.\nPut them back.*--data folder:PATH"):
        lgq.encode(run)
    study = lgq.study(run, f"folder:{moved}", crops=8)
    assert study.encoding.split == "held out"
    assert np.array_equal(study.encoding.images, before.encoding.images)
    assert study_caption(study).endswith(f"held-out crops from 2 photographs of folder:{moved}")
    assert f"'folder:{moved}'" in study_argument(study)
    assert len({*study.training_encoding.photograph_names, *study.encoding.photograph_names}) == 6
    Image.new("RGB", (64, 64), "red").save(moved / "another.png")
    other = lgq.study(run, f"folder:{moved}", crops=8)
    assert other.encoding.split == "everything"
    assert study_caption(other).endswith(f" of folder:{moved}, all of them; those of training may be among them")


def test_its_parts_are_those_of_its_own_encoding(run: Run) -> None:
    study = lgq.study(run)
    encoding = encode(run)
    assert np.array_equal(study.encoding.codes, encoding.codes)
    assert study.latents.shape == (encoding.codes[:, 0].size, run.config.backbone.dim)
    assert np.array_equal(study.codes, encoding.codes.reshape(-1))
    assert torch.equal(study.quantizer.assign(study.points)[:, 0], torch.from_numpy(study.codes))
    assert set(study.training_encoding.photograph_names).isdisjoint(encoding.photograph_names)
    assert sorted(study.snapshots) == sorted(run.codebook_snapshots())


@pytest.mark.parametrize("method", methods_with_codes())
def test_codes_are_those_that_its_points_are_rounded_to(method: str) -> None:
    study = study_of(method_tokenizer(method), noise_pictures(6))
    codes = study.quantizer.assign(study.points)[:, :, None, None]
    assert np.array_equal(joint_codes(codes, study.quantizer.levels).flatten().numpy(), study.codes)
    assert len(study.code_points) == study.quantizer.codebook_size


def test_the_quantizer_of_a_snapshot_has_its_codebook(run: Run) -> None:
    study = lgq.study(run)
    first, *_, last = sorted(study.snapshots)
    then = study.quantizer_at(first)
    assert np.array_equal(then.code_points().numpy(), study.snapshots[first][0])
    assert not torch.equal(then.code_points(), study.code_points)
    assert study.quantizer_at(last) is study.quantizer
    with pytest.raises(InputError, match="no snapshot of step 4: choose one of 0, 6"):
        study.quantizer_at(4)


def test_an_encoding_of_other_weights_is_refused(run: Run, tmp_path: Path) -> None:
    other = lgq.train(replace(RECIPE, seed=1), tmp_path / "other", progress=False)
    with pytest.raises(InputError, match=f"made with weights {other.trained().digest[:12]}, and these are"):
        lgq.study(run, encoding=encode(other))
    with pytest.raises(InputError, match="with weights that it does not name"):
        lgq.study(run, encoding=replace(encode(run), weights=""))
    assert lgq.study(run, encoding=encode(run, crops=3)).encoding.crops == 3


def test_an_encoding_that_does_not_fit_its_tokenizer_is_refused() -> None:
    study = study_of(method_tokenizer("vq"), noise_pictures(1))
    encoding = study.encoding
    for changed, told in (
        ({"latents": encoding.latents[:, :2]}, "latents of width 2, the tokenizer of 4"),
        ({"levels": np.array([32])}, r"levels \[32\]"),
        ({"codes": encoding.codes + 64}, "of group 0 is outside 0 … 63"),
        ({"codes": encoding.codes[:, :0]}, r"codes \[1, 0, 4, 4\]"),
    ):
        with pytest.raises(InputError, match=told):
            Study(study.trained, replace(encoding, **changed))


@pytest.mark.parametrize("method", methods_with_codes())
def test_one_without_a_run_has_the_registered_name_of_its_method(method: str) -> None:
    study = study_of(method_tokenizer(method), noise_pictures(1))
    assert (study.method, study.name) == (method, method)


def test_one_without_a_run_says_so_where_a_run_is_needed() -> None:
    study = study_of(colour_tokenizer([[0, 0, 0], [1, 1, 1]]), noise_pictures(2))
    assert repr(study) == "Study(a tokenizer without a run, step 0, 2 pictures)"
    assert study.snapshots == {}
    with pytest.raises(InputError, match="has no run, and so no history, recipe or snapshots"):
        study.require_run()
    with pytest.raises(InputError, match="has no run"):
        _ = study.training_encoding
