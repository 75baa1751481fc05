"""Tests of LGQ of single channels against its formula, and against an LGQ of all points of its grid."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig, LGQChannelsConfig, LGQConfig, TemperatureSchedule, to_tokens
from lgq_explore.quantizers.methods.lgq_channels import LGQChannels

DIM, LEVELS = 6, (4, 3, 5)


def latents_of(batch: int = 4, dim: int = DIM, seed: int = 0) -> Tensor:
    return torch.randn(batch, dim, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(levels: tuple[int, ...] = LEVELS, dim: int = DIM, **settings: object) -> LGQChannels:
    """In float64 and training mode, started from tokens."""
    quantizer = LGQChannelsConfig(levels, **settings).build(dim, torch.Generator().manual_seed(0)).double()
    quantizer.initialize(to_tokens(latents_of(100, dim, seed=9)))
    return quantizer


def by_the_authors_formula(quantizer: LGQChannels, latents: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The decoder's input, and the losses with a weight of 0.005 of both regularizers, a channel at a time."""
    points = quantizer.project_in(quantizer.norm(to_tokens(latents)))
    quantized, losses = [], []
    for values, channel in zip(points.T, quantizer.channels, strict=True):
        centres = channel.centres[:, 0]
        squares = (values[:, None] - centres).square()
        p = (-squares / temperature).softmax(1)
        soft, hard = p @ centres, centres[squares.argmin(1)]
        quantized.append(soft + (hard - soft).detach())
        peakedness, usage = (1 - p.square().sum(1)).mean(), len(centres) * p.mean(0).square().sum()
        losses.append((quantized[-1] - values).square().mean() + 0.005 * peakedness + 0.005 * usage)
    return quantizer.project_out(torch.stack(quantized, dim=1)), torch.stack(losses).mean()


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_vectors_losses_and_gradients_are_those_of_the_authors_formula(temperature: float) -> None:
    quantizer, upstream = built(), to_tokens(latents_of(seed=2))
    quantizer.temperature = temperature
    inputs = [latents_of(), *quantizer.parameters()]
    inputs[0].requires_grad_()
    coded = quantizer(inputs[0])
    weights = LGQChannelsConfig.default_loss_weights
    quantized, loss = by_the_authors_formula(quantizer, inputs[0], temperature)
    torch.testing.assert_close(to_tokens(coded.quantized), quantized)
    ours = sum(weights[name] * value for name, value in coded.losses.items())
    torch.testing.assert_close(ours, loss)
    totals = (to_tokens(coded.quantized) * upstream).sum() + ours, (quantized * upstream).sum() + loss
    for mine, expected in zip(*(torch.autograd.grad(total, inputs) for total in totals), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("levels", [LEVELS, (7,), (2, 3)])
@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_joint_codes_are_the_centres_of_an_lgq(levels: tuple[int, ...], temperature: float) -> None:
    quantizer, latents = built(levels).eval(), latents_of()
    whole = LGQConfig(math.prod(levels), norm="none").build(len(levels)).double().eval()
    whole = whole.with_codebooks([quantizer.code_points()])
    points = quantizer.continuous(latents).detach()
    ours, expected = quantizer.softness(latents, temperature), whole.softness(points, temperature)
    for name in ("codes", "log_largest", "entropy", "encoder_gain", "soft", "hard", "free_energy_gap"):
        torch.testing.assert_close(getattr(ours, name), getattr(expected, name), rtol=1e-9, atol=1e-9, msg=name)
    ours, expected = quantizer.soft_assign(latents, temperature), whole.soft_assign(points, temperature)
    for name in ("s2", "usage", "codes"):
        torch.testing.assert_close(getattr(ours, name), getattr(expected, name), rtol=1e-9, atol=1e-9, msg=name)
    torch.testing.assert_close(ours.out, quantizer.softness(latents, temperature).soft)
    coded, of_whole = quantizer.train()(latents), whole.train()(points)
    for name in ("effective_codes", "encoder_gain_mean", "free_energy", "free_energy_per_dimension"):
        whole.temperature = quantizer.temperature
        torch.testing.assert_close(coded.diagnostics[name], of_whole.diagnostics[name], msg=name)


def test_usage_is_summed_in_parts_of_the_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    quantizer, latents = built(), latents_of()
    at_once = quantizer.soft_assign(latents, 0.5).usage
    monkeypatch.setattr("lgq_explore.quantizers.methods.lgq_channels.RESPONSIBILITIES_AT_ONCE", 60)
    torch.testing.assert_close(quantizer.soft_assign(latents, 0.5).usage, at_once)
    assert at_once.sum().item() == pytest.approx(1)


def test_centres_start_evenly_from_the_least_to_the_largest_value() -> None:
    quantizer, tokens = built(), to_tokens(latents_of(100, seed=9))
    points = quantizer.project_in(functional.layer_norm(tokens, [DIM]))
    for values, book in zip(points.T, quantizer.codebooks(), strict=True):
        assert [book[0].item(), book[-1].item()] == pytest.approx([values.min().item(), values.max().item()])
        torch.testing.assert_close(book.diff(dim=0), torch.full_like(book[1:], book.diff(dim=0).mean().item()))


def test_levels_learn_the_best_quantizer_of_a_normal_distribution() -> None:
    """Four levels lie at ±0.4528 and ±1.510 (Max 1960), and leave 0.1175 of the variance."""
    quantizer = built((4,), dim=1, norm="none", temperature=TemperatureSchedule(0.01, 0.01, "constant"))
    with torch.no_grad():
        quantizer.project_in.weight.fill_(1.0)
        quantizer.project_in.bias.zero_()
    tokens = torch.special.ndtri((torch.arange(8192, dtype=torch.float64) + 0.5) / 8192)
    (channel,) = quantizer.channels
    optimizer = torch.optim.Adam([channel.centres], lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss = quantizer(tokens[:, None, None, None]).losses["quantization"]
        loss.backward()
        optimizer.step()
    assert channel.centres.detach().flatten().tolist() == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=0.02)
    assert loss.item() == pytest.approx(0.1175, rel=0.01)


def test_one_temperature_falls_for_all_channels_unless_it_is_held() -> None:
    quantizer, latents = built(), latents_of()
    for progress, temperature in ((0.0, 1.0), (0.5, 0.55), (1.0, 0.1)):
        quantizer.anneal(progress)
        assert quantizer.temperature == pytest.approx(temperature)
        assert quantizer(latents).diagnostics["temperature"].item() == pytest.approx(temperature)
        assert {channel.temperature for channel in quantizer.channels} == {quantizer.temperature}
    quantizer.temperature = 0.3
    assert quantizer(latents).diagnostics["temperature"].item() == pytest.approx(0.3)
    quantizer.temperature = None
    assert quantizer(latents).diagnostics["temperature"].item() == pytest.approx(0.1)


def test_channels_take_codebooks_of_other_sizes() -> None:
    quantizer = built()
    other = quantizer.with_codebooks([torch.tensor([[0.0], [1.0]]).double()] * 3)
    assert other.levels == (2, 2, 2)
    assert other(latents_of()).codes.amax().item() == 1
    assert quantizer.levels == LEVELS
    with pytest.raises(InputError, match=r"shapes \[\[2, 2\]\]: give 3 \[K, 1\]"):
        quantizer.with_codebooks([torch.zeros(2, 2)])


@pytest.mark.parametrize("size", [256, 1024, 4096, 16384, 65536, 100])
def test_sizes_have_the_levels_of_fsq(size: int) -> None:
    config = LGQChannelsConfig.for_codebook_size(size)
    assert config.levels == FSQConfig.for_codebook_size(size).levels
    assert config.size == FSQConfig.for_codebook_size(size).size
    assert config.learned_shapes(8) == [(level, 1) for level in config.levels]


def test_too_many_joint_codes_are_not_listed_but_their_softness_is_known() -> None:
    quantizer, latents = built((64,) * 5, dim=8), latents_of(dim=8)
    with pytest.raises(InputError, match="5 groups of codes make 1,073,741,824 joint codes"):
        quantizer.soft_assign(latents, 1.0)
    assert (quantizer.softness(latents, 1.0).entropy <= 5 * math.log(64)).all()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"levels": ()}, "at least one level"),
        ({"levels": (8, 1)}, r"levels is \(8, 1\): each level must be at least 2"),
        ({"norm": "batch"}, "norm is 'batch': choose one of layer, none"),
        ({"usage_form": "biased"}, "usage_form is 'biased'"),
        ({"temperature": TemperatureSchedule(8.0, 2.0, unit="effective_codes")}, r"temperature\.unit is 'effective_c"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        LGQChannelsConfig(**settings)
