"""Do the rules on the discriminator read planted histories as they promise, on both sides of each threshold?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lgq_explore.analysis.health import Evidence, rule_curves
from lgq_explore.analysis.health.advice import hold_back, lighter_reconstruction, start_later
from lgq_explore.analysis.health.rule_parts import Verdict
from lgq_explore.analysis.health.rules import RULES
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json, override
from lgq_explore.training.objectives.gan import GANSettings, gan_settings
from tests.analysis.planted_runs import HEALTHY

WON, EARLY, CLAMPED = "discriminator has won", "GAN started too early", "adaptive weight at its clamp"
START = 100


def recipe(weight: float = 0.1, **settings: Any) -> TrainConfig:
    return replace(
        HEALTHY,
        steps=200,
        loss_weights={**HEALTHY.loss_weights, "gan": weight},
        objectives={"gan": {"start_step": START, **settings}},
    )


def told(
    rule: str, config: TrainConfig, finished: int = 200, every: int = 10, **columns: Sequence[float] | float
) -> Verdict:
    """On a history with a row every so many steps."""
    steps = np.arange(every, finished + 1, every)
    return RULES[rule](Evidence(config, pd.DataFrame({"step": steps, **columns}), finished))


def of_gan(values: Sequence[float]) -> list[float]:
    """A column with these values in the ten rows after the start, and none before."""
    return [math.nan] * 10 + list(values)


# Who has won


@pytest.mark.parametrize(
    ("real", "made", "state"),
    [
        (1.0, -1.0, "trouble"),
        (0.99, -5.0, "fine"),  # most real crops teach it still
        (5.0, -0.99, "fine"),
        (-2.0, 2.0, "fine"),
    ],
)
def test_both_kinds_have_to_be_told_wholly(real: float, made: float, state: str) -> None:
    columns = {"gan_logits_real": of_gan([real] * 10), "gan_logits_reconstructed": of_gan([made] * 10)}
    assert told(WON, recipe(), **columns).state == state


def test_the_logistic_loss_is_sure_later_than_the_hinge() -> None:
    """At log 19 a crop is real with the probability 1/(1 + 1/19) = 95 %."""
    config = recipe(loss="non-saturating")
    for logit, state in ((2.94, "fine"), (2.95, "trouble")):
        columns = {"gan_logits_real": of_gan([logit] * 10), "gan_logits_reconstructed": of_gan([-logit] * 10)}
        assert told(WON, config, **columns).state == state


@pytest.mark.parametrize(
    ("won", "state"),
    [
        ([9, 9, 9, 9, 9, 0, 0, 0, 0, 0], "fine"),  # the tokenizer has made up for it
        ([0, 0, 0, 0, 0, 9, 9, 0, 0, 0], "fine"),
        ([0, 0, 0, 0, 0, 9, 0, 9, 0, 9], "warning"),
        ([0, 0, 0, 0, 0, 9, 9, 9, 9, 0], "trouble"),
        ([0, 0, 0, 0, 0, 9, 9, 9, 9, 9], "trouble"),
    ],
)
def test_it_has_to_stay_so_to_the_end(won: list[float], state: str) -> None:
    columns = {"gan_logits_real": of_gan(won), "gan_logits_reconstructed": of_gan([-each for each in won])}
    assert told(WON, recipe(), **columns).state == state


def test_the_finding_says_where_the_logits_stand() -> None:
    columns = {"gan_logits_real": of_gan([4.0] * 10), "gan_logits_reconstructed": of_gan([-3.0] * 10)}
    finding = told(WON, recipe(), **columns).finding
    assert "At 5 of 5 logged steps from step 160 on" in finding
    assert "at step 200 they are 4 and −3, over N = 8 crops of each" in finding


# Whether the reconstruction had settled


def decay(over: float) -> np.ndarray:
    """A loss that falls as e^(−t/T) from 1 to 0, without noise, T in shares of the steps before the GAN."""
    return np.exp(-np.arange(5, 201, 5) / START / over)


@pytest.mark.parametrize(("over", "state"), [(0.2, "fine"), (0.28, "warning"), (0.5, "trouble"), (10.0, "trouble")])
def test_a_loss_that_still_falls_is_told_by_its_time_constant(over: float, state: str) -> None:
    assert told(EARLY, recipe(), every=5, loss_l1=decay(over)).state == state


def test_a_fall_within_what_batches_differ_by_is_none() -> None:
    noise = 0.3 * np.resize([1, -1], 40)
    verdict = told(EARLY, recipe(), every=5, loss_l1=2 + decay(0.28) + noise)
    assert verdict.state == "fine"
    assert "batches differ by" in verdict.finding


@pytest.mark.parametrize("start", [0, 4])
def test_a_start_within_the_warm_up_is_early(start: int) -> None:
    verdict = told(EARLY, recipe(start_step=start), loss_l1=1.0)
    assert verdict.state == "trouble"
    assert "in the warm-up of 4 steps" in verdict.finding


def test_a_loss_that_never_fell_has_not_settled() -> None:
    assert told(EARLY, recipe(), every=5, loss_l1=1.0).state == "trouble"


def test_few_rows_tell_nothing() -> None:
    assert told(EARLY, recipe(), loss_l1=1.0).state == "not applicable"


# The adaptive weight


@pytest.mark.parametrize(
    ("clamped", "state"), [(0, "fine"), (1, "fine"), (2, "warning"), (5, "warning"), (6, "trouble"), (10, "trouble")]
)
def test_steps_at_the_clamp_are_counted(clamped: int, state: str) -> None:
    weights = of_gan([9_999.0] * (10 - clamped) + [10_000.0] * clamped)
    verdict = told(CLAMPED, recipe(), gan_adaptive_weight=weights)
    assert verdict.state == state
    assert f"at {clamped} of 10 logged steps with a GAN" in verdict.finding


def test_a_fixed_weight_has_no_clamp() -> None:
    assert "is false" in told(CLAMPED, recipe(adaptive=False)).finding


# Before the start, and without a GAN


@pytest.mark.parametrize("rule", [WON, EARLY, CLAMPED])
def test_before_the_start_no_rule_applies(rule: str) -> None:
    nothing = dict.fromkeys(("gan_logits_real", "gan_logits_reconstructed", "gan_adaptive_weight"), math.nan)
    verdict = told(rule, recipe(), finished=50, loss_l1=1.0, **nothing)
    assert verdict.state == "not applicable"
    assert verdict.finding == "The GAN starts after step 100: this is step 50 of 200."
    assert told(rule, HEALTHY, loss_l1=1.0).finding == "The recipe has no GAN."
    assert told(rule, recipe(weight=0.0), loss_l1=1.0).finding == "The recipe has no GAN."


# Curves and advice


def test_curves_carry_the_limits() -> None:
    columns = {
        "gan_logits_real": of_gan([4.0] * 10),
        "gan_logits_reconstructed": of_gan([-3.0] * 10),
        "gan_adaptive_weight": of_gan([50.0] * 10),
    }
    history = pd.DataFrame({"step": np.arange(10, 201, 10), **columns})
    curves = rule_curves(Evidence(recipe(), history, 200)).groupby("rule", sort=False)[["value", "upper"]].last()
    assert curves.loc[WON].tolist() == [3.0, 1.0]
    assert curves.loc[CLAMPED].tolist() == [50.0, 10_000.0]


def applied(config: TrainConfig, assignments: Sequence[str]) -> TrainConfig:
    values = config_to_json(config)
    for assignment in assignments:
        values = override(values, assignment)
    return config_from_json(values)


def of(config: TrainConfig) -> GANSettings:
    settings = gan_settings(config)
    assert settings is not None
    return settings


def test_a_discriminator_is_advised_what_was_not_done_yet() -> None:
    config, seen = recipe(learning_rate=1e-2), []
    for _ in range(4):
        change = hold_back(of(config))
        config = applied(config, change.assignments)
        seen += change.assignments
    assert [each.removeprefix("objectives.gan.") for each in seen] == [
        "learning_rate=0.0001",
        "r1_weight=10",
        "lecam_weight=0.001",
        "lecam_weight=0.01",
    ]


def test_a_start_is_put_off_within_the_steps_or_with_more_of_them() -> None:
    early, late = recipe(start_step=4), recipe(start_step=150)
    assert start_later(early, of(early)).assignments == ("objectives.gan.start_step=50",)
    assert start_later(late, of(late)).assignments == ("objectives.gan.start_step=300", "steps=600")


def test_weights_are_divided_but_not_that_of_the_gan() -> None:
    heavy = replace(recipe(), loss_weights={**recipe().loss_weights, "l1": 50.0})
    light = applied(heavy, lighter_reconstruction(heavy).assignments)
    assert light.loss_weights["l1"] == 1
    assert light.loss_weights["gan"] == heavy.loss_weights["gan"]
    assert light.loss_weights["usage"] == pytest.approx(heavy.loss_weights["usage"] / 50, rel=1e-3)
    assert lighter_reconstruction(recipe()).assignments == ("objectives.gan.adaptive=false",)
