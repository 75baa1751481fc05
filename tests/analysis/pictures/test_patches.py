"""Do the patches of a code hold that code, and are their means and the decoded code those planted?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.pictures import code_patches, token_table
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import FACTOR, colour_tokenizer, noise_pictures, study_of

BLACK, WHITE, RED = [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [1.0, -1.0, -1.0]
NEVER = [9.0, 9.0, 9.0]
TOKENIZER = colour_tokenizer([BLACK, WHITE, RED, NEVER])


@pytest.fixture
def study() -> Study:
    """Black pictures with two reddish squares: 200 in the first picture's corner, 240 inside the second."""
    images = np.zeros((2, 3, 16, 16), dtype=np.uint8)
    images[0, 0, :FACTOR, :FACTOR] = 200
    images[1, 0, FACTOR : 2 * FACTOR, 2 * FACTOR : 3 * FACTOR] = 240
    return study_of(TOKENIZER, images)


def test_the_planted_patches_are_found_with_what_lies_around(study: Study) -> None:
    tokens = token_table(study)
    red = code_patches(study, tokens, 2, reach=1)
    assert red.count == 2
    assert red.tokens[["image", "row", "column"]].to_numpy().tolist() == [[0, 0, 0], [1, 1, 2]]
    np.testing.assert_array_equal(red.patches[1], study.encoding.images[1, :, 3:9, 7:13])
    np.testing.assert_array_equal(red.patches[0][:, 1:, 1:], study.encoding.images[0, :, :5, :5])
    assert (red.patches[0][:, 0, :] == 255).all(), "beyond the picture's edge it is white"
    assert (red.patches[0][:, :, 0] == 255).all()
    assert red.inside[1].all()
    assert red.inside[0].tolist() == [[False] * 6] + [[False] + [True] * 5] * 5


def test_means_are_over_all_tokens_that_have_the_pixel(study: Study) -> None:
    tokens = token_table(study)
    red = code_patches(study, tokens, 2, reach=1, most=1)
    assert len(red.patches) == 1
    assert red.mean_input is not None
    assert red.mean_reconstruction is not None
    assert (red.mean_input[0, 1:-1, 1:-1] == 220).all()
    assert (red.mean_input[:, 0, 0] == 0).all(), "only the second patch has that pixel, and there it is black"
    assert red.mean_reconstruction[:, 2, 2].tolist() == [255, 0, 0]


def test_a_code_alone_is_the_decoders_picture_of_it(study: Study) -> None:
    tokens = token_table(study)
    red = code_patches(study, tokens, 2, reach=3)
    assert red.alone.shape == (3, FACTOR + 6, FACTOR + 6)
    assert red.alone[:, 0, 0].tolist() == [255, 0, 0]


def test_a_dead_code_has_no_patches_and_is_still_decoded(study: Study) -> None:
    dead = code_patches(study, token_table(study), 3)
    assert dead.count == len(dead.tokens) == len(dead.patches) == 0
    assert dead.mean_input is dead.mean_reconstruction is None
    assert (dead.alone == 255).all()


def test_patches_shown_are_spread_over_all_that_hold_the_code() -> None:
    study = study_of(TOKENIZER, noise_pictures(20))
    tokens = token_table(study)
    shown = code_patches(study, tokens, 0, most=5)
    assert len(shown.patches) == 5 < shown.count == (tokens["code"] == 0).sum()
    assert shown.tokens["image"].iloc[0] < 4
    assert shown.tokens["image"].iloc[-1] > 15
    for patch, token in zip(shown.patches, shown.tokens.itertuples(), strict=True):
        assert study.encoding.codes[token.image, 0, token.row, token.column] == 0
        y, x = token.row * FACTOR, token.column * FACTOR
        np.testing.assert_array_equal(patch, study.encoding.images[token.image, :, y : y + FACTOR, x : x + FACTOR])


def test_nonsense_is_refused(study: Study) -> None:
    tokens = token_table(study)
    with pytest.raises(InputError, match="code 4 is outside"):
        code_patches(study, tokens, 4)
    with pytest.raises(InputError, match="reach is -1"):
        code_patches(study, tokens, 2, reach=-1)
    with pytest.raises(InputError, match="most is 0"):
        code_patches(study, tokens, 2, most=0)
