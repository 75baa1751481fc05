"""Are the mixtures what they say, and is the least distortion one that nothing falls below?"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from lgq_explore.analysis.toys import (
    TOYS,
    ToySetting,
    fit_toy,
    fits,
    held_out_tokens,
    toy_named,
    toy_optimum,
    toy_path,
    toy_table,
    toy_tokens,
)
from lgq_explore.analysis.toys.fits import ToyEvent, hard_numbers
from lgq_explore.analysis.toys.mixtures import DEVIATION
from lgq_explore.analysis.toys.references import TEMPERATURES
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig, TemperatureSchedule
from lgq_explore.training.controls import Controls
from lgq_explore.training.fit import fit_quantizer

HEXAGON = 5 / (18 * math.sqrt(3))
"""Second moment of a regular hexagon of area 1 about its centre."""


@pytest.mark.parametrize("data", TOYS)
def test_every_mixture_has_mean_0_and_a_variance_of_2(data: str) -> None:
    tokens = toy_tokens(data, 100_000).double()
    assert tokens.mean(0).tolist() == pytest.approx([0, 0], abs=0.02)
    assert tokens.var(0).sum().item() == pytest.approx(2, rel=0.01)
    assert torch.equal(tokens, toy_tokens(data, 100_000).double())
    assert not torch.equal(tokens, toy_tokens(data, 100_000, seed=1).double())


@pytest.mark.parametrize("data", ["ring", "grid", "uneven", "line"])
def test_a_formula_is_what_k_means_finds(data: str) -> None:
    codes = toy_named(data).codes
    optimum = toy_optimum(data, codes)
    assert (optimum.how, optimum.tokens) == ("by formula", 0)
    tokens = toy_tokens(data, 20_000).numpy()
    found = KMeans(codes, n_init=10, random_state=0).fit(tokens).inertia_ / len(tokens)
    assert found == pytest.approx(optimum.distortion, rel=0.02)


@pytest.mark.slow
def test_separate_gaussians_leave_their_variance_and_a_line_its_cells() -> None:
    assert toy_optimum("ring", 8).distortion == pytest.approx(2 * DEVIATION**2)
    assert toy_optimum("line", 1000).how != "by formula"
    length = math.sqrt(12 * (2 - 0.05**2))
    assert toy_optimum("line", 4).distortion == pytest.approx((length / 4) ** 2 / 12 + 0.05**2)
    assert toy_optimum("square", 1).distortion == pytest.approx(2)


def test_k_means_on_the_square_lies_between_hexagons_and_the_grid() -> None:
    """No K codes beat regular hexagons of the same area (Fejes Tóth 1959); a grid of squares has A/6K."""
    optimum = toy_optimum("square", 16)
    assert optimum.tokens == 20_000
    assert "best of 20" in optimum.how
    assert HEXAGON * 12 / 16 < optimum.distortion < 1.02 * 12 / (6 * 16)


def test_other_numbers_of_codes_are_left_to_k_means() -> None:
    assert toy_optimum("ring", 9).how == "k-means, best of 20"
    assert toy_optimum("ring", 9).distortion < toy_optimum("ring", 8).distortion < toy_optimum("ring", 7).distortion


@pytest.mark.parametrize("method", ["lgq", "vq", "vq-gradient"])
def test_a_fit_comes_near_the_optimum_and_says_how_near(method: str) -> None:
    fit = fit_toy(ToySetting("ring", method, steps=200))
    last = fit.curve.iloc[-1]
    assert last["ratio"] == pytest.approx(1, abs=0.05)
    assert last["ratio"] == pytest.approx(last["distortion"] / (2 * DEVIATION**2))
    assert (last["active_codes"], last["tokens"], last["step"]) == (8, 20_000, 200)
    assert last["distortion"] == pytest.approx(hard_numbers(fit.quantizer, held_out_tokens(fit.setting))["distortion"])


def test_held_out_points_are_others() -> None:
    setting = ToySetting()
    points = np.concatenate([held_out_tokens(setting).numpy(), toy_tokens("ring").numpy()])
    assert len(np.unique(points, axis=0)) == len(points)


def test_a_grid_that_fits_exists_and_the_straight_through_gradient_leaves_it() -> None:
    """By hand FSQ's cells cut between the Gaussians; training scales them until they cut through the middle ones."""
    tokens = toy_tokens("grid")
    spacing = float(tokens.max()) / 1.3
    fitted = fit_quantizer(FSQConfig((3, 3)), tokens, steps=0).quantizer
    with torch.no_grad():
        # tanh(w · spacing / 2) = ½ puts the edge half way.
        fitted.project_in.weight.copy_(torch.eye(2) * math.atanh(0.5) / (spacing / 2))
        fitted.project_in.bias.zero_()
        codes = fitted(tokens[:, :, None, None]).codes.flatten(1)
        centres = torch.stack([tokens[codes[:, 0] == digit, 0].mean() for digit in range(3)])
        fitted.project_out.weight.copy_(torch.eye(2) * (centres[2] - centres[0]) / 2)
        fitted.project_out.bias.fill_(float(centres[1]))
    least = toy_optimum("grid", 9).distortion
    assert hard_numbers(fitted, tokens)["distortion"] < 1.1 * least
    learned = fit_toy(ToySetting("grid", "fsq", 9, steps=1000)).curve
    assert learned["ratio"].min() < 1.2
    assert learned["ratio"].iloc[-1] > 1.4


