"""Tests of temperature schedules and of solving for a temperature."""

from __future__ import annotations

import math

import pytest
import torch

from lgq_explore.quantizers import TemperatureSchedule
from lgq_explore.quantizers.temperature import SHAPES, effective_codes_of, temperature_for


@pytest.mark.parametrize(
    ("shape", "quarter", "half"),
    [
        ("linear", 0.775, 0.55),
        ("cosine", 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2, 0.55),
        ("exponential", 10**-0.25, math.sqrt(0.1)),
        ("constant", 1.0, 1.0),
    ],
)
def test_schedules_have_their_known_values(shape: str, quarter: float, half: float) -> None:
    schedule = TemperatureSchedule(1.0, 0.1, shape)
    assert [schedule.at(progress) for progress in (0.25, 0.5)] == pytest.approx([quarter, half], rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_schedules_start_and_end_where_they_say(shape: str) -> None:
    schedule = TemperatureSchedule(2.0, 0.5, shape)
    assert schedule.at(0) == pytest.approx(2.0, rel=1e-12)
    assert schedule.at(1) == pytest.approx(2.0 if shape == "constant" else 0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"shape": "step"}, "shape is 'step'.*linear"),
        ({"unit": "kelvin"}, "unit is 'kelvin'.*absolute"),
        ({"start": 0.0}, "start is 0.0"),
        ({"end": -0.1}, "end is -0.1"),
        ({"end": math.nan}, "end is nan"),
        ({"start": math.inf}, "start is inf"),
        ({"start": 1e308}, r"start is 1e\+308: .*above 1e-30 and below 1e\+30"),
        ({"end": 1e-300, "unit": "per_dimension"}, "end is 1e-300: .*above 1e-30"),
        ({"start": 1e300, "unit": "effective_codes"}, r"start is 1e\+300: .*above 1 and below 1e\+30"),
        ({"start": 16.0, "end": 1.0, "unit": "effective_codes"}, "end is 1.0.*above 1"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TemperatureSchedule(**settings)


def test_effective_codes_have_their_known_values() -> None:
    assert effective_codes_of(torch.zeros(3, 7), 0.5) == pytest.approx(7, rel=1e-6)
    two_near = torch.tensor([[1.0, 1.0, 1e6], [4.0, 1e6, 4.0]])
    assert effective_codes_of(two_near, 0.5) == pytest.approx(2, rel=1e-6)
    # The mean is taken of entropies: half the tokens share 4 codes, half take one, √4 in all.
    halves = torch.tensor([[1.0, 1, 1, 1], [1.0, 1e6, 1e6, 1e6]])
    assert effective_codes_of(halves, 0.5) == pytest.approx(2, rel=1e-6)


def test_effective_codes_rise_with_the_temperature_from_one_to_all() -> None:
    distances = torch.rand(50, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = [effective_codes_of(distances, 10.0**exponent) for exponent in range(-7, 5)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(1, abs=0.02)
    assert values[-1] == pytest.approx(20, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("target", [1.1, 4.0, 16.0, 60.0])
def test_the_temperature_is_solved_for_within_a_percent(scale: float, target: float) -> None:
    distances = scale * torch.rand(200, 64, generator=torch.Generator().manual_seed(1))
    temperature = temperature_for(distances, target)
    assert effective_codes_of(distances, temperature) == pytest.approx(target, rel=0.01)


@pytest.mark.parametrize(("target", "end"), [(1.0001, 1e-6), (64.0, 1e6)])
def test_a_target_out_of_reach_gives_the_nearer_end(target: float, end: float) -> None:
    distances = torch.tensor([[1.0, 1.0, 4.0]]) if target < 2 else torch.tensor([[1.0, 2.0, 3.0]])
    assert temperature_for(distances, target) == pytest.approx(end * 2, rel=1e-4)


def test_codes_that_all_coincide_have_a_temperature_all_the_same() -> None:
    assert math.isfinite(temperature_for(torch.zeros(4, 4), 2.0))
