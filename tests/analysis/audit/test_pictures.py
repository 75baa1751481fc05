"""Are metrics of a part of the photographs those that an evaluation of these would have?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import lgq_explore as lgq
from lgq_explore.analysis.audit import PairedFeatures, picture_features, picture_values
from lgq_explore.analysis.audit.pictures import METRICS
from lgq_explore.analysis.geometry import efficiency, kmeans_codebooks
from lgq_explore.errors import InputError
from lgq_explore.metrics.frechet import frechet_distance
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.study import Study

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=4,
    log_steps=1,
    window_steps=2,
    seed=3,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
CROPS = 16


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Study:
    run = lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "lgq", device="cpu", progress=False)
    return lgq.study(run, crops=CROPS)


def whole(values: pd.DataFrame) -> pd.Series:
    return values[values["size"] == values["size"].max()].set_index("metric")["value"]


def test_on_all_photographs_it_is_what_evaluate_says(study: Study) -> None:
    found = picture_values(study, parts=(2,), divisions=1)
    evaluated = lgq.evaluate(study.require_run().path, crops=CROPS, metrics=METRICS, progress=False)
    on_all = whole(found)
    for key in ("psnr_db", "ssim", "active_codes", "entropy_bits_miller_madow", "bits_coded", "chao2"):
        assert on_all[key] == pytest.approx(evaluated[key], rel=1e-6)
    for key in ("quantization_error", "quantization_cost_db", "latent_dimensions", "codebook_wasserstein_relative"):
        assert on_all[key] == pytest.approx(evaluated[key], rel=1e-5)
    assert on_all["effective_rate"] == pytest.approx(evaluated["perplexity"] / 16)
    assert on_all["gini_above_uniform"] == pytest.approx(evaluated["gini"] - evaluated["gini_uniform"])
    assert set(found["seed"]) == {3}
    assert set(found["data"]) == {"fake"}


def test_parts_are_whole_photographs_and_the_same_for_all_runs(study: Study) -> None:
    found = picture_values(study, parts=(2,), divisions=2, metrics=("usage",))
    active = found[found["metric"] == "active_codes"]
    assert active["part"].tolist() == [0, 0, 1, 0, 1]
    assert active["division"].tolist() == [0, 0, 0, 1, 1]
    halves = active[active["size"] < active["size"].max()].groupby("division")["images"].sum()
    assert (halves <= CROPS).all()
    assert found.equals(picture_values(study, parts=(2,), divisions=2, metrics=("usage",)))
    assert not found.equals(picture_values(study, parts=(2,), divisions=2, metrics=("usage",), seed=1))
    by_image = picture_values(study, parts=(4,), divisions=1, unit="images", metrics=("usage",))
    assert set(by_image["images"]) == {CROPS, CROPS // 4}


def test_distances_in_features_are_by_their_definitions(study: Study) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Identity())
    images, reconstructions = (
        picture_features(network, pictures[:, :, :2, :2])
        for pictures in (study.encoding.images, study.encoding.reconstructions)
    )
    found = whole(
        picture_values(study, parts=(2,), metrics=("usage",), features=PairedFeatures(images, reconstructions))
    )
    distance = frechet_distance(torch.from_numpy(images), torch.from_numpy(reconstructions))
    assert found["fd"] == pytest.approx(distance)
    variance = images.astype(np.float64).var(0).sum()
    squares = ((images.astype(np.float64) - reconstructions) ** 2).sum(1).mean()
    assert found["feature_error"] == pytest.approx(squares / variance, rel=1e-5)


def test_the_efficiency_is_that_of_the_analysis(study: Study) -> None:
    kmeans = kmeans_codebooks(study, restarts=1, progress=False)
    found = whole(picture_values(study, parts=(2,), metrics=("usage",), kmeans=kmeans))
    expected = efficiency(study, kmeans, pictures=1).set_index("measure").loc["latents", "efficiency"]
    assert found["geometry_efficiency"] == pytest.approx(expected, rel=1e-5)


def test_bad_input_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unit is 'tokens': give photographs or images"):
        picture_values(study, unit="tokens")
    photographs = len(np.unique(study.encoding.photograph))
    with pytest.raises(InputError, match=f"{photographs} photographs or images can't be cut into 99 sets"):
        picture_values(study, parts=(99,), metrics=("usage",))
    with pytest.raises(InputError, match="unknown metric"):
        picture_values(study, parts=(2,), metrics=("usages",))
