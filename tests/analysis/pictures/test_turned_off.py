"""Do the tokens of codes that are off go to the runner-up, and do the pictures change as that says?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lgq_explore.analysis.code_space import code_points, token_points
from lgq_explore.analysis.pictures import turn_codes_off
from lgq_explore.analysis.usage.counts import token_codes
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.runs.encoding import Encoding
from tests.analysis.planted_tokenizer import (
    FACTOR,
    GRID,
    SIDE,
    colour_tokenizer,
    encoding_of,
    method_tokenizer,
    noise_pictures,
)

GREYS = colour_tokenizer([[level] * 3 for level in (-1.0, 0.0, 0.2, 1.0)])


@pytest.fixture
def encoding() -> Encoding:
    """A black picture, and another with two squares of code 2 (0.2, that is 153 of 255)."""
    images = np.zeros((2, 3, SIDE, SIDE), dtype=np.uint8)
    images[1, :, :FACTOR, : 2 * FACTOR] = 153
    return encoding_of(GREYS, images)


def test_the_planted_tokens_take_the_runner_up_and_cost_what_they_should(encoding: Encoding) -> None:
    without = turn_codes_off(GREYS, encoding, [2])
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


def test_the_encoding_is_left_alone(encoding: Encoding) -> None:
    codes, reconstructions = encoding.codes.copy(), encoding.reconstructions.copy()
    turn_codes_off(GREYS, encoding, [0, 2])
    np.testing.assert_array_equal(encoding.codes, codes)
    np.testing.assert_array_equal(encoding.reconstructions, reconstructions)


@pytest.mark.parametrize("codes", [[], [1]])
def test_codes_that_nobody_holds_change_nothing(encoding: Encoding, codes: list[int]) -> None:
    without = turn_codes_off(GREYS, encoding, codes)
    assert without.reassigned == 0
    assert without.change_db == 0
    np.testing.assert_array_equal(without.reconstructions, encoding.reconstructions)


@pytest.mark.parametrize("method", QUANTIZERS)
def test_every_method_gives_its_tokens_to_the_nearest_code_that_stays_on(method: str) -> None:
    tokenizer = method_tokenizer(method)
    encoding = encoding_of(tokenizer, noise_pictures(6))
    held = token_codes(encoding)
    off = np.unique(held)[:3].tolist()
    without = turn_codes_off(tokenizer, encoding, off)
    distances = torch.cdist(token_points(tokenizer.quantizer, encoding), code_points(tokenizer.quantizer))
    distances[:, off] = torch.inf
    after = token_codes(replace(encoding, codes=without.codes))
    np.testing.assert_array_equal(after.reshape(-1), distances.argmin(1).numpy())
    assert without.reassigned == np.isin(held, off).sum() == (after != held).sum()


def test_nonsense_is_refused(encoding: Encoding) -> None:
    with pytest.raises(InputError, match="all 4 codes are turned off"):
        turn_codes_off(GREYS, encoding, [0, 1, 2, 3])
    with pytest.raises(InputError, match="code 4 is outside"):
        turn_codes_off(GREYS, encoding, [4])
    with pytest.raises(InputError, match="encode with the same run"):
        turn_codes_off(method_tokenizer("vq"), encoding, [0])
    nothing = replace(encoding, images=encoding.images[:0])
    with pytest.raises(InputError, match="0 pictures"):
        turn_codes_off(GREYS, nothing, [0])
