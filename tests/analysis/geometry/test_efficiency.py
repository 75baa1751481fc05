"""Are codes as good as they are known to be, in latents and in what the decoder shows of them?"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from lgq_explore.analysis.geometry import efficiency, kmeans_codebooks
from lgq_explore.analysis.geometry.decoder_sensitivity import decoded_step
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig, Quantizer, QuantizerConfig, VQConfig
from lgq_explore.runs.encoding import Encoding, encode_pictures
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import (
    config_tokenizer,
    method_tokenizer,
    methods_with_geometry,
    noise_pictures,
    study_of,
)
from tests.package.process_state import process_untouched
from tests.planted_methods.dot_product import DotProductConfig
from tests.planted_methods.residual import ResidualConfig

CHANNELS, SIDE = 3, 4


def linear_tokenizer(quantizer: Quantizer) -> Tokenizer:
    """A decoder that is an affine map of each token to a pixel; there is no encoder to speak of."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = nn.Conv2d(quantizer.dim, CHANNELS, 1)
    return Tokenizer(nn.Identity(), quantizer, decoder).eval()


def study_of_latents(quantizer: Quantizer, held_out: Tensor, training: Tensor | None = None) -> Study:
    """Tokens [N, D] as the latents of N/16 pictures of 4 × 4 tokens, with their codes, and others to fit to."""
    trained = TrainedTokenizer.of(linear_tokenizer(quantizer))
    study = Study(trained, encoding_of_latents(quantizer, held_out, trained.digest))
    if training is not None:
        study.training_encoding = encoding_of_latents(quantizer, training, trained.digest)
    return study


def encoding_of_latents(quantizer: Quantizer, tokens: Tensor, weights: str) -> Encoding:
    latents = tokens.float().reshape(-1, SIDE, SIDE, quantizer.dim).movedim(3, 1).contiguous()
    pictures = np.zeros((len(latents), CHANNELS, SIDE, SIDE), dtype=np.uint8)
    return Encoding(
        images=pictures,
        latents=latents.numpy(),
        codes=quantizer(latents).codes.numpy(),
        reconstructions=pictures,
        levels=np.array(quantizer.levels),
        photograph=np.arange(len(latents)),
        photograph_names=np.array([f"photograph {number}" for number in range(len(latents))]),
        weights=weights,
    )


def vq(codebook: Tensor) -> Quantizer:
    quantizer = VQConfig(codebook_size=len(codebook)).build(codebook.shape[1]).eval()
    quantizer.codebook.copy_(codebook)
    return quantizer


def uniform(tokens: int, width: int, seed: int) -> Tensor:
    return torch.rand(tokens, width, generator=torch.Generator().manual_seed(seed))


def efficiency_of(quantizer: Quantizer, training: Tensor, held_out: Tensor, restarts: int = 5) -> dict:
    study = study_of_latents(quantizer, held_out, training)
    frame = efficiency(study, kmeans_codebooks(study, restarts=restarts, progress=False))
    return frame.set_index("measure").to_dict("index")


def test_codes_that_are_k_means_centres_are_as_good_as_k_means() -> None:
    generator = torch.Generator().manual_seed(0)
    training, held_out = (torch.randn(4096, 3, generator=generator) for _ in range(2))
    placeholder = study_of_latents(vq(torch.randn(64, 3)), held_out, training)
    of_another_seed = kmeans_codebooks(placeholder, restarts=2, seed=100, progress=False)
    found = efficiency_of(vq(of_another_seed.best), training, held_out, restarts=8)
    for measure in ("latents", "pixels, first order", "pixels"):
        row = found[measure]
        assert row["efficiency"] == pytest.approx(1, abs=max(4 * row["spread"], 0.01)), measure
        assert 0 < row["spread"] < 0.05
        # They are means of their cells already, up to the last iteration.
        assert row["cell_means_efficiency"] == pytest.approx(row["efficiency"], rel=0.01)


