"""Are centres told inside from outside, where it is known by construction which are?"""

from __future__ import annotations

import pytest
import torch

from lgq_explore.analysis.health.evidence import centre_places
from lgq_explore.errors import InputError


def gaussian(count: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_centres_put_far_away_are_outside_and_all_others_inside() -> None:
    tokens = gaussian(4000, 3, seed=0)
    codebook = gaussian(50, 3, seed=1)
    codebook[:7] += 100
    (row,) = centre_places(tokens, {10: codebook}).to_dict("records")
    assert row["codes"] == 50
    assert row["outside"] * 50 == pytest.approx(7)
    assert row["tokens"] == 2000
    assert row["spread"] == pytest.approx(3**0.5, rel=0.05)  # √(trace of the identity)
    assert row["distance"] == pytest.approx(100 * 3**0.5 / row["spread"], rel=0.05)


@pytest.mark.parametrize("width", [2, 128])
def test_centres_drawn_as_the_tokens_are_lie_inside_at_any_width(width: int) -> None:
    """At D = 128 all distances of a Gaussian are near √2 spreads: a reach of one spread would leave none inside."""
    places = centre_places(gaussian(2000, width, seed=0), {0: gaussian(500, width, seed=1)})
    assert places["outside"].item() < 0.05
    assert (places["reach"] > places["spread"]).item() == (width == 128)


def test_units_do_not_matter() -> None:
    tokens, codebook = gaussian(1000, 4, seed=0), 3 * gaussian(100, 4, seed=1)
    small, large = (centre_places(scale * tokens, {0: scale * codebook}).iloc[0] for scale in (1.0, 1000.0))
    assert 0 < small["outside"] == large["outside"]
    assert small["distance"] == pytest.approx(large["distance"], rel=1e-4)


def test_moves_are_those_of_the_centres_outside_since_the_first_snapshot() -> None:
    tokens, first = gaussian(1000, 2, seed=0), gaussian(10, 2, seed=1)
    last = first.clone()
    last[:4] += torch.tensor([300.0, 400.0])
    places = centre_places(tokens, {5: last, 0: first})
    assert places["step"].tolist() == [0, 5]
    assert places["outside"].tolist() == pytest.approx([0, 0.4])
    assert places["moved"].tolist() == pytest.approx([0, 500 / places["spread"].iloc[0]], rel=1e-5)


def test_latents_that_are_all_alike_leave_every_other_centre_outside() -> None:
    (row,) = centre_places(torch.ones(100, 2), {0: torch.tensor([[1.0, 1.0], [2.0, 1.0]])}).to_dict("records")
    assert (row["spread"], row["outside"]) == (0, 0.5)
    assert row["distance"] == pytest.approx(1)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(InputError, match="3 tokens and 1 codebooks"):
        centre_places(torch.zeros(3, 2), {0: torch.zeros(4, 2)})
    with pytest.raises(InputError, match="and 0 codebooks"):
        centre_places(torch.zeros(9, 2), {})
