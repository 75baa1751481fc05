"""Tests of the adversarial term: its schedule, its settings, its columns, and runs that are stopped and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training import loop
from lgq_explore.training.loop import resume, train
from lgq_explore.training.objectives import of_recipe
from lgq_explore.training.objectives.gan import GAN
from lgq_explore.training.objectives.of_recipe import Objectives, require_objectives
from lgq_explore.training.step.precision import precision_plugin
from tests.training.objectives.planted import PLAIN
from tests.training.objectives.test_learned import StopsBefore
from tests.training.objectives.test_of_recipe import made

START = 6
SETTINGS: dict[str, object] = {"start_step": START, "layers": 1, "width": 8, "learning_rate": 1e-3}
PENALTIES: dict[str, object] = {"lecam_weight": 0.01, "r1_weight": 0.1, "r1_interval": 4}


def recipe(**settings: object) -> TrainConfig:
    return replace(
        PLAIN,
        loss_weights={**PLAIN.loss_weights, "perceptual": 0.5, "gan": 0.1},
        objectives={"perceptual": {"features": "efficientnet-lite0"}, "gan": {**SETTINGS, **settings}},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with all options, trained at once. Not to be written to."""
    return train(recipe(**PENALTIES), tmp_path_factory.mktemp("whole") / "run", device="cpu", progress=False)


def term(**settings: object) -> GAN:
    config = recipe(**settings)
    return GAN("gan", 0.1, GAN.Settings(**config.objectives["gan"]), config)


def state_of(run: Run) -> dict[str, object]:
    return torch.load(RunWriter(run.path).newest_checkpoint() / "state.pt", weights_only=True)["objectives"]["gan"]


# Schedule


def test_the_weight_rises_over_the_ramp_and_stays() -> None:
    ramped = term(ramp_steps=4)
    weights = [ramped.weight_at(step) for step in range(START - 1, START + 6)]
    assert weights == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1])
    assert [term().weight_at(step) for step in (START - 1, START)] == [0, 0.1]


def test_r1_is_taken_at_its_interval_with_it_as_a_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    gan, plain = term(r1_weight=0.5, r1_interval=3), term()
    monkeypatch.setattr(gan, "_r1", lambda images: torch.tensor(2.0))
    extra = []
    for step in range(START, START + 7):
        training_pass = replace(made(step), images=torch.zeros(2, 3, 8, 8))
        training_pass.output.reconstruction = torch.ones(2, 3, 8, 8)
        extra.append((gan.own_loss(training_pass).total - plain.own_loss(training_pass).total).item())
    assert extra == pytest.approx([3, 0, 0, 3, 0, 0, 3], abs=1e-6)


# Settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"loss": "wasserstein"}, "objectives.gan.loss is 'wasserstein': choose one of hinge, non-saturating"),
        ({"ramp_steps": -1}, "objectives.gan.ramp_steps is -1: it must be a finite number of at least 0"),
        ({"r1_interval": 0}, "objectives.gan.r1_interval is 0"),
        ({"lecam_decay": 1.0}, "objectives.gan.lecam_decay is 1"),
        ({"layers": 3}, "objectives.gan.layers is 3, which needs an image_size of 24, not 16: take fewer layers"),
        ({"start_step": 2}, "objectives.gan.adaptive is true, and no other term of the reconstruction starts by"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], told: str) -> None:
    config = recipe(**settings)
    later = {name: {"start_step": 4} for name in ("l1", "perceptual")}
    later["perceptual"]["features"] = "efficientnet-lite0"
    with pytest.raises(InputError, match=told):
        require_objectives(replace(config, objectives={**later, "gan": config.objectives["gan"]}))


