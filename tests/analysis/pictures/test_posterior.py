"""Is a patch's posterior that of its distances, and does the runner-up change the picture there alone?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lgq_explore.analysis.pictures import posterior
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QuantizerConfig, SoftQuantizer, methods_with_codes, split_codes
from tests.analysis.planted_tokenizer import (
    FACTOR,
    GRID,
    SIDE,
    colour_tokenizer,
    config_tokenizer,
    method_tokenizer,
    study_of,
)
from tests.analysis.planted_tokenizer import noise_pictures as pictures
from tests.planted_methods.cosine import CosineConfig
from tests.planted_methods.dot_product import DotProductConfig

GREYS = colour_tokenizer([[level] * 3 for level in (-1.0, 0.0, 0.2, 1.0)])


def test_the_margin_and_the_runner_up_of_a_planted_patch() -> None:
    images = np.zeros((2, 3, SIDE, SIDE), dtype=np.uint8)
    images[1, :, FACTOR : 2 * FACTOR, :FACTOR] = 153  # 0.2, code 2; code 1 lies at 0
    found = posterior(study_of(GREYS, images), 1, 1, 0)
    assert (found.code, found.runner_up) == (2, 1)
    assert found.candidates["code"].tolist() == [2, 1, 3, 0]
    assert found.candidates["distance"].tolist() == pytest.approx([0, 0.12, 1.92, 4.32], abs=1e-6)
    assert found.margin == pytest.approx(0.12)
    assert found.largest_change == 153 - 128
    changed = (found.decoded != found.decoded_runner_up).any(axis=0)
    assert changed[FACTOR : 2 * FACTOR, :FACTOR].all()
    assert changed.sum() == FACTOR**2
    np.testing.assert_array_equal(found.picture, images[1])


def test_the_posterior_is_the_softmax_of_the_distances() -> None:
    tokenizer = method_tokenizer("lgq")
    study = study_of(tokenizer, pictures(2))
    found = posterior(study, 1, 2, 3, temperature=0.7, candidates=64)
    token = study.points[GRID * GRID + 2 * GRID + 3].double()
    squared = (study.code_points.double() - token).square().sum(1)
    expected = torch.softmax(-squared / 0.7, 0)[found.candidates["code"].tolist()]
    assert found.candidates["responsibility"].to_numpy() == pytest.approx(expected.numpy(), rel=1e-4)
    assert found.candidates["responsibility"].sum() == pytest.approx(1, rel=1e-5)
    assert found.candidates["responsibility"].is_monotonic_decreasing


@pytest.mark.parametrize("method", methods_with_codes())
def test_every_method_has_a_runner_up(method: str) -> None:
    tokenizer = method_tokenizer(method)
    study = study_of(tokenizer, pictures(2))
    found = posterior(study, 0, 1, 2)
    (held,) = split_codes(torch.tensor([[[found.code]]]), tokenizer.quantizer.levels)[..., 0, 0].tolist()
    assert held == study.encoding.codes[0, :, 1, 2].tolist()
    assert found.runner_up != found.code
    assert found.margin > 0
    np.testing.assert_array_equal(found.decoded, study.encoding.reconstructions[0])
    is_soft = isinstance(tokenizer.quantizer, SoftQuantizer)
    assert found.candidates["responsibility"].notna().all() == is_soft
    assert (found.temperature is not None) == is_soft


def test_the_runner_up_on_a_grid_differs_in_one_digit_by_one_step() -> None:
    tokenizer = method_tokenizer("fsq")
    found = posterior(study_of(tokenizer, pictures(2)), 1, 3, 3)
    both = split_codes(torch.tensor([[[found.code]], [[found.runner_up]]]), tokenizer.quantizer.levels)[:, :, 0, 0]
    assert (both[0] - both[1]).abs().sum() == 1


@pytest.mark.parametrize("config", [DotProductConfig(16), CosineConfig(16)], ids=lambda config: config.method)
def test_candidates_go_by_the_methods_own_metric(config: QuantizerConfig) -> None:
    study = study_of(config_tokenizer(config), pictures(2))
    token = study.points[GRID * GRID + 2 * GRID + 3]
    found = posterior(study, 1, 2, 3, candidates=16)
    distances = study.quantizer.distances(token[None].double())[0]
    assert found.metric == study.quantizer.metric.name
    assert found.candidates["code"].tolist() == distances.argsort().tolist()
    assert found.candidates["code"].tolist() != (study.code_points - token).norm(dim=1).argsort().tolist()
    assert found.candidates["distance"].to_numpy() == pytest.approx(distances.sort().values.numpy())
    assert found.margin >= 0


def test_nonsense_is_refused() -> None:
    study = study_of(GREYS, pictures(2))
    for place, told in (((2, 0, 0), "image 2 is outside 0 … 1"), ((0, -1, 0), "row -1"), ((0, 0, 4), "column 4")):
        with pytest.raises(InputError, match=told):
            posterior(study, *place)
    with pytest.raises(InputError, match="leave it out"):
        posterior(study, 0, 0, 0, temperature=1.0)
    with pytest.raises(InputError, match="candidates is 1"):
        posterior(study, 0, 0, 0, candidates=1)
    with pytest.raises(InputError, match="positive"):
        posterior(study_of(method_tokenizer("lgq"), pictures(1)), 0, 0, 0, temperature=0.0)
