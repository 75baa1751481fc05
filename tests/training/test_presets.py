"""Tests of presets, and of recipes with another method or size."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS, FSQConfig, LGQConfig, VQConfig
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.presets import PRESETS, preset, quantizer_config, with_quantizer


def read_back(config: TrainConfig) -> TrainConfig:
    return config_from_json(json.loads(json.dumps(config_to_json(config))))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("method", QUANTIZERS)
def test_recipes_go_through_json_and_back(name: str, method: str) -> None:
    config = preset(name, method, 256)
    assert read_back(config) == config
    assert read_back(config).recipe_hash == config.recipe_hash


def test_a_preset_takes_a_method_and_a_size() -> None:
    config = preset("small", "fsq", 1024)
    assert config.image_size == 64
    assert config.quantizer == FSQConfig((8, 5, 5, 5))
    assert config.loss_weights == {"l1": 1.0}
    assert preset("tiny") == TrainConfig()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("tinny",), r"unknown preset 'tinny' \(did you mean tiny\?\); choose one of tiny, small"),
        (("tiny", "vqq"), r"unknown quantizer 'vqq' \(did you mean vq"),
        (("tiny", "lgq", 1), "codebook_size is 1"),
        (("tiny", "fsq", 2), "codebook_size is 2"),
    ],
)
def test_names_that_are_none_are_answered_with_those_that_are(arguments: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        preset(*arguments)


def test_a_recipe_changes_its_method_or_its_size() -> None:
    config = TrainConfig(quantizer=LGQConfig(norm="none"), steps=9)
    assert with_quantizer(config, None, None) == config
    assert with_quantizer(config, "lgq", 64).quantizer == LGQConfig(64, norm="none")
    changed = with_quantizer(config, "vq", 64)
    assert changed.quantizer == VQConfig(64)
    assert changed.steps == 9
    assert changed.loss_weights == {"l1": 1.0, "commitment": 0.25}
    assert quantizer_config("vq") == VQConfig()
    with pytest.raises(InputError, match="codebook_size is 0"):
        with_quantizer(config, None, 0)


def test_terms_that_are_not_the_methods_own_stay_with_another_method() -> None:
    config = TrainConfig()
    weights = {**config.loss_weights, "l1": 2.0, "adversarial": 0.1}
    settings = {"adversarial": {"start_step": 9}, "usage": {"start_step": 3}}
    changed = with_quantizer(replace(config, loss_weights=weights, objectives=settings), "vq", None)
    assert changed.loss_weights == {"l1": 2.0, "adversarial": 0.1, "commitment": 0.25}
    assert changed.objectives == {"adversarial": {"start_step": 9}}
