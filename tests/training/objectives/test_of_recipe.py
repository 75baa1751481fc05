"""Tests of the terms that a recipe names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lgq_explore.analysis.health import gather_evidence, judge, rule_curves, training_curves
from lgq_explore.errors import InputError
from lgq_explore.images.ranges import to_unit_range
from lgq_explore.metrics import ImageQuality
from lgq_explore.models import TokenizerOutput
from lgq_explore.quantizers import FSQConfig, QuantizerOutput, VQConfig
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.run import Run
from lgq_explore.training.controls import Controls, Reading
from lgq_explore.training.loop import resume, train
from lgq_explore.training.objectives import OBJECTIVES
from lgq_explore.training.objectives.base import Learned, Objective, TrainingPass
from lgq_explore.training.objectives.of_recipe import Objectives, require_objectives
from tests.training.objectives.planted import PLAIN


class MeanSquaredError(Objective):
    """A term without parameters, one file and one line."""

    def loss(self, training_pass: TrainingPass) -> Tensor:
        return (training_pass.output.reconstruction - training_pass.images).square().mean()


class StopsAtTheSixth(Controls):
    def read(self, step: int) -> Reading:
        if step == 6:
            self.stop()
        return super().read(step)


def made(step: int = 0, dtype: torch.dtype = torch.float32, **losses: float) -> TrainingPass:
    """A black image whose reconstruction is 0.6 off in a sixth of its values."""
    images, reconstruction = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4, dtype=dtype)
    reconstruction[0, 0] = -0.6
    named = {name: torch.tensor(value) for name, value in losses.items()}
    coded = QuantizerOutput(torch.zeros(1), torch.zeros(1, dtype=torch.int64), named)
    return TrainingPass(step, images, TokenizerOutput(reconstruction, torch.zeros(1), coded))


def test_l1_and_the_quantizers_losses_are_weighted_by_name() -> None:
    config = TrainConfig(quantizer=VQConfig(), loss_weights={"commitment": 0.5, "l1": 2.0})
    found = Objectives(config).minimised(made(commitment=3.0))
    assert found.terms["l1"].item() == pytest.approx(0.1)
    assert found.terms["commitment"].item() == 3
    assert found.total.item() == pytest.approx(2 * 0.1 + 0.5 * 3)


def test_l1_is_taken_in_float32() -> None:
    found = Objectives(TrainConfig(quantizer=FSQConfig())).minimised(made(dtype=torch.bfloat16))
    assert found.terms["l1"].dtype == torch.float32


def test_the_l1_that_is_minimised_is_twice_that_of_pictures_in_the_unit_range() -> None:
    training_pass, evaluated = made(), ImageQuality()
    evaluated.update(to_unit_range(training_pass.images), to_unit_range(training_pass.output.reconstruction))
    minimised = Objectives(TrainConfig(quantizer=FSQConfig())).minimised(training_pass)
    assert minimised.terms["l1"].item() == pytest.approx(2 * evaluated.compute().l1, rel=1e-6)


def test_a_term_that_is_not_named_has_no_weight_and_no_column() -> None:
    objectives = Objectives(TrainConfig(quantizer=VQConfig(), loss_weights={"l1": 1.0}))
    found = objectives.minimised(made(commitment=3.0))
    assert found.total.item() == pytest.approx(0.1)
    assert objectives.columns(found, Learned()) == {"loss_l1": pytest.approx(0.1)}


def test_a_term_has_its_weight_from_its_first_step_on() -> None:
    config = TrainConfig(quantizer=VQConfig(), objectives={"commitment": {"start_step": 4}})
    objectives = Objectives(config)
    before, after = (objectives.minimised(made(step, commitment=2.0)) for step in (3, 4))
    assert before.total.item() == pytest.approx(0.1)
    assert objectives.columns(before, Learned()) == {"loss_l1": pytest.approx(0.1), "loss_commitment": None}
    assert after.total.item() == pytest.approx(0.1 + 0.25 * 2)


def test_a_quantizer_that_lacks_a_loss_it_publishes_is_a_defect() -> None:
    with pytest.raises(KeyError, match="commitment"):
        Objectives(TrainConfig(quantizer=VQConfig())).minimised(made())


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (replace(PLAIN, loss_weights={"l1": 1, "usge": 1}), r"'usge' is unknown to lgq \(did you mean usage\?\); give"),
        (replace(PLAIN, quantizer=VQConfig()), "'quantization' is unknown to vq; give weights of l1, .*commitment"),
        (replace(PLAIN, objectives={"l1": {"start": 1}}), r"unknown field 'objectives.l1.start' \(did you mean start_"),
        (
            replace(PLAIN, loss_weights={"l1": 1}, objectives={"l1": {"start_step": 5}}),
            "objectives.l1.start_step is 5, and no other term starts before: one term must start at step 0",
        ),
    ],
)
def test_what_is_unknown_is_told_in_a_line_before_a_folder_is_made(
    tmp_path: Path, config: TrainConfig, told: str
) -> None:
    for refused in (lambda: require_objectives(config), lambda: train(config, tmp_path / "run", progress=False)):
        with pytest.raises(InputError, match=told) as error:
            refused()
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


# What is in the registry


def test_a_new_term_leaves_older_runs_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = train(PLAIN, tmp_path / "older", device="cpu", controls=StopsAtTheSixth(), progress=False)
    whole = train(PLAIN, tmp_path / "whole", device="cpu", progress=False)
    description = json.loads((older.path / "config.json").read_text())
    del description["recipe"]["objectives"]  # as in a run from before there were any
    (older.path / "config.json").write_text(json.dumps(description))
    monkeypatch.setitem(OBJECTIVES, "mse", MeanSquaredError)
    opened = Run(older.path)
    assert opened.config == PLAIN
    assert opened.config.recipe_hash == whole.config.recipe_hash == description["recipe_hash"]
    assert evaluate(opened, crops=8)["recipe_hash"] == whole.config.recipe_hash
    resumed = resume(older.path, device="cpu", progress=False)
    assert (resumed.path / "weights.safetensors").read_bytes() == (whole.path / "weights.safetensors").read_bytes()
    assert resumed.history().columns.tolist() == whole.history().columns.tolist()


def test_a_new_term_is_trained_and_shown_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OBJECTIVES, "mse", MeanSquaredError)
    config = replace(PLAIN, loss_weights={"mse": 1.0, "quantization": 1.0})
    assert config.recipe_hash != PLAIN.recipe_hash
    run = train(config, tmp_path / "run", device="cpu", progress=False)
    history = run.history()
    assert history["loss"].tolist() == pytest.approx((history["loss_mse"] + history["loss_quantization"]).tolist())
    assert "mse" in set(training_curves(history)["quantity"])
    evidence = gather_evidence(run)
    verdicts = judge(evidence).set_index("rule")
    assert verdicts.loc["reconstruction getting worse", "state"] == "not applicable"
    assert "no loss_l1" in verdicts.loc["reconstruction getting worse", "finding"]
    assert "reconstruction getting worse" not in set(rule_curves(evidence)["rule"])


def test_a_run_of_a_term_that_is_gone_opens_and_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(OBJECTIVES, "mse", MeanSquaredError)
        config = replace(PLAIN, loss_weights={"l1": 1.0, "mse": 1.0})
        run = train(config, tmp_path / "run", device="cpu", controls=StopsAtTheSixth(), progress=False)
    assert Run(run.path).config.recipe_hash == config.recipe_hash
    assert evaluate(run, crops=8)["steps"] == 6
    with pytest.raises(InputError, match="'mse' is unknown to lgq"):
        resume(run.path, device="cpu", progress=False)


def test_a_term_named_as_a_quantizers_loss_does_not_take_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OBJECTIVES, "commitment", MeanSquaredError)
    found = Objectives(TrainConfig(quantizer=VQConfig())).minimised(made(commitment=3.0))
    assert found.terms["commitment"].item() == 3


# Recipes


def test_settings_of_terms_name_another_recipe_and_none_names_the_same() -> None:
    later = replace(PLAIN, objectives={"usage": {"start_step": 5}})
    assert later.recipe_hash != PLAIN.recipe_hash
    assert replace(PLAIN, objectives={"usage": {}}) == PLAIN
    assert replace(PLAIN, objectives={"usage": {"start_step": 5.0}}).recipe_hash == later.recipe_hash
    assert config_from_json(json.loads(json.dumps(config_to_json(later)))) == later