def test_the_discriminator_is_a_function_of_seed_and_name_and_of_no_other_term() -> None:
    first, second = term(), term(**PENALTIES)
    other = GAN("gan", 0.1, first.settings, replace(recipe(), seed=1))
    weights, same, others = (each.network.state_dict() for each in (first, second, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not torch.equal(weights["0.weight"], others["0.weight"])


def test_a_balanced_term_needs_the_last_layer() -> None:
    config = replace(recipe(start_step=0), loss_weights={"l1": 1.0, "gan": 0.1, "perceptual": 0.0})
    objectives, training_pass = Objectives(config), replace(made(), images=torch.zeros(2, 3, 16, 16))
    training_pass.output.reconstruction = torch.ones(2, 3, 16, 16, requires_grad=True)
    with pytest.raises(ValueError, match="gan is balanced at the decoder's last layer, which the pass lacks"):
        objectives.minimised(training_pass)


# Runs


def test_the_history_shows_the_discriminators_life(whole: Run) -> None:
    history = whole.history().set_index("step")
    started = history.index > START
    quantities = ("logits_real", "logits_reconstructed", "adaptive_weight", "lecam", "r1")
    for column in ("loss_gan", "loss_gan_own", *(f"gan_{quantity}" for quantity in quantities)):
        assert history.loc[~started, column].isna().all(), column
        assert history.loc[started, column].notna().all(), column
    shares = history[[f"gradient_share_{name}" for name in ("l1", "perceptual", "gan")]]
    assert shares["gradient_share_gan"].isna().tolist() == (~started).tolist()
    assert shares.sum(axis=1).tolist() == pytest.approx([1.0] * len(history), rel=1e-5)
    # λ balances the norms, so that the share of the term follows from its weight of 0.1.
    before_weight = 1 / shares["gradient_share_gan"][started] - 1
    assert (before_weight > 4).all()


def test_the_loss_is_the_weighted_sum_with_the_adaptive_weight(whole: Run) -> None:
    history = whole.history().fillna(0)
    weights = {**whole.config.loss_weights, "gan": 0.1 * history["gan_adaptive_weight"]}
    expected = sum(weight * history[f"loss_{name}"] for name, weight in weights.items())
    assert history["loss"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_in_bfloat16_the_terms_are_balanced_and_penalised_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[precision_plugin("bf16-mixed", "cpu")])
    monkeypatch.setattr(loop, "fabric_on", lambda *_: fabric)
    config = replace(recipe(**{**PENALTIES, "start_step": 1}), steps=4)
    history = train(config, tmp_path / "run", device="cpu", progress=False).history()
    assert history.loc[1:, ["gan_adaptive_weight", "gan_r1", "gan_lecam"]].gt(0).all(axis=None)


def test_without_options_there_are_no_columns_of_theirs(tmp_path: Path) -> None:
    config = replace(recipe(adaptive=False, loss="non-saturating", start_step=0), steps=2)
    columns = train(config, tmp_path / "run", device="cpu", progress=False).history().columns
    assert {"gan_logits_real", "loss_gan_own", "gradient_share_gan"} <= set(columns)
    assert not {"gan_adaptive_weight", "gan_r1", "gan_lecam"} & set(columns)


def test_the_discriminator_learns_to_tell_them_apart_and_is_not_in_the_weights(whole: Run) -> None:
    first, state = term(**PENALTIES), state_of(whole)
    assert all(not torch.equal(weight, state["network"][name]) for name, weight in first.network.state_dict().items())
    assert not any("discriminator" in name or name.startswith("0.") for name in whole.tokenizer().state_dict())


@pytest.mark.parametrize("stopped_before", [5, 11])
def test_a_stopped_run_goes_on_to_the_same_weights_and_history(whole: Run, tmp_path: Path, stopped_before: int) -> None:
    controls = StopsBefore(stopped_before)
    stopped = train(whole.config, tmp_path / "run", device="cpu", controls=controls, progress=False)
    assert stopped.finished_steps == stopped_before
    resumed = resume(stopped.path, device="cpu", progress=False)
    assert (resumed.path / "weights.safetensors").read_bytes() == (whole.path / "weights.safetensors").read_bytes()
    state, expected = state_of(resumed), state_of(whole)
    assert all(torch.equal(state["network"][name], weight) for name, weight in expected["network"].items())
    assert torch.equal(state["lecam"], expected["lecam"])
    for name in ("loss", "loss_gan_own", "gan_r1", "gan_lecam", "gan_logits_real", "gradient_share_gan"):
        assert resumed.history()[name].equals(whole.history()[name]), name


def test_weights_do_not_depend_on_what_is_logged_and_shares_are_of_logged_steps_alone(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def counting(*arguments: object) -> dict[str, torch.Tensor]:
        counted.append(arguments)
        return {}

    monkeypatch.setattr(of_recipe, "gradient_shares", counting)
    run = train(replace(whole.config, log_steps=8), tmp_path / "run", device="cpu", progress=False)
    assert len(counted) == len(run.history()) == 3
    weights, others = (each.tokenizer().state_dict() for each in (run, whole))
    assert all(torch.equal(weights[name], others[name]) for name in weights)
