"""Are planted twins found, and nothing else?"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from lgq_explore.analysis.geometry import distinct_codes, twins, twins_of_codes
from lgq_explore.analysis.geometry.twins import TWIN_SHARE
from tests.analysis.planted_tokenizer import colour_tokenizer, noise_pictures, study_of


def test_groups_are_those_joined_by_steps_within_the_tolerance() -> None:
    # 0, 2 and 4 are a chain, 1 and 5 a pair, and 3 is alone.
    codes = torch.tensor([[0.0], [10.0], [0.9], [5.0], [1.8], [10.5]])
    found = twins_of_codes(codes, 1.0)
    assert found["group"].tolist() == [0, 1, 0, 3, 0, 1]
    assert found["group_size"].tolist() == [3, 2, 3, 1, 3, 2]
    assert found["nearest"].tolist() == [2, 5, 0, 4, 2, 1]
    assert found["distance"].tolist() == pytest.approx([0.9, 0.5, 0.9, 3.2, 0.9, 0.5], rel=1e-6)
    assert distinct_codes(found) == 3


@pytest.mark.parametrize("copies", [1, 2, 8])
def test_repeated_codes_are_as_many_as_there_were(copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module(twins.__module__), "PAIRS_AT_ONCE", 1000)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(50, 16, generator=generator)
    repeated = codes.repeat(copies, 1) + 0.01 * torch.randn(50 * copies, 16, generator=generator)
    found = twins_of_codes(repeated, 0.3)
    assert distinct_codes(found) == 50
    assert found["group_size"].unique().tolist() == [copies]
    assert np.array_equal(found["group"], np.tile(np.arange(50), copies))


def test_none_are_twins_at_hardly_any_tolerance_but_those_that_coincide() -> None:
    codes = torch.tensor([[0.0, 1.0], [1e-5, 1.0], [0.0, 1.0]])
    assert twins_of_codes(codes, 1e-6)["group"].tolist() == [0, 1, 0]


def test_the_tolerance_is_a_share_of_the_distance_of_tokens_from_their_codes() -> None:
    study = study_of(colour_tokenizer([[place, 0.0, 0.0] for place in (0.0, 0.001, 3.0, 7.0)]), noise_pictures(1))
    found = twins(study)
    error = (study.points - study.code_points[torch.from_numpy(study.codes)]).double().square().sum(1).mean().sqrt()
    assert found["tolerance"].iloc[0] == pytest.approx(TWIN_SHARE * error.item(), rel=1e-6)
    assert found["group"].tolist() == [0, 0, 2, 3]
    assert found["count"].sum() == found["tokens"].iloc[0] == len(study.points)
