"""Does each rule speak of a run that was trained to go wrong in its way, and keep silent of one that goes well?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lgq_explore as lgq
from lgq_explore.analysis.health import Evidence, advised_command, assess, worst_state
from lgq_explore.analysis.health.evidence import _with_centres
from lgq_explore.analysis.health.rules import RULES
from lgq_explore.cli.entry import parser
from lgq_explore.errors import InputError
from lgq_explore.frames.health import STATES
from lgq_explore.images.division import Division
from lgq_explore.images.source import Source
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json, override
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, train
from tests.analysis.planted_runs import BLURRED, GRID, HEALTHY, HEALTHY_GAN, PLANTED
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of
from tests.planted_methods.dot_product import NegativeDotProduct

Trained = Callable[[TrainConfig], Run]
NOTEWORTHY = ("warning", "trouble")
FROM_GAN = ("discriminator has won", "GAN started too early", "adaptive weight at its clamp")
FROM_TEMPERATURE = ("encoder no longer hears", "temperature means nothing", "soft–hard gap")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Trained:
    """Trains a recipe once in this module."""
    folder, known = tmp_path_factory.mktemp("runs"), {}

    def run_of(config: TrainConfig) -> Run:
        name = f"{config.recipe_hash}-{config.seed}"
        if name not in known:
            known[name] = train(config, folder / name, device="cpu", progress=False)
        return known[name]

    return run_of


@pytest.fixture
def stopped(tmp_path: Path, own_data_and_no_network: None) -> Run:
    """A healthy run that is stopped before half of its steps."""
    controls = Controls()

    def stop(event: LogEvent) -> None:
        if event.row["step"] >= 16:
            controls.stop()

    return train(HEALTHY, tmp_path / "stopped", device="cpu", progress=False, controls=controls, on_log=stop)


def states(verdicts: pd.DataFrame) -> dict[str, str]:
    return dict(zip(verdicts["rule"], verdicts["state"], strict=True))


def verdict(verdicts: pd.DataFrame, rule: str) -> pd.Series:
    return verdicts.set_index("rule").loc[rule]


@pytest.mark.parametrize("rule", PLANTED)
@pytest.mark.slow
def test_a_run_planted_for_a_rule_is_told_by_it(rule: str, trained: Trained) -> None:
    told = verdict(assess(trained(PLANTED[rule])), rule)
    assert told["state"] == "trouble"
    assert told["settings"]


def test_a_healthy_run_is_fine_by_every_rule_and_says_on_what_evidence(trained: Trained) -> None:
    verdicts = assess(trained(HEALTHY_GAN))
    assert states(verdicts) == dict.fromkeys(RULES, "fine")
    assert (verdicts["advice"] == "").all()
    assert verdicts["finding"].str.startswith("No: ").all()
    counted = verdicts[~verdicts["rule"].isin(["training unfinished"])]
    assert counted["finding"].str.contains("N = ").all()
    assert verdicts[["value", "threshold"]].notna().all(axis=None)


def test_without_a_gan_its_rules_do_not_apply(trained: Trained) -> None:
    verdicts = assess(trained(HEALTHY))
    assert states(verdicts) == {**dict.fromkeys(RULES, "fine"), **dict.fromkeys(FROM_GAN, "not applicable")}
    assert (verdicts["finding"] == "The recipe has no GAN.").sum() == 3


def test_every_rule_has_its_planted_run() -> None:
    assert {*PLANTED, "training unfinished"} == set(RULES)


def test_a_stopped_run_is_told_with_what_resumes_it(stopped: Run) -> None:
    verdicts = assess(stopped)
    told = verdict(verdicts, "training unfinished")
    assert told["state"] == "warning"
    assert f"lgq-explore resume {stopped.path}" in told["advice"]
    assert "Step 16 of 40" in told["finding"]
    assert verdict(verdicts, "soft–hard gap left at the end")["state"] == "not applicable"
    assert verdict(verdicts, "collapse coming")["state"] == "fine"


def test_choices_that_are_always_blurred_are_told_too(trained: Trained) -> None:
    told = verdict(assess(trained(BLURRED)), "temperature means nothing at this dimension")
    assert told["state"] == "trouble"
    assert "uniform" in told["finding"]
    assert told["value"] > told["threshold"] == 32


def test_the_most_severe_come_first(trained: Trained) -> None:
    verdicts = assess(trained(PLANTED["collapse coming"]))
    severity = verdicts["state"].map(STATES.index)
    assert severity.is_monotonic_increasing
    assert severity.nunique() > 1
    assert worst_state(verdicts) == "trouble"


def test_a_method_without_temperature_or_with_a_grid_has_rules_that_do_not_apply(trained: Trained) -> None:
    verdicts = assess(trained(GRID))
    for rule, state in states(verdicts).items():
        on_codes = ("centres", "codes that are twins")
        expected = "not applicable" if rule.startswith((*FROM_TEMPERATURE, *FROM_GAN, *on_codes)) else "fine"
        assert state == expected, rule
    assert verdicts["finding"].str.contains("without a temperature").sum() == 3
    assert "fixed grid" in verdict(verdicts, "centres leaving the latents")["finding"]


# The advice


@pytest.mark.parametrize("rule", PLANTED)
def test_a_recipe_takes_what_is_advised(rule: str, trained: Trained) -> None:
    run = trained(PLANTED[rule])
    for settings in assess(run)["settings"]:
        values = config_to_json(run.config)
        for assignment in settings.split():
            if assignment != "--set":
                values = override(values, assignment)
        if settings:
            assert config_from_json(values) != run.config


@pytest.mark.parametrize(
    "rule",
    [
        "collapse coming",
        "centres leaving the latents",
        "codes that are twins of others",
        "encoder no longer hears the decoder",
        "temperature means nothing at this dimension",
        "soft–hard gap left at the end",
        "reconstruction getting worse",
        "discriminator has won",
        "GAN started too early",
        "adaptive weight at its clamp",
    ],
)
@pytest.mark.slow
def test_who_follows_the_advice_is_rid_of_the_trouble(rule: str, trained: Trained) -> None:
    config = PLANTED[rule]
    told = verdict(assess(trained(config)), rule)
    values = config_to_json(config)
    for assignment in told["settings"].split():
        if assignment != "--set":
            values = override(values, assignment)
    after = verdict(assess(trained(config_from_json(values))), rule)
    assert STATES.index(after["state"]) > STATES.index(told["state"])


def test_the_command_sets_each_field_once_and_is_understood(trained: Trained) -> None:
    run = trained(BLURRED)
    command = advised_command(run, assess(run))
    options = parser().parse_args(command.split()[1:])
    assert options.config == run.path / "config.json"
    fields = [assignment.partition("=")[0] for assignment in options.set]
    assert len(fields) == len(set(fields)) > 0
    values = config_to_json(run.config)
    for assignment in options.set:
        values = override(values, assignment)
    config_from_json(values)


def test_a_healthy_run_needs_no_command(trained: Trained) -> None:
    run = trained(HEALTHY)
    assert advised_command(run, assess(run)) == ""


# What a folder may lack


def test_a_run_that_has_not_begun_says_so(trained: Trained, tmp_path: Path) -> None:
    run = trained(HEALTHY)
    RunWriter.create(tmp_path / "new", run.config, run.environment)
    verdicts = assess(open_run(tmp_path / "new"))
    assert states(verdicts) == {
        **dict.fromkeys(RULES, "not applicable"),
        "too few tokens for K": "fine",  # the recipe tells
        "training unfinished": "warning",
    }
    assert "no weights yet" in verdict(verdicts, "centres leaving the latents")["finding"]


def test_a_run_without_its_pictures_is_judged_by_its_history(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(PLANTED["encoder no longer hears the decoder"])

    def open_source(spec: str, image_size: int, *, seed: int, division: Division) -> Source:
        raise InputError("there is no folder /no/such/folder: give folder:PATH")

    monkeypatch.setattr("lgq_explore.runs.encoding.open_source", open_source)
    verdicts = assess(run)
    assert verdict(verdicts, "encoder no longer hears the decoder")["state"] == "trouble"
    for rule in ("centres leaving the latents", "soft–hard gap left at the end"):
        assert verdict(verdicts, rule)["state"] == "not applicable"
        assert "/no/such/folder" in verdict(verdicts, rule)["finding"]


def test_lost_snapshots_leave_the_codes_of_today(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "without"
    shutil.copytree(trained(PLANTED["centres leaving the latents"]).path, run)
    shutil.rmtree(run / "codebooks")
    assert verdict(assess(open_run(run)), "centres leaving the latents")["state"] == "trouble"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("step,loss\n1,much\n", "column loss"),
        ("epoch,loss\n1,2.0\n", "no column step"),
        ("step,loss\n1,2.0\n1,2,3,4,5\n", "can't be used"),
    ],
)
def test_a_damaged_history_is_refused(text: str, why: str, trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "damaged"
    shutil.copytree(trained(HEALTHY).path, run)
    (run / "history.csv").write_text(text)
    with pytest.raises(InputError, match=why) as told:
        assess(open_run(run))
    assert len(str(told.value).splitlines()) <= 2


def test_a_study_at_hand_is_looked_at_instead(trained: Trained) -> None:
    run = trained(PLANTED["centres leaving the latents"])
    few = lgq.study(run, crops=4)
    told = verdict(assess(few), "centres leaving the latents")["finding"]
    assert f"N = {len(few.points) // 2:,d} held-out tokens" in told


def test_a_study_without_a_run_is_refused() -> None:
    with pytest.raises(InputError, match="has no run, and so no history"):
        assess(study_of(method_tokenizer("vq"), noise_pictures(4)))


def test_codes_that_are_not_chosen_by_euclidean_distance_are_not_judged_by_it() -> None:
    tokenizer = method_tokenizer("vq")
    tokenizer.quantizer.metric = NegativeDotProduct()
    evidence = _with_centres(Evidence(HEALTHY, pd.DataFrame(), 0), study_of(tokenizer, noise_pictures(4)))
    assert evidence.centres.empty
    assert evidence.missing["centres"] == "codes are chosen by −dot product, not by Euclidean distance"


def test_it_repeats(trained: Trained) -> None:
    run = trained(PLANTED["centres leaving the latents"])
    pd.testing.assert_frame_equal(assess(run), assess(run))
    assert np.isfinite(verdict(assess(run), "centres leaving the latents")["value"])
