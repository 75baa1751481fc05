"""Tests of the numbers of each photograph: they are those of `evaluate`, photograph by photograph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import lgq_explore as lgq
from lgq_explore.analysis.comparison.measured_run import measure_run
from lgq_explore.errors import InputError
from lgq_explore.metrics.feature_networks import EfficientNetLite0Features
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.evaluate import Asked, evaluated
from lgq_explore.runs.photograph_numbers import photograph_numbers
from lgq_explore.runs.picture_features import FeaturesOfStudies, PairedFeatures, paired_features
from lgq_explore.runs.study import Study

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

RECIPE = TrainConfig(
    data="photos",
    image_size=32,
    batch_size=4,
    steps=4,
    log_steps=1,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
CROPS = 12


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    run = lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "mine", progress=False)
    return lgq.study(run, crops=CROPS)


def test_their_means_over_crops_are_those_of_evaluate(study: Study) -> None:
    numbers = photograph_numbers(study, paired_features(study, progress=False))
    whole = lgq.evaluate(study.require_run().path, crops=CROPS, metrics=["quality", "feature_error"], progress=False)
    assert len(numbers) == whole["scenes"] > 1
    assert numbers["crops"].sum() == whole["images"] == CROPS
    means = {name: np.average(numbers[name], weights=numbers["crops"]) for name in ("psnr_db", "ssim", "l1")}
    assert means == pytest.approx({name: whole[name] for name in means}, rel=1e-6)
    feature_error = np.average(numbers["feature_error"], weights=numbers["crops"])
    assert feature_error == pytest.approx(whole["feature_error"]["value"], rel=1e-4)
    assert numbers["fd"].mean() == pytest.approx(paired_features(study, progress=False).frechet_distance)


def test_one_pass_gives_the_result_of_evaluate_and_the_numbers_of_each_photograph(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, metrics = study.require_run().path, ["default", "feature_error"]
    expected = lgq.evaluate(run, crops=CROPS, metrics=metrics, progress=False)
    frame = photograph_numbers(study, paired_features(study, progress=False))
    seen, network = [], EfficientNetLite0Features.forward

    def counted(self: EfficientNetLite0Features, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return network(self, images)

    monkeypatch.setattr(EfficientNetLite0Features, "forward", counted)
    monkeypatch.setattr("lgq_explore.runs.encoding.BATCH_SIZE", 8)
    found = evaluated(run, Asked(crops=CROPS, metrics=metrics), each_photograph=True, progress=False)
    assert found.numbers == expected
    pd.testing.assert_frame_equal(found.photographs, frame, check_exact=True)
    # FD, the feature error and photographs share the features, and those of the images are kept since `expected`.
    assert sum(seen) == CROPS
    assert len(found.on.crops.images) == CROPS
    without = evaluated(run, Asked(crops=CROPS, metrics=["quality"], without=["fd"]), each_photograph=True)
    assert without.photographs["fd"].isna().all()
    assert without.photographs["psnr_db"].equals(frame["psnr_db"])
    assert evaluated(run, Asked(crops=CROPS, metrics=["quality"], without=["fd"])).photographs.empty


def test_equal_images_of_several_studies_are_computed_once(study: Study) -> None:
    class Colours(torch.nn.Module):
        seen = 0

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            self.seen += len(pictures)
            return pictures.float().mean(dim=(2, 3))

    network = Colours()
    features = FeaturesOfStudies(network)
    first, second = (features(study, progress=False) for _ in range(2))
    assert network.seen == 3 * CROPS
    assert np.array_equal(first.images, second.images)
    assert np.allclose(first.images, study.encoding.images.mean(axis=(2, 3)), rtol=1e-5)
    half = first.of(np.arange(4))
    assert len(half) == 4
    assert half.squared_errors.tolist() == first.squared_errors[:4].tolist()


def test_a_photograph_is_known_by_its_pixels(study: Study) -> None:
    numbers = photograph_numbers(study)
    assert numbers["digest"].is_unique
    assert numbers[["feature_error", "fd"]].isna().all(axis=None)
    renamed = replace(study.encoding, photograph_names=np.array([f"x{n}" for n in study.encoding.photograph_names]))
    assert photograph_numbers(Study(study.trained, renamed))["digest"].tolist() == numbers["digest"].tolist()
    images = study.encoding.images.copy()
    images[study.encoding.photograph == study.encoding.photograph[0], 0, 0, 0] ^= 1
    changed = photograph_numbers(Study(study.trained, replace(study.encoding, images=images)))
    assert (changed["digest"] != numbers["digest"]).sum() == 1


def test_features_that_do_not_vary_give_no_error_and_others_are_refused(study: Study) -> None:
    flat = np.ones((CROPS, 3), np.float32)
    numbers = photograph_numbers(study, PairedFeatures(flat, 2 * flat, "flat"))
    assert numbers["feature_error"].isna().all()
    with pytest.raises(InputError, match="features are of 3 pictures, and the study has 12"):
        photograph_numbers(study, PairedFeatures(flat[:3], flat[:3], "flat"))
    with pytest.raises(InputError, match="codes alone"):
        photograph_numbers(study.codes_only)


def test_a_missing_network_is_named(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lgq_explore.metrics.feature_networks.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"lgq_explore\[fd\]"):
        paired_features(study)


def test_versions_of_a_picture_are_one_photograph(study: Study, tmp_path: Path) -> None:
    """A light and a dark lake are resampled together."""
    for number, name in enumerate(("lake.png", "lake-dark.png", "hill.png")):
        pixels = np.random.default_rng(number).integers(256, size=(64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    versions = lgq.study(study.require_run(), data=f"folder:{tmp_path}", crops=12)
    assert versions.encoding.scene.tolist() == sorted([*[0] * 4, *[1] * 8])
    numbers = photograph_numbers(versions)
    assert numbers["crops"].tolist() == [4, 8]
    whole = lgq.evaluate(study.require_run(), f"folder:{tmp_path}", crops=12, metrics=["quality"], progress=False)
    assert (whole["photographs"], whole["scenes"]) == (3, 2)
    assert np.average(numbers["psnr_db"], weights=numbers["crops"]) == pytest.approx(whole["psnr_db"])
    measured = measure_run("mine", study.require_run(), versions)
    assert measured.counts.sum(axis=1).tolist() == [4 * 64, 8 * 64]
