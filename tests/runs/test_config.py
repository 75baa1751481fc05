"""Tests of recipes: checks, JSON, overrides and hashes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lgq_explore.errors import InputError, near_matches
from lgq_explore.images.division import Division
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import (
    QUANTIZERS,
    FSQConfig,
    LGQConfig,
    SimVQConfig,
    TemperatureSchedule,
    VQConfig,
)
from lgq_explore.runs.config import (
    TrainConfig,
    config_from_json,
    config_to_json,
    override,
    progress_at,
    read_recipe,
)
from lgq_explore.training.presets import preset


def read_back(config: TrainConfig) -> TrainConfig:
    return config_from_json(json.loads(json.dumps(config_to_json(config))))


# Checks


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"steps": 0}, "steps is 0: it must be at least 1"),
        ({"steps": -5}, "steps is -5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"log_steps": 0}, "log_steps is 0"),
        ({"window_steps": 0}, "window_steps is 0"),
        ({"checkpoint_steps": 0}, "checkpoint_steps is 0"),
        ({"snapshot_steps": 0}, "snapshot_steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0: it must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"gradient_clip": -1.0}, "gradient_clip is -1.0"),
        ({"final_learning_rate": -1e-9}, "final_learning_rate is -1e-09"),
        ({"warmup_steps": -1}, "warmup_steps is -1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"seed": -1}, "seed is -1"),
        ({"accumulation": 5}, "accumulation is 5: it must divide the batch_size 32"),
        ({"accumulation": 0}, "accumulation is 0: it must divide"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0: it must be from 0 to below 1"),
        ({"rounding_replicate": -1}, "rounding_replicate is -1: it must be from 0 to 100"),
        ({"rounding_replicate": 101}, "rounding_replicate is 101"),
        ({"image_size": 30}, "image_size is 30: it must be a multiple of the backbone's factor 4"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": 36, "backbone": BackboneConfig((8, 8, 8, 8))}, "factor 8"),
    ],
)
def test_a_value_that_cannot_be_is_named(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TrainConfig(**settings)


def test_loss_weights_left_out_are_the_published_ones() -> None:
    assert TrainConfig().loss_weights == {"l1": 1.0, "quantization": 1.0, "peakedness": 0.005, "usage": 0.005}
    assert TrainConfig(quantizer=FSQConfig()).loss_weights == {"l1": 1.0}
    assert TrainConfig(quantizer=VQConfig()).loss_weights == {"l1": 1.0, "commitment": 0.25}


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_a_loss_weight_that_is_negative_or_not_finite_is_named(weight: float) -> None:
    with pytest.raises(ValueError, match=f"loss_weights: l1 is {weight}: give a finite number"):
        TrainConfig(loss_weights={"l1": weight})


def test_a_term_that_is_not_in_a_registry_is_a_recipes_own() -> None:
    """What terms there are is known where they are trained; a run with another is read all the same."""
    weights = {"l1": 1.0, "adversarial": 0.1}
    assert config_from_json({"loss_weights": weights}).loss_weights == weights
    assert TrainConfig(quantizer=VQConfig(), loss_weights={"l1": 1.0}).loss_weights == {"l1": 1.0}


def test_settings_are_of_terms_that_have_a_weight() -> None:
    with pytest.raises(ValueError, match="objectives: usge has settings and no weight: give it one in loss_weights"):
        TrainConfig(objectives={"usge": {"start_step": 3}})


def test_settings_of_terms_are_the_recipes_own() -> None:
    settings = {"usage": {"start_step": 3}}
    config = TrainConfig(objectives=settings)
    settings["usage"]["start_step"] = 9
    assert config.objectives == {"usage": {"start_step": 3}}


def test_loss_weights_are_the_recipes_own() -> None:
    weights = {"l1": 2.0, "commitment": 1.0}
    config = TrainConfig(quantizer=VQConfig(), loss_weights=weights)
    weights["l1"] = 5.0
    assert config.loss_weights["l1"] == 2.0


# JSON


def test_a_nested_setting_goes_through_json_and_back() -> None:
    schedule = TemperatureSchedule(16.0, 1.1, "exponential", "effective_codes")
    config = TrainConfig(quantizer=LGQConfig(64, schedule, norm="batch", usage_form="unbiased"))
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_every_field_goes_through_json_and_back() -> None:
    config = TrainConfig(
        data="folder:/pictures",
        split=Division(validation=0.1, held_out=0.2, seed=1),
        image_size=64,
        backbone=BackboneConfig((8, 16, 24, 32), 2, 5),
        quantizer=LGQConfig(
            77,
            TemperatureSchedule(9.0, 1.5, "cosine", "effective_codes"),
            norm="batch",
            initialization="kmeans",
            usage_form="unbiased",
        ),
        steps=7,
        batch_size=3,
        learning_rate=0.125,
        final_learning_rate=0.0,
        warmup_steps=0,
        weight_decay=0.5,
        gradient_clip=2.0,
        precision="bf16-mixed",
        compile=True,
        loss_weights={"l1": 1.5, "quantization": 0.5, "peakedness": 0.0, "usage": 0.1},
        objectives={"usage": {"start_step": 5}},
        ema_decay=0.75,
        decoder_finish=0.5,
        accumulation=3,
        gradient_clip_by_part=True,
        seed=11,
        rounding_replicate=3,
        log_steps=2,
        window_steps=4,
        checkpoint_steps=5,
        snapshot_steps=6,
    )
    defaults = TrainConfig()
    assert all(getattr(config, name) != getattr(defaults, name) for name in config.__dataclass_fields__)
    assert read_back(config) == config


def test_fields_left_out_take_their_defaults() -> None:
    assert config_from_json({}) == TrainConfig()
    assert config_from_json({"quantizer": {"method": "vq"}}) == TrainConfig(quantizer=VQConfig())
    assert config_from_json({"quantizer": {"codebook_size": 64}}).quantizer == LGQConfig(64)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"stepz": 3}, r"unknown field 'stepz' \(did you mean steps"),
        ({"nonsense": 3}, r"unknown field 'nonsense'; the fields are data, image_size"),
        ({"backbone": {"chanels": [8, 8, 8]}}, r"unknown field 'backbone.chanels' \(did you mean channels\?\)"),
        ({"quantizer": {"codebok_size": 3}}, r"unknown field 'quantizer.codebok_size' \(did you mean codebook_size"),
        (
            {"quantizer": {"temperature": {"strat": 3}}},
            r"unknown field 'quantizer.temperature.strat' \(did you mean start",
        ),
        ({"quantizer": {"method": "fsqq"}}, r"unknown quantizer 'fsqq' \(did you mean fsq or rfsq\?\)"),
        ({"quantizer": {"method": ["fsq"]}}, r"quantizer.method is \['fsq'\]"),
        ({"quantizer": {"method": "fsq", "levels": [8, 2]}}, r"quantizer.levels is \(8, 2\)"),
        ({"quantizer": {"codebook_size": 1}}, "quantizer.codebook_size is 1"),
        ({"quantizer": {"temperature": {"start": -1}}}, "quantizer.temperature.start is -1"),
        ({"quantizer": "lgq"}, "quantizer is 'lgq'"),
        ({"steps": "many"}, "steps is 'many'.*integer"),
        ({"steps": 1.5}, "steps is 1.5.*integer"),
        ({"steps": None}, "steps is None"),
        ({"backbone": 5}, "backbone is 5"),
        ({"backbone": {"channels": [8, 8, "x"]}}, "backbone.channels.2 is 'x'"),
        ({"loss_weights": {"l1": "heavy"}}, "loss_weights.l1 is 'heavy'"),
        ({"loss_weights": {"l1": -1}}, "loss_weights: l1 is -1"),
        ({"objectives": {"l2": {"start_step": 1}}}, "objectives: l2 has settings and no weight"),
        ({"objectives": 3}, "objectives is 3"),
        ({"objectives": {"l1": 3}}, "objectives.l1 is 3"),
        ({"image_size": 30}, "image_size is 30"),
        ({"steps": True}, "steps is True: input should be a valid integer"),
        ({"steps": "5"}, "steps is '5': input should be a valid integer"),
        ({"steps": 1e300}, r"steps is 1e\+300: input should be a valid integer"),
        ({"seed": False}, "seed is False.*integer"),
        ({"learning_rate": True}, "learning_rate is True: input should be a valid number"),
        ({"learning_rate": "1e-3"}, "learning_rate is '1e-3'.*number"),
        ({"loss_weights": [1]}, r"loss_weights is \[1\]: give an object with its fields"),
        ({"window_steps": 10**20}, r"window_steps is 1000+: it must be below 2\^63"),
        ({"data": 3}, "data is 3: input should be a valid string"),
        ({"loss_weights": {"l1": True}}, "loss_weights.l1 is True.*number"),
        ({"backbone": {"channels": [8, 8, True]}}, "backbone.channels.2 is True.*integer"),
        ({"backbone": {"channels": "888"}}, "backbone.channels is '888': give a list"),
        ({"backbone": {"blocks": "many"}}, "backbone.blocks is 'many': input should be a valid integer"),
        ({"backbone": {"blocks": [1, "x", 1]}}, "backbone.blocks.1 is 'x': input should be a valid integer"),
        ({"backbone": {"blocks": [1, 2]}}, r"backbone.blocks is \(1, 2\).*3 such numbers"),
        ({"quantizer": {"codebook_size": True}}, "quantizer.codebook_size is True.*integer"),
        ({"quantizer": {"temperature": {"start": True}}}, "quantizer.temperature.start is True.*number"),
        ({"quantizer": {"temperature": 3}}, "quantizer.temperature is 3: give an object with its fields"),
        ({"quantizer": {"method": "fsq", "levels": [8, "5"]}}, "quantizer.levels.1 is '5'.*integer"),
        ({"quantizer": {"method": "vq", "decay": False}}, "quantizer.decay is False.*number"),
        ({"quantizer": {"method": "simvq", "bias": 1}}, "quantizer.bias is 1: input should be a valid boolean"),
        ({"precision": "bf16"}, "precision is 'bf16': choose one of auto, 32-true, bf16-mixed"),
        ({"precision": 32}, "precision is 32: input should be a valid string"),
        ({"compile": 1}, "compile is 1: input should be a valid boolean"),
        ([1, 2], r"a recipe is \[1, 2\]"),
    ],
)
def test_what_is_wrong_in_json_is_named_in_one_line_with_its_value(values: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as error:
        config_from_json(values)
    assert "\n" not in str(error.value)


def test_whole_numbers_are_integers_however_they_are_written() -> None:
    read = config_from_json({"steps": 3.0, "learning_rate": 1, "backbone": {"channels": [8.0, 8, 1.6e1]}})
    assert read == TrainConfig(steps=3, learning_rate=1.0, backbone=BackboneConfig((8, 8, 16)))
    assert [type(value) for value in (read.steps, read.learning_rate, read.backbone.channels[0])] == [int, float, int]


def test_recipes_are_read_from_files(tmp_path: Path) -> None:
    config = TrainConfig(quantizer=VQConfig(64))
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(config_to_json(config)))
    assert read_recipe(path) == config
    path.write_text(json.dumps({"recipe": config_to_json(config), "environment": {}}))
    assert read_recipe(path) == config


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ('{"steps" 3}', r"recipe.json is not JSON \(line 1, column 10: .*\): name a JSON file"),
        ("\xff", r"recipe.json is not JSON \(it is not text\): name a JSON file"),
        ("[" * 100_000, r"recipe.json is not JSON \(it is nested too deep\)"),
        ('{"steps": 3, "steps": 5}', "recipe.json: 'steps' is given twice"),
    ],
)
def test_a_file_is_refused_in_plain_words(tmp_path: Path, content: str, cause: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=cause):
        read_recipe(path)


@pytest.mark.parametrize("content", ["{", "[]", '"lgq"', "", '{"recipe": [1]}', "\0\xff"])
def test_files_that_hold_no_recipe_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"recipe(\.json)?"):
        read_recipe(path)
    with pytest.raises(InputError, match="nowhere"):
        read_recipe(tmp_path / "nowhere")
    with pytest.raises(InputError, match=str(tmp_path)):
        read_recipe(tmp_path)


# Overrides


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("steps=7", lambda config: config.steps == 7),
        ("steps=1e3", lambda config: config.steps == 1000),
        ("learning_rate=1e-4", lambda config: config.learning_rate == 1e-4),
        ("data=folder:/a=b", lambda config: config.data == "folder:/a=b"),
        ("backbone.channels=[8,8,8,8]", lambda config: config.backbone.factor == 8),
        ("quantizer.temperature.start=0.5", lambda config: config.quantizer.temperature.start == 0.5),
        ("quantizer.norm=none", lambda config: config.quantizer.norm == "none"),
        ("loss_weights.usage=0", lambda config: config.loss_weights["usage"] == 0),
        (
            'quantizer={"norm": "none", "temperature": {"end": 0.5}}',
            lambda config: config.quantizer == LGQConfig(temperature=TemperatureSchedule(1.0, 0.5), norm="none"),
        ),
        ("objectives.usage.start_step=7", lambda config: config.objectives == {"usage": {"start_step": 7}}),
    ],
)
def test_one_field_is_set_by_its_path(assignment: str, expected: Callable[[TrainConfig], bool]) -> None:
    before = config_to_json(TrainConfig())
    after = config_from_json(override(before, assignment))
    assert expected(after)
    assert before == config_to_json(TrainConfig())
    assert after != TrainConfig()


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("steps", "'steps' is not an assignment"),
        ("=3", "'=3' is not an assignment"),
        (".=3", "'.=3' is not an assignment"),
        ("steps.=3", "'steps.=3' is not an assignment"),
        ('quantizer={"norm": "none", "norm": "layer"}', "quantizer: 'norm' is given twice"),
        ("quantizer={}", r"quantizer=\{\} sets no field: write quantizer.FIELD=VALUE"),
        ("steps.more=3", "leads through 'steps'"),
        ("quantizer.tempertaure.start=3", "did you mean temperature"),
        ("quantiser.norm=none", "did you mean quantizer"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(assignment: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        config_from_json(override(config_to_json(TrainConfig()), assignment))


def test_near_matches() -> None:
    assert near_matches("simvqq", QUANTIZERS).startswith(" (did you mean simvq")
    assert near_matches("zzz", QUANTIZERS) == ""


# Names


def test_the_hash_of_a_recipe_ignores_what_is_repeated_and_when_things_are_written() -> None:
    config = TrainConfig()
    for same in (
        {"seed": 5},
        {"rounding_replicate": 1},
        {"log_steps": 1},
        {"checkpoint_steps": 7},
        {"snapshot_steps": 7},
    ):
        assert replace(config, **same).recipe_hash == config.recipe_hash
    assert len(config.recipe_hash) == 12
    int(config.recipe_hash, 16)


def test_the_hash_of_a_recipe_heeds_all_else() -> None:
    config = TrainConfig()
    others = [
        replace(config, data="fake"),
        replace(config, steps=301),
        replace(config, batch_size=31),
        replace(config, learning_rate=2.1e-3),
        replace(config, backbone=BackboneConfig(dim=9)),
        replace(config, backbone=BackboneConfig(attention=(2,))),
        replace(config, backbone=BackboneConfig(width_change="block")),
        replace(config, quantizer=LGQConfig(1023)),
        replace(config, quantizer=LGQConfig(norm="none")),
        replace(config, quantizer=LGQConfig(drop=1e-9)),
        replace(config, quantizer=VQConfig(), loss_weights={}),
        replace(config, quantizer=SimVQConfig(), loss_weights={}),
        replace(config, quantizer=SimVQConfig(bias=True), loss_weights={}),
        replace(config, quantizer=FSQConfig(), loss_weights={}),
        replace(config, quantizer=FSQConfig(bound="paper"), loss_weights={}),
        replace(config, loss_weights={**config.loss_weights, "usage": 0.0}),
        replace(config, objectives={"usage": {"start_step": 7}}),
        replace(config, ema_decay=0.99),
        replace(config, decoder_finish=0.2),
        replace(config, precision="32-true"),
        replace(config, precision="bf16-mixed"),
        replace(config, compile=True),
        replace(config, accumulation=2),
        replace(config, gradient_clip_by_part=True),
    ]
    assert len({other.recipe_hash for other in (config, *others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("quantizer", "name"),
    [(LGQConfig(), "1c684c03eca5"), (FSQConfig(), "0058ad2e2301"), (SimVQConfig(), "aadab8088b13")],
)
def test_settings_that_came_later_leave_older_recipes_their_names(quantizer: Any, name: str) -> None:
    assert TrainConfig(quantizer=quantizer, learning_rate=2e-3).recipe_hash == name


def test_numbers_written_otherwise_are_the_same_recipe() -> None:
    assert TrainConfig(learning_rate=1).recipe_hash == TrainConfig(learning_rate=1.0).recipe_hash
    schedules = (TemperatureSchedule(1, 0.1), TemperatureSchedule(1.0, 0.1))
    hashes = {TrainConfig(quantizer=LGQConfig(temperature=schedule)).recipe_hash for schedule in schedules}
    assert len(hashes) == 1


def test_progress_runs_from_nothing_to_all() -> None:
    assert [progress_at(step, 5) for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert progress_at(0, 1) == 0


def test_what_is_no_number_or_no_spec_is_refused_when_the_recipe_is_made() -> None:
    with pytest.raises(InputError, match="codebook_size is '256': give a whole number"):
        preset("tiny", "lgq", codebook_size="256")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="steps is -3: it must be at least 1"):
        TrainConfig(steps=-3)
    with pytest.raises(InputError, match="steps is 'ten': it must be a number"):
        TrainConfig(steps="ten")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="data is '/my/pictures': give folder:/my/pictures"):
        TrainConfig(data="/my/pictures")


def test_a_division_of_the_pictures_is_of_the_recipe_and_none_leaves_its_hash() -> None:
    plain = TrainConfig()
    assert config_from_json({"split": {}}).recipe_hash == plain.recipe_hash
    divided = config_from_json(override({}, "split.held_out=0.3"))
    assert divided.split == Division(held_out=0.3)
    assert divided.recipe_hash != plain.recipe_hash
    with pytest.raises(InputError, match=r"split\.held_out is 1\.5: give a share"):
        config_from_json({"split": {"held_out": 1.5}})
