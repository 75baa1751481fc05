"""Tests of the nearest-code search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import nearest_codes
from lgq_explore.quantizers.nearest import nearest, sums_by_code
from lgq_explore.quantizers.soft_assignment import tiles


def random_data(dtype: torch.dtype = torch.float64, offset: float = 0.0) -> tuple[Tensor, Tensor]:
    """Tokens [N=300, D=6] and a codebook [K=40, D=6] about `offset`."""
    generator = torch.Generator().manual_seed(0)
    tokens, codebook = (torch.randn(rows, 6, generator=generator, dtype=dtype) for rows in (300, 40))
    return tokens + offset, codebook + offset


def squared_distances(tokens: Tensor, codebook: Tensor) -> Tensor:
    """All of them [N, K], in float64 and without the shortcut."""
    return (tokens.double()[:, None] - codebook.double()[None]).square().sum(2)


@pytest.mark.parametrize("tile_elements", [1, 100, 2**20])
def test_is_the_smallest_of_all_distances(monkeypatch: pytest.MonkeyPatch, tile_elements: int) -> None:
    monkeypatch.setitem(tiles.TILE_ELEMENTS, "cpu", tile_elements)
    monkeypatch.setattr(tiles, "FEWEST_ROWS", 1)
    tokens, codebook = random_data()
    distances, codes = squared_distances(tokens, codebook).min(1)
    found = nearest(tokens, codebook)
    assert torch.equal(found.codes, codes)
    torch.testing.assert_close(found.squared_distances, distances, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_an_offset_common_to_all_flips_no_code_of_clear_margin(offset: float) -> None:
    tokens, codebook = random_data(torch.float32, offset)
    distances = squared_distances(tokens, codebook)
    smallest, second = distances.topk(2, largest=False).values.T
    clear = (second - smallest) > 1e-5 * smallest
    assert clear.double().mean() > 0.99
    assert torch.equal(nearest_codes(tokens, codebook)[clear], distances.argmin(1)[clear])


def test_ties_go_to_the_lowest_index() -> None:
    codebook = torch.tensor([[2.0, 0], [-2, 0], [0, 2], [2, 0]])
    tokens = torch.tensor([[0.0, 0], [2, 0], [0, 1], [-1, -1]])
    assert nearest_codes(tokens, codebook).tolist() == [0, 0, 2, 1]


def test_a_token_on_its_code_is_at_distance_zero_and_never_below() -> None:
    _, codebook = random_data(torch.float32, offset=100.0)
    found = nearest(codebook, codebook)
    assert torch.equal(found.codes, torch.arange(40))
    assert found.squared_distances.min() >= 0
    assert found.squared_distances.max() < 1e-5


def test_bfloat16_autocast_and_inputs_are_computed_in_float32() -> None:
    tokens, codebook = random_data(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(nearest_codes(tokens, codebook), nearest_codes(*random_data(torch.float32)))
    rounded = tokens.bfloat16()
    assert nearest(rounded, codebook).squared_distances.dtype == torch.float32
    assert torch.equal(nearest_codes(rounded, codebook), nearest_codes(rounded.float(), codebook))


def test_has_no_gradient() -> None:
    tokens, codebook = random_data()
    assert not nearest(tokens.requires_grad_(), codebook.requires_grad_()).squared_distances.requires_grad


def test_tokens_are_summed_by_code() -> None:
    tokens, codes = random_data()[0], torch.arange(300) % 7
    sums = sums_by_code(tokens, codes, 8)
    expected = torch.stack([tokens[codes == code].sum(0) for code in range(8)])
    torch.testing.assert_close(sums, expected)
    in_order = torch.zeros(8, 6, dtype=tokens.dtype).index_add_(0, codes, tokens)
    assert torch.equal(sums, in_order), "runs on a CPU would no longer end with the same weights"


@pytest.mark.gpu
def test_a_gpu_gives_the_same_sums_each_time() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, codes = torch.randn(2**16, 8, generator=generator), torch.randint(64, (2**16,), generator=generator)
    first, *others = (sums_by_code(tokens.cuda(), codes.cuda(), 64) for _ in range(5))
    assert all(torch.equal(first, other) for other in others)
    torch.testing.assert_close(first.cpu().double(), sums_by_code(tokens.double(), codes, 64), rtol=0, atol=1e-2)
