"""Is each planted loss found at its token, and shared out to its code?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lgq_explore.analysis.pictures import distortion, token_table
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import FACTOR, GRID, colour_tokenizer, noise_pictures, study_of

GREY, WHITE = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
TOKENIZER = colour_tokenizer([GREY, WHITE])


@pytest.fixture
def study() -> Study:
    """Two white pictures; in the second, at token (1, 2), a latent that is 0.1 off and a pixel that is 3 off."""
    made = study_of(TOKENIZER, np.full((2, 3, 16, 16), 255, dtype=np.uint8))
    made.encoding.latents[1, 0, 1, 2] -= 0.1
    made.encoding.reconstructions[1, 2, 1 * FACTOR + 3, 2 * FACTOR] -= 3
    return made


def test_what_is_lost_is_found_at_its_token(study: Study) -> None:
    tokens = token_table(study)
    assert len(tokens) == 2 * GRID * GRID
    place = GRID * GRID + 1 * GRID + 2
    assert tokens.loc[place, ["image", "row", "column", "code"]].tolist() == [1, 1, 2, 1]
    assert tokens.loc[place, "squared_distance"] == pytest.approx(0.01, rel=1e-5)
    assert tokens.loc[place, "pixel_error"] == 9
    others = tokens.drop(place)
    assert (others[["squared_distance", "pixel_error"]] == 0).all(axis=None)


def test_the_pixel_errors_add_up_to_those_of_the_pictures() -> None:
    study = study_of(TOKENIZER, noise_pictures(3))
    encoding = study.encoding
    lost = np.square(encoding.images.astype(float) - encoding.reconstructions).sum()
    assert token_table(study)["pixel_error"].sum() == lost > 0


def test_shares_of_planted_losses_are_known() -> None:
    tokens = pd.DataFrame(
        {"code": [0, 0, 2, 2], "squared_distance": [1.0, 2.0, 3.0, 4.0], "pixel_error": [0, 0, 5, 15]}
    )
    shares = distortion(tokens, 4)
    assert shares["code"].tolist() == [0, 1, 2, 3]
    assert shares["count"].tolist() == [2, 0, 2, 0]
    assert shares["token_share"].tolist() == [0.5, 0, 0.5, 0]
    assert shares["quantization_error_share"].tolist() == pytest.approx([0.3, 0, 0.7, 0])
    assert shares["pixel_error_share"].tolist() == [0, 0, 1, 0]


def test_where_nothing_is_lost_all_shares_are_0() -> None:
    tokens = pd.DataFrame({"code": [0, 1], "squared_distance": [0.0, 0.0], "pixel_error": [0, 0]})
    assert (distortion(tokens, 2)["pixel_error_share"] == 0).all()


def test_nonsense_is_refused(study: Study) -> None:
    tokens = token_table(study)
    with pytest.raises(InputError, match="code 1 is outside 0 … 0"):
        distortion(tokens, 1)
    with pytest.raises(InputError, match="0 tokens"):
        distortion(tokens.head(0), 2)
    with pytest.raises(InputError, match=r"lacks pixel_error: give one of analysis\.pictures\.token_table"):
        distortion(tokens.drop(columns="pixel_error"), 2)
    with pytest.raises(InputError, match="15 pixels"):
        token_table(Study(study.trained, replace(study.encoding, images=study.encoding.images[..., :15, :15])))
