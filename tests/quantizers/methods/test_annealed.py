"""Tests of deterministic annealing: where codes coincide and part, and its distortion beside that of k-means."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import AnnealedConfig
from lgq_explore.quantizers.annealing import annealing, critical_temperature, settled
from lgq_explore.quantizers.initialization import initial_codebook, lloyd
from lgq_explore.quantizers.methods.annealed import Annealed
from lgq_explore.quantizers.nearest import nearest_codes
from tests.quantizers.methods.test_kmeans import distortion, mixture, seeded


def ellipse(tokens: int = 2000) -> Tensor:
    """[N, 2], ten away from the origin."""
    return torch.randn(tokens, 2, generator=seeded(0)) * torch.tensor([2.0, 0.7]) + 10


def fitted(tokens: Tensor, size: int, **settings: Any) -> Tensor:
    quantizer = AnnealedConfig(size, **settings).build(tokens.shape[1])
    assert isinstance(quantizer, Annealed)
    quantizer.fit(tokens, seeded(0))
    return quantizer.codebook


def at(tokens: Tensor, share_of_critical: float, size: int = 4) -> Tensor:
    """The centres at a share of τ_c, to which they have had time to move."""
    (state,) = annealing(tokens, size, [share_of_critical * critical_temperature(tokens)], 500, seeded(1))
    return state.centres


def test_all_codes_coincide_above_the_critical_temperature_and_part_below_it_along_the_longest_axis() -> None:
    tokens = ellipse()
    hot, cool = at(tokens, 1.05), at(tokens, 0.9)
    assert (hot - tokens.mean(0)).norm(dim=1).max() < 1e-2
    wide = cool - tokens.mean(0)
    assert wide[:, 0].abs().min() > 0.1
    assert wide[:, 0].abs().min() > 10 * wide[:, 1].abs().max()


def test_a_code_that_has_parted_parts_again_at_the_critical_temperature_of_its_cell() -> None:
    """Two round Gaussians far apart, of deviations 2 and 0.5: each splits at twice its own variance."""
    generator = seeded(0)
    wide, narrow = (scale * torch.randn(1500, 2, generator=generator) for scale in (2.0, 0.5))
    tokens = torch.cat([wide - 40, narrow + 40])
    own = critical_temperature(wide)
    temperatures = [critical_temperature(tokens), 100.0, 1.1 * own, 0.8 * own]
    before, after = list(annealing(tokens, 8, temperatures, 500, seeded(1)))[-2:]
    places = [{tuple(place) for place in state.centres.round().tolist()} for state in (before, after)]
    assert len(places[0]) == 2 < len(places[1])
    assert sum(place[0] > 0 for place in places[1]) == 1


def test_centres_at_rest_are_the_means_of_what_they_answer_for() -> None:
    tokens = ellipse(400).double()
    tokens -= tokens.mean(0)
    rest = settled(tokens, initial_codebook(tokens, 5, "random", seeded(0)), 0.8, 1e-9, 2000)
    assert rest.converged
    p = (-torch.cdist(tokens, rest.centres).square() / 0.8).softmax(1)
    torch.testing.assert_close((p.T @ tokens) / p.sum(0)[:, None], rest.centres, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_mixture_is_found_better_than_by_k_means_from_random_starts(seed: int) -> None:
    tokens = mixture(3000, 16, 4, 5.0, seed)
    starts = [initial_codebook(tokens, 16, "random", seeded(start)) for start in range(5)]
    codes = fitted(tokens, 16, iterations=10)
    assert distortion(tokens, codes) < min(distortion(tokens, lloyd(tokens, start, 100)) for start in starts)
    assert nearest_codes(tokens, codes).unique().numel() == 16


def test_the_temperatures_do_the_work_and_not_the_rounds_at_the_end() -> None:
    tokens = mixture(3000, 16, 4, 5.0)
    quenched = fitted(tokens, 16, coldest=0.99, iterations=1)
    assert distortion(tokens, fitted(tokens, 16, iterations=10)) < 0.9 * distortion(tokens, quenched)


def test_temperatures_fall_evenly_from_the_critical_one() -> None:
    temperatures = AnnealedConfig(cooling=0.5, coldest=0.1).temperatures_from(8.0)
    assert temperatures == [8, 4, 2, 1, 0.5]
    assert all(
        later == pytest.approx(0.9 * earlier) for earlier, later in pairwise(AnnealedConfig().temperatures_from(1))
    )


def test_equal_tokens_have_one_centre() -> None:
    codes = fitted(torch.full((20, 3), 7.0), 4)
    assert torch.equal(codes, torch.full((4, 3), 7.0))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"cooling": 1.0}, r"cooling is 1\.0: give a share between 0 and 1"),
        ({"coldest": 0.0}, r"coldest is 0\.0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"rounds": -1}, "rounds is -1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        AnnealedConfig(**settings)
