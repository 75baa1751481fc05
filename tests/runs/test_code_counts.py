"""Tests of the values of photographs whose means are numbers of all photographs together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import lgq_explore as lgq
from lgq_explore.metrics.frechet import frechet_distance
from lgq_explore.metrics.usage import code_usage
from lgq_explore.quantizers.methods.none import NoneConfig
from lgq_explore.runs.code_counts import counts_by_photograph
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.photograph_numbers import photograph_numbers
from lgq_explore.runs.picture_features import PairedFeatures, fd_by_photographs
from lgq_explore.runs.study import Study
from lgq_explore.training.loop import train

CROPS = 40


@pytest.fixture(scope="module")
def study(own_data_and_no_network: None, tmp_path_factory: pytest.TempPathFactory) -> Study:
    config = TrainConfig(data="fake", image_size=16, steps=2, batch_size=8)
    return lgq.study(train(config, tmp_path_factory.mktemp("together") / "run"), crops=CROPS)


@pytest.fixture
def features() -> PairedFeatures:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(CROPS, 6)).astype(np.float32)
    return PairedFeatures(images, (0.7 * images + 0.2).astype(np.float32), "planted")


def test_their_means_are_the_numbers_of_all_photographs(study: Study, features: PairedFeatures) -> None:
    values = photograph_numbers(study, features)
    fd = frechet_distance(torch.from_numpy(features.images), torch.from_numpy(features.reconstructions))
    assert values["fd"].mean() == pytest.approx(fd, rel=1e-6)
    usage = code_usage(np.unique(study.codes, return_counts=True)[1], study.quantizer.codebook_size)
    assert values["active_codes"].mean() == pytest.approx(usage.active_codes)
    assert values["entropy_bits"].mean() == pytest.approx(usage.entropy_bits)


def test_a_photograph_with_codes_of_its_own_has_more_active_codes(study: Study) -> None:
    counts = counts_by_photograph(study.encoding.codes, study.encoding.photograph)
    own = ((counts > 0) & (counts.sum(axis=0) == counts)).sum(axis=1)
    active = photograph_numbers(study)["active_codes"]
    assert np.diff(active) == pytest.approx((len(own) - 1) * np.diff(own))


def test_fd_of_fewer_photographs_ends_with_that_of_all(study: Study, features: PairedFeatures) -> None:
    photograph = study.encoding.photograph
    found, photographs = fd_by_photographs(features, photograph), len(np.unique(photograph))
    assert list(found)[-1] == photographs
    assert found[photographs] == pytest.approx(photograph_numbers(study, features)["fd"].mean())


@pytest.mark.usefixtures("own_data_and_no_network")
def test_without_features_or_codes_they_are_nan(tmp_path: Path) -> None:
    config = TrainConfig(data="fake", image_size=16, steps=1, batch_size=8, quantizer=NoneConfig())
    values = photograph_numbers(lgq.study(train(config, tmp_path / "run"), crops=CROPS))
    assert values[["fd", "active_codes", "entropy_bits"]].isna().all(axis=None)
