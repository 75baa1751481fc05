"""Tests that every method that has codes keeps the promises of the contract, the planted ones among them."""

from __future__ import annotations

import pytest

from lgq_explore.contract import Promise, check_quantizer, promises, training
from lgq_explore.quantizers import QUANTIZERS, NoneConfig
from tests.contract.configs import CONFIGS

PROMISES = [
    pytest.param(promise, marks=pytest.mark.slow if promise.holds in training.CHECKS else [])
    for config in CONFIGS
    for promise in promises(config)
]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_holds(promise: Promise, monkeypatch: pytest.MonkeyPatch) -> None:
    config = promise.method.config
    monkeypatch.setitem(QUANTIZERS, config.method, config)  # the one line that registers a method
    promise.check()


def test_a_method_without_codes_promises_nothing() -> None:
    assert promises(NoneConfig) == []
    check_quantizer(NoneConfig)
