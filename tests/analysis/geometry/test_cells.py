"""Are the cells of known partitions measured right, and does theory's exponent come out where it must?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from lgq_explore.analysis.geometry import code_cells, density_exponents
from lgq_explore.analysis.geometry.cells import FEWEST_TOKENS, cells_of_points
from lgq_explore.analysis.usage import per_code
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QuantizerConfig, nearest_codes
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import (
    config_tokenizer,
    method_tokenizer,
    methods_with_geometry,
    noise_pictures,
    study_of,
)
from tests.planted_methods.dot_product import DotProductConfig
from tests.planted_methods.residual import ResidualConfig


def tokens_of(points: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Points as tokens, each of an image of its own."""
    return torch.from_numpy(points).float(), np.arange(len(points))


def test_volumes_of_a_square_cut_into_four_are_known() -> None:
    """Codes at (¼ ± ¼, ¼ ± ¼) mirror each other in the lines x = ¼ and y = ¼."""
    points = np.random.default_rng(0).uniform(size=(40_000, 2))
    codebook = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5], [9.0, 9.0]])
    cells = cells_of_points(*tokens_of(points), codebook, neighbours=4, dimension=2)
    exact = np.array([1 / 16, 3 / 16, 3 / 16, 9 / 16])
    np.testing.assert_allclose(cells["volume"][:4], exact, rtol=0.04)
    np.testing.assert_allclose(cells["occupancy"][:4], exact, rtol=0.04)
    np.testing.assert_allclose(cells["mean_log_density"][:4], 0, atol=0.05)
    assert cells["count"].sum() == 40_000
    assert cells.loc[4, "count"] == cells.loc[4, "occupancy"] == 0
    assert (
        cells.loc[4, ["mean_log_density", "volume", "scatter", "offset", "anisotropy", "distortion_share"]].isna().all()
    )


def test_volumes_follow_the_space_and_not_where_the_tokens_are() -> None:
    """Nine tokens in ten lie in the left half: the volumes of both halves are equal all the same."""
    generator = np.random.default_rng(1)
    points = generator.uniform(size=(20_000, 3))
    points[:, 0] = np.where(generator.uniform(size=20_000) < 0.9, points[:, 0] / 2, (1 + points[:, 0]) / 2)
    codebook = torch.tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    cells = cells_of_points(*tokens_of(points), codebook, dimension=3)
    # Balls at a face reach outside of the cube and find fewer tokens, the wider the sparser these are.
    np.testing.assert_allclose(cells["volume"], 0.5, rtol=0.25)
    np.testing.assert_allclose(cells["volume"][0] / cells["volume"][1], 1, rtol=0.1)
    np.testing.assert_allclose(cells["occupancy"], [0.9, 0.1], rtol=0.05)
    assert np.diff(cells["mean_log_density"]).item() == pytest.approx(-np.log(9), abs=0.1)


def test_shapes_of_known_cells() -> None:
    generator = np.random.default_rng(2)
    ball = generator.normal(size=(4000, 4))
    rod = generator.normal(size=(4000, 4)) * [1, 0.01, 0.01, 0.01] + 100
    few = generator.normal(size=(12, 4)) - 100
    codebook = torch.tensor([[0.0] * 4, [101.0] + [100.0] * 3, [-100.0] * 4])
    cells = cells_of_points(*tokens_of(np.concatenate([ball, rod, few])), codebook)
    assert cells["count"].tolist() == [4000, 4000, 12]
    assert cells["anisotropy"][0] == pytest.approx(1, rel=0.03)
    assert cells["effective_dimension"][0] == pytest.approx(4, rel=0.03)
    assert cells["anisotropy"][1] == pytest.approx(4, rel=0.01)
    assert cells["effective_dimension"][1] == pytest.approx(1, rel=0.01)
    assert cells["scatter"][0] == pytest.approx(4, rel=0.05)
    assert cells["offset"][1] == pytest.approx(1, rel=0.1)
    # Ball and rod over each other have variances 2, 1, 1, 1: d_eff = 25/7.
    assert cells["shape_tokens"][0] == pytest.approx(5 * 25 / 7, rel=0.05)
    assert np.isnan(cells["anisotropy"][2])


def test_a_few_tokens_do_not_make_a_ball_look_like_a_rod() -> None:
    """λ_max/mean λ of 30 normal tokens in 8 dimensions is 2.2, though 1 is true."""
    points = np.random.default_rng(3).normal(size=(300, 30, 8)) / 100 + np.arange(300)[:, None, None]
    codebook = torch.arange(300.0)[:, None].expand(-1, 8).contiguous()
    tokens = torch.from_numpy(points.reshape(-1, 8)).float()
    assert torch.equal(nearest_codes(tokens, codebook), torch.arange(300).repeat_interleave(30))
    cells = cells_of_points(tokens, np.tile(np.arange(30), 300), codebook)  # 5·d_eff = 40 would leave none
    assert cells["anisotropy"].isna().all()
    wide = cells_of_points(tokens[:, :5].contiguous(), np.tile(np.arange(30), 300), codebook[:, :5].contiguous())
    assert wide["anisotropy"].mean() == pytest.approx(1, abs=0.05)


def test_the_error_is_scatter_and_offset() -> None:
    study = study_of(method_tokenizer("vq", size=16), noise_pictures(20))
    cells = code_cells(study)
    error = (cells["count"] * (cells["scatter"] + cells["offset"])).sum()
    latents = torch.from_numpy(study.encoding.latents)
    exact = (study.quantizer(latents).quantized - latents).double().square().sum().item()
    assert error == pytest.approx(exact, rel=1e-4)
    assert cells["distortion_share"].sum() == pytest.approx(1)


