"""Tests of the names of devices."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.devices import device_named, model_of, require_known_device
from lgq_explore.errors import InputError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_a_name_is_its_device() -> None:
    named = {name: device_named(name) for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:1")}
    assert {name: str(device) for name, device in named.items()} == {**{name: name for name in named}, "auto": "cuda"}


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_the_cpu_where_there_is_no_gpu() -> None:
    assert device_named("auto") == torch.device("cpu")
    assert model_of(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "CUDA", "mps", "cpu:0", "cuda:1 "])
def test_an_unknown_name_is_told_with_the_known_ones(name: str) -> None:
    for check in (require_known_device, device_named):
        with pytest.raises(InputError, match=f"unknown device {name!r}; choose one of auto, cpu, cuda or cuda:I"):
            check(name)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_told(name: str) -> None:
    require_known_device(name)
    with pytest.raises(InputError, match=f"device is '{name}', but torch sees no CUDA device: use --device cpu"):
        device_named(name)


@pytest.mark.usefixtures("two_gpus")
def test_a_number_beyond_the_last_gpu_is_told() -> None:
    with pytest.raises(InputError, match="device is 'cuda:2', but the last CUDA device that torch sees is cuda:1"):
        device_named("cuda:2")


@pytest.mark.gpu
def test_a_gpu_has_a_model() -> None:
    assert model_of(device_named("auto")) == model_of(device_named("cuda:0")) == torch.cuda.get_device_name(0)
