"""Do the rules read planted histories as they promise, on both sides of each threshold?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lgq_explore.analysis.health import Evidence, judge, rule_curves
from lgq_explore.analysis.health.advice import bring_codes_back, end_colder, part_twins, soften
from lgq_explore.analysis.health.rules import RULES
from lgq_explore.quantizers import (
    LGQConfig,
    TemperatureSchedule,
    VQConfig,
    VQGradientConfig,
)
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json, override
from tests.analysis.planted_runs import HEALTHY

CONFIG = replace(
    HEALTHY, steps=100, batch_size=32, quantizer=LGQConfig(codebook_size=1024), window_steps=10, warmup_steps=5
)
STEPS = np.arange(10, 101, 10)
"""N = 2,048 tokens per step and 20,480 in the window."""


def evidence(config: TrainConfig = CONFIG, finished: int = 100, **columns: Sequence[float] | float) -> Evidence:
    """A run with these columns in its history, ten rows."""
    return Evidence(config, pd.DataFrame({"step": STEPS, **columns}), finished)


def usage(perplexity: Sequence[float] | float, tokens: float = 20_480, window: int = 10) -> dict[str, Any]:
    return {
        f"active_codes_last_{window}_steps": perplexity,
        f"perplexity_last_{window}_steps": perplexity,
        f"tokens_last_{window}_steps": tokens,
    }


def gains(share: Sequence[float] | float) -> dict[str, Any]:
    return {
        "encoder_gain_share_below_1_percent": share,
        "encoder_gain_mean": 0.5,
        "encoder_gain_median": 0.4,
    }


def softness(relative_gap: float) -> dict[str, float]:
    return {"temperature": 0.1, "relative_gap": relative_gap, "effective_codes": 2.0, "max_p": 0.6, "tokens": 512}


def state(rule: str, about: Evidence) -> str:
    return RULES[rule](about).state


# Twins


@pytest.mark.parametrize(
    ("distinct", "expected"), [(1000, "fine"), (901, "fine"), (900, "warning"), (501, "warning"), (500, "trouble")]
)
def test_twins_are_told_by_the_share_of_codes_that_others_stand_for(distinct: int, expected: str) -> None:
    numbers = {"codes": 1000.0, "distinct": distinct, "tolerance": 0.03, "tokens": 4096}
    told = RULES["codes that are twins of others"](replace(evidence(), twins=numbers))
    assert told.state == expected
    assert told.value == pytest.approx(1 - distinct / 1000)


def test_the_advice_on_twins_is_another_start_where_it_made_them() -> None:
    official = replace(CONFIG, quantizer=LGQConfig(initialization="official"))
    assert part_twins(official).assignments == ("quantizer.initialization=kmeans++",)
    assert part_twins(CONFIG) == bring_codes_back(CONFIG)


# Collapse


@pytest.mark.parametrize(
    ("perplexity", "expected"),
    [
        ([500] * 10, "fine"),
        ([30.8] * 10, "fine"),  # 3 % of 1,024 are 30.72
        ([30.7] * 10, "trouble"),
        ([1000, 700, 500, 300, 250, 240, 230, 220, 210, 200], "fine"),  # lost most of it early, and holds the rest
        ([800, 800, 800, 800, 800, 700, 600, 500, 400, 399], "warning"),
        ([800, 800, 800, 800, 800, 700, 600, 500, 401, 401], "fine"),
        ([800, 800, 800, 800, 800, 300, 100, 60, 200, 400], "fine"),  # came back
    ],
)
def test_collapse_is_told_from_falling_and_from_fine(perplexity: list[float], expected: str) -> None:
    assert state("collapse coming", evidence(**usage(perplexity))) == expected


def test_what_the_window_s_tokens_can_show_is_what_counts() -> None:
    """40 codes of 65,536 are a collapse over many tokens, and all that 100 tokens could be expected to show."""
    large = replace(CONFIG, quantizer=LGQConfig(codebook_size=65_536))
    assert state("collapse coming", evidence(large, **usage(40, tokens=100_000))) == "trouble"
    few = RULES["collapse coming"](evidence(large, **usage(40, tokens=100)))
    assert few.state == "fine"
    assert few.threshold == 3
    assert "can show 100 at most" in few.finding


def test_a_codebook_of_few_codes_collapses_to_one() -> None:
    small = replace(CONFIG, quantizer=LGQConfig(codebook_size=16))
    assert state("collapse coming", evidence(small, **usage(2.1))) == "fine"
    assert state("collapse coming", evidence(small, **usage(1.9))) == "trouble"


def test_windows_that_are_not_full_yet_are_passed_over() -> None:
    early = evidence(replace(CONFIG, window_steps=60), **usage([1, 1, 1, 1, 1, 500, 500, 500, 500, 500], window=60))
    told = RULES["collapse coming"](early)
    assert told.state == "fine"
    assert rule_curves(early)["step"].min() == 60


# Centres


@pytest.mark.parametrize(("outside", "expected"), [(0.0, "fine"), (0.09, "fine"), (0.1, "warning"), (0.5, "trouble")])
def test_centres_outside_are_told_by_their_share(outside: float, expected: str) -> None:
    row = {"codes": 1000, "distance": 2.0, "spread": 1.0, "reach": 1.0, "tokens": 4096}
    places = pd.DataFrame([{"step": 0, "outside": 0.0, "moved": 0.0, **row}, {"step": 9, **row, "outside": outside}])
    for moved, who in ((0.1, "the latents left them"), (3.0, "they left the latents")):
        told = RULES["centres leaving the latents"](replace(evidence(), centres=places.fillna({"moved": moved})))
        assert told.state == expected
        assert (who in told.finding) == (expected != "fine")
        assert f"{1000 * outside:,.0f} of K = 1,000" in told.finding


# What comes with a temperature


@pytest.mark.parametrize(
    ("deaf", "expected"), [(0, "fine"), (1, "fine"), (2, "warning"), (5, "warning"), (6, "trouble"), (10, "trouble")]
)
def test_deaf_steps_are_counted(deaf: int, expected: str) -> None:
    shares = [0.4] * (10 - deaf) + [0.6] * deaf
    told = RULES["encoder no longer hears the decoder"](evidence(**gains(shares)))
    assert told.state == expected
    assert f"{deaf} of 10 logged steps" in told.finding


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([100, 80, 60, 40, 20, 10, 5, 3, 2, 1.1], "fine"),
        ([16, 12, 8, 4, 2.1, 2, 1.5, 1.3, 1.2, 1.1], "fine"),
        ([16, 12, 8, 4, 2, 2, 1.5, 1.3, 1.2, 1.1], "warning"),
        ([2] * 10, "trouble"),
        ([1.3] * 10, "trouble"),
        ([511] * 10, "fine"),
        ([512] * 10, "trouble"),
        ([1000] * 6 + [4] * 4, "warning"),
        ([1000] * 4 + [4] * 6, "fine"),
    ],
)
def test_choices_within_a_bit_of_hard_or_uniform_are_told(codes: list[float], expected: str) -> None:
    rule = "temperature means nothing at this dimension"
    assert state(rule, evidence(effective_codes=codes, temperature=1.0)) == expected


def test_four_codes_are_always_within_a_bit() -> None:
    four = replace(CONFIG, quantizer=LGQConfig(codebook_size=4))
    about = evidence(four, effective_codes=1.0, temperature=1.0)
    assert state("temperature means nothing at this dimension", about) == "not applicable"


@pytest.mark.parametrize(("gap", "expected"), [(0.09, "fine"), (0.1, "warning"), (0.49, "warning"), (0.5, "trouble")])
def test_a_gap_is_told_at_the_end_only(gap: float, expected: str) -> None:
    done = replace(evidence(), softness=softness(gap))
    assert state("soft–hard gap left at the end", done) == expected
    assert state("soft–hard gap left at the end", replace(done, finished_steps=99)) == "not applicable"


# Tokens


@pytest.mark.parametrize(
    ("size", "tokens", "expected"),
    [(1024, 3 * 1024, "fine"), (1024, 3 * 1024 - 1, "warning"), (1024, 1024, "warning"), (1024, 1023, "trouble")],
)
def test_tokens_of_the_window_are_held_against_the_codes(size: int, tokens: int, expected: str) -> None:
    config = replace(CONFIG, quantizer=VQConfig(codebook_size=size), loss_weights={})
    told = RULES["too few tokens for K"](evidence(config, **usage(500, tokens=tokens)))
    assert told.state == expected
    assert told.value == tokens / size


def test_the_usage_loss_is_biased_from_its_weight_times_k_over_n_on() -> None:
    """L_usage ≥ (K/N)(1 − L_peak): with equal weights, from as many codes as tokens per step on."""

    def biased(**changes: Any) -> bool:
        quantizer = LGQConfig(**{"codebook_size": 2049, **changes})
        told = RULES["too few tokens for K"](evidence(replace(CONFIG, quantizer=quantizer), **usage(500)))
        return "peakedness" in told.finding

    assert biased()
    assert not biased(codebook_size=2048)
    assert not biased(usage_form="unbiased")
    weaker = {**CONFIG.loss_weights, "usage": CONFIG.loss_weights["usage"] / 2}
    config = replace(CONFIG, quantizer=LGQConfig(codebook_size=4096), loss_weights=weaker)
    assert "peakedness" not in RULES["too few tokens for K"](evidence(config, **usage(500, 20_480))).finding


# Reconstruction and steps


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2], "fine"),
        ([1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.9], "fine"),  # a single bad batch
        ([1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.31, 0.31, 0.31], "warning"),
        ([1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 1.1, 1.1, 1.1], "trouble"),
        ([1] * 10, "trouble"),
        ([1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, math.nan], "trouble"),
    ],
)
def test_a_loss_that_rises_again_is_told(losses: list[float], expected: str) -> None:
    assert state("reconstruction getting worse", evidence(loss_l1=losses)) == expected


def test_the_warm_up_is_no_trend() -> None:
    warm = replace(CONFIG, warmup_steps=80)
    assert state("reconstruction getting worse", evidence(warm, loss_l1=1.0)) == "not applicable"


def test_nothing_logged_is_said_once_for_each_rule_that_reads_the_history() -> None:
    verdicts = judge(Evidence(CONFIG, pd.DataFrame({"step": pd.Series(dtype=int)}), 0, run="data/runs/x"))
    assert verdicts["finding"].eq("Nothing has been logged yet.").sum() == 3
    assert verdicts["finding"].str.contains("No window of usage, 10 steps, is full yet").sum() == 1
    assert rule_curves(Evidence(CONFIG, pd.DataFrame({"step": pd.Series(dtype=int)}), 0)).empty
    assert "lgq-explore resume data/runs/x" in verdicts.loc[verdicts["state"] == "warning", "advice"].item()


def test_curves_carry_the_limits_of_their_rules() -> None:
    losses = [1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.35]
    about = evidence(**usage(500), **gains(0.1), effective_codes=10.0, temperature=1.0, loss_l1=losses)
    curves = rule_curves(about)
    limits = curves.groupby("rule", sort=False)[["lower", "upper"]].last()
    assert limits.loc["collapse coming", "lower"] == 30.72
    assert limits.loc["encoder no longer hears the decoder", "upper"] == 0.5
    assert limits.loc["temperature means nothing at this dimension"].tolist() == [2, 512]
    assert limits.loc["reconstruction getting worse", "upper"] == pytest.approx(0.3)
    assert curves["value"].notna().all()


# Advice


def applied(config: TrainConfig, assignments: Sequence[str]) -> TrainConfig:
    values = config_to_json(config)
    for assignment in assignments:
        values = override(values, assignment)
    return config_from_json(values)


def test_lost_codes_are_advised_what_was_not_done_yet() -> None:
    config, seen = CONFIG, []
    for _ in range(3):
        change = bring_codes_back(config)
        config = applied(config, change.assignments)
        seen.append(change.assignments)
    assert seen[0] == ("loss_weights.usage=0.1", "quantizer.usage_form=unbiased")
    assert [part.partition("=")[0] for part in (*seen[1], *seen[2])] == ["learning_rate"] * 2


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (replace(CONFIG, learning_rate=0.1), "learning_rate=0.002"),
        (replace(CONFIG, quantizer=VQConfig(restart_below=0), loss_weights={}), "quantizer.restart_below=0.05"),
        (
            replace(CONFIG, quantizer=VQGradientConfig(initialization="random"), loss_weights={}),
            "quantizer.initialization=kmeans++",
        ),
        (
            replace(CONFIG, quantizer=VQConfig(), loss_weights={"l1": 1.0, "commitment": 3.0}),
            "loss_weights.commitment=0.25",
        ),
    ],
)
def test_advice_fits_the_recipe(config: TrainConfig, expected: str) -> None:
    change = bring_codes_back(config)
    assert change.assignments[0] == expected
    assert applied(config, change.assignments) != config


def test_a_schedule_is_advised_in_codes_that_there_are() -> None:
    small = replace(CONFIG, quantizer=LGQConfig(codebook_size=16))
    schedule = applied(small, soften(small).assignments).quantizer.temperature  # type: ignore[attr-defined]
    assert (schedule.unit, schedule.start, schedule.end, schedule.shape) == ("effective_codes", 4, 1.1, "exponential")


@pytest.mark.parametrize(("unit", "end"), [("absolute", 0.083), ("per_dimension", 0.02)])
def test_the_end_is_advised_in_the_schedule_s_unit_and_below_what_is_cold_enough(unit: str, end: float) -> None:
    """D = 4; 0.0834 / 4 = 0.02085."""
    schedule = TemperatureSchedule(start=1.0, end=1.0, shape="constant", unit=unit)
    config = replace(CONFIG, quantizer=LGQConfig(temperature=schedule))
    change = end_colder(config, 0.0834, "10 %")
    advised = applied(config, change.assignments).quantizer.temperature  # type: ignore[attr-defined]
    assert advised.at(1.0) == pytest.approx(end)
    assert advised.at(0.0) == 1.0
