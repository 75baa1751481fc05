"""Tests of LGQ against its formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import LGQConfig, SoftAssignment, TemperatureSchedule, VQGradientConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.solved_temperature import CALIBRATION_STEPS
from lgq_explore.quantizers.temperature import UNITS
from lgq_explore.quantizers.usage_regularizers import usage_regularizers

TEMPERATURES = (0.01, 0.1, 1.0, 10.0)


def constant(temperature: float) -> TemperatureSchedule:
    return TemperatureSchedule(temperature, temperature, "constant")


def lgq_without_norm(size: int = 16, dim: int = 5, temperature: float = 1.0, seed: int = 0) -> LGQ:
    """In float64 and training mode, its centres drawn from N(0, 1)."""
    torch.manual_seed(seed)
    return LGQConfig(codebook_size=size, norm="none", temperature=constant(temperature)).build(dim).double()


def random_latents(batch: int = 4, dim: int = 5, side: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(batch, dim, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_tokens(latents: Tensor) -> Tensor:
    return latents.movedim(1, -1).flatten(0, -2)


def as_latents(tokens: Tensor) -> Tensor:
    """[N, D] → [N, D, 1, 1]."""
    return tokens[:, :, None, None]


@dataclass(frozen=True)
class Dense:
    """The formulas of the paper with all N×K numbers at hand."""

    squared_distances: Tensor
    p: Tensor
    soft: Tensor
    hard: Tensor
    free_energy: Tensor


def dense(tokens: Tensor, centres: Tensor, temperature: float) -> Dense:
    squared_distances = (tokens[:, None] - centres[None]).square().sum(2)
    p = (-squared_distances / temperature).softmax(1)
    return Dense(
        squared_distances=squared_distances,
        p=p,
        soft=p @ centres,
        hard=centres[squared_distances.argmin(1)],
        free_energy=-temperature * (-squared_distances / temperature).logsumexp(1),
    )


# The Gaussian mixture


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_responsibilities_are_those_of_a_gaussian_mixture_of_variance_half_the_temperature(temperature: float) -> None:
    quantizer, latents = lgq_without_norm(), random_latents(1)
    mixture = GaussianMixture(16, covariance_type="spherical")
    mixture.weights_ = torch.full((16,), 1 / 16, dtype=torch.float64).numpy()
    mixture.means_ = quantizer.centres.detach().numpy()
    mixture.covariances_ = torch.full((16,), temperature / 2, dtype=torch.float64).numpy()
    mixture.precisions_cholesky_ = mixture.covariances_**-0.5
    tokens = as_tokens(latents)
    # The usage of a single token is its row of responsibilities.
    ours = torch.stack([quantizer.soft_assign(as_latents(token[None]), temperature).usage for token in tokens]).detach()
    expected = torch.from_numpy(mixture.predict_proba(tokens.numpy()))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_free_energy_is_the_mixtures_negative_log_likelihood_up_to_its_constant(temperature: float) -> None:
    quantizer, latents = lgq_without_norm(temperature=temperature), random_latents()
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=torch.zeros(16, dtype=torch.float64)),
        torch.distributions.MultivariateNormal(
            quantizer.centres.detach(), temperature / 2 * torch.eye(5, dtype=torch.float64)
        ),
    )
    constant_term = temperature * math.log(16) + temperature * 5 / 2 * math.log(math.pi * temperature)
    expected = -temperature * mixture.log_prob(as_tokens(latents)).mean().item() - constant_term
    diagnostics = quantizer(latents).diagnostics
    assert diagnostics["free_energy"].item() == pytest.approx(expected, rel=1e-12)
    assert diagnostics["free_energy_per_dimension"].item() == pytest.approx(expected / 5, rel=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_bounds_between_soft_and_hard(temperature: float) -> None:
    """0 ≤ min d² − F ≤ τ log K, p* = exp(−(min d² − F)/τ), |q_soft − q_hard| ≤ (1 − p*) max |c − c*|."""
    quantizer, latents = lgq_without_norm(), random_latents()
    tokens, centres = as_tokens(latents), quantizer.centres.detach()
    assignment = quantizer.soft_assign(latents, temperature)
    origin = quantizer.mixture.origin
    free_energy = ((tokens - origin).square().sum(1) - temperature * assignment.lse).detach()
    squared_distances = dense(tokens, centres, temperature).squared_distances
    gap = squared_distances.min(1).values - free_energy
    assert gap.min() >= -1e-12
    assert gap.max() <= temperature * math.log(16) + 1e-12
    largest = dense(tokens, centres, temperature).p.max(1).values
    torch.testing.assert_close((-gap / temperature).exp(), largest, rtol=1e-10, atol=0)
    soft = as_tokens(quantizer.soft(latents, temperature)).detach()
    hard = centres[assignment.codes]
    reach = (centres[None] - hard[:, None]).norm(dim=2).max(1).values
    assert ((soft - hard).norm(dim=1) <= (1 - largest) * reach + 1e-12).all()


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_softness_of_a_token_is_its_definition(temperature: float) -> None:
    quantizer, latents = lgq_without_norm(), random_latents()
    truth = dense(as_tokens(latents), quantizer.centres.detach(), temperature)
    softness = quantizer.softness(latents, temperature)
    covariance_trace = truth.p @ quantizer.centres.detach().square().sum(1) - truth.soft.square().sum(1)
    expected = {
        "codes": truth.squared_distances.argmin(1),
        "log_largest": truth.p.max(1).values.log(),
        "entropy": -torch.special.xlogy(truth.p, truth.p).sum(1),
        "encoder_gain": 2 * covariance_trace / (temperature * 5),
        "soft": truth.soft,
        "hard": truth.hard,
        "free_energy_gap": truth.squared_distances.min(1).values - truth.free_energy,
    }
    for name, value in expected.items():
        torch.testing.assert_close(getattr(softness, name), value, rtol=1e-9, atol=1e-9, msg=name)
    assert not softness.soft.requires_grad


def test_another_codebook_makes_another_quantizer_and_leaves_this_one_alone() -> None:
    quantizer, latents = lgq_without_norm(), random_latents()
    before = quantizer.centres.detach().clone()
    other = quantizer.with_codebooks([before[:7].float() + 1])
    tokens = as_tokens(latents)
    assert other.codebook_size == 7
    assert torch.equal(other.softness(latents, 1.0).codes, torch.cdist(tokens, other.centres).argmin(1))
    torch.testing.assert_close(other.codebooks()[0], before[:7].float().double() + 1)
    assert torch.equal(quantizer.centres, before)
    assert quantizer.codebook_size == 16
    with pytest.raises(InputError, match=r"shapes \[\[7, 4\]\]: give one \[K, 5\]"):
        quantizer.with_codebooks([before[:7, :4]])


def test_hardens_into_nearest_neighbours_as_the_temperature_falls() -> None:
    quantizer, latents = lgq_without_norm(), random_latents()
    hard = quantizer.eval()(latents)
    gaps = [(quantizer.soft(latents, t) - hard.quantized).norm().item() for t in (10.0, 1.0, 0.1, 0.01, 1e-3)]
    assert gaps == sorted(gaps, reverse=True)
    assert torch.allclose(quantizer.soft(latents, 1e-5), hard.quantized, rtol=0, atol=1e-12)
    quantizer.train().temperature = 1e-5
    coded = quantizer(latents)
    assert torch.equal(coded.codes, hard.codes)
    assert coded.losses["peakedness"].item() == pytest.approx(0, abs=1e-12)
    assert coded.diagnostics["effective_codes"].item() == pytest.approx(1, abs=1e-9)
    assert coded.diagnostics["encoder_gain_mean"].item() == pytest.approx(0, abs=1e-9)


# Deterministic annealing (Rose, Gurewitz, Fox 1990)


def spread_after_em(tokens: Tensor, temperature: float, iterations: int = 400) -> float:
    """How far the centres lie apart after so many EM steps from a small spread, relative to that spread.

    A step of EM at fixed variance is c ← c − ∂F/∂c / (2 u): the responsibility-weighted means.
    """
    quantizer = lgq_without_norm(size=8, dim=tokens.shape[1])
    start = 1e-4 * torch.randn(quantizer.centres.shape, dtype=torch.float64)
    with torch.no_grad():
        quantizer.centres.copy_(tokens.mean(0) + start)
    for _ in range(iterations):
        assignment = quantizer.soft_assign(as_latents(tokens), temperature)
        (gradient,) = torch.autograd.grad(-temperature * assignment.lse.mean(), quantizer.centres)
        with torch.no_grad():
            quantizer.centres -= gradient / (2 * assignment.usage[:, None])
    return (quantizer.centres.std(0).norm() / start.std(0).norm()).item()


def test_all_centres_coincide_above_the_critical_temperature_and_split_below() -> None:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randn(300, 3, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 2.0, 0.5])
    critical = 2 * torch.linalg.eigvalsh(torch.cov(tokens.T, correction=0)).max().item()
    assert spread_after_em(tokens, 1.02 * critical) < 1e-2
    assert spread_after_em(tokens, 0.98 * critical) > 1e2


# Losses


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_losses_and_diagnostics_are_their_definitions(temperature: float) -> None:
    quantizer, latents = lgq_without_norm(temperature=temperature), random_latents()
    tokens, centres = as_tokens(latents), quantizer.centres.detach()
    truth, coded = dense(tokens, centres, temperature), quantizer(latents)
    count, size = truth.p.shape
    usage = truth.p.mean(0)
    published = size * usage.square().sum()
    squares = truth.p.square().sum(1)
    spread = truth.p @ centres.square().sum(1) - truth.soft.square().sum(1)
    gain = 2 * spread / (temperature * 5)
    entropy = -torch.special.xlogy(truth.p, truth.p).sum(1)
    expected = {
        "quantization": (truth.hard - tokens).square().mean(),
        "peakedness": 1 - squares.mean(),
        "usage": published,
        "temperature": torch.tensor(temperature),
        "effective_codes": entropy.mean().exp(),
        "encoder_gain_mean": gain.mean(),
        "encoder_gain_median": gain.median(),
        "encoder_gain_share_below_1_percent": (gain < 0.01).double().mean(),
        "free_energy": truth.free_energy.mean(),
        "free_energy_per_dimension": truth.free_energy.mean() / 5,
        "usage_published": published,
        "usage_unbiased": (count * published - size * squares.mean()) / (count - 1),
    }
    reported = {**coded.losses, **coded.diagnostics}
    assert reported.keys() == expected.keys()
    for name, value in expected.items():
        assert reported[name].item() == pytest.approx(value.item(), rel=1e-7, abs=1e-9), name
    assert torch.allclose(as_tokens(coded.quantized), truth.hard, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["published", "unbiased", "kl"])
def test_the_usage_that_is_optimised_is_the_one_asked_for(form: str) -> None:
    config = replace(lgq_without_norm().config, usage_form=form)
    coded = config.build(5).double()(random_latents())
    assert coded.losses["usage"].item() == coded.diagnostics[f"usage_{form}"].item()
    assert coded.diagnostics["usage_published"] != coded.diagnostics["usage_unbiased"]


@pytest.mark.parametrize("temperature", [1e-4, *TEMPERATURES, 1e6])
@pytest.mark.parametrize("size", [2, 16, 200])
@pytest.mark.parametrize("batch", [1, 8])
def test_regularizers_stay_in_their_ranges(temperature: float, size: int, batch: int) -> None:
    """L_peak ∈ [0, 1 − 1/K], L_usage ∈ [1, K], L_usage ≥ (K/N)(1 − L_peak)."""
    losses = lgq_without_norm(size, temperature=temperature)(random_latents(batch)).losses
    peakedness, usage = losses["peakedness"].item(), losses["usage"].item()
    assert -1e-12 <= peakedness <= 1 - 1 / size + 1e-12
    assert 1 - 1e-12 <= usage <= size + 1e-12
    assert usage >= size / (16 * batch) * (1 - peakedness) - 1e-12


def test_regularizers_reach_the_ends_of_their_ranges() -> None:
    flat = lgq_without_norm(temperature=1e9)(random_latents()).losses
    assert flat["peakedness"].item() == pytest.approx(1 - 1 / 16, abs=1e-7)
    assert flat["usage"].item() == pytest.approx(1, abs=1e-7)
    hard = lgq_without_norm(temperature=1e-6)
    with torch.no_grad():
        hard.centres[3] = 50.0
    collapsed = hard(torch.full((2, 5, 3, 3), 50.0, dtype=torch.float64)).losses
    assert collapsed["peakedness"].item() == pytest.approx(0, abs=1e-12)
    assert collapsed["usage"].item() == pytest.approx(16, rel=1e-12)


def test_the_unbiased_usage_is_unbiased_over_batches_and_the_published_one_is_not() -> None:
    size, batch_tokens, batches = 64, 16, 1500
    quantizer = lgq_without_norm(size, dim=3)
    generator = torch.Generator().manual_seed(5)
    population = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    p = dense(population, quantizer.centres.detach(), 0.3).p
    truth = (size * p.mean(0).square().sum()).item()
    bias = size / batch_tokens * (p.square().sum(1).mean() - p.mean(0).square().sum()).item()
    drawn = torch.randint(500, (batches, batch_tokens), generator=generator)
    with torch.no_grad():
        estimates = torch.tensor(
            [
                list(usage_regularizers(quantizer.soft_assign(as_latents(population[rows]), 0.3)).values())[:2]
                for rows in drawn
            ]
        )
    published, unbiased = estimates.mean(0).tolist()
    published_error, unbiased_error = (estimates.std(0) / math.sqrt(batches)).tolist()
    assert abs(unbiased - truth) < 4 * unbiased_error
    assert abs(published - truth - bias) < 4 * published_error
    assert bias > 20 * published_error
    assert estimates[:, 1].min() < 1  # never clamped


# What the encoder hears


@pytest.mark.parametrize("temperature", TEMPERATURES[1:])
def test_the_jacobian_is_the_covariance_of_the_centres_under_p(temperature: float) -> None:
    """dq/dz = (2/τ) Cov_p(c); the encoder gain is its mean diagonal."""
    quantizer = lgq_without_norm(temperature=temperature)
    centres = quantizer.centres.detach()
    token = random_latents(1, side=1)

    def quantize(latents: Tensor) -> Tensor:
        return quantizer(latents).quantized.flatten()

    jacobian = torch.autograd.functional.jacobian(quantize, token).flatten(1)
    truth = dense(as_tokens(token), centres, temperature)
    covariance = (truth.p[0, :, None] * centres).T @ centres - torch.outer(truth.soft[0], truth.soft[0])
    torch.testing.assert_close(jacobian, 2 / temperature * covariance, rtol=1e-9, atol=1e-12)
    gain = quantizer.softness(token, temperature).encoder_gain
    assert gain.item() == pytest.approx(jacobian.diagonal().mean().item(), rel=1e-9)


def test_the_decoders_gradient_reaches_all_centres_where_vq_moves_only_the_chosen() -> None:
    latents = random_latents(batch=1, side=2)
    soft, hard = lgq_without_norm(size=64), VQGradientConfig(codebook_size=64).build(5).double()
    direction = torch.randn(latents.shape, dtype=torch.float64)
    (soft(latents).quantized * direction).sum().backward()
    assert (soft.centres.grad.norm(dim=1) > 0).all()
    coded = hard(latents)
    sum(coded.losses.values()).backward()
    moved = hard.codebook.grad.norm(dim=1).nonzero().flatten()
    assert torch.equal(moved, coded.codes.unique())


# Temperature


@pytest.mark.parametrize(
    ("unit", "expected"), [("absolute", 0.4), ("per_dimension", 0.4 * 5)], ids=["absolute", "per dimension"]
)
def test_anneals_by_its_schedule_unless_overridden(unit: str, expected: float) -> None:
    schedule = TemperatureSchedule(start=0.7, end=0.1, unit=unit)
    quantizer = LGQConfig(codebook_size=8, temperature=schedule).build(5)
    quantizer.anneal(0.5)
    assert quantizer.temperature == pytest.approx(expected)
    quantizer.temperature = 3.0
    quantizer.anneal(0.6)
    assert quantizer.temperature == 3.0
    assert quantizer(random_latents().float()).diagnostics["temperature"].item() == 3.0
    quantizer.temperature = None
    assert quantizer.temperature == pytest.approx(quantizer.scheduled_temperature)
    assert quantizer.temperature < expected


@pytest.mark.parametrize("unit", UNITS)
def test_a_config_knows_its_first_and_last_temperature(unit: str) -> None:
    config = LGQConfig(codebook_size=8, temperature=TemperatureSchedule(start=1.7, end=1.1, unit=unit))
    quantizer, scheduled = config.build(5), []
    for progress in (0.0, 1.0):
        quantizer.anneal(progress)
        scheduled.append(quantizer.scheduled_temperature)
    assert config.temperatures(5) == tuple(scheduled)
    assert VQGradientConfig(codebook_size=8).temperatures(5) is None


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_temperature_that_is_none(value: float) -> None:
    with pytest.raises(InputError, match=f"temperature is {value}: "):
        lgq_without_norm().temperature = value


@pytest.mark.parametrize("target", [1.5, 4.0, 12.0])
def test_solves_the_temperature_for_a_number_of_effective_codes(target: float) -> None:
    schedule = TemperatureSchedule(target, target, "constant", "effective_codes")
    quantizer = LGQConfig(codebook_size=16, norm="none", temperature=schedule).build(5).double()
    latents = random_latents()
    diagnostics = quantizer(latents).diagnostics
    assert diagnostics["effective_codes"].item() == pytest.approx(target, rel=0.01)
    assert quantizer.temperature == diagnostics["temperature"].item()


def test_keeps_the_solved_temperature_for_some_steps_and_in_its_state() -> None:
    schedule = TemperatureSchedule(8.0, 2.0, "exponential", "effective_codes")
    config = LGQConfig(codebook_size=16, norm="none", temperature=schedule)
    quantizer, copy = config.build(5), config.build(5)
    temperatures = []
    for step in range(2 * CALIBRATION_STEPS):
        quantizer.anneal(step / (2 * CALIBRATION_STEPS))
        temperatures.append(quantizer(random_latents(seed=step).float()).diagnostics["temperature"].item())
        if step == 3:
            copy.load_state_dict(quantizer.state_dict())
            assert copy.temperature == quantizer.temperature
    first, second = temperatures[:CALIBRATION_STEPS], temperatures[CALIBRATION_STEPS:]
    assert len(set(first)) == len(set(second)) == 1
    assert second[0] < first[0]


def test_solves_for_tokens_from_the_whole_grid() -> None:
    """The first column of the grid, far from all others, must not stand for them."""
    schedule = TemperatureSchedule(4.0, 4.0, "constant", "effective_codes")
    quantizer = LGQConfig(codebook_size=16, norm="none", temperature=schedule).build(5).double()
    latents = random_latents(batch=32, side=8)
    latents[..., 0] *= 10
    assert quantizer(latents).diagnostics["effective_codes"].item() == pytest.approx(4, rel=0.15)


# Norm


def test_the_layer_norm_takes_mean_and_scale_from_each_token() -> None:
    quantizer = LGQConfig(codebook_size=8).build(5).double()
    latents = random_latents()
    torch.testing.assert_close(
        quantizer.continuous(3 * latents + 7), quantizer.continuous(latents), rtol=1e-4, atol=1e-4
    )
    assert as_tokens(quantizer.continuous(latents)).mean(1).abs().max() < 1e-12


def test_no_norm_leaves_latents_as_they_are() -> None:
    latents = random_latents()
    assert torch.equal(lgq_without_norm().continuous(latents), latents)


def test_the_batch_norm_starts_with_the_statistics_of_the_tokens() -> None:
    quantizer = LGQConfig(codebook_size=8, norm="batch").build(5).double()
    scale = torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64)[:, None, None]
    latents = scale * random_latents(batch=40) + 10
    tokens = as_tokens(latents)
    quantizer.initialize(tokens)
    torch.testing.assert_close(quantizer.norm.running_mean, tokens.mean(0))
    torch.testing.assert_close(quantizer.norm.running_var, tokens.var(0))
    standardised = as_tokens(quantizer.eval().continuous(latents))
    torch.testing.assert_close(standardised.mean(0), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close(standardised.std(0), torch.ones(5, dtype=torch.float64), rtol=1e-4, atol=0)
    # The centres are tokens as `continuous` gives them.
    assert torch.cdist(quantizer.centres, standardised).min(1).values.max() < 1e-6
    assert not list(quantizer.norm.parameters())


def test_the_centres_start_as_normalised_tokens() -> None:
    quantizer = LGQConfig(codebook_size=8).build(5).double()
    latents = random_latents()
    quantizer.initialize(as_tokens(latents))
    normalised = as_tokens(quantizer.continuous(latents))
    assert torch.cdist(quantizer.centres, normalised).min(1).values.max() < 1e-6


# Numbers


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("temperature", [1e-3, 0.01, 0.1, 1.0, 100.0])
def test_float32_with_an_offset_agrees_with_float64(offset: float, temperature: float) -> None:
    """An offset costs nothing; a logit's rounding grows as 1/τ, and the gradient's with it."""
    torch.manual_seed(0)
    config = LGQConfig(codebook_size=16, norm="none", temperature=constant(temperature))
    single = config.build(5)
    with torch.no_grad():
        single.centres += offset
    double = config.build(5).double()
    double.load_state_dict(single.state_dict())
    latents = (random_latents() + offset).float()
    direction = torch.randn(latents.shape)
    results = []
    for quantizer, inputs in ((single, latents), (double, latents.double())):
        inputs = inputs.clone().requires_grad_()
        coded = quantizer(inputs)
        objective = (coded.quantized * direction).mean() + sum(coded.losses.values())
        gradients = torch.autograd.grad(objective, [inputs, quantizer.centres])
        results.append([coded.codes, *(tensor.double() for tensor in (coded.quantized, *gradients))])
    for value, expected in zip(*results, strict=True):
        error = (value.double() - expected.double()).norm() / expected.double().norm()
        assert error < 1e-5 * (1 + 1 / temperature)


def test_fields_that_are_out_of_range_are_named() -> None:
    for field, value in (
        ("norm", "group"),
        ("initialization", "uniform"),
        ("usage_form", "biased"),
        ("codebook_size", 1),
    ):
        with pytest.raises(ValueError, match=f"{field} is {value!r}"):
            LGQConfig(**{field: value})


def test_an_assignment_of_one_token_has_a_defined_unbiased_usage() -> None:
    assignment: SoftAssignment = lgq_without_norm().soft_assign(random_latents(1, side=1), 1.0)
    assert all(value.isfinite() for value in usage_regularizers(assignment).values())


def test_a_share_below_which_responsibilities_count_as_nothing_is_the_recipes() -> None:
    latents = random_latents()
    exact, dropping = (LGQConfig(16, norm="none", drop=drop).build(latents.shape[1]).double() for drop in (0.0, 0.999))
    dropping.centres.data.copy_(exact.centres)
    hard = exact.eval()(latents).quantized
    torch.testing.assert_close(dropping.soft(latents, 1.0), hard)  # nothing but the nearest is left
    assert not torch.allclose(exact.soft(latents, 1.0), hard)
    with pytest.raises(ValueError, match=r"drop is 1\.0"):
        LGQConfig(drop=1.0)


def test_an_ablation_is_a_replace_and_checks_its_value() -> None:
    assert replace(LGQConfig(), codebook_size=64).build(4).codebook_size == 64
    with pytest.raises(ValueError, match="norm is 'instance'"):
        replace(LGQConfig(), norm="instance")


def test_centres_that_stay_leave_the_encoder_its_gradient() -> None:
    """The gradient of the latents is that of learned centres, and no step moves a centre."""
    grid = LGQConfig(27, norm="none", initialization="grid", temperature=constant(1.0))
    gradients = {}
    for learned in (True, False):
        quantizer = replace(grid, learned_centres=learned).build(3, torch.Generator().manual_seed(0))
        latents = random_latents(dim=3).float()
        quantizer.initialize(as_tokens(latents))
        start = quantizer.centres.detach().clone()
        optimizer = torch.optim.AdamW(quantizer.parameters(), lr=0.1)
        output = quantizer(latents.requires_grad_())
        (output.quantized.square().sum() + sum(output.losses.values())).backward()
        optimizer.step()
        gradients[learned] = latents.grad
        assert torch.equal(quantizer.centres, start) != learned
    torch.testing.assert_close(gradients[True], gradients[False])
    again = replace(grid, learned_centres=False).build(3).with_codebooks([start])
    assert not again.centres.requires_grad


@pytest.mark.parametrize("setting", ["revival", "cell_means"])
def test_centres_that_stay_are_not_moved_by_other_settings(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} is 0.5: centres that stay"):
        LGQConfig(16, learned_centres=False, **{setting: 0.5})
