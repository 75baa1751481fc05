"""Is the reach of a convolution found, and do pixels count that no convolution would reach?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lgq_explore.analysis.pictures import reach_holding, receptive_field
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import VQConfig
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import FACTOR, GRID, Painter, colour_tokenizer, noise_pictures, study_of


def wide_tokenizer(weight: float = 1.0) -> Tokenizer:
    """Each latent sums its own 4 × 4 pixels and the two rings around them, all alike."""
    encoder = nn.Conv2d(3, 3, FACTOR + 4, stride=FACTOR, padding=2, bias=False)
    with torch.no_grad():
        encoder.weight.fill_(weight)
    return Tokenizer(encoder, VQConfig(codebook_size=4).build(3), Painter()).eval()


@pytest.fixture
def study() -> Study:
    return study_of(wide_tokenizer(), noise_pictures(3))


def test_a_convolution_reaches_as_far_as_its_kernel(study: Study) -> None:
    field = receptive_field(study, tokens=20)
    assert field["side"].tolist()[:3] == [FACTOR, FACTOR + 2, FACTOR + 4]
    assert reach_holding(field, 1.0) == 2
    assert field["share"].iloc[1] < 0.99
    assert field["share"].iloc[2:].to_numpy() == pytest.approx(1)


def test_the_share_of_a_token_in_the_corner_is_known(study: Study) -> None:
    field = receptive_field(study, tokens=1)
    # Of the corner's 6 × 6 pixels inside the picture, all with one weight, 16 are its own and 25 within one pixel.
    assert field["share"].tolist()[:3] == pytest.approx([16 / 36, 25 / 36, 1])


def test_a_token_of_its_own_pixels_reaches_no_others() -> None:
    tokenizer = colour_tokenizer([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    field = receptive_field(study_of(tokenizer, noise_pictures(2)))
    assert field["share"].to_numpy() == pytest.approx(1)
    assert reach_holding(field) == 0


def test_the_backbone_sees_beyond_its_convolutions_and_is_left_as_it_was() -> None:
    tokenizer = build_tokenizer(BackboneConfig(channels=(8, 8, 8)), VQConfig(codebook_size=16), seed=0).eval()
    study = study_of(tokenizer, np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8))
    field = receptive_field(study, tokens=8)
    assert field["share"].is_monotonic_increasing
    assert len(field) > 20, "attention and group statistics reach the far edge"
    assert all(parameter.grad is None for parameter in tokenizer.parameters())
    assert field.equals(receptive_field(study, tokens=8)), "the signs are seeded"


def test_nonsense_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match="tokens is 0"):
        receptive_field(study, tokens=0)
    with pytest.raises(InputError, match="no pixel moves"):
        receptive_field(study_of(wide_tokenizer(weight=0.0), noise_pictures(3)))
    field = receptive_field(study)
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="share is"):
            reach_holding(field, share)
    assert study.encoding.codes.shape[-1] == GRID
