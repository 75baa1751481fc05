"""Tests of temperatures that follow from the tokens: by likelihood, and above a gain."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from lgq_explore.quantizers import LGQConfig, TemperatureSchedule
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.quantizers.mixture import Mixture
from lgq_explore.quantizers.solved_temperature import CALIBRATION_STEPS, audible_temperature, likeliest_temperature


def noisy(codes: Tensor, each: int, spread: Tensor | float, seed: int = 0) -> Tensor:
    """`each` tokens about each code, with a spread in each direction."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(each, *codes.shape, generator=generator, dtype=torch.float64)
    return (codes + spread * noise).flatten(0, 1)


def fixed_point(codes: Tensor, tokens: Tensor) -> float:
    temperature = 1.0
    for _ in range(300):
        temperature = likeliest_temperature(Mixture(codes), tokens, temperature)
    return temperature


def grid(dim: int, apart: float = 3.0) -> Tensor:
    """Eight codes in the first directions."""
    codes = torch.zeros(8, dim, dtype=torch.float64)
    codes[:, : min(dim, 3)] = apart * torch.cartesian_prod(*[torch.arange(2.0)] * 3)[:, : min(dim, 3)].double()
    return codes


def test_on_a_line_it_is_the_temperature_of_the_highest_likelihood() -> None:
    codes = torch.tensor([[-2.0], [0.0], [1.5]], dtype=torch.float64)
    tokens = noisy(codes, 200, 0.7)

    def negative_log_likelihood(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        logits = -(tokens - codes.T).square() / temperature
        return -(logits.logsumexp(1) - math.log(temperature) / 2).mean().item()

    best = math.exp(minimize_scalar(negative_log_likelihood, bounds=(-5, 3), method="bounded").x)
    assert fixed_point(codes, tokens) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("directions", [2, 6])
def test_half_of_it_is_the_variance_in_those_directions_that_have_any(directions: int) -> None:
    codes, spread = grid(6, apart=4.0), torch.zeros(6, dtype=torch.float64)
    spread[:directions] = 0.3
    tokens = noisy(codes, 2000, spread)
    assert fixed_point(codes, tokens) / 2 == pytest.approx(0.3**2, rel=0.05)


def likelihood_lgq(factor: float = 1.0, **settings: object) -> LGQ:
    schedule = TemperatureSchedule(factor, factor, "constant", "likelihood")
    return LGQConfig(8, schedule, norm="none", **settings).build(6).double()  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_the_schedule_counts_in_likeliest_temperatures(factor: float) -> None:
    quantizer, codes = likelihood_lgq(factor), grid(6)
    tokens = noisy(codes, 50, 0.3)
    with torch.no_grad():
        quantizer.centres.copy_(codes)
    for _ in range(20 * CALIBRATION_STEPS):
        quantizer(tokens[:, :, None, None])
    likeliest = likeliest_temperature(quantizer.mixture, tokens, quantizer.temperature)
    assert quantizer.temperature == pytest.approx(factor * likeliest, rel=1e-6)
    assert quantizer.temperature == pytest.approx(factor * 2 * 0.3**2, rel=0.1)


def test_equal_tokens_at_a_code_give_a_temperature_that_is_allowed() -> None:
    codes = grid(6)
    assert 0 < likeliest_temperature(Mixture(codes), codes, 1e-3) < 1


def gain_at(mixture: Mixture, tokens: Tensor, temperature: float) -> float:
    return mixture.encoder_gain(tokens, mixture.assign(tokens, temperature), temperature).median().item()


def test_a_temperature_is_raised_until_the_gain_is_at_the_floor() -> None:
    mixture, floor = Mixture(grid(3)), 0.2
    tokens = noisy(mixture.codes, 20, 0.5)
    cold = 0.3
    assert gain_at(mixture, tokens, cold) < floor
    raised = audible_temperature(mixture, tokens, cold, floor)
    assert gain_at(mixture, tokens, raised) == pytest.approx(floor, rel=0.01)
    assert gain_at(mixture, tokens, 0.99 * raised) < floor  # the lowest of these


def test_one_that_is_loud_enough_stays_and_none_is_raised_past_the_loudest() -> None:
    mixture = Mixture(grid(3))
    tokens = noisy(mixture.codes, 20, 0.5)
    assert audible_temperature(mixture, tokens, 4.0, 0.01) == 4.0
    assert audible_temperature(mixture, tokens, 0.1, 0.0) == 0.1
    loudest = audible_temperature(mixture, tokens, 0.3, 0.999)
    assert gain_at(mixture, tokens, loudest) >= max(gain_at(mixture, tokens, loudest * f) for f in (0.7, 1.4))


@pytest.mark.parametrize("distance", ["squared", "cosine"])
def test_training_hears_the_decoder_at_least_at_the_floor(distance: str) -> None:
    schedule = TemperatureSchedule(1.05, 1.05, "constant", "effective_codes")
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    gains = []
    for floor in (0.0, 0.1):
        config = LGQConfig(32, schedule, norm="none", gain_floor=floor, distance=distance)
        quantizer = config.build(4, torch.Generator().manual_seed(0)).double()
        gains.append(quantizer(latents).diagnostics["encoder_gain_median"].item())
    assert gains[0] < 0.05
    assert gains[1] == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("target", [1.5, 4.0])
@pytest.mark.parametrize(
    "settings", [{"distance": "cosine"}, {"learned_widths": True}, {"learned_prior": True}], ids=str
)
def test_effective_codes_are_met_with_every_kind_of_components(target: float, settings: dict[str, object]) -> None:
    schedule = TemperatureSchedule(target, target, "constant", "effective_codes")
    quantizer = LGQConfig(16, schedule, norm="none", **settings).build(5).double()  # type: ignore[arg-type]
    latents = torch.randn(4, 5, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert quantizer(latents).diagnostics["effective_codes"].item() == pytest.approx(target, rel=0.01)


def test_settings_that_do_not_go_together_are_named() -> None:
    with pytest.raises(ValueError, match=r"gain_floor is 0\.1: it needs a temperature in unit effective_codes or"):
        LGQConfig(gain_floor=0.1)
    with pytest.raises(ValueError, match=r"gain_floor is 1\.0"):
        LGQConfig(gain_floor=1.0)
    with pytest.raises(ValueError, match="learned_widths is True: unit likelihood"):
        LGQConfig(8, TemperatureSchedule(1, 1, "constant", "likelihood"), learned_widths=True)