def test_an_unsuited_grid_stays_far_from_the_optimum() -> None:
    assert fit_toy(ToySetting("ring", "fsq", 8, steps=300)).curve["ratio"].iloc[-1] > 2


def test_the_weights_of_the_regularizers_reach_the_method_that_has_them() -> None:
    setting = ToySetting(peakedness=0.1, usage=0.2, usage_form="unbiased")
    assert setting.loss_weights == {"peakedness": 0.1, "usage": 0.2}
    assert setting.quantizer().usage_form == "unbiased"  # type: ignore[attr-defined]
    assert ToySetting(method="vq").loss_weights == {}
    held = ToySetting(steps=3, temperature=TemperatureSchedule(3.0, 3.0, "constant"))
    assert fit_toy(held).fitted.history["temperature"].iloc[-1] == 3.0


def test_a_fit_can_be_watched_and_stopped() -> None:
    controls, seen = Controls(), []

    def stop_at_40(event: ToyEvent) -> None:
        seen.append(event.row["step"])
        if event.row["step"] >= 40:
            controls.stop()

    fit = fit_toy(ToySetting(steps=500), on_log=stop_at_40, controls=controls)
    assert seen == fit.curve["step"].tolist() == [0, 20, 40]


def test_a_setting_is_learned_once_and_each_caller_has_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = ToySetting("square", "vq", 5, steps=40)
    first = fit_toy(setting)
    kept = first.quantizer.code_points()
    with torch.no_grad():
        first.quantizer.codebook.zero_()  # type: ignore[operator]
    first.curve.iloc[:, :] = 0.0

    def fail(*arguments: object, **named: object) -> None:
        raise AssertionError("it is known already")

    monkeypatch.setattr(fits, "fit_quantizer", fail)
    again = fit_toy(ToySetting("square", "vq", 5, steps=40))
    assert torch.equal(again.quantizer.code_points(), kept)
    assert again.curve["step"].tolist() == list(range(41))
    with pytest.raises(AssertionError):
        fit_toy(ToySetting("square", "vq", 5, steps=41))
    with pytest.raises(AssertionError):
        fit_toy(setting, controls=Controls())


def test_the_table_has_a_row_a_fit() -> None:
    table = toy_table(data=["ring", "grid"], methods=["vq", "fsq"], seeds=(0, 1), steps=30)
    assert table[["data", "method", "seed"]].values.tolist() == [
        [data, method, seed] for data in ("ring", "grid") for method in ("vq", "fsq") for seed in (0, 1)
    ]
    assert table.loc[table["method"] == "fsq", "codes"].tolist() == [9, 9, 9, 9]
    assert (table["ratio"] > 0.9).all()
    assert set(table["steps"]) == {30}


def test_the_path_of_a_mixture_knows_the_temperatures_asked_for() -> None:
    path = toy_path("ring", 4)
    known = path.states["temperature"].to_numpy()
    assert all(np.abs(known / temperature - 1).min() < 1e-9 for temperature in TEMPERATURES if 0.03 < temperature < 4)
    assert path.states["temperature"].max() < 5
    assert path.first_split is not None
    assert 0.98 < path.first_split / path.critical_temperature <= 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: toy_tokens("rnig"), "did you mean ring"),
        (lambda: toy_tokens("ring", 0), "tokens is 0"),
        (lambda: toy_optimum("ring", 0), "codes is 0"),
        (lambda: fit_toy(ToySetting(method="lqg")), "did you mean lgq"),
        (lambda: fit_toy(ToySetting(usage_form="fair")), "usage_form is 'fair'"),
        (lambda: fit_toy(ToySetting(peakedness=-1.0)), "peakedness is -1"),
    ],
)
def test_what_does_not_do_is_named(call, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=told):
        call()


def test_only_a_schedule_is_replaced_by_the_setting_s_schedule() -> None:
    schedule = TemperatureSchedule(start=0.5, end=0.5, shape="constant")
    assert ToySetting(method="lgq", temperature=schedule).quantizer().temperature == schedule  # type: ignore[attr-defined]
    # SoftVQ's temperature is a number.
    assert ToySetting(method="softvq", temperature=schedule).quantizer().temperature == 0.07  # type: ignore[attr-defined]