def test_half_the_codes_of_a_uniform_line_lose_four_times_as_much() -> None:
    """A cell of width 1/n has the error 1/(12 n²)."""
    training, held_out = uniform(8192, 1, 0), uniform(4096, 1, 1)
    centres = (torch.arange(16.0)[:, None] + 0.5) / 16
    halves = ((torch.arange(8.0)[:, None] + 0.5) / 8).repeat(2, 1)  # sixteen codes, of which eight are of use
    whole, half = (efficiency_of(vq(codes), training, held_out, restarts=20)["latents"] for codes in (centres, halves))
    assert whole["codes"] == pytest.approx(1 / (12 * 16**2), rel=0.05)
    # On a line k-means creeps, and stops a little short of it.
    assert whole["efficiency"] == pytest.approx(1, abs=0.06)
    assert half["efficiency"] == pytest.approx(1 / 4, abs=0.02)


def test_codes_beside_their_cells_means_lose_the_square_of_the_way() -> None:
    training, held_out = uniform(8192, 1, 0), uniform(4096, 1, 1)
    aside = (torch.arange(8.0)[:, None] + 0.5) / 8 + torch.tensor([[1 / 32], [-1 / 32]]).repeat(4, 1)
    found = efficiency_of(vq(aside), training, held_out)["latents"]
    # Codes at 3/32, 5/32, 11/32, …: cells of 1/8 all the same, with the code a quarter of that beside the middle.
    assert found["codes"] == pytest.approx(1 / (12 * 8**2) + 1 / 32**2, rel=0.05)
    assert found["cell_means"] == pytest.approx(1 / (12 * 8**2), rel=0.05)
    assert found["cell_means_efficiency"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("level", [5, 8])
def test_a_grid_on_its_own_uniform_cube_wastes_half_of_its_outer_cells(level: int) -> None:
    """FSQ bounds to the outermost codes, whose cells are half as wide: L codes lie L − 1 cells apart in all."""
    quantizer = FSQConfig((level, level)).build(2).eval()
    with torch.no_grad():
        quantizer.project_in.weight.copy_(torch.eye(2))
        quantizer.project_in.bias.zero_()
    shift, reach = quantizer.shift.flatten(), 2 * uniform(16384 + 8192, 2, 2) - 1
    tokens = torch.atanh(0.9999 * reach) - shift
    found = efficiency_of(quantizer, tokens[:16384], tokens[16384:], restarts=3)["latents"]
    assert found["codes"] == pytest.approx(2 * (1 / (level // 2)) ** 2 / 12, rel=0.03)
    assert found["efficiency"] == pytest.approx(((level - 1) / level) ** 2, rel=0.05)


def test_the_pixels_of_an_affine_decoder_are_its_matrix_times_the_error() -> None:
    quantizer = vq(torch.randn(32, 5, generator=torch.Generator().manual_seed(3)))
    study = study_of_latents(quantizer, uniform(1024, 5, 4), uniform(1024, 5, 5))
    held_out = study.encoding
    found = efficiency(study, kmeans_codebooks(study, restarts=1, progress=False)).set_index("measure")
    latents = torch.from_numpy(held_out.latents).double()
    matrix = study.tokenizer.decoder.weight[:, :, 0, 0].double()
    error = torch.einsum("cd, bdhw -> bchw", matrix, latents - quantizer.lookup(torch.from_numpy(held_out.codes)))
    exact = (error.square().mean() / 4).item()  # from [−1, 1] to [0, 1]
    assert found.loc["pixels, first order", "codes"] == pytest.approx(exact, rel=1e-5)
    assert found.loc["pixels", "codes"] == pytest.approx(exact, rel=1e-4)
    assert np.isnan(found["spread"]).all()
    assert found["restarts"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("config", [LGQConfig(16), FSQConfig((5, 4, 3))], ids=lambda config: config.method)
def test_first_order_is_the_limit_of_small_steps(config: object) -> None:
    tokenizer = build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=6), config, seed=0).eval().double()
    generator = torch.Generator().manual_seed(6)
    latents = torch.randn(3, 6, 4, 4, generator=generator, dtype=torch.float64)
    place = tokenizer.quantizer.continuous(latents).detach()
    step = torch.randn(place.shape, generator=generator, dtype=torch.float64)
    found = decoded_step(tokenizer, place, step)
    ahead, behind = (decoded_step(tokenizer, place + sign * 1e-4 * step, step).pictures for sign in (1, -1))
    torch.testing.assert_close((ahead - behind) / 2e-4, found.first_order, rtol=1e-5, atol=1e-6)
    assert found.first_order.abs().max() > 1e-3
    torch.testing.assert_close(found.pictures, tokenizer.decode(tokenizer.quantizer.decoder_input(place)).detach())


def test_a_decoder_is_derived_without_touching_what_other_threads_share(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=6), LGQConfig(codebook_size=16), seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    place, step = (torch.randn(3, 6, 4, 4, generator=generator) for _ in range(2))
    kernels, decode = [], tokenizer.decode

    def watched(quantized: Tensor) -> Tensor:
        kernels.append(torch.backends.cuda.flash_sdp_enabled())
        return decode(quantized)

    monkeypatch.setattr(tokenizer, "decode", watched)
    with process_untouched(), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decoded_step(tokenizer, place, step)
    assert kernels == [True]
    assert not found.pictures.requires_grad
    assert not found.first_order.requires_grad
    assert all(weight.grad is None for weight in tokenizer.parameters())


@pytest.mark.parametrize("method", methods_with_geometry())
def test_every_method_is_measured_on_its_own_codes(method: str) -> None:
    assert_measured(method_tokenizer(method, size=16))


@pytest.mark.parametrize("config", [DotProductConfig(16), ResidualConfig(codes=4)], ids=lambda config: config.method)
def test_tokens_take_the_code_that_the_method_gives_them(config: QuantizerConfig) -> None:
    found = assert_measured(config_tokenizer(config))
    assert found.loc["latents", "cell_means"] < found.loc["latents", "codes"]


def assert_measured(tokenizer: Tokenizer) -> pd.DataFrame:
    study = training_study(tokenizer, 40)
    found = efficiency(study, kmeans_codebooks(study, restarts=2, progress=False), pictures=8).set_index("measure")
    quantizer, held_out = tokenizer.quantizer, study.encoding
    error = quantizer.continuous(torch.from_numpy(held_out.latents)) - quantizer.discrete(
        torch.from_numpy(held_out.codes)
    )
    assert found.loc["latents", "codes"] == pytest.approx(error.square().sum(1).mean().item(), rel=1e-4)
    assert found["tokens"].tolist() == [640, 128, 128]
    assert found["images"].tolist() == [40, 8, 8]
    assert (found["fit_tokens"] == 640).all()
    assert (found["codebook_size"] == quantizer.codebook_size).all()
    # The painter is affine wherever the pictures stay in range: first order is all there is.
    assert found.loc["pixels", "codes"] == pytest.approx(found.loc["pixels, first order", "codes"], rel=1e-3)
    return found


def training_study(tokenizer: Tokenizer, pictures: int) -> Study:
    """Of noise, with other noise to fit to."""
    study = study_of(tokenizer, noise_pictures(pictures, seed=1))
    study.training_encoding = encode_pictures(study.trained, noise_pictures(pictures, seed=0))
    return study


def test_another_codebook_is_judged_as_if_it_were_the_runs() -> None:
    codes = torch.randn(16, 3, generator=torch.Generator().manual_seed(8))
    one, other = vq(torch.zeros(16, 3)), vq(codes)
    training, held_out = uniform(512, 3, 9), uniform(256, 3, 10)
    study = study_of_latents(one, held_out, training)
    kmeans = kmeans_codebooks(study, restarts=2, progress=False)
    judged = efficiency(study, kmeans, codebook=codes)
    own = efficiency(study_of_latents(other, held_out), kmeans)
    pd.testing.assert_frame_equal(judged, own)


def test_k_means_in_hindsight_is_fitted_to_the_tokens_that_it_is_judged_on() -> None:
    """Training tokens lie between 0 and 1, the held-out ones elsewhere: in hindsight hardly anything is lost there."""
    training, held_out = uniform(160, 1, 11), torch.tensor([[10.0], [10.2], [12.0]]).repeat(16, 1)
    study = study_of_latents(vq(torch.tensor([[0.5], [9.0]])), held_out, training)
    kmeans = kmeans_codebooks(study, restarts=1, progress=False)
    hindsight = kmeans_codebooks(study, restarts=1, in_hindsight=True, progress=False)
    found, without = (
        efficiency(study, kmeans, **given).set_index("measure") for given in ({"hindsight": hindsight}, {})
    )
    expected = ((held_out - kmeans.best.max()) ** 2).mean().item()
    assert found.loc["latents", "kmeans"] == pytest.approx(expected, rel=1e-5)
    assert found.loc["latents", "kmeans_in_hindsight"] == pytest.approx(2 / 3 * 0.1**2, rel=1e-3)
    assert found["kmeans_fitted"].tolist() == pytest.approx([kmeans.distortion[0], np.nan, np.nan], nan_ok=True)
    assert without["kmeans_in_hindsight"].isna().all()
    others = found.columns.drop("kmeans_in_hindsight")
    pd.testing.assert_frame_equal(without[others], found[others])


def test_restarts_come_best_first_and_the_same_again() -> None:
    quantizer = vq(torch.randn(32, 2))
    study = study_of_latents(quantizer, uniform(16, 2, 8), uniform(512, 2, 7))
    first, again = (kmeans_codebooks(study, restarts=4, seed=1, progress=False) for _ in range(2))
    assert (np.diff(first.distortion) >= 0).all()
    assert torch.equal(first.centres, again.centres)
    assert torch.equal(first.best, first.centres[0])
    distances = torch.cdist(first.tokens, first.best).amin(1).square()
    assert distances.mean().item() == pytest.approx(first.distortion[0], rel=1e-4)
    fewer = kmeans_codebooks(study, restarts=1, tokens=100, progress=False)
    assert fewer.tokens.shape == (100, 2)


def test_codes_without_tokens_stay_where_they_are_and_perfect_ones_have_no_bound() -> None:
    places = torch.randn(8, 2)
    quantizer = vq(torch.cat([places, torch.full((1, 2), 50.0)]))
    study = study_of_latents(quantizer, places.repeat(20, 1), torch.randn(160, 2))
    latents = efficiency(study, kmeans_codebooks(study, restarts=1, progress=False)).iloc[0]
    assert latents["codes"] == 0
    assert latents["efficiency"] == np.inf


def test_nonsense_is_refused() -> None:
    study = training_study(method_tokenizer("vq", size=16), 8)
    with pytest.raises(InputError, match="restarts is 0"):
        kmeans_codebooks(study, restarts=0)
    with pytest.raises(InputError, match="16 different tokens are too few for k-means with 16 codes"):
        kmeans_codebooks(study, tokens=16)
    with pytest.raises(InputError, match="has no run"):
        kmeans_codebooks(study_of(study.tokenizer, noise_pictures(8)))
    kmeans = kmeans_codebooks(study, restarts=1, progress=False)
    with pytest.raises(InputError, match="pictures is 0"):
        efficiency(study, kmeans, pictures=0)
    with pytest.raises(InputError, match="with as many codes"):
        efficiency(study_of(method_tokenizer("vq", size=20), noise_pictures(2)), kmeans)
    encoding = study.encoding
    nothing = {name: getattr(encoding, name)[:0] for name in ("images", "latents", "codes", "reconstructions")}
    with pytest.raises(InputError, match="0 pictures"):
        efficiency(Study(study.trained, replace(encoding, **nothing)), kmeans)
