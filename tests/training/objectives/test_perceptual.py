"""Tests of the distance in the features of a trained network, as a term of the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity
from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights

from lgq_explore.errors import InputError
from lgq_explore.metrics import feature_networks
from lgq_explore.models import TokenizerOutput
from lgq_explore.quantizers import QuantizerOutput
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.loop import train
from lgq_explore.training.objectives.base import TrainingPass
from lgq_explore.training.objectives.of_recipe import Objectives
from lgq_explore.training.objectives.perceptual import Perceptual
from tests.metrics.test_perceptual import checkpoints, crops, noisy, seeded_squeezenet
from tests.training.objectives.planted import PLAIN

__all__ = ["checkpoints"]  # a fixture

LITE = {"perceptual": {"features": "efficientnet-lite0"}}
RECIPE = replace(PLAIN, loss_weights={"l1": 1.0, "quantization": 1.0, "perceptual": 0.5}, objectives=LITE, steps=4)


def passed(strength: float = 0.3) -> TrainingPass:
    images = crops(2)
    coded = QuantizerOutput(torch.zeros(1), torch.zeros(1, dtype=torch.int64), {}, {})
    reconstruction = (2 * noisy(images, strength) - 1).requires_grad_()
    return TrainingPass(0, 2 * images - 1, TokenizerOutput(reconstruction, torch.zeros(1), coded))


def term(features: str) -> Perceptual:
    return Perceptual("perceptual", 1.0, Perceptual.Settings(features=features), TrainConfig())


def test_it_is_lpips_of_torchmetrics_where_the_weights_are_there(checkpoints: Path) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    training_pass = passed()
    found = term("squeeze").loss(training_pass)
    published = learned_perceptual_image_patch_similarity(
        training_pass.output.reconstruction, training_pass.images, net_type="squeeze"
    )
    assert found.item() == pytest.approx(published.item(), rel=1e-4)


def test_the_reconstruction_gets_a_gradient_and_the_network_none() -> None:
    training_pass, perceptual = passed(), term("efficientnet-lite0")
    perceptual.loss(training_pass).backward()
    gradient = training_pass.output.reconstruction.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert all(weight.grad is None for weight in perceptual._network.parameters())


def test_it_is_taken_in_float32_under_autocast() -> None:
    perceptual, training_pass = term("efficientnet-lite0"), passed()
    expected = perceptual.loss(training_pass)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(perceptual.loss(training_pass), expected)


def test_weights_that_are_not_there_are_told_with_file_and_remedy_before_a_folder_is_made(
    checkpoints: Path, tmp_path: Path
) -> None:
    config = replace(RECIPE, image_size=64, objectives={"perceptual": {"features": "alex"}})
    told = f"features is 'alex'.*{Path(AlexNet_Weights.DEFAULT.url).name}.*take the features efficientnet-lite0"
    with pytest.raises(InputError, match=told) as error:
        train(config, tmp_path / "run", progress=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_package_that_is_not_installed_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_networks, "EFFICIENTNET_PACKAGES", ("no_such_package",))
    with pytest.raises(InputError, match=r"'efficientnet-lite0': the extra fd is not installed: pip install"):
        Perceptual.require("perceptual", Perceptual.Settings(features="efficientnet-lite0"), RECIPE)


@pytest.mark.parametrize(
    ("features", "told"),
    [("resnet", "features is 'resnet': choose one of alex, vgg"), ("alex", "image_size is 16, and .* needs 31")],
)
def test_features_that_cannot_be_are_told(tmp_path: Path, features: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        train(replace(RECIPE, objectives={"perceptual": {"features": features}}), tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_run_lowers_it_and_keeps_no_network(tmp_path: Path) -> None:
    run = train(RECIPE, tmp_path / "run", device="cpu", progress=False)
    history = run.history()
    expected = history["loss_l1"] + history["loss_quantization"] + 0.5 * history["loss_perceptual"]
    assert history["loss"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    state = torch.load(RunWriter(run.path).newest_checkpoint() / "state.pt", weights_only=True)
    assert state["objectives"] == {}
    assert Objectives(RECIPE).state_dict() == {}
