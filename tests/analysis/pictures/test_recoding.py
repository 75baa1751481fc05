"""Does rounding to other codes give what a tokenizer with these codes would?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lgq_explore.analysis.pictures import recoded
from lgq_explore.errors import InputError
from lgq_explore.quantizers import SquaredEuclidean, nearest_codes
from tests.analysis.planted_tokenizer import (
    colour_tokenizer,
    method_tokenizer,
    methods_with_geometry,
    noise_pictures,
    study_of,
)


@pytest.mark.parametrize("method", methods_with_geometry())
def test_its_own_codes_change_nothing_where_the_nearest_by_euclid_is_found(method: str) -> None:
    tokenizer = method_tokenizer(method)
    study = study_of(tokenizer, noise_pictures(70))
    again = recoded(study, study.code_points)
    assert again.encoding.levels.tolist() == [tokenizer.quantizer.codebook_size]
    if not isinstance(tokenizer.quantizer.metric, SquaredEuclidean) or tokenizer.quantizer.searches_greedily:
        np.testing.assert_array_equal(again.codes, nearest_codes(study.points, study.code_points).numpy())
        return
    np.testing.assert_array_equal(again.codes, study.codes)
    np.testing.assert_array_equal(again.encoding.reconstructions, study.encoding.reconstructions)


def test_other_codes_are_those_of_a_tokenizer_that_has_them() -> None:
    colours = [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [0.0, 0.5, -0.5]]
    one, other = colour_tokenizer([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), colour_tokenizer(colours)
    pictures = noise_pictures(3)
    again = recoded(study_of(one, pictures), torch.tensor(colours))
    expected = study_of(other, pictures)
    np.testing.assert_array_equal(again.codes, expected.codes)
    np.testing.assert_array_equal(again.encoding.reconstructions, expected.encoding.reconstructions)


def test_it_is_a_study_of_its_own_that_encodes_to_what_it_holds() -> None:
    study = study_of(method_tokenizer("fsq"), noise_pictures(5))
    again = recoded(study, torch.randn(7, study.points.shape[1], generator=torch.Generator().manual_seed(0)))
    assert again.trained.digest != study.trained.digest
    fresh = study_of(again.tokenizer, study.encoding.images)
    np.testing.assert_array_equal(fresh.codes, again.codes)
    np.testing.assert_array_equal(fresh.encoding.reconstructions, again.encoding.reconstructions)
    torch.testing.assert_close(fresh.points, again.points)


@pytest.mark.parametrize("shape", [(8, 3), (8,), (1, 4)])
def test_a_codebook_of_another_width_is_refused(shape: tuple[int, ...]) -> None:
    tokenizer = method_tokenizer("vq")
    with pytest.raises(InputError, match=r"give \[K, 4\]"):
        recoded(study_of(tokenizer, noise_pictures(1)), torch.zeros(shape))
