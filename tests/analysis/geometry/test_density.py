"""Is the density of tokens whose density is known found, and the dimension of the surface that they fill?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.geometry.density import MOST_TOKENS, latent_density
from lgq_explore.errors import InputError


def images_of(tokens: int) -> np.ndarray:
    return np.arange(tokens) // 4


@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_mean_log_density_of_a_gaussian_is_minus_its_entropy(width: int) -> None:
    points = np.random.default_rng(0).normal(size=(8000, width))
    density = latent_density(points, images_of(8000), dimension=width)
    assert density.log_density.mean() == pytest.approx(-width / 2 * np.log(2 * np.pi * np.e), rel=0.02)
    exact = -width / 2 * np.log(2 * np.pi) - np.square(points).sum(axis=1) / 2
    inside = np.square(points).sum(axis=1) < width  # where the density is flat over a ball
    assert np.median((density.log_density - exact)[inside]) == pytest.approx(0, abs=0.05)


def test_volumes_have_no_bias_where_the_density_is_flat() -> None:
    points = np.random.default_rng(1).uniform(size=(8000, 2))
    density = latent_density(points, images_of(8000), neighbours=4, dimension=2)
    middle = (np.abs(points - 0.5) < 0.4).all(axis=1)
    assert density.volume[middle].mean() == pytest.approx(1, rel=0.02)


def test_the_dimension_is_that_of_the_surface_and_not_of_the_space() -> None:
    generator = np.random.default_rng(2)
    sphere = generator.normal(size=(6000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    turned = sphere @ np.linalg.qr(generator.normal(size=(6, 6)))[0][:3]  # a surface of 2 dimensions in 6
    density = latent_density(turned, images_of(6000))
    assert density.dimension == pytest.approx(2, rel=0.03)
    assert density.tokens == 3000
    exactly = latent_density(turned, images_of(6000), dimension=2)
    assert exactly.volume.mean() == pytest.approx(4 * np.pi, rel=0.03)


def test_the_density_owes_nothing_to_the_tokens_own_image() -> None:
    """Tokens of one image that coincide would make each other's density infinite."""
    places = np.random.default_rng(3).uniform(size=(400, 2)).repeat(20, axis=0)
    density = latent_density(places, np.arange(400).repeat(20), neighbours=30, dimension=2)
    assert np.isfinite(density.log_density).all()


def test_tokens_that_coincide_over_images_have_an_infinite_density_and_no_volume() -> None:
    points = np.random.default_rng(4).normal(size=(400, 2))
    points[::2] = 0
    density = latent_density(points, np.arange(400), dimension=2)
    assert np.isposinf(density.log_density[::2]).all()
    assert (density.volume[::2] == 0).all()
    assert latent_density(points, np.arange(400)).dimension > 0
    with pytest.raises(InputError, match="coincide"):
        latent_density(np.zeros((40, 2)), np.arange(40))


def test_many_tokens_are_drawn_from() -> None:
    points = np.random.default_rng(5).uniform(size=(3 * MOST_TOKENS, 1))
    density = latent_density(points, np.arange(len(points)), dimension=1)
    assert density.tokens == MOST_TOKENS
    assert density.volume.mean() == pytest.approx(1, rel=0.02)


def test_a_seed_draws_the_halves() -> None:
    points = np.random.default_rng(6).normal(size=(200, 2))
    first, again, other = (latent_density(points, images_of(200), seed=seed) for seed in (0, 0, 1))
    assert (first.log_density == again.log_density).all()
    assert (first.log_density != other.log_density).any()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"neighbours": 1}, "neighbours is 1"),
        ({"neighbours": 21}, "give 2 to 20"),
        ({"dimension": 0}, "dimension is 0"),
        ({"images": np.zeros(40, dtype=int)}, "of 1 images"),
    ],
)
def test_nonsense_is_refused(settings: dict, told: str) -> None:
    points = np.random.default_rng(7).normal(size=(40, 2))
    with pytest.raises(InputError, match=told):
        latent_density(points, settings.pop("images", np.arange(40)), **settings)
