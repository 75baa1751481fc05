"""Does rounding to other codes give what a tokenizer with these codes would?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lgq_explore.analysis.code_space import code_points
from lgq_explore.analysis.pictures import recoded
from lgq_explore.analysis.usage.counts import token_codes
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS
from tests.analysis.planted_tokenizer import colour_tokenizer, encoding_of, method_tokenizer, noise_pictures


@pytest.mark.parametrize("method", QUANTIZERS)
def test_its_own_codes_change_nothing(method: str) -> None:
    tokenizer = method_tokenizer(method)
    encoding = encoding_of(tokenizer, noise_pictures(70))
    again = recoded(tokenizer, encoding, code_points(tokenizer.quantizer))
    np.testing.assert_array_equal(token_codes(again), token_codes(encoding))
    np.testing.assert_array_equal(again.reconstructions, encoding.reconstructions)
    assert again.levels.tolist() == [tokenizer.quantizer.codebook_size]


def test_other_codes_are_those_of_a_tokenizer_that_has_them() -> None:
    colours = [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [0.0, 0.5, -0.5]]
    one, other = colour_tokenizer([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), colour_tokenizer(colours)
    pictures = noise_pictures(3)
    again = recoded(one, encoding_of(one, pictures), torch.tensor(colours))
    expected = encoding_of(other, pictures)
    np.testing.assert_array_equal(again.codes, expected.codes)
    np.testing.assert_array_equal(again.reconstructions, expected.reconstructions)


@pytest.mark.parametrize("shape", [(8, 3), (8,), (1, 4)])
def test_a_codebook_of_another_width_is_refused(shape: tuple[int, ...]) -> None:
    tokenizer = method_tokenizer("vq")
    with pytest.raises(InputError, match=r"give \[K, 4\]"):
        recoded(tokenizer, encoding_of(tokenizer, noise_pictures(1)), torch.zeros(shape))
