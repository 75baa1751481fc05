"""Tests of a run's health as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lgq_explore.analysis.health import advised_command, assess
from lgq_explore.report.health import health_json, health_text
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from tests.analysis.planted_runs import HEALTHY, PLANTED


@pytest.fixture(scope="module", params=[PLANTED["too few tokens for K"], HEALTHY], ids=["planted", "healthy"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Run:
    config: TrainConfig = request.param
    return train(config, tmp_path_factory.mktemp("runs") / "run", device="cpu", progress=False)


@pytest.mark.parametrize("width", [20, 72, 300])
def test_lines_fit_and_options_stay_whole(run: Run, width: int) -> None:
    verdicts = assess(run)
    text = health_text(run, verdicts, width)
    told = text.partition("\nTo train it anew")[0].splitlines()[2:]
    assert all(len(line) <= max(40, min(width, 100)) for line in told if "--set" not in line and "?" not in line)
    words = " ".join(text.split())
    for verdict in verdicts.itertuples():
        assert f"{verdict.state} {verdict.rule}?" in words
        assert verdict.finding in words
        for option in verdict.settings.split(" --set "):
            assert option.removeprefix("--set ") in text
    assert text.endswith(advised_command(run, verdicts))
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_json_holds_every_rule_and_no_number_that_is_none(run: Run, tmp_path: Path) -> None:
    verdicts = assess(run)
    told = json.loads(json.dumps(health_json(run, verdicts), allow_nan=False))
    assert list(told) == ["run", "state", "step", "steps", "rules", "train"]
    assert (told["run"], told["step"], told["steps"]) == ("run", run.config.steps, run.config.steps)
    assert [row["rule"] for row in told["rules"]] == verdicts["rule"].tolist()
    assert told["state"] == told["rules"][0]["state"]
    assert (told["train"] is None) == (verdicts["settings"] == "").all()
