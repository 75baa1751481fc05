"""Tests of codes by optimal transport against the plan of a whole table, and of what it shares out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import nearest_codes, transport
from lgq_explore.quantizers.transport import deviation_of_distances, transported_codes


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plan(tokens: Tensor, codebook: Tensor, sharpness: float, rounds: int) -> Tensor:
    """Q [N, K] after rounds of dividing the columns and then the rows by their sums, without logarithms."""
    distances = torch.cdist(tokens, codebook)
    table = torch.exp(-sharpness * (distances - distances.mean()) / distances.std())
    for _ in range(rounds):
        table = table / table.sum(0) / len(codebook)
        table = table / table.sum(1, keepdim=True) / len(tokens)
    return table


@pytest.mark.parametrize("rounds", [1, 5, 30])
@pytest.mark.parametrize("at_once", [2**20, 64])
def test_codes_are_those_of_the_plan(rounds: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transport.DISTANCES_AT_ONCE, "cpu", at_once)
    tokens, codebook = normal(200, 5), 0.3 * normal(24, 5, seed=1)
    codes = transported_codes(tokens, codebook, 10.0, rounds)
    assert torch.equal(codes, plan(tokens, codebook, 10.0, rounds).argmax(1))
    assert not torch.equal(codes, nearest_codes(tokens, codebook))
    deviation = deviation_of_distances(tokens, codebook)
    assert deviation.item() == pytest.approx(torch.cdist(tokens, codebook).std(correction=0).item(), rel=1e-12)


def test_without_a_round_the_code_is_the_nearest() -> None:
    tokens, codebook = normal(200, 5), normal(24, 5, seed=1)
    assert torch.equal(transported_codes(tokens, codebook, 10.0, 0), nearest_codes(tokens, codebook))


def test_two_codes_cut_the_tokens_at_their_median() -> None:
    """On a line between codes at −1 and 1, d₁ − d₂ = 2x: by transport, the half that is further left takes −1."""
    tokens, codebook = torch.linspace(0, 1, 40)[:, None] + 1e-3, torch.tensor([[-1.0], [1.0]])
    assert (nearest_codes(tokens, codebook) == 1).all()
    assert transported_codes(tokens, codebook, 10.0, 100).tolist() == [0] * 20 + [1] * 20


def test_codes_at_the_edge_of_all_tokens_are_taken_by_many() -> None:
    tokens, codebook = normal(512, 4), 2 + 0.5 * normal(16, 4, seed=1)
    nearest, shared = (
        torch.bincount(transported_codes(tokens, codebook, 10.0, rounds), minlength=16) for rounds in (0, 5)
    )
    assert nearest.max() > 512 / 4
    assert shared.max() < 512 / 4
    assert (nearest == 0).sum() > 4 > (shared == 0).sum()


def test_a_code_far_away_is_taken_where_the_exponentials_of_its_distances_vanish() -> None:
    far = torch.tensor([[60.0, 0]], dtype=torch.float64)
    tokens, codebook = normal(512, 2).float(), torch.cat([0.1 * normal(255, 2, seed=1), far]).float()
    logits = -10 * torch.cdist(tokens, codebook) / deviation_of_distances(tokens, codebook)
    assert (logits[:, -1].float().exp() == 0).all()
    assert (transported_codes(tokens, codebook, 10.0, 5) == 255).any()


def test_equal_tokens_and_codes_give_some_code() -> None:
    codes = transported_codes(torch.ones(7, 3), torch.ones(4, 3), 10.0, 5)
    assert ((codes >= 0) & (codes < 4)).all()
    assert math.isfinite(deviation_of_distances(torch.ones(7, 3), torch.ones(4, 3)).item())
