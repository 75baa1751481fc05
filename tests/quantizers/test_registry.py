"""Tests of methods that are added by a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

import lgq_explore as lgq
from lgq_explore.errors import InputError
from lgq_explore.quantizers import LGQConfig, QuantizerConfig
from lgq_explore.training.presets import preset
from tests.planted_methods.cosine import CosineConfig


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, config in lgq.QUANTIZERS.items():
        monkeypatch.setitem(lgq.QUANTIZERS, name, config)
    monkeypatch.setitem(lgq.QUANTIZERS, CosineConfig.method, CosineConfig)
    monkeypatch.delitem(lgq.QUANTIZERS, CosineConfig.method)


def test_a_method_is_known_from_then_on_and_may_be_given_twice() -> None:
    with pytest.raises(InputError, match="planted-cosine"):
        preset("tiny", "planted-cosine")
    assert lgq.register(CosineConfig) is CosineConfig
    assert lgq.register(CosineConfig) is CosineConfig
    assert preset("tiny", "planted-cosine", 32).quantizer == CosineConfig(32)
    assert list(lgq.QUANTIZERS)[-1] == "planted-cosine"


def test_what_is_no_config_is_refused() -> None:
    @dataclass(frozen=True)
    class Nameless(QuantizerConfig):
        pass

    class Plain(CosineConfig):
        method: ClassVar[str] = "plain"

    @dataclass(frozen=True)
    class Twin(CosineConfig):
        method: ClassVar[str] = "lgq"

    for given, told in (
        (LGQConfig(), "is not a QuantizerConfig: give the class"),
        ("lgq", "'lgq' is not a QuantizerConfig"),
        (Nameless, "Nameless.method is None: give the name"),
        (Twin, "Twin.method is 'lgq', as that of LGQConfig: give another name"),
    ):
        with pytest.raises(InputError, match=told):
            lgq.register(given)
    assert "lgq" in lgq.QUANTIZERS
    assert lgq.QUANTIZERS["lgq"] is LGQConfig
