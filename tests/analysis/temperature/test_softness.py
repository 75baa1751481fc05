"""Do softness, gap, gain and critical temperature come out as planted, and at the ends of the temperature's range?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from lgq_explore.analysis.temperature import (
    TemperatureProbe,
    critical_temperature,
    flips_over_snapshots,
    sample_latents,
    temperature_grid,
    temperature_marks,
    temperature_of_gap,
    token_map,
)
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import SIDE, colour_tokenizer, study_of

TEMPERATURES = [0.01, 0.1, 1.0, 10.0]


def planted(codebook: Tensor) -> LGQ:
    """LGQ without a norm, in float64, with this codebook [K, D]."""
    quantizer = LGQConfig(codebook_size=2, norm="none").build(codebook.shape[1]).double().eval()
    return quantizer.with_codebooks([codebook])


def random_probe(size: int = 12, dim: int = 3, tokens: int = 60) -> TemperatureProbe:
    generator = torch.Generator().manual_seed(0)
    codebook = torch.randn(size, dim, generator=generator, dtype=torch.float64)
    return TemperatureProbe(planted(codebook), torch.randn(tokens, dim, 1, 1, generator=generator, dtype=torch.float64))


# Limits


def test_at_a_vanishing_temperature_soft_is_hard() -> None:
    probe = random_probe()
    tokens = probe.at(1e-6)
    assert tokens["max_p"].min() == pytest.approx(1, abs=1e-7)
    for name in ("gap", "gap_bound", "free_energy_gap", "entropy", "encoder_gain"):
        assert tokens[name].max() == pytest.approx(0, abs=1e-7), name
    (summary,) = probe.sweep([1e-6]).to_dict("records")
    assert summary["effective_codes"] == pytest.approx(1, abs=1e-7)
    assert summary["encoder_gain_share_below_1_percent"] == 1
    assert summary["tokens"] == 60


def test_at_an_infinite_temperature_all_codes_share_all_tokens() -> None:
    probe = random_probe(size=12)
    tokens = probe.at(1e9)
    (codebook,) = probe.quantizer.codebooks()
    np.testing.assert_allclose(tokens["max_p"], 1 / 12, rtol=1e-7)
    np.testing.assert_allclose(tokens["entropy"], math.log(12), rtol=1e-7)
    to_the_mean = (codebook.mean(0) - codebook[tokens["code"].tolist()]).norm(dim=1)
    np.testing.assert_allclose(tokens["gap"], to_the_mean, rtol=1e-6)
    assert probe.sweep([1e9])["effective_codes"].item() == pytest.approx(12, rel=1e-6)


# Bounds and identities


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_gap_stays_under_its_bound_and_the_free_energy_gap_is_that_of_the_largest_responsibility(
    temperature: float,
) -> None:
    probe = random_probe(size=12)
    tokens = probe.at(temperature)
    latents, (codebook,) = probe.latents[:, :, 0, 0], probe.quantizer.codebooks()
    squared_distances = (latents[:, None] - codebook).square().sum(2)
    free_energy = -temperature * (-squared_distances / temperature).logsumexp(1)
    np.testing.assert_allclose(
        tokens["free_energy_gap"], squared_distances.min(1).values - free_energy, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(tokens["max_p"], np.exp(-tokens["free_energy_gap"] / temperature), rtol=1e-9)
    assert tokens["free_energy_gap"].between(0, temperature * math.log(12) + 1e-12).all()
    assert (tokens["gap"] <= tokens["gap_bound"] + 1e-12).all()
    reach = (codebook[tokens["code"].tolist()][:, None] - codebook).norm(dim=2).amax(1).numpy()
    np.testing.assert_allclose(tokens["gap_bound"], (1 - tokens["max_p"]) * reach, rtol=1e-9, atol=1e-14)


def test_two_codes_on_a_line_give_what_is_calculated_by_hand() -> None:
    """Codes at ±1, a token at z: p of +1 is 1/(1 + e^{−4z/τ}), q_soft = tanh(2z/τ), gain = (2/τ)(1 − tanh²)."""
    z, temperature = 0.3, 0.8
    probe = TemperatureProbe(
        planted(torch.tensor([[-1.0], [1.0]])), torch.tensor([[z]], dtype=torch.float64)[:, :, None, None]
    )
    (token,) = probe.at(temperature).to_dict("records")
    soft = math.tanh(2 * z / temperature)
    p = 1 / (1 + math.exp(-4 * z / temperature))
    expected = {
        "token": 0,
        "code": 1,
        "max_p": p,
        "entropy": -p * math.log(p) - (1 - p) * math.log(1 - p),
        "gap": 1 - soft,
        "gap_bound": 2 * (1 - p),  # an equality: there is only one other code
        "free_energy_gap": -temperature * math.log(p),
        "encoder_gain": 2 / temperature * (1 - soft**2),
    }
    assert token == pytest.approx(expected, rel=1e-9)


def test_a_sweep_sums_up_its_tokens_relative_to_their_spread() -> None:
    probe = random_probe()
    sweep = probe.sweep([1.0, 0.1])
    assert sweep["temperature"].tolist() == [0.1, 1.0]
    tokens, latents = probe.at(1.0), probe.latents[:, :, 0, 0]
    spread = math.sqrt(torch.cov(latents.T, correction=0).trace().item())
    assert probe.spread == pytest.approx(spread, rel=1e-12)
    row = sweep.iloc[1]
    assert row["relative_gap"] == pytest.approx(tokens["gap"].mean() / spread, rel=1e-12)
    assert row["relative_bound"] >= row["relative_gap"]
    assert row["effective_codes"] == pytest.approx(math.exp(tokens["entropy"].mean()), rel=1e-12)
    assert row["encoder_gain_median"] == tokens["encoder_gain"].median()


def test_an_answer_is_kept() -> None:
    probe = random_probe()
    assert probe.at(0.5) is probe.at(0.5)


# The critical temperature


def test_the_critical_temperature_is_twice_the_largest_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    white -= white.mean(0)
    white = white @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(white.T, correction=0))).T
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64)).Q
    tokens = 100 + white * torch.tensor([0.5, 3.0, 1.0]) @ rotation.T
    assert critical_temperature(tokens) == pytest.approx(2 * 3.0**2, rel=1e-9)
    probe = TemperatureProbe(planted(torch.eye(3, dtype=torch.float64)), tokens[:, :, None, None])
    assert probe.critical_temperature == pytest.approx(18, rel=1e-9)


# Marks


def sweep_of(temperatures: list[float], gaps: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"temperature": temperatures, "relative_gap": gaps})


def test_the_temperature_of_a_gap_is_found_between_those_of_the_sweep() -> None:
    power_law = sweep_of([0.01, 0.1, 1.0], [1e-4, 1e-2 * 1e-1, 1e-1])  # gap jumps by 100 over the last decade
    assert temperature_of_gap(power_law, 0.01) == pytest.approx(10**-0.5, rel=1e-9)
    assert temperature_of_gap(power_law, 0.5) == 1.0
    assert temperature_of_gap(power_law, 1e-5) is None
    assert temperature_of_gap(sweep_of([0.1, 1.0], [0.0, 0.5]), 0.01) == pytest.approx(1.0, rel=0.05)
    risen_and_fallen = sweep_of([0.1, 1.0, 10.0], [0.001, 0.1, 0.001])
    assert 0.1 < (temperature_of_gap(risen_and_fallen) or 0) < 1.0


def test_marks_are_those_of_the_run_and_of_the_sweep() -> None:
    probe = random_probe()
    history = pd.DataFrame({"step": [1, 2, 3], "temperature": [1.0, 0.5, 0.1]})
    marks = temperature_marks(probe, probe.sweep(TEMPERATURES), history).set_index("mark")["temperature"]
    assert marks["training began"] == 1.0
    assert marks["training ended"] == 0.1
    assert marks["critical"] == probe.critical_temperature
    without = temperature_marks(probe, probe.sweep([10.0]), pd.DataFrame({"step": [1]}))
    assert without["mark"].tolist() == ["critical"]


# Flips


def test_no_temperature_changes_the_hard_code_and_a_high_one_the_code_of_the_soft_vector() -> None:
    probe = random_probe()
    flips = probe.flips([1e-4, 1e-3, 1e9])
    assert flips["hard"].tolist() == [0, 0]
    assert flips["soft"].iloc[0] == 0
    (codebook,) = probe.quantizer.codebooks()
    middle = torch.cdist(codebook.mean(0, keepdim=True), codebook).argmin().item()
    assert flips["soft"].iloc[1] == (probe.at(1.0)["code"] != middle).mean()
    assert flips[["from_temperature", "to_temperature"]].to_numpy().tolist() == [[1e-4, 1e-3], [1e-3, 1e9]]


class WithSnapshots(Study):
    """A study whose two codes moved along the greys."""

    @property
    def snapshots(self) -> dict[int, list[np.ndarray]]:
        places = {20: (-1.0, 2.0), 10: (-1.0, 1.0), 30: (2.0, -1.0)}
        return {step: [np.array(places[step])[:, None].repeat(3, axis=1)] for step in places}


def test_flips_between_snapshots_are_those_of_tokens_whose_nearest_code_moved_away() -> None:
    greys = np.array([13, 102, 153, 242], dtype=np.uint8)  # −0.9, −0.2, 0.2 and 0.9
    images = greys[:, None, None, None].repeat(3, axis=1).repeat(SIDE, axis=2).repeat(SIDE, axis=3)
    plain = study_of(colour_tokenizer([[-1.0] * 3, [1.0] * 3]), images)
    flips = flips_over_snapshots(WithSnapshots(plain.trained, plain.encoding))
    assert flips.to_dict("list") == {"from_step": [10, 20], "to_step": [20, 30], "share": [0.25, 1.0]}


# One token, a sample, and a map


def test_the_top_responsibilities_of_a_token_are_a_softmax_in_descending_order() -> None:
    probe = random_probe(size=12)
    (codebook,) = probe.quantizer.codebooks()
    top = probe.top(7, 0.7, count=5)
    distances = (codebook - probe.latents[7, :, 0, 0]).norm(dim=1)
    p = (-distances.square() / 0.7).softmax(0).sort(descending=True)
    assert top["rank"].tolist() == [1, 2, 3, 4, 5]
    assert top["code"].tolist() == p.indices[:5].tolist()
    np.testing.assert_allclose(top["responsibility"], p.values[:5], rtol=1e-9)
    np.testing.assert_allclose(top["distance"], distances[p.indices[:5]], rtol=1e-9)
    assert top["code"].iloc[0] == probe.at(0.7)["code"].iloc[7]
    assert probe.top(0, 0.7, count=99)["responsibility"].sum() == pytest.approx(1, rel=1e-9)


def test_a_sample_holds_different_tokens_and_is_the_same_every_time() -> None:
    given = torch.arange(90.0).reshape(45, 2)
    sample = sample_latents(given, 20)
    rows = {tuple(row) for row in sample[:, :, 0, 0].tolist()}
    assert sample.shape == (20, 2, 1, 1)
    assert len(rows) == 20
    assert rows < {tuple(row) for row in given.tolist()}
    assert torch.equal(sample, sample_latents(given, 20))
    assert len(sample_latents(given, 10**6)) == 45


def test_a_map_puts_tokens_where_they_lie_in_their_picture() -> None:
    probe = TemperatureProbe(planted(torch.eye(2, dtype=torch.float64)), torch.zeros(2, 2, 3, 4, dtype=torch.float64))
    placed = token_map(probe.at(1.0), probe.latents.shape)
    assert placed.loc[1 * 12 + 2 * 4 + 3, ["picture", "row", "column"]].tolist() == [1, 2, 3]
    with pytest.raises(InputError, match=r"24 tokens do not fill latents of shape \[1, 2, 3, 4\]"):
        token_map(probe.at(1.0), (1, 2, 3, 4))


def test_a_grid_of_temperatures_holds_the_powers_of_ten() -> None:
    grid = temperature_grid(0.02, 5, per_decade=2)
    np.testing.assert_allclose(grid, [0.01, 10**-1.5, 0.1, 10**-0.5, 1, 10**0.5, 10], rtol=1e-12)
    np.testing.assert_allclose(temperature_grid(0.1, 1, per_decade=1), [0.1, 1], rtol=1e-12)


# Nonsense


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan, 1e-31])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    probe = random_probe()
    with pytest.raises(InputError, match=f"temperature is {temperature}: give a positive number"):
        probe.at(temperature)
    with pytest.raises(InputError, match=f"temperature is {temperature}: give a positive number"):
        probe.top(0, temperature)
    with pytest.raises(InputError, match=f"temperature is {temperature}: give a positive number"):
        probe.flips([1.0, temperature])


def test_a_method_without_temperature_and_latents_without_tokens_are_refused() -> None:
    with pytest.raises(InputError, match="fsq chooses its codes without a temperature"):
        TemperatureProbe(FSQConfig().build(4), torch.zeros(1, 4, 2, 2))
    with pytest.raises(InputError, match="at least one token"):
        TemperatureProbe(planted(torch.eye(2)), torch.zeros(0, 2, 1, 1))
    for token in (-1, 60):
        with pytest.raises(InputError, match=f"token is {token}: the probe has 0 … 59"):
            random_probe().top(token, 1.0)
    with pytest.raises(InputError, match="tokens is 0"):
        sample_latents(torch.zeros(9, 2), 0)
    with pytest.raises(InputError, match=r"shape \[1, 3\]: give \[N, D\], N at least 2"):
        critical_temperature(torch.zeros(1, 3))
    with pytest.raises(InputError, match=r"from 1 to 0\.1: give two positive numbers in order"):
        temperature_grid(1, 0.1)
