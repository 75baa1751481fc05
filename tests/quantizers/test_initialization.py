"""Tests of initial codebooks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import LGQConfig, VQConfig, initialization
from lgq_explore.quantizers.initialization import grid_levels, initial_codebook, tokens_needed
from lgq_explore.quantizers.nearest import nearest

FROM_TOKENS = ("random", "kmeans++", "kmeans")


def clustered_tokens(clusters: int = 40, each: int = 20, seed: int = 0) -> Tensor:
    """Tight clusters far apart [N, D=3], the first fifth of them holding three quarters of the tokens."""
    generator = torch.Generator().manual_seed(seed)
    centres = 100 * torch.randn(clusters, 3, generator=generator)
    large = clusters // 5
    sizes = [12 * each if cluster < large else each for cluster in range(clusters)]
    labels = torch.arange(clusters).repeat_interleave(torch.tensor(sizes))
    return centres[labels] + 0.1 * torch.randn(len(labels), 3, generator=generator)


def distortion(tokens: Tensor, codebook: Tensor) -> float:
    return nearest(tokens, codebook).squared_distances.mean().item()


def drawn(tokens: Tensor, size: int, how: str, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return initial_codebook(tokens, size, how)


@pytest.mark.parametrize("how", ["random", "kmeans++"])
@pytest.mark.parametrize("size", [1, 40, 600])  # 600: several draws a round
def test_codes_are_distinct_tokens(how: str, size: int) -> None:
    tokens = clustered_tokens()
    codebook = drawn(tokens, size, how)
    assert codebook.shape == (size, 3)
    assert len(codebook.unique(dim=0)) == size
    assert (codebook[:, None] == tokens[None]).all(2).any(1).all()
    assert codebook.data_ptr() != tokens.data_ptr()


def test_spread_seeds_find_clusters_that_random_ones_miss_and_lloyd_lowers_the_distortion() -> None:
    tokens = clustered_tokens()
    for seed in range(5):
        random, spread, settled = (distortion(tokens, drawn(tokens, 40, how, seed)) for how in FROM_TOKENS)
        assert spread < 0.1 * random
        assert settled < spread


def test_several_draws_a_round_are_spread_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = clustered_tokens()
    monkeypatch.setattr(initialization, "SEEDING_ROUNDS", 10)
    for seed in range(5):
        assert distortion(tokens, drawn(tokens, 40, "kmeans++", seed)) < 0.5 * distortion(
            tokens, drawn(tokens, 40, "random", seed)
        )


def test_a_token_is_drawn_once_even_where_rounding_hides_how_near_its_neighbours_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(initialization, "SEEDING_ROUNDS", 20)
    near = torch.arange(50)[:, None] * torch.tensor([[0.01, 0.0]])
    tokens = torch.cat([near, near + 1000])  # d² of neighbours 1e-4, its rounding 1e-2
    assert len(drawn(tokens, 100, "kmeans++").unique(dim=0)) == 100


def test_lloyd_keeps_the_means_of_separate_clusters() -> None:
    tokens = torch.tensor([[0.0, 0], [0, 2], [10, 0], [10, 2]])
    codebook = drawn(tokens, 2, "kmeans")
    assert sorted(codebook.tolist()) in ([[0.0, 1.0], [10.0, 1.0]], [[5.0, 0.0], [5.0, 2.0]])


def test_lloyd_stops_where_it_would_cost_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = clustered_tokens()
    monkeypatch.setattr(initialization, "LLOYD_DISTANCES", len(tokens) * 40 - 1)
    assert torch.equal(drawn(tokens, 40, "kmeans"), drawn(tokens, 40, "kmeans++"))


@pytest.mark.parametrize("how", FROM_TOKENS)
def test_duplicates_are_drawn_once_the_different_tokens_are_used_up(how: str) -> None:
    tokens = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).repeat(8, 1)
    codebook = drawn(tokens, 30, how)
    assert len(codebook.round(decimals=4).unique(dim=0)) == 5  # Lloyd's means of equal tokens are rounded


@pytest.mark.parametrize("how", FROM_TOKENS)
def test_as_many_tokens_as_codes_are_enough_and_fewer_are_not(how: str) -> None:
    tokens = clustered_tokens()[:50]
    assert len(drawn(tokens, 50, how)) == 50
    with pytest.raises(ValueError, match=r"50 tokens.*51 codes"):
        drawn(tokens, 51, how)
    assert tokens_needed(51) >= 51


@pytest.mark.parametrize("how", FROM_TOKENS)
def test_a_seed_repeats_its_draw_and_another_gives_another(how: str) -> None:
    tokens = clustered_tokens()
    assert torch.equal(drawn(tokens, 30, how, seed=1), drawn(tokens, 30, how, seed=1))
    assert not torch.equal(drawn(tokens, 30, how, seed=1), drawn(tokens, 30, how, seed=2))


def test_draws_without_replacement_follow_their_weights() -> None:
    """Each of two is drawn first with its share: 3 of 4 times for weights 3 and 1."""
    torch.manual_seed(0)
    weights = torch.tensor([3.0, 0.0, 1.0])
    first = [initialization._draw_without_replacement(weights, 1, None).item() for _ in range(4000)]
    assert first.count(0) / 4000 == pytest.approx(0.75, abs=0.03)
    assert first.count(1) == 0
    assert sorted(initialization._draw_without_replacement(weights, 2, None).tolist()) == [0, 2]


@pytest.mark.parametrize(
    ("size", "dim", "levels"),
    [
        (1024, 8, (8, 8, 4, 4)),
        (1000, 8, (8, 5, 5, 5)),
        (4375, 8, (7, 5, 5, 5, 5)),
        (1024, 2, (32, 32)),
        (64, 8, (8, 8)),
        (12, 8, (4, 3)),
        (125, 8, (5, 5, 5)),
        (7, 1, (7,)),
    ],
)
def test_a_grids_levels_multiply_to_the_codebook_size(size: int, dim: int, levels: tuple[int, ...]) -> None:
    assert grid_levels(size, dim) == levels
    assert math.prod(levels) == size


def test_a_grid_lies_evenly_along_the_principal_axes_with_the_variance_of_the_tokens() -> None:
    """Known: L evenly spaced places in (−√3σ, √3σ) have the variance σ² (1 − 1/L²)."""
    generator = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator))
    spread = torch.tensor([1.0, 4.0, 0.01, 2.0, 0.5])
    tokens = (torch.randn(50_000, 5, generator=generator) * spread) @ turn.T + 30
    levels = grid_levels(120, 5)
    assert levels == (12, 10)
    codebook = drawn(tokens, 120, "grid")
    along = ((codebook - tokens.mean(0)) @ turn).reshape(12, 10, 5)
    # The widest direction is the first axis; sampling leaves principal axes off by about a hundredth.
    assert along.std(0, correction=0)[:, 1].mean() == pytest.approx(4 * math.sqrt(1 - 1 / 12**2), rel=0.02)
    assert along.std(1, correction=0)[:, 3].mean() == pytest.approx(2 * math.sqrt(1 - 1 / 10**2), rel=0.02)
    assert along[..., [0, 2, 4]].abs().max() < 0.5
    for steps in (codebook.reshape(12, 10, 5).diff(dim=0), codebook.reshape(12, 10, 5).diff(dim=1)):
        assert steps == pytest.approx(np.broadcast_to(steps[0, 0], steps.shape), abs=1e-4)


@pytest.mark.parametrize("config", [LGQConfig, VQConfig])
def test_learned_codes_can_start_as_a_grid_and_know_it(config: Any) -> None:
    quantizer = config(codebook_size=12, initialization="grid").build(4)
    tokens = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    quantizer.initialize(tokens)
    (codebook,) = quantizer.codebooks()
    assert quantizer.lattice == (4, 3)
    assert codebook.reshape(4, 3, 4).diff(n=2, dim=0).abs().max() < 1e-5
    assert config(codebook_size=12).build(4).lattice == ()
    with pytest.raises(ValueError, match=r"^codebook_size is 1021: no even grid .* such as 1024$"):
        config(codebook_size=1021, initialization="grid")


def test_a_flat_cloud_gives_a_flat_grid() -> None:
    tokens = torch.randn(500, 1).repeat(1, 3)
    codebook = drawn(tokens, 12, "grid")
    assert codebook.isfinite().all()
    assert len(codebook.round(decimals=3).unique(dim=0)) == 4


@pytest.mark.parametrize(
    ("size", "how", "rounds"),
    [
        (5, "kmeans++", [(1, 4), (2, 4), (3, 4), (4, 4)]),
        (3, "kmeans", [(1, 2), (2, 2), *((finished, 10) for finished in range(1, 11))]),
        (600, "kmeans++", [(finished, 200) for finished in range(1, 201)]),
        (5, "random", []),
    ],
)
def test_each_round_is_told(size: int, how: str, rounds: list[tuple[int, int]]) -> None:
    told: list[tuple[int, int]] = []
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(700, 2, generator=generator)
    initial_codebook(tokens, size, how, generator, lambda finished, of: told.append((finished, of)))
    assert told == rounds


def test_what_a_round_s_listener_raises_ends_the_work() -> None:
    def stop(finished: int, rounds: int) -> None:
        raise StopIteration(finished)

    with pytest.raises(StopIteration, match="1"):
        initial_codebook(torch.randn(50, 2), 10, "kmeans++", None, stop)


def test_the_official_start_is_that_of_random_tokens_where_there_are_enough() -> None:
    tokens = clustered_tokens()
    assert torch.equal(drawn(tokens, 40, "official"), drawn(tokens, 40, "random"))


@pytest.mark.parametrize("size", [11, 20, 35])
def test_the_official_start_repeats_all_of_too_few_tokens_with_noise(size: int) -> None:
    tokens = 100 * torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    codebook = drawn(tokens, size, "official")
    found = nearest(codebook, tokens)
    counts = torch.bincount(found.codes, minlength=10)
    assert codebook.shape == (size, 3)
    assert counts.max() - counts.min() <= 1
    assert len(codebook.unique(dim=0)) == size
    spread = (codebook - tokens[found.codes]).square().mean().sqrt().item()
    assert spread == pytest.approx(initialization.OFFICIAL_NOISE, rel=0.5)


def test_the_official_start_takes_one_batch_of_any_size() -> None:
    assert tokens_needed(1024, "official") == 1
    for config in (LGQConfig(64, initialization="official"), VQConfig(64, initialization="official")):
        quantizer = config.build(3)
        quantizer.initialize(torch.randn(quantizer.init_tokens + 9, 3), torch.Generator().manual_seed(0))
        assert quantizer.codebooks()[0].isfinite().all()
