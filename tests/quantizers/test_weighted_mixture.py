"""Tests of LGQ's weights, widths and cosines: against Gaussian mixtures, and in all that speaks of its codes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import LGQConfig, TemperatureSchedule, nearest_codes
from lgq_explore.quantizers.components import LearnedComponents
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.soft_assignment.autograd import BACKENDS

SIZE, DIM, TEMPERATURE = 16, 5, 0.6
SETTINGS: dict[str, dict[str, object]] = {
    "prior": {"learned_prior": True},
    "widths": {"learned_widths": True},
    "both": {"learned_prior": True, "learned_widths": True},
    "cosine": {"distance": "cosine"},
    "all": {"learned_prior": True, "learned_widths": True, "distance": "cosine"},
}
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
learned = pytest.mark.parametrize("name", ["prior", "widths", "both"])


def lgq(settings: dict[str, object], temperature: float = TEMPERATURE) -> LGQ:
    """In float64, with weights and widths that differ where there are any."""
    schedule = TemperatureSchedule(temperature, temperature, "constant")
    config = LGQConfig(SIZE, schedule, norm="none", **settings)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    quantizer = config.build(DIM, generator).double()
    components = quantizer.components
    if isinstance(components, LearnedComponents):
        with torch.no_grad():
            if config.learned_prior:
                components.prior.copy_((2 * torch.randn(SIZE, generator=generator)).softmax(0))
            if components.log_widths is not None:
                components.log_widths.copy_(0.4 * torch.randn(SIZE, generator=generator) + 3)
    return quantizer


def some_latents(batch: int = 4) -> Tensor:
    return torch.randn(batch, DIM, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def as_tokens(latents: Tensor) -> Tensor:
    return latents.movedim(1, -1).flatten(0, -2)


def shares(quantizer: LGQ) -> Tensor:
    """π [K]: a thousandth of even usage, and the average."""
    prior = quantizer.components.prior
    return 0.999 * prior + 0.001 / len(prior)


def widths(quantizer: LGQ) -> Tensor:
    """s [K], of geometric mean 1."""
    log_widths = quantizer.components.log_widths
    return torch.ones(SIZE).double() if log_widths is None else (log_widths - log_widths.mean()).exp().detach()


def mixture_of(quantizer: LGQ) -> GaussianMixture:
    mixture = GaussianMixture(SIZE, covariance_type="spherical")
    mixture.weights_, mixture.means_ = shares(quantizer).numpy(), quantizer.centres.detach().numpy()
    mixture.covariances_ = (TEMPERATURE * widths(quantizer) / 2).numpy()
    mixture.precisions_cholesky_ = mixture.covariances_**-0.5
    return mixture


def responsibilities(quantizer: LGQ, latents: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """[N, K]: the usage of a single token is its row."""
    rows = [quantizer.soft_assign(token[None, :, None, None], temperature).usage for token in as_tokens(latents)]
    return torch.stack(rows).detach()


# Gaussian mixtures


@learned
def test_responsibilities_are_those_of_a_mixture_with_these_weights_and_variances(name: str) -> None:
    quantizer, latents = lgq(SETTINGS[name]), some_latents(1)
    expected = torch.from_numpy(mixture_of(quantizer).predict_proba(as_tokens(latents).numpy()))
    torch.testing.assert_close(responsibilities(quantizer, latents), expected, rtol=0, atol=1e-12)


@learned
def test_the_code_is_that_of_the_largest_posterior_and_not_the_nearest(name: str) -> None:
    quantizer, latents = lgq(SETTINGS[name]), some_latents()
    tokens = as_tokens(latents)
    likeliest = torch.from_numpy(mixture_of(quantizer).predict(tokens.numpy()))
    assert torch.equal(quantizer.assign(tokens)[:, 0], likeliest)
    assert not torch.equal(nearest_codes(tokens, quantizer.centres.detach()), likeliest)


@learned
def test_the_free_energy_is_the_negative_log_likelihood_but_for_its_constant(name: str) -> None:
    quantizer, latents = lgq(SETTINGS[name]), some_latents()
    likelihood = mixture_of(quantizer).score(as_tokens(latents).numpy())
    expected = -TEMPERATURE * (likelihood + DIM / 2 * math.log(math.pi * TEMPERATURE))
    assert quantizer(latents).diagnostics["free_energy"].item() == pytest.approx(expected, rel=1e-9)


def test_codes_under_a_prior_have_the_least_distortion_and_code_length() -> None:
    """Entropy-constrained vector quantization: min_k |z − c_k|² − τ log π_k."""
    quantizer = lgq(SETTINGS["prior"])
    tokens = as_tokens(some_latents())
    cost = torch.cdist(tokens, quantizer.centres.detach()).square() - TEMPERATURE * shares(quantizer).log()
    torch.testing.assert_close(quantizer.distances(tokens), cost, rtol=1e-9, atol=1e-9)
    assert torch.equal(quantizer.assign(tokens)[:, 0], cost.argmin(1))


def test_logits_of_directions_are_cosines_over_the_temperature() -> None:
    quantizer, latents = lgq(SETTINGS["cosine"]), some_latents(1)
    directions = functional.normalize(as_tokens(latents), dim=1)
    cosines = directions @ functional.normalize(quantizer.centres.detach(), dim=1).T
    expected = (cosines / TEMPERATURE).softmax(1)
    torch.testing.assert_close(responsibilities(quantizer, latents), expected, rtol=0, atol=1e-12)
    assert torch.equal(quantizer.eval()(latents).codes.flatten(), cosines.argmax(1))
    torch.testing.assert_close(as_tokens(quantizer.continuous(latents)), directions)
    torch.testing.assert_close(quantizer.codebooks()[0].norm(dim=1), torch.ones(SIZE).double())


# All that speaks of codes says the same


@every_setting
def test_codes_in_training_and_evaluation_of_distances_and_of_the_posterior_are_the_same(
    settings: dict[str, object],
) -> None:
    quantizer, latents = lgq(settings), some_latents()
    quantizer.components.follow = lambda usage: None  # type: ignore[method-assign]
    trained = quantizer(latents)
    evaluated = quantizer.eval()(latents)
    points = as_tokens(quantizer.continuous(latents))
    codes = as_tokens(evaluated.codes)[:, 0]
    assert torch.equal(trained.codes, evaluated.codes)
    assert torch.equal(quantizer.assign(points)[:, 0], codes)
    assert torch.equal(quantizer.distances(points).argmin(1), codes)
    for temperature in (0.01, TEMPERATURE, 10.0):
        assert torch.equal(quantizer.softness(latents, temperature).codes, codes)
    torch.testing.assert_close(as_tokens(evaluated.quantized), quantizer.codebooks()[0][codes])
    torch.testing.assert_close(quantizer.soft(latents, 1e-6), evaluated.quantized, rtol=0, atol=1e-9)


@every_setting
def test_codes_among_those_allowed_are_the_best_of_these(settings: dict[str, object]) -> None:
    quantizer = lgq(settings).eval()
    points = as_tokens(quantizer.continuous(some_latents()))
    allowed = torch.tensor([1, 5, 6, 11])
    expected = allowed[quantizer.distances(points)[:, allowed].argmin(1)]
    assert torch.equal(quantizer.assign(points, allowed)[:, 0], expected)


@every_setting
def test_softness_is_its_definition_at_any_temperature(settings: dict[str, object]) -> None:
    quantizer, latents = lgq(settings), some_latents(1)
    for temperature in (0.1, TEMPERATURE, 3.0):
        p, softness = responsibilities(quantizer, latents, temperature), quantizer.softness(latents, temperature)
        torch.testing.assert_close(softness.log_largest, p.max(1).values.log(), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(softness.entropy, -torch.special.xlogy(p, p).sum(1), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(softness.soft, p @ quantizer.codebooks()[0], rtol=1e-9, atol=1e-9)
        assert softness.temperature == temperature


@every_setting
def test_another_temperature_tempers_the_posterior(settings: dict[str, object]) -> None:
    quantizer, latents = lgq(settings), some_latents(1)
    trained, tempered = (responsibilities(quantizer, latents, factor * TEMPERATURE) for factor in (1.0, 2.0))
    expected = trained.sqrt() / trained.sqrt().sum(1, keepdim=True)
    torch.testing.assert_close(tempered, expected, rtol=1e-9, atol=1e-12)


@every_setting
def test_the_gain_is_the_mean_diagonal_of_the_derivative(settings: dict[str, object]) -> None:
    quantizer = lgq(settings)
    token = as_tokens(some_latents())[:1]
    if settings.get("distance") == "cosine":
        token = functional.normalize(token, dim=1)

    def expected(points: Tensor) -> Tensor:
        mixture, temperature = quantizer.mixture, TEMPERATURE * quantizer.temperature_scale
        return mixture.expected(mixture.assign(points, temperature)).flatten()

    jacobian = torch.autograd.functional.jacobian(expected, token)[:, 0]
    gain = quantizer.softness(token[:, :, None, None], TEMPERATURE).encoder_gain
    assert gain.item() == pytest.approx(jacobian.diagonal().mean().item(), rel=1e-9)


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend in ("tiled", "dense")])
@every_setting
def test_gradients_of_every_parameter_are_those_of_the_formula(
    settings: dict[str, object], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_BACKEND", backend)
    quantizer, latents = lgq(settings), some_latents().requires_grad_()
    weights = torch.randn(latents.shape, dtype=torch.float64)
    parameters = [latents, *quantizer.parameters()]
    coded = quantizer(latents)
    ours = torch.autograd.grad((coded.quantized * weights).sum() + coded.losses["peakedness"], parameters)

    fresh = lgq(settings)
    parameters = [latents, *fresh.parameters()]
    expected = torch.autograd.grad(_by_formula(fresh, latents, weights), parameters)
    for mine, right in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-8, atol=1e-10)


def _by_formula(quantizer: LGQ, latents: Tensor, weights: Tensor) -> Tensor:
    tokens, centres = as_tokens(latents), quantizer.centres
    if quantizer.config.distance == "cosine":
        tokens, centres = functional.normalize(tokens, dim=1), functional.normalize(centres, dim=1)
        similarity = tokens @ centres.T - 1
    else:
        similarity = -(tokens[:, None] - centres[None]).square().sum(2)
    if quantizer.config.learned_widths or quantizer.config.learned_prior:
        log_widths = quantizer.components.log_widths
        relative = torch.zeros(SIZE).double() if log_widths is None else log_widths - log_widths.mean()
        logits = similarity / (TEMPERATURE * relative.exp()) - DIM / 2 * relative + shares(quantizer).log()
    else:
        logits = similarity / TEMPERATURE
    p = logits.softmax(1)
    return (p @ centres * as_tokens(weights)).sum() + 1 - p.square().sum(1).mean()


# What is learned


def test_weights_follow_the_usage() -> None:
    quantizer, latents = lgq({"learned_prior": True}), some_latents()
    with torch.no_grad():
        quantizer.components.prior.fill_(1 / SIZE)
    usage = quantizer.soft_assign(latents, TEMPERATURE).usage.detach()
    quantizer(latents)
    torch.testing.assert_close(quantizer.components.prior, 0.99 / SIZE + 0.01 * usage)


def test_a_prior_spends_fewer_codes_than_even_weights() -> None:
    """Codes that few tokens choose become dear, and fewer still choose them."""
    generator = torch.Generator().manual_seed(4)
    tokens = torch.cat([torch.randn(300, DIM, generator=generator), 3 + torch.randn(12, DIM, generator=generator)])
    latents = tokens.double()[:, :, None, None]
    quantizer = lgq({"learned_prior": True}, temperature=4.0)
    with torch.no_grad():
        quantizer.components.prior.fill_(1 / SIZE)
    before = len(quantizer.assign(tokens.double()).unique())
    for _ in range(400):
        quantizer(latents)
    after = len(quantizer.assign(tokens.double()).unique())
    assert after < before


def test_no_code_is_too_dear_to_return() -> None:
    quantizer = lgq({"learned_prior": True})
    with torch.no_grad():
        quantizer.components.prior.copy_(torch.eye(SIZE)[0])
    length = quantizer.mixture.bias / TEMPERATURE
    assert length.max().item() == pytest.approx(math.log(SIZE) + math.log(1000), rel=1e-6)


def test_only_relative_widths_count() -> None:
    quantizer, latents = lgq({"learned_widths": True}), some_latents(1)
    before = responsibilities(quantizer, latents)
    with torch.no_grad():
        quantizer.components.log_widths += 1.5
    torch.testing.assert_close(responsibilities(quantizer, latents), before)


def test_the_likelihood_teaches_the_widths_of_clusters() -> None:
    """Gradient ascent on the mixture's likelihood finds the ratio of two clusters' variances."""
    generator = torch.Generator().manual_seed(5)
    narrow, wide = (scale * torch.randn(2000, DIM, generator=generator).double() for scale in (0.2, 0.6))
    tokens = torch.cat([narrow, wide + 20])
    variance = (0.2 * 0.6) ** 1.0  # the geometric mean of both
    schedule = TemperatureSchedule(2 * variance, 2 * variance, "constant")
    quantizer = LGQConfig(2, schedule, norm="none", learned_widths=True).build(DIM).double()
    quantizer.components.at(2 * variance)
    with torch.no_grad():
        quantizer.centres.copy_(torch.tensor([[0.0] * DIM, [20.0] * DIM]))
    optimizer = torch.optim.Adam([quantizer.components.log_widths], lr=0.05)
    for _ in range(200):
        mixture = quantizer.mixture
        energies = (tokens[:, None] - mixture.codes.detach()).square().sum(2) / mixture.widths + mixture.bias
        loss = -(-energies / (2 * variance)).logsumexp(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = quantizer.mixture.widths.detach()
    assert (found[1] / found[0]).item() == pytest.approx(9.0, rel=0.1)


def test_weights_widths_and_their_temperature_are_saved_and_loaded() -> None:
    quantizer, latents = lgq(SETTINGS["all"]), some_latents()
    quantizer.temperature = 0.3
    quantizer(latents)
    other = LGQConfig(SIZE, norm="none", **SETTINGS["all"]).build(DIM).double()  # type: ignore[arg-type]
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.eval()(latents).codes, quantizer.eval()(latents).codes)
    assert other.components.temperature.item() == pytest.approx(0.6)  # 2 · 0.3, on the sphere


@every_setting
def test_a_codebook_of_this_size_keeps_the_components_and_one_of_another_begins_anew(
    settings: dict[str, object],
) -> None:
    quantizer, latents = lgq(settings).eval(), some_latents()
    same = quantizer.with_codebooks([quantizer.codebooks()[0]])
    assert torch.equal(same(latents).codes, quantizer(latents).codes)
    points = as_tokens(quantizer.continuous(latents))
    fewer = quantizer.with_codebooks([quantizer.codebooks()[0][:7]])
    assert torch.equal(fewer.assign(points)[:, 0], nearest_codes(points, fewer.codebooks()[0]))


def test_a_codebook_that_is_given_to_directions_is_held_as_it_is() -> None:
    quantizer = lgq(SETTINGS["cosine"])
    given = quantizer.codebooks()[0] / 2
    assert torch.equal(quantizer.with_codebooks([given]).codebooks()[0], given)


@pytest.mark.parametrize("build", [LGQConfig, lambda size: LGQConfig(size, distance="cosine")])
def test_without_weights_and_widths_there_is_nothing_more_to_save(build: Callable[[int], LGQConfig]) -> None:
    assert not [name for name in build(SIZE).build(DIM).state_dict() if name.startswith("components")]


def test_an_unknown_distance_is_named() -> None:
    with pytest.raises(ValueError, match="distance is 'dot'"):
        LGQConfig(distance="dot")
