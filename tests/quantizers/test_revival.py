"""Tests of the revival of dead codes, and of the pull on codes to the means of their cells."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import LGQConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.mixture import Mixture
from lgq_explore.quantizers.revival import FEWEST_STEPS, REVIVE_BELOW, Revival

DIM = 3


def tokens_in_two_places(near: int = 500, far: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.cat(
        [0.1 * torch.randn(near, DIM, generator=generator), 10 + torch.rand(far, DIM, generator=generator)]
    )


def half_dead(size: int) -> tuple[Revival, Tensor]:
    """Codes of which the second half lie far away, and have not been used."""
    revival, centres = Revival(size), 0.1 * torch.randn(size, DIM, generator=torch.Generator().manual_seed(1))
    centres[size // 2 :] -= 1000
    revival.shares[size // 2 :] = 0
    return revival, centres


def revive(revival: Revival, centres: Tensor, tokens: Tensor) -> None:
    revival.revive(centres, tokens, Mixture(centres))


def test_dead_codes_begin_anew_at_tokens_and_living_ones_stay() -> None:
    tokens = tokens_in_two_places()
    revival, centres = half_dead(8)
    before = centres.clone()
    for _ in range(4):  # one a step
        revive(revival, centres, tokens)
    assert torch.equal(centres[:4], before[:4])
    assert torch.cdist(centres[4:], tokens).min(1).values.max() == 0
    assert revival.shares[4:].min() > REVIVE_BELOW / 8


def test_draws_are_in_proportion_to_squared_distances() -> None:
    """Twenty tokens far from all codes hold nearly all of the squared distance: the first draw is one of them."""
    tokens = tokens_in_two_places()
    for first_step in range(20):
        revival, centres = half_dead(8)
        revival.steps.finished = first_step
        revive(revival, centres, tokens)
        assert centres[4].min() > 9


def test_draws_of_later_steps_see_the_earlier_ones() -> None:
    """A token that holds a code is not drawn again: its distance is 0."""
    tokens = torch.cat([torch.zeros(100, DIM), torch.eye(DIM), 2 * torch.eye(DIM)])
    revival, centres = Revival(8), torch.zeros(8, DIM)
    centres[1:] -= 1000
    revival.shares[1:] = 0
    for _ in range(6):
        revive(revival, centres, tokens)
    assert len(centres[1:7].unique(dim=0)) == 6


def test_no_more_are_revived_in_a_step_than_its_share() -> None:
    size = 4 * FEWEST_STEPS
    revival, centres = half_dead(size)
    before = centres.clone()
    revive(revival, centres, tokens_in_two_places())
    assert int((centres != before).any(1).sum()) == 4


def test_codes_in_use_are_never_touched() -> None:
    tokens = torch.randn(400, DIM)
    revival, centres = Revival(8), tokens[:8].clone()
    for _ in range(300):
        revive(revival, centres, tokens)
    assert torch.equal(centres, tokens[:8])


def lgq(revival: float = 0.0, cell_means: float = 0.0) -> LGQ:
    config = LGQConfig(16, norm="none", revival=revival, cell_means=cell_means)
    return config.build(DIM, torch.Generator().manual_seed(0)).double()


def test_training_revives_in_its_first_part_only() -> None:
    latents = torch.randn(2, DIM, 6, 6, dtype=torch.float64)
    for progress, is_revived in ((0.0, True), (0.69, True), (0.7, False), (1.0, False)):
        quantizer = lgq(revival=0.7)
        with torch.no_grad():
            quantizer.centres[5:] += 1000
        quantizer.revival.shares[5:] = 0
        quantizer.anneal(progress)
        quantizer(latents)
        assert bool((quantizer.centres[5] < 500).all()) is is_revived


def test_what_was_counted_is_saved() -> None:
    quantizer, other = lgq(revival=0.7), lgq(revival=0.7)
    latents = torch.randn(2, DIM, 6, 6, dtype=torch.float64)
    for _ in range(3):
        quantizer(latents)
    other.load_state_dict(quantizer.state_dict())
    assert other.revival.steps.finished == 3
    assert torch.equal(other.revival.shares, quantizer.revival.shares)
    assert not [name for name in lgq().state_dict() if "revival" in name]


def test_the_pull_moves_codes_to_the_means_of_their_cells() -> None:
    """Its gradient in c_k is 2 n_k/(N D) (c_k − mean of cell k), and nothing for other codes or tokens."""
    latents = torch.randn(2, DIM, 6, 6, dtype=torch.float64).requires_grad_()
    pulled, plain = lgq(cell_means=0.5), lgq()
    difference = pulled(latents).losses["quantization"] - plain(latents).losses["quantization"]
    of_latents, of_centres = torch.autograd.grad(difference, [latents, pulled.centres], retain_graph=True)
    other = torch.autograd.grad(plain(latents).losses["quantization"], plain.centres)[0]
    tokens = latents.detach().movedim(1, -1).flatten(0, -2)
    codes = pulled.assign(tokens)[:, 0]
    expected = torch.zeros_like(of_centres)
    for code in codes.unique():
        cell = tokens[codes == code]
        expected[code] = 0.5 * 2 * len(cell) / tokens.numel() * (pulled.centres[code].detach() - cell.mean(0))
    torch.testing.assert_close(of_centres - other, expected)
    assert of_latents.abs().max() < 1e-12


def test_shares_out_of_range_are_named() -> None:
    for field, value in (("revival", 1.5), ("cell_means", -1.0)):
        with pytest.raises(ValueError, match=f"{field} is {value!r}"):
            LGQConfig(**{field: value})
