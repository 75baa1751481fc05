"""Is a lattice recognised, are its neighbours found, and does a fitted grid lie among the tokens it was fitted to?"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from lgq_explore.analysis.geometry import code_neighbours, decoded_points, fit_grid, lattice_edges, lattice_regularity
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig
from tests.analysis.planted_tokenizer import config_tokenizer, method_tokenizer, noise_pictures, study_of


def planted_lattice(levels: tuple[int, ...] = (5, 4, 3), width: int = 3) -> np.ndarray:
    """All points of a lattice with unequal steps, sheared and turned into `width` dimensions."""
    rng = np.random.default_rng(0)
    steps = np.stack(np.meshgrid(*(np.arange(level) for level in levels), indexing="ij"), axis=-1).reshape(
        -1, len(levels)
    )
    return steps @ rng.standard_normal((len(levels), width))


def test_a_planted_lattice_is_recognised_whatever_linear_map_it_went_through() -> None:
    for width in (3, 8):
        regularity = lattice_regularity(planted_lattice(width=width))
        assert regularity.value == pytest.approx(1, abs=1e-6)
        assert regularity.points == 60


def test_points_at_random_are_no_lattice_and_clusters_still_less() -> None:
    rng = np.random.default_rng(0)
    for dimensions in (2, 3):
        thrown = lattice_regularity(rng.random((20_000, dimensions)))
        assert thrown.value == pytest.approx(0, abs=0.04)
    clustered = rng.standard_normal((50, 2))[rng.integers(0, 50, 2000)] + 0.01 * rng.exponential(size=(2000, 2)) ** 3
    assert lattice_regularity(clustered).value < -1
    jittered = planted_lattice() + 0.03 * rng.standard_normal((60, 3))
    assert 0.3 < lattice_regularity(jittered).value < 0.95


def test_the_level_of_chance_is_that_of_a_poisson_process() -> None:
    # In the plane the distances follow Rayleigh's distribution.
    lower, median, upper = (scipy.stats.rayleigh.ppf(q) for q in (0.25, 0.5, 0.75))
    found = lattice_regularity(np.random.default_rng(0).random((50, 2)))
    assert found.value == pytest.approx(1 - found.spread / ((upper - lower) / median))


def test_points_in_one_place_count_once() -> None:
    lattice = planted_lattice()
    assert lattice_regularity(np.concatenate([lattice, lattice])).value == pytest.approx(1, abs=1e-6)
    with pytest.raises(InputError, match="1 different points: give at least 2"):
        lattice_regularity(np.zeros((5, 2)))


def test_a_grid_of_fsq_is_a_lattice_in_its_own_space_and_projected_out() -> None:
    grid = method_tokenizer("fsq").quantizer
    assert lattice_regularity(grid.code_points().numpy()).value == pytest.approx(1, abs=1e-6)
    decoded = decoded_points(grid)
    assert decoded.shape == (grid.codebook_size, 4)
    assert lattice_regularity(decoded).value == pytest.approx(1, abs=1e-4)
    learned = method_tokenizer("lgq").quantizer
    assert lattice_regularity(learned.code_points().numpy()).value < 0.3


def test_edges_join_each_code_to_the_next_of_its_row() -> None:
    edges = lattice_edges((3, 2))
    pairs = set(zip(edges["code"], edges["neighbour"], strict=True))
    assert pairs == {(0, 2), (1, 3), (2, 4), (3, 5), (0, 1), (2, 3), (4, 5)}
    assert edges.query("group == 1")["neighbour"].sub(edges["code"]).dropna().eq(1).all()


def test_ends_of_edges_are_neighbours_of_the_grid() -> None:
    grid = study_of(config_tokenizer(FSQConfig(levels=(5, 5))), noise_pictures(1))
    edges = lattice_edges(grid.quantizer.levels)
    assert len(edges) == 2 * 4 * 5
    nearest = code_neighbours(grid, list(range(25)), neighbours=4)
    near = set(zip(nearest["code"], nearest["neighbour"], strict=True))
    assert all((edge.code, edge.neighbour) in near for edge in edges.itertuples())


def test_one_group_has_no_net_and_too_many_lines_are_left_out() -> None:
    assert lattice_edges((1024,)).empty
    assert lattice_edges(()).empty
    assert lattice_edges((8, 8, 8, 6, 5)).empty


@pytest.mark.slow
def test_a_fitted_grid_lies_among_the_tokens_and_beats_one_that_was_not_fitted() -> None:
    study = study_of(method_tokenizer("lgq"), noise_pictures(40))
    grid, tokens = fit_grid(study, (5, 5), steps=200), study.points
    assert grid.points.shape == (25, 4)
    assert grid.levels == (5, 5)
    assert grid.counts.sum() == grid.tokens == len(tokens)
    assert lattice_regularity(grid.points).value == pytest.approx(1, abs=1e-4)
    raw = fit_grid(study, (5, 5), steps=0)
    spread = (tokens - tokens.mean(0)).square().sum(1).mean()
    assert grid.distortion < 0.7 * raw.distortion
    assert grid.distortion < 0.6 * spread
    # Two directions of four, whatever the grid: no less error than what all others hold.
    left_out = torch.linalg.eigvalsh(torch.cov(tokens.T, correction=0))[:2].sum()
    assert grid.distortion > left_out
    assert np.array_equal(fit_grid(study, (5, 5), steps=200).points, grid.points)


def test_the_levels_are_those_nearest_in_size_unless_they_are_given() -> None:
    study = study_of(method_tokenizer("lgq"), noise_pictures(4))
    assert fit_grid(study, steps=0).levels == FSQConfig.for_codebook_size(64).levels
    with pytest.raises(InputError, match="each level must be at least 3"):
        fit_grid(study, (2, 2))
