"""Tests of Gumbel-softmax codes against their formula with a table, and of what they lack: a geometry."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lgq_explore import evaluate, preset, study, train, widgets
from lgq_explore.analysis import geometry, pictures
from lgq_explore.errors import InputError
from lgq_explore.quantizers import GumbelConfig, TemperatureSchedule, to_tokens
from lgq_explore.quantizers.methods.gumbel import Gumbel
from lgq_explore.quantizers.noise import Noise
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of

SIZE, DIM = 24, 5
CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(size: int = SIZE) -> Gumbel:
    quantizer = GumbelConfig(size).build(DIM, torch.Generator().manual_seed(0)).double()
    assert isinstance(quantizer, Gumbel)
    return quantizer


def by_a_table(
    latents: Tensor, weights: Tensor, biases: Tensor, embedding: Tensor, temperature: float, step: int
) -> tuple[Tensor, Tensor]:
    """The relaxed draw and the KL divergence of the published code, by a 1 × 1 convolution."""
    logits = to_tokens(torch.nn.functional.conv2d(latents, weights[:, :, None, None], biases))
    noise = Noise(step, len(logits)).gumbel(slice(0, len(logits)), SIZE, CPU)
    p = logits.softmax(1)
    return ((logits + noise) / temperature).softmax(1) @ embedding, (p * (p * SIZE).log()).sum(1).mean()


@pytest.mark.parametrize(("progress", "temperature"), [(0.0, 1.0), (0.5, 17 / 32), (1.0, 1 / 16)])
def test_vectors_losses_and_gradients_are_those_of_the_table(progress: float, temperature: float) -> None:
    ours, latents = built(), normal(4, DIM, 4, 3, seed=1).requires_grad_()
    ours(latents)  # a step, so that the noise is not that of the first
    ours.anneal(progress)
    head, embedding = (each.detach().clone().requires_grad_() for each in (ours.head, ours.embedding))
    coded = ours(latents)
    quantized, kl = by_a_table(latents, head[:, :DIM], head[:, DIM], embedding, temperature, step=1)
    torch.testing.assert_close(to_tokens(coded.quantized), quantized)
    torch.testing.assert_close(coded.losses["kl"], kl)
    upstream = normal(48, DIM, seed=2)
    pairs = [((to_tokens(coded.quantized) * upstream).sum(), (quantized * upstream).sum()), (coded.losses["kl"], kl)]
    for mine, theirs in pairs:
        gradients = torch.autograd.grad(
            mine, (latents, ours.head, ours.embedding), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        expected = torch.autograd.grad(
            theirs, (latents, head, embedding), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for gradient, of_table in zip(gradients, expected, strict=True):
            torch.testing.assert_close(gradient, of_table, rtol=1e-6, atol=1e-9)


def test_evaluation_takes_the_embedding_of_the_largest_logit_without_noise() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3, seed=1)
    trained, evaluated = quantizer(latents), quantizer.eval()(latents)
    logits = to_tokens(latents) @ quantizer.head[:, :DIM].T + quantizer.head[:, DIM]
    codes = logits.argmax(1)
    assert torch.equal(to_tokens(evaluated.codes)[:, 0], codes)
    assert torch.equal(to_tokens(evaluated.quantized), quantizer.embedding[codes])
    assert torch.equal(trained.codes, evaluated.codes)
    assert not torch.allclose(trained.quantized, evaluated.quantized, atol=0.1)


def test_a_bias_can_make_a_code_the_nearest_of_all_tokens() -> None:
    quantizer, latents = built().eval(), normal(4, DIM, 4, 3, seed=1)
    with torch.no_grad():
        quantizer.head[7, DIM] = 100.0
    assert (quantizer(latents).codes == 7).all()
    distances = quantizer.distances(to_tokens(quantizer.continuous(latents)))
    logits = to_tokens(latents) @ quantizer.head[:, :DIM].T + quantizer.head[:, DIM]
    torch.testing.assert_close(distances, -logits)


def test_the_decoder_sees_of_a_point_the_mean_embedding_under_its_softmax() -> None:
    quantizer, latents = built().eval(), normal(2, DIM, 3, 3, seed=1)
    logits = to_tokens(latents) @ quantizer.head[:, :DIM].T + quantizer.head[:, DIM]
    seen = to_tokens(quantizer.decoder_input(quantizer.continuous(latents)))
    torch.testing.assert_close(seen, logits.softmax(1) @ quantizer.embedding)


def test_the_divergence_from_the_uniform_has_its_ends() -> None:
    quantizer, latents = built(), normal(2, DIM, 3, 3)
    with torch.no_grad():
        quantizer.head.zero_()
    assert quantizer(latents).losses["kl"].item() == pytest.approx(0, abs=1e-12)
    with torch.no_grad():
        quantizer.head[3, DIM] = 1e3
    assert quantizer(latents).losses["kl"].item() == pytest.approx(math.log(SIZE))


def test_the_draw_goes_on_from_the_step_that_was_saved() -> None:
    one, other, latents = built(), built(), normal(2, DIM, 3, 3)
    for _ in range(3):
        one(latents)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(latents).quantized, other(latents).quantized)


def test_what_needs_a_geometry_is_refused_in_a_line() -> None:
    shown = study_of(method_tokenizer("gumbel", size=16), noise_pictures(4))
    for asking in (
        lambda: geometry.code_cells(shown),
        lambda: geometry.latent_map(shown),
        lambda: geometry.kmeans_codebooks(shown, in_hindsight=True, progress=False),
        lambda: geometry.fit_grid(shown),
        lambda: pictures.recoded(shown, shown.code_points),
        lambda: widgets.GeometryExplorer(shown),
    ):
        with pytest.raises(InputError, match="has no geometry: its codes are chosen by the logits of a learned layer"):
            asking()
    table = pictures.token_table(shown)
    assert table["squared_distance"].isna().all()
    assert pictures.distortion(table, 16)["quantization_error_share"].isna().any()
    assert pictures.posterior(shown, 0, 0, 0).metric == "−logit"


@pytest.mark.slow
@pytest.mark.usefixtures("own_data_and_no_network")
def test_a_run_is_evaluated_without_an_error_of_quantization_and_shown(tmp_path: Path) -> None:
    recipe = replace(
        preset("tiny", "gumbel", codebook_size=64), data="fake", image_size=16, steps=3, batch_size=8, log_steps=1
    )
    run = train(recipe, tmp_path / "run", progress=False)
    result = evaluate(run, without=["fd", "lpips"])
    assert result["quantization_error"] is None
    assert result["active_codes"] > 0
    assert "relaxation_error" in run.history()
    assert len(study(run).snapshots) > 0
    widgets.UsageExplorer(run)


def test_the_published_settings() -> None:
    config = GumbelConfig()
    assert (config.temperature.at(0.0), config.temperature.at(1.0), config.temperature.shape) == (1, 1 / 16, "cosine")
    assert config.default_loss_weights == {"kl": 5e-4}
    quantizer = GumbelConfig(4096).build(16, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, Gumbel)
    assert quantizer.embedding.std().item() == pytest.approx(1, rel=0.02)
    assert quantizer.head.abs().max().item() == pytest.approx(1 / 4, rel=0.01)  # uniform in ±1/√D, as a convolution's


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"temperature": TemperatureSchedule(unit="per_dimension")}, "unit is 'per_dimension'"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        GumbelConfig(**settings)