@pytest.mark.parametrize("method", methods_with_geometry())
def test_cells_of_every_method_hold_the_tokens_that_chose_the_code(method: str) -> None:
    assert_cells_hold_their_tokens(study_of(method_tokenizer(method), noise_pictures(12)))


@pytest.mark.parametrize("config", [DotProductConfig(16), ResidualConfig(codes=4)], ids=lambda config: config.method)
def test_cells_are_those_of_the_methods_own_metric(config: QuantizerConfig) -> None:
    study = study_of(config_tokenizer(config), noise_pictures(12))
    assert_cells_hold_their_tokens(study)
    euclidean = code_cells(study, codebook=study.code_points)
    assert euclidean["count"].tolist() != code_cells(study)["count"].tolist()


def assert_cells_hold_their_tokens(study: Study) -> None:
    assert code_cells(study)["count"].tolist() == per_code(study)["count"].tolist()


def test_other_codes_cut_the_same_space() -> None:
    study = study_of(method_tokenizer("vq"), noise_pictures(12))
    own = code_cells(study)
    other = code_cells(study, codebook=study.code_points[:5])
    assert len(other) == 5
    assert other["dimension"][0] == own["dimension"][0]
    with pytest.raises(InputError, match=r"give \[K, 4\]"):
        code_cells(study, codebook=torch.zeros(5, 3))


# The optimum of high resolution


@pytest.mark.parametrize(("width", "size"), [(1, 32), (2, 128)])
def test_k_means_on_a_gaussian_has_the_exponents_of_theory(width: int, size: int) -> None:
    generator = np.random.default_rng(4)
    fitted = KMeans(size, n_init=1, random_state=0).fit(generator.normal(size=(20_000, width)))
    codebook = torch.from_numpy(fitted.cluster_centers_).float()
    points, images = tokens_of(generator.normal(size=(40_000, width)))
    cells = cells_of_points(points, images, codebook, dimension=width)
    exponents = density_exponents(cells).set_index("quantity")
    assert exponents["theory"].tolist() == [-width / (width + 2), 2 / (width + 2), 0]
    np.testing.assert_allclose(exponents["exponent"], exponents["theory"], atol=0.15)
    # A uniform grid in the same place is told from it.
    assert exponents.loc["volume", "high"] < -0.2
    assert exponents.loc["occupancy", "high"] < 0.8


@pytest.mark.parametrize("variance", [2.0, 4.0])
def test_codes_scattered_at_random_have_the_exponent_of_their_own_density(variance: float) -> None:
    """Codes of a wider Gaussian lie as dense as f^(1/variance), with cells of all sizes at each density.

    A fit in which each cell counts once gives −0.60 and −0.38 for the volume.
    """
    generator = np.random.default_rng(7)
    codebook = torch.from_numpy(generator.normal(size=(1000, 2)) * variance**0.5).float()
    cells = cells_of_points(*tokens_of(generator.normal(size=(24_000, 2))), codebook, dimension=2)
    exponents = density_exponents(cells).set_index("quantity")["exponent"]
    assert exponents["volume"] == pytest.approx(-1 / variance, abs=0.08)
    assert exponents["occupancy"] == pytest.approx(1 - 1 / variance, abs=0.08)


def test_a_uniform_grid_has_cells_of_one_volume() -> None:
    generator = np.random.default_rng(5)
    ticks = torch.arange(-2.0, 2.01, 0.4)
    codebook = torch.cartesian_prod(ticks, ticks)
    points, images = tokens_of(generator.normal(size=(40_000, 2)))
    inside = (points.abs() < 2.2).all(dim=1)
    cells = cells_of_points(points[inside], images[inside.numpy()], codebook, dimension=2)
    exponents = density_exponents(cells).set_index("quantity")
    np.testing.assert_allclose(exponents["exponent"], [0, 1, 1], atol=0.1)
    assert exponents["low"].le(exponents["exponent"]).all()
    assert exponents["high"].ge(exponents["exponent"]).all()
    assert exponents["cells"].tolist() == [(cells["count"] >= FEWEST_TOKENS).sum()] * 3
    assert exponents["fewest_tokens"].tolist() == [FEWEST_TOKENS] * 3
    assert exponents["centre"].nunique() == 1
    volume = np.exp(exponents.loc["volume", "level"])
    assert volume == pytest.approx(0.16, rel=0.15)


def test_exponents_need_cells_with_tokens() -> None:
    cells = cells_of_points(*tokens_of(np.random.default_rng(6).normal(size=(60, 2))), torch.randn(40, 2), dimension=2)
    with pytest.raises(InputError, match="encode more images"):
        density_exponents(cells[cells["count"] < FEWEST_TOKENS])
    with pytest.raises(InputError, match=r"give one of analysis\.geometry\.code_cells"):
        density_exponents(cells.drop(columns="volume"))
    with pytest.raises(InputError, match="resamples is 1"):
        density_exponents(cells, resamples=1)


@pytest.mark.filterwarnings("error")
def test_of_few_cells_the_same_may_be_drawn_every_time() -> None:
    generator = np.random.default_rng(8)
    codebook = torch.tensor([[-2.0, 0.0], [0.0, 0.0], [2.0, 1.0]])
    cells = cells_of_points(*tokens_of(generator.normal(size=(3000, 2))), codebook, dimension=2)
    exponents = density_exponents(cells, resamples=500)
    assert np.isfinite(exponents[["low", "high"]]).all(axis=None)
    with pytest.raises(InputError, match="all 3 cells have one density"):
        density_exponents(cells.assign(mean_log_density=-1.0))
