"""Tests of presets, and of recipes with another method or size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS, FSQConfig, LGQConfig, VQConfig
from lgq_explore.quantizers.methods.lgq import LGQPaperConfig
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json, read_recipe
from lgq_explore.training.objectives.of_recipe import Objectives
from lgq_explore.training.presets import PRESETS, PRESETS_FOLDER, preset, quantizer_config, with_quantizer

ROOT = Path(__file__).parents[2]


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
    assert preset("lgq-paper").quantizer == LGQPaperConfig(16384)


def test_presets_of_older_runs_keep_their_hash() -> None:
    assert [preset(name).recipe_hash for name in ("tiny", "small")] == ["c702d8b69072", "bdcec039a7e4"]


def test_every_file_is_a_preset_and_a_recipe_that_a_command_takes() -> None:
    paths = {path.stem: path for path in PRESETS_FOLDER.iterdir()}
    assert paths.keys() == PRESETS.keys()
    for name, path in paths.items():
        assert read_recipe(path) == preset(name)
        Objectives(without_downloads(preset(name)))


def without_downloads(config: TrainConfig) -> TrainConfig:
    if "perceptual" not in config.objectives:
        return config
    return replace(config, objectives={**config.objectives, "perceptual": {"features": "efficientnet-lite0"}})


@pytest.mark.parametrize("method", QUANTIZERS)
def test_a_preset_with_a_codebook_size_gives_it_to_every_method(method: str) -> None:
    assert preset("vqgan-128", method).quantizer == quantizer_config(method, 16384)
    assert with_quantizer(PRESETS["vqgan-128"], method, None) == preset("vqgan-128", method)
    assert preset("small", method).quantizer == quantizer_config(method)
    assert preset("vqgan-128", method, 64).quantizer == quantizer_config(method, 64)


def test_a_preset_is_one_recipe_for_every_method() -> None:
    """Methods differ in themselves and in their own losses only."""
    own = {name for method in QUANTIZERS for name in quantizer_config(method).default_loss_weights}
    for name in ("vqgan-128", "vqgan-256"):
        for method in QUANTIZERS:
            config = preset(name, method)
            assert (
                replace(config, quantizer=PRESETS[name].quantizer, loss_weights=PRESETS[name].loss_weights)
                == (PRESETS[name])
            )
            others = {term: weight for term, weight in config.loss_weights.items() if term not in own}
            assert others == {term: weight for term, weight in PRESETS[name].loss_weights.items() if term not in own}


def test_the_readme_states_every_difference_of_the_published_presets() -> None:
    readme = (ROOT / "README.md").read_text()
    (table,) = re.findall("<!-- presets -->\n(.*?)<!-- /presets -->", readme, re.DOTALL)
    header, _, *lines = table.strip().splitlines()
    names = re.findall("`(.*?)`", header)
    assert names == ["vqgan-128", "vqgan-256", "lgq-paper"]
    recipes = [config_to_json(PRESETS[name]) for name in names]
    told = []
    for line in lines:
        field, *values = [cell.strip() for cell in line.strip("|").split("|")[: 1 + len(names)]]
        told.append(field.strip("`"))
        for recipe, value in zip(recipes, values, strict=True):
            assert json.loads(value) == json.loads(json.dumps(at_path(recipe, told[-1]))), (field, value)
    assert {path for path in leaves(recipes[1]) if any(differs(recipes, path))} <= set(told)


def at_path(recipe: Any, path: str) -> Any:
    for name in path.split("."):
        recipe = None if recipe is None else recipe.get(name)
    return recipe


def leaves(recipe: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in recipe.items():
        # `initialization` is what makes lgq-paper another method.
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        elif name != "initialization":
            yield prefix + name


def differs(recipes: list[dict[str, Any]], path: str) -> Iterator[bool]:
    return (at_path(recipe, path) != at_path(recipes[0], path) for recipe in recipes)


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
