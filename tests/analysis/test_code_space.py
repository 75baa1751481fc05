"""Is a token's code the nearest of the points, whatever the method?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lgq_explore.analysis.code_space import checked_codes, code_points, token_points
from lgq_explore.analysis.usage.counts import token_codes
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS, FSQConfig
from tests.analysis.planted_tokenizer import encoding_of, method_tokenizer, noise_pictures


@pytest.mark.parametrize("method", QUANTIZERS)
def test_the_nearest_point_is_the_code_that_every_method_chooses(method: str) -> None:
    tokenizer = method_tokenizer(method)
    encoding = encoding_of(tokenizer, noise_pictures(6))
    points = code_points(tokenizer.quantizer)
    assert len(points) == tokenizer.quantizer.codebook_size
    nearest = torch.cdist(token_points(tokenizer.quantizer, encoding), points).argmin(1)
    np.testing.assert_array_equal(nearest.numpy(), token_codes(encoding).reshape(-1))


def test_points_of_a_grid_stand_at_their_joint_codes() -> None:
    points = code_points(FSQConfig(levels=(3, 5)).build(4))
    assert points[0].tolist() == [-1, -1]
    assert points[1].tolist() == [-1, -0.5]
    assert points[1 * 5 + 2].tolist() == [0, 0]
    assert points[14].tolist() == [1, 1]


def test_more_codes_than_can_be_listed_are_refused() -> None:
    with pytest.raises(InputError, match="at most 4,194,304"):
        code_points(FSQConfig(levels=(8,) * 8).build(4))


def test_an_encoding_of_another_run_is_refused() -> None:
    tokenizer = method_tokenizer("vq")
    encoding = encoding_of(tokenizer, noise_pictures(1))
    with pytest.raises(InputError, match="encode with the same run"):
        token_points(method_tokenizer("vq", size=32).quantizer, encoding)
    with pytest.raises(InputError, match="latents of width 2"):
        token_points(tokenizer.quantizer, replace(encoding, latents=encoding.latents[:, :2]))


def test_codes_are_listed_once_and_in_order() -> None:
    assert checked_codes([7, 3, 7], 8) == [3, 7]
    assert checked_codes([], 8) == []
    for code in (-1, 8):
        with pytest.raises(InputError, match=f"code {code} is outside 0 … 7"):
            checked_codes([3, code], 8)
