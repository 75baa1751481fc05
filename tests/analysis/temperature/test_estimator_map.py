"""Is the temperature that suits a noise the calculated one, and the map that of the microscope?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from lgq_explore.analysis.temperature import (
    ESTIMATORS,
    beside_straight_through,
    code_spacing,
    encoder_gradient,
    estimator_map,
    estimator_microscope,
    matched_temperature,
)
from lgq_explore.analysis.temperature.smoothed_gradient import rounding_error
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import LGQConfig, VQConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import noise_pictures, study_of


def on_a_line(*codes: float) -> LGQ:
    quantizer = LGQConfig(codebook_size=2, norm="none").build(1).double().eval()
    return quantizer.with_codebooks([torch.tensor(codes, dtype=torch.float64)[:, None]])


def tokens(*places: float) -> torch.Tensor:
    return torch.tensor(places, dtype=torch.float64)[:, None, None, None]


def studied(codebook_size: int = 16, norm: str = "layer") -> Study:
    config = LGQConfig(codebook_size=codebook_size, norm=norm)
    return study_of(build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=4), config, seed=0), noise_pictures(2))


@pytest.mark.parametrize(("spacing", "sigma"), [(2.0, 0.1), (0.7, 0.2)])
def test_at_the_matched_temperature_a_border_is_as_steep_for_lgq_as_for_the_noise(spacing: float, sigma: float) -> None:
    """At the border between two codes E Q(z + σε) rises by Δ/(σ √(2π)), the noise's density times the jump."""
    quantizer, temperature = on_a_line(0.0, spacing), matched_temperature(spacing, sigma)
    slope = encoder_gradient(
        ESTIMATORS["lgq"], quantizer, tokens(spacing / 2), lambda q: q.sum((1, 2, 3)), temperature
    ).item()
    assert slope == pytest.approx(spacing / (sigma * math.sqrt(2 * math.pi)), rel=1e-9)


def test_it_is_not_far_from_the_temperature_that_points_best() -> None:
    """Over tokens spread across a border, LGQ's derivative is compared with the density of the noise."""
    spacing, sigma = 1.0, 0.1
    places = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)
    density = torch.exp(-(((places - 0.5) / sigma) ** 2) / 2)
    temperatures = [factor * matched_temperature(spacing, sigma) for factor in (0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0)]
    cosines = []
    for temperature in temperatures:
        told = encoder_gradient(
            ESTIMATORS["lgq"], on_a_line(0.0, spacing), tokens(*places), lambda q: q.sum((1, 2, 3)), temperature
        ).flatten()
        cosines.append((told @ density / (told.norm() * density.norm())).item())
    best = temperatures[int(np.argmax(cosines))]
    assert 0.8 <= best / matched_temperature(spacing, sigma) <= 1.25
    assert max(cosines) > 0.98


def test_the_spacing_is_the_median_distance_between_the_two_nearest_codes() -> None:
    quantizer = on_a_line(0.0, 1.0, 4.0)
    assert code_spacing(quantizer, tokens(0.1, 0.2, 3.5)) == pytest.approx(1)
    assert code_spacing(quantizer, tokens(0.1, 3.0, 3.5)) == pytest.approx(3)


def test_each_sigma_of_the_map_is_the_microscope() -> None:
    study = studied()
    images, temperatures = study.encoding.images, [0.1, 1.0]
    made = estimator_map(study, images, temperatures, sigmas=[0.1, 0.4], pairs=4)
    for sigma, rows in made.groupby("sigma"):
        alone = estimator_microscope(study, images, temperatures, sigma=sigma, pairs=4)
        pd.testing.assert_frame_equal(rows[list(alone)].reset_index(drop=True), alone)
        assert (rows["matched_temperature"] == math.sqrt(math.pi / 2) * rows["spacing"] * sigma).all()
    assert (made["tokens"] == 2 * 4 * 4).all()


def test_by_default_sigmas_surround_the_rounding_error() -> None:
    study = studied()
    made = estimator_map(study, study.encoding.images, [1.0], pairs=2)
    own = rounding_error(study.quantizer, torch.from_numpy(study.encoding.latents))
    assert made["rounding_error"].unique() == pytest.approx([own])
    assert made["sigma"].unique() == pytest.approx([own / 8, own / 4, own / 2, own, 2 * own])


def test_where_codes_surround_the_tokens_evenly_lgq_differs_in_its_loudness_alone() -> None:
    """Codes ±r on each of D axes have the covariance r²/D where all share alike: the gradient is 2r²/(τD) of it."""
    study, radius, temperature = studied(8, norm="none"), 3.0, 1e6
    axes = radius * torch.eye(4)
    with torch.no_grad():
        study.quantizer.centres.copy_(torch.cat([axes, -axes]))
    row = beside_straight_through(study, study.encoding.images, [temperature]).iloc[0]
    assert row["cosine"] == pytest.approx(1, abs=1e-4)
    for ratio in ("norm_ratio", "median_token_norm_ratio"):
        assert row[ratio] == pytest.approx(2 * radius**2 / (temperature * 4), rel=1e-3)
    assert row["tokens"] == 2 * 4 * 4


def test_straight_through_is_beside_itself() -> None:
    study = studied()
    found = beside_straight_through(study, study.encoding.images, [0.1, 1.0], estimator="split")
    assert found[["cosine", "norm_ratio", "median_token_norm_ratio"]].to_numpy() == pytest.approx(1, abs=1e-6)
    assert found["estimator"].tolist() == ["split", "split"]


def test_nonsense_is_refused() -> None:
    study = studied()
    images = study.encoding.images
    with pytest.raises(InputError, match="sigma is 0: give a positive number"):
        estimator_map(study, images, [1.0], sigmas=[0], pairs=2)
    with pytest.raises(InputError, match="unknown estimator 'st': choose one of straight-through, lgq"):
        beside_straight_through(study, images, [1.0], estimator="st")
    with pytest.raises(InputError, match=r"temperature is 0\.0: give a positive number"):
        beside_straight_through(study, images, [0.0])
    without = study_of(build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=4), VQConfig(16), seed=0), images)
    for refused in (estimator_map, beside_straight_through):
        with pytest.raises(InputError, match="chooses its codes without a temperature"):
            refused(without, images, [1.0])
