"""Tests of terms with a network and an optimiser of their own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lgq_explore.errors import InputError
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.controls import Controls, Reading
from lgq_explore.training.loop import resume, train
from lgq_explore.training.objectives import OBJECTIVES
from lgq_explore.training.objectives.base import TrainingPass
from lgq_explore.training.objectives.learned import OwnLoss
from tests.training.objectives import planted
from tests.training.objectives.planted import NAME, PLAIN, RECIPE, START, PlantedTerm


class StopsBefore(Controls):
    """Asks for a stop before a step, counted from 0."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def read(self, step: int) -> Reading:
        if step == self.step:
            self.stop()
        return super().read(step)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(OBJECTIVES, NAME, PlantedTerm)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run with the term, trained at once. Not to be written to."""
    return train(RECIPE, tmp_path_factory.mktemp("whole") / "run", device="cpu", progress=False)


def bytes_of_weights(run: Run) -> bytes:
    return (run.path / "weights.safetensors").read_bytes()


def own_state(run: Run) -> dict[str, object]:
    """What the newest checkpoint holds of the term."""
    checkpoint = RunWriter(run.path).newest_checkpoint()
    assert checkpoint is not None
    return torch.load(checkpoint / "state.pt", weights_only=True)["objectives"][NAME]


def assert_same(run: Run, other: Run) -> None:
    assert bytes_of_weights(run) == bytes_of_weights(other)
    state, others = own_state(run), own_state(other)
    for name, tensor in state["network"].items():
        assert torch.equal(tensor, others["network"][name])
    for number, moments in state["optimizer"]["state"].items():
        for name, moment in moments.items():
            assert torch.equal(moment, others["optimizer"]["state"][number][name])


def test_the_term_has_its_columns_from_the_first_row_and_values_from_its_start(whole: Run) -> None:
    history = whole.history().set_index("step")
    started = history.index > START
    for column in (f"loss_{NAME}", f"loss_{NAME}_own"):
        assert history.loc[~started, column].isna().all()
        assert history.loc[started, column].notna().all()
    weights = RECIPE.loss_weights
    weighted = sum(weight * history[f"loss_{name}"].fillna(0) for name, weight in weights.items())
    assert history["loss"].tolist() == pytest.approx(weighted.tolist(), rel=1e-5)


def test_before_its_start_the_term_changes_nothing_and_after_it_the_tokenizer(whole: Run, tmp_path: Path) -> None:
    plain = train(PLAIN, tmp_path / "plain", device="cpu", progress=False)
    losses, others = (run.history().set_index("step")["loss_l1"] for run in (whole, plain))
    # The step that the term is part of for the first time shows in the loss of the one after it.
    assert losses[: START + 1].tolist() == others[: START + 1].tolist()
    assert (losses[START + 2 :] != others[START + 2 :]).all()


def test_the_network_learns_by_its_own_loss_alone(whole: Run) -> None:
    first = PlantedTerm(NAME, 0.1, PlantedTerm.Settings(), RECIPE)
    state = own_state(whole)
    for name, tensor in first.network.state_dict().items():
        if tensor.ndim > 1:  # both halves of the hinge move the last bias, by opposite amounts
            assert not torch.equal(tensor, state["network"][name])
    steps = {moments["step"].item() for moments in state["optimizer"]["state"].values()}
    assert steps == {RECIPE.steps - START}
    assert not any(name.startswith("network") for name in whole.tokenizer().state_dict())


@pytest.mark.parametrize("stopped_before", [9, 10, 13])
def test_a_stopped_run_goes_on_to_the_same_weights(whole: Run, tmp_path: Path, stopped_before: int) -> None:
    controls = StopsBefore(stopped_before)
    stopped = train(RECIPE, tmp_path / "run", device="cpu", controls=controls, progress=False)
    assert stopped.finished_steps == stopped_before
    assert_same(resume(stopped.path, device="cpu", progress=False), whole)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(whole: Run, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", planted.__name__, tmp_path / "run", "14"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    assert Run(tmp_path / "run").finished_steps == 12
    assert_same(resume(tmp_path / "run", device="cpu", progress=False), whole)


def test_a_checkpoint_that_lacks_the_term_is_told_and_not_guessed_at(tmp_path: Path) -> None:
    run = train(RECIPE, tmp_path / "run", device="cpu", controls=StopsBefore(12), progress=False)
    file = run.path / "checkpoints" / "step-00000012" / "state.pt"
    state = torch.load(file, weights_only=True)
    del state["objectives"]
    torch.save(state, file)
    with pytest.raises(InputError, match="step-00000012 can't be read"):
        resume(run.path, device="cpu", progress=False)


def test_an_own_loss_that_diverged_ends_training_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(self: PlantedTerm, training_pass: TrainingPass) -> OwnLoss:
        return OwnLoss(math.nan * self.network(training_pass.output.reconstruction).mean())

    monkeypatch.setattr(PlantedTerm, "own_loss", spoilt)
    told = rf"own loss of {NAME} is nan.* at step 11: lower objectives.{NAME}.learning_rate \(0.01\)"
    with pytest.raises(InputError, match=told):
        train(RECIPE, tmp_path / "run", device="cpu", progress=False)
    assert Run(tmp_path / "run").finished_steps == 8


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"learning_rate": 0}, f"objectives.{NAME}.learning_rate is 0.0: it must be a finite number above 0"),
        ({"start_step": -1}, f"objectives.{NAME}.start_step is -1"),
        ({"start_step": "soon"}, f"objectives.{NAME}.start_step is 'soon'"),
        ({"strat_step": 1}, rf"unknown field 'objectives.{NAME}.strat_step' \(did you mean start_step"),
    ],
)
def test_a_wrong_setting_is_named_before_a_folder_is_made(
    tmp_path: Path, settings: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError, match=told) as error:
        train(replace(RECIPE, objectives={NAME: settings}), tmp_path / "run", progress=False)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
