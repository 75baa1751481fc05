"""Do the tokens of codes that are off go to the runner-up, and do the pictures change as that says?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lgq_explore.analysis.pictures import turn_codes_off
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QuantizerConfig, methods_with_codes
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import (
    FACTOR,
    GRID,
    SIDE,
    colour_tokenizer,
    config_tokenizer,
    method_tokenizer,
    noise_pictures,
    study_of,
)
from tests.planted_methods.cosine import CosineConfig
from tests.planted_methods.dot_product import DotProductConfig
from tests.planted_methods.residual import ResidualConfig

OTHER_METRICS = (DotProductConfig(16), CosineConfig(16), ResidualConfig(codes=4))
"""Methods whose tokens need not take the code at the least Euclidean distance."""

GREYS = colour_tokenizer([[level] * 3 for level in (-1.0, 0.0, 0.2, 1.0)])


@pytest.fixture
def study() -> Study:
    """A black picture, and another with two squares of code 2 (0.2, that is 153 of 255)."""
    images = np.zeros((2, 3, SIDE, SIDE), dtype=np.uint8)
    images[1, :, :FACTOR, : 2 * FACTOR] = 153
    return study_of(GREYS, images)


def test_the_planted_tokens_take_the_runner_up_and_cost_what_they_should(study: Study) -> None:
    without = turn_codes_off(study, [2])
    assert without.reassigned == 2
    assert without.tokens == 2 * GRID * GRID
    assert without.codes[1, 0, 0].tolist() == [1, 1, 0, 0]
    assert without.pictures["reassigned"].tolist() == [0, 2]
    # 153 becomes 128 (0.0) on two of sixteen squares.
    assert (without.reconstructions[1, :, :FACTOR, : 2 * FACTOR] == 128).all()
    expected = 10 * math.log10(255**2 / (25**2 * 2 / 16))
    assert without.pictures["psnr_db_after"].iloc[1] == pytest.approx(expected)
    assert without.pictures["change_db"].iloc[0] == 0
    assert without.change_db == pytest.approx((expected - without.pictures["psnr_db"].iloc[1]) / 2)


def test_the_encoding_is_left_alone(study: Study) -> None:
    encoding = study.encoding
    codes, reconstructions = encoding.codes.copy(), encoding.reconstructions.copy()
    turn_codes_off(study, [0, 2])
    np.testing.assert_array_equal(encoding.codes, codes)
    np.testing.assert_array_equal(encoding.reconstructions, reconstructions)


@pytest.mark.parametrize("codes", [[], [1]])
def test_codes_that_nobody_holds_change_nothing(study: Study, codes: list[int]) -> None:
    without = turn_codes_off(study, codes)
    assert without.reassigned == 0
    assert without.change_db == 0
    np.testing.assert_array_equal(without.reconstructions, study.encoding.reconstructions)


@pytest.mark.parametrize("method", methods_with_codes())
def test_every_method_gives_its_tokens_to_the_nearest_code_that_stays_on(method: str) -> None:
    tokenizer = method_tokenizer(method)
    study = study_of(tokenizer, noise_pictures(6))
    held = study.codes
    off = np.unique(held)[:3].tolist()
    without = turn_codes_off(study, off)
    lost = np.isin(held, off)
    after = Study(study.trained, replace(study.encoding, codes=without.codes)).codes
    np.testing.assert_array_equal(after[~lost], held[~lost])
    if study.quantizer.searches_greedily:
        assert not np.isin(after, off).any()
    else:
        distances = study.quantizer.distances(study.points)
        distances[:, off] = torch.inf
        np.testing.assert_array_equal(after, distances.argmin(1).numpy())
    assert without.reassigned == lost.sum() == (after != held).sum()


@pytest.mark.parametrize("config", OTHER_METRICS, ids=lambda config: config.method)
def test_nearest_is_the_methods_own(config: QuantizerConfig) -> None:
    study = study_of(config_tokenizer(config), noise_pictures(6))
    off = np.unique(study.codes)[:2].tolist()
    without = turn_codes_off(study, off)
    stays_on = np.setdiff1d(np.arange(study.quantizer.codebook_size), off)
    expected = study.quantizer.assign(study.points, allowed=torch.from_numpy(stays_on))
    lost = np.isin(study.codes, off)
    assert 0 < lost.sum() < lost.size
    np.testing.assert_array_equal(by_token(without.codes)[lost], expected.numpy()[lost])
    np.testing.assert_array_equal(by_token(without.codes)[~lost], by_token(study.encoding.codes)[~lost])


def by_token(codes: np.ndarray) -> np.ndarray:
    """[N, G, H, W] → [tokens, G]."""
    return codes.transpose(0, 2, 3, 1).reshape(-1, codes.shape[1])


def test_nonsense_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match="all 4 codes are turned off"):
        turn_codes_off(study, [0, 1, 2, 3])
    with pytest.raises(InputError, match="code 4 is outside"):
        turn_codes_off(study, [4])
    encoding = study.encoding
    nothing = Study(study.trained, replace(encoding, images=encoding.images[:0], codes=encoding.codes[:0]))
    with pytest.raises(InputError, match="0 pictures"):
        turn_codes_off(nothing, [0])
