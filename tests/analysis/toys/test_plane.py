"""Are the fields of a plane the method's own cells, and the responsibilities of its codes?"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lgq_explore.analysis.toys import (
    ToySetting,
    ToyView,
    fit_toy,
    hard_codes,
    plane_around,
    plane_codes,
    plane_responsibilities,
    soft_codes,
    soft_numbers,
    toy_tokens,
)
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig, VQGradientConfig, nearest_codes
from lgq_explore.training.fit import fit_quantizer

CORNERS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def test_a_plane_is_a_square_around_all_points() -> None:
    plane = plane_around(np.array([[0.0, 0.0], [4.0, 2.0]]), pixels=10)
    assert plane.shape == (10, 10)
    assert (plane.centres_x[0] + plane.centres_x[-1]) / 2 == pytest.approx(2)
    assert (plane.centres_y[0] + plane.centres_y[-1]) / 2 == pytest.approx(1)
    assert np.diff(plane.centres_x) == pytest.approx(np.diff(plane.centres_y))
    assert np.diff(plane.centres_x)[0] * 10 == pytest.approx(4 * 1.16)
    assert plane.tokens[1].tolist() == [plane.centres_x[1], plane.centres_y[0]]


def test_the_cells_of_a_vector_method_are_those_of_its_nearest_codes() -> None:
    fitted = fit_quantizer(VQGradientConfig(codebook_size=5), toy_tokens("spiral"), steps=20)
    plane = plane_around(toy_tokens("spiral"), pixels=40)
    expected = nearest_codes(plane.tokens.float(), fitted.codebook).numpy().reshape(40, 40)
    assert (plane_codes(fitted.quantizer, plane) == expected).mean() > 0.999


def test_the_cells_of_a_grid_are_bands_of_its_projections() -> None:
    quantizer = fit_quantizer(FSQConfig((3, 3)), toy_tokens("square"), steps=50).quantizer
    plane = plane_around(toy_tokens("square"), pixels=40)
    with torch.no_grad():
        projected = quantizer.project_in(plane.tokens.float())
    digits = (1.001 * torch.tanh(projected)).round().long() + 1
    assert (plane_codes(quantizer, plane).ravel() == (3 * digits[:, 0] + digits[:, 1]).numpy()).all()


def test_responsibilities_are_the_softmax_of_squared_distances() -> None:
    plane = plane_around(CORNERS, pixels=5)
    shared = plane_responsibilities(CORNERS, plane, temperature=0.7)
    distances = ((plane.tokens.numpy()[:, None] - CORNERS.numpy()[None]) ** 2).sum(2)
    expected = np.exp(-distances / 0.7) / np.exp(-distances / 0.7).sum(1, keepdims=True)
    assert shared.reshape(25, 4) == pytest.approx(expected, abs=1e-6)
    assert shared[2, 2] == pytest.approx([0.25] * 4, abs=1e-6)


def test_codes_are_counted_and_the_dead_are_marked() -> None:
    tokens = CORNERS[:3].repeat(10, 1)
    quantizer = fit_quantizer(VQGradientConfig(codebook_size=4), CORNERS.repeat(10, 1), steps=0).quantizer
    frame = hard_codes(quantizer, tokens)
    assert sorted(frame["count"]) == [0, 10, 10, 10]
    assert frame["dead"].tolist() == (frame["count"] == 0).tolist()
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["together"].tolist() == [1, 1, 1, 1]


def test_codes_at_one_place_are_told() -> None:
    frame = soft_codes(torch.tensor([[0.0, 0.0], [1e-4, 0.0], [1.0, 0.0]]), CORNERS, temperature=1.0)
    assert frame["together"].tolist() == [2, 2, 1]
    assert frame["share"].sum() == pytest.approx(1)


def test_numbers_of_a_soft_assignment_are_those_of_the_definition() -> None:
    tokens, codebook = toy_tokens("ring", 40), torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    numbers = soft_numbers(codebook, tokens, temperature=0.8)
    p = (-torch.cdist(tokens.double(), codebook.double()).square() / 0.8).softmax(1)
    assert numbers["effective_codes"] == pytest.approx(torch.special.entr(p).sum(1).mean().exp().item(), rel=1e-4)
    peakedness, usage = 1 - p.square().sum(1).mean().item(), 6 * p.mean(0).square().sum().item()
    assert numbers["peakedness"] == pytest.approx(peakedness, rel=1e-4)
    assert numbers["usage_published"] == pytest.approx(usage, rel=1e-4)
    assert numbers["usage_unbiased"] == pytest.approx((40 * usage - 6 * (1 - peakedness)) / 39, rel=1e-4)
    assert numbers["usage_bound"] == pytest.approx(6 / 40 * (1 - peakedness), rel=1e-4)
    assert numbers["tokens"] == 40


@pytest.mark.parametrize("temperature", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("tokens", [4, 64])
def test_the_published_usage_cannot_fall_below_its_bound(tokens: int, temperature: float) -> None:
    codebook = torch.randn(32, 2, generator=torch.Generator().manual_seed(1))
    numbers = soft_numbers(codebook, toy_tokens("square", tokens), temperature)
    assert numbers["usage_published"] >= (1 - 1e-6) * numbers["usage_bound"]


def test_a_view_holds_one_codebook_at_all_temperatures() -> None:
    view = ToyView(ToySetting(codes=4), fit_toy(ToySetting(codes=4, steps=20)).quantizer)
    assert view.hard.cells.shape == (200, 200)
    assert view.soft(0.5).shared.shape == (200, 200, 4)
    assert view.equilibrium(3.0).codes["together"].tolist() == [4, 4, 4, 4]
    assert view.equilibrium(0.02).codes["together"].tolist() == [1, 1, 1, 1]
    hot, cold = view.numbers(3.0), view.numbers(0.02)
    assert (hot["distinct_centres"], cold["distinct_centres"]) == (1, 4)
    assert hot["effective_codes"] > 2
    assert cold["effective_codes"] == pytest.approx(1, abs=0.05)
    assert hot["distortion"] == cold["distortion"]
    frame = view.frame(0.5)
    assert frame["responsibility"].sum() == pytest.approx(1)
    assert (frame["split_temperature"] > 0).all()


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(InputError, match=r"\[3, 3\]"):
        plane_around(np.zeros((3, 3)))
    with pytest.raises(InputError, match="pixels is 1"):
        plane_around(CORNERS, pixels=1)
    plane = plane_around(CORNERS, pixels=4)
    with pytest.raises(InputError, match="300 codes"):
        plane_responsibilities(torch.zeros(300, 2), plane, 1.0)
    with pytest.raises(InputError, match="width 3"):
        plane_responsibilities(torch.zeros(4, 3), plane, 1.0)
    with pytest.raises(InputError, match="temperature is nan"):
        plane_responsibilities(CORNERS, plane, math.nan)
