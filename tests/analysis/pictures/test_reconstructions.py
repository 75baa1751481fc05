"""Are soft and hard pictures those of the tokenizer, and is PSNR everybody else's?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from lgq_explore.analysis.pictures import reconstruct, reconstruction_quality
from lgq_explore.errors import InputError
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.metrics.image import PSNR_CAP_DB
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import QUANTIZERS, SoftQuantizer, StartsFromData, to_tokens
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import method_tokenizer, study_of


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 3, 16, 16), dtype=np.uint8)


def tokenizer_of(method: str) -> Tokenizer:
    config = QUANTIZERS[method].for_codebook_size(256)
    tokenizer = build_tokenizer(BackboneConfig(channels=(8, 8, 8)), config, seed=0)
    noise = torch.rand(256, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    if isinstance(tokenizer.quantizer, StartsFromData):
        with torch.no_grad():
            tokenizer.quantizer.initialize(to_tokens(tokenizer.encode(noise)))
    return tokenizer


@pytest.fixture
def study(pictures: np.ndarray) -> Study:
    reconstructions = pictures.copy()
    reconstructions[0] ^= 1  # every value off by one
    reconstructions[1] = 255 - reconstructions[1]
    made = study_of(method_tokenizer("vq"), pictures)
    named = {"photograph": np.array([1, 0, 1]), "photograph_names": np.array(["cat", "coffee"])}
    return Study(made.trained, replace(made.encoding, reconstructions=reconstructions, **named))


def test_hard_pictures_are_the_tokenizers_own(pictures: np.ndarray) -> None:
    tokenizer = tokenizer_of("lgq").eval()
    with torch.no_grad():
        own = to_uint8(tokenizer(to_model_range(torch.from_numpy(pictures))).reconstruction).numpy()
    np.testing.assert_array_equal(reconstruct(tokenizer, pictures).hard, own)


def test_soft_pictures_become_the_hard_ones_as_the_temperature_falls(pictures: np.ndarray) -> None:
    tokenizer = tokenizer_of("lgq")
    cold, warm = reconstruct(tokenizer, pictures, 1e-6), reconstruct(tokenizer, pictures, 10.0)
    np.testing.assert_array_equal(cold.soft, cold.hard)
    np.testing.assert_array_equal(cold.hard, warm.hard)
    assert (warm.soft != warm.hard).mean() > 0.1


def test_the_temperature_in_force_is_the_default(pictures: np.ndarray) -> None:
    tokenizer = tokenizer_of("lgq")
    assert isinstance(tokenizer.quantizer, SoftQuantizer)
    tokenizer.quantizer.temperature = 0.7
    by_default = reconstruct(tokenizer, pictures)
    assert by_default.temperature == 0.7
    np.testing.assert_array_equal(by_default.soft, reconstruct(tokenizer, pictures, 0.7).soft)


@pytest.mark.parametrize("method", ["fsq", "vq", "simvq"])
def test_methods_without_temperature_have_hard_pictures_alone(method: str, pictures: np.ndarray) -> None:
    made = reconstruct(tokenizer_of(method), torch.from_numpy(pictures))
    assert made.soft is made.temperature is None
    assert made.hard.shape == pictures.shape
    assert made.hard.dtype == np.uint8
    with pytest.raises(InputError, match=r"temperature 0\.5 .* leave it out"):
        reconstruct(tokenizer_of(method), pictures, 0.5)


@pytest.mark.parametrize("training", [True, False])
def test_the_tokenizer_is_left_as_it_was(training: bool, pictures: np.ndarray) -> None:
    tokenizer = tokenizer_of("vq").train(training)
    before = {name: value.clone() for name, value in tokenizer.state_dict().items()}
    reconstruct(tokenizer, pictures)
    assert tokenizer.training is tokenizer.quantizer.training is training
    for name, value in tokenizer.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature: float, pictures: np.ndarray) -> None:
    with pytest.raises(InputError, match="positive"):
        reconstruct(tokenizer_of("lgq"), pictures, temperature)


@pytest.mark.parametrize("shape", [(0, 3, 16, 16), (3, 16, 16), (1, 16, 16, 3)])
def test_what_are_no_pictures_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="uint8"):
        reconstruct(tokenizer_of("fsq"), np.zeros(shape, dtype=np.uint8))


def test_psnr_is_that_of_scikit_image(study: Study) -> None:
    quality = reconstruction_quality(study)
    expected = [
        peak_signal_noise_ratio(image, made, data_range=255)
        for image, made in zip(study.encoding.images[:2], study.encoding.reconstructions[:2], strict=True)
    ]
    assert expected[0] == pytest.approx(20 * np.log10(255))
    assert quality["psnr_db"].tolist()[:2] == pytest.approx(expected, rel=1e-6)
    assert quality["psnr_db"].iloc[2] == PSNR_CAP_DB


def test_each_picture_stands_beside_its_photograph(study: Study) -> None:
    quality = reconstruction_quality(study)
    assert quality["image"].tolist() == [0, 1, 2]
    assert quality["photograph"].tolist() == ["coffee", "cat", "coffee"]


def test_reconstructions_of_another_size_are_refused(study: Study) -> None:
    with pytest.raises(InputError, match=r"\[3, 3, 8, 8\]"):
        reconstruction_quality(
            Study(study.trained, replace(study.encoding, reconstructions=study.encoding.reconstructions[:, :, :8, :8]))
        )
