"""Training recipes: fields, JSON, overrides, and the hash that names them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lgq_explore.errors import InputError, near_matches
from lgq_explore.images.division import Division
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS, LGQConfig, QuantizerConfig
from lgq_explore.quantizers.base import left_out_of_hash_at

_Config = TypeVar("_Config")

DEFAULT_LOSS_WEIGHTS = {"l1": 1.0}
"""Terms of a recipe that names none, in addition to the losses of its method with their published weights."""

NOT_IN_RECIPE = ("seed", "rounding_replicate", "log_steps", "checkpoint_steps", "snapshot_steps")
"""Fields left out of a recipe's hash: those that are repeated, and those that only say when something is written."""

MOST_ROUNDING_REPLICATES = 100
"""With more, the initial weights would differ by more than rounding (see TrainConfig.rounding_replicate)."""

PRECISIONS = ("auto", "32-true", "bf16-mixed")
"""What encoder and decoder compute in: float32, or bfloat16 by autocast. `auto` is bfloat16 on CUDA, float32 on a CPU.

Weights, codes, losses and optimiser are in float32 with each. In float32, a GPU convolves in TF32, PyTorch's default.
"""

EXACT = 2.0**53
"""Up to here, every integer is exactly representable as a float."""

DEEPEST_PATH = 10
"""The most dots in the path of a field; no recipe has as many."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines the weights of a run. An ablation is `dataclasses.replace` of one field."""

    data: str = "photos"  # a SPEC
    image_size: int = 32  # S, pixels
    # Into pictures to train on, to tune on and to evaluate on, in place of the split of the data.
    split: Division = field(default_factory=Division, metadata={"left_out_of_hash_at": asdict(Division())})
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    quantizer: QuantizerConfig = field(default_factory=LGQConfig)
    steps: int = 300  # optimiser steps
    batch_size: int = 32  # images per step, over all processes
    accumulation: int = left_out_of_hash_at(1)  # micro-batches that a batch is divided into, one pass each
    learning_rate: float = 1e-3  # AdamW's, after the warm-up
    final_learning_rate: float = 1e-4  # at the last step, reached along half a cosine
    warmup_steps: int = 20  # optimiser steps of linear rise
    weight_decay: float = 1e-4  # of the backbone's matrices and kernels; the quantizer's parameters never decay
    gradient_clip: float = 1.0  # largest norm of the gradient of all parameters
    gradient_clip_by_part: bool = left_out_of_hash_at(False)  # encoder, quantizer, decoder each, not all together
    precision: str = left_out_of_hash_at("auto")  # of PRECISIONS
    compile: bool = left_out_of_hash_at(False)  # encoder and decoder by torch.compile
    # By name; terms that are left out have weight 0. Empty: 1 for l1, and the method's published weights.
    loss_weights: dict[str, float] = field(default_factory=dict)
    # Settings of terms by name, such as {"l1": {"start_step": 10}}; settings that are left out take their defaults.
    objectives: dict[str, dict[str, Any]] = field(default_factory=dict, metadata={"left_out_of_hash_at": {}})
    # The last share of the steps, which train the decoder alone on fixed codes. None: the method's own, mostly 0.
    decoder_finish: float | None = field(default=None, metadata={"left_out_of_hash_at": 0.0})
    ema_decay: float = left_out_of_hash_at(0.0)  # of the average of weights that is evaluated; 0: the last weights are
    seed: int = 0
    rounding_replicate: int = 0  # R: scales the encoder's first weights by 1 + R·1e-6
    log_steps: int = 10  # steps between rows of history.csv
    window_steps: int = 32  # steps over which the history counts code usage and speed
    checkpoint_steps: int = 100  # steps between checkpoints
    snapshot_steps: int = 50  # steps between snapshots of the codebook

    def __post_init__(self) -> None:
        is_path = ":" not in self.data and self.data.startswith(("/", "~", "."))
        self._require("data", not is_path, f"give folder:{self.data}")
        for each in fields(self):
            if each.type in ("int", "float"):  # which are compared below
                self._require(each.name, isinstance(getattr(self, each.name), Real), "it must be a number")
        for name in (
            "steps",
            "batch_size",
            "log_steps",
            "window_steps",
            "checkpoint_steps",
            "snapshot_steps",
        ):
            self._require(name, getattr(self, name) >= 1, "it must be at least 1")
        for name in ("learning_rate", "gradient_clip", "final_learning_rate", "weight_decay"):
            self._require(name, math.isfinite(getattr(self, name)), "it must be a finite number")
        for name in ("learning_rate", "gradient_clip"):
            self._require(name, getattr(self, name) > 0, "it must be above 0")
        for name in ("final_learning_rate", "warmup_steps", "weight_decay", "seed"):
            self._require(name, getattr(self, name) >= 0, "it must not be negative")
        for name in (
            "seed",
            "steps",
            "warmup_steps",
            "log_steps",
            "window_steps",
            "checkpoint_steps",
            "snapshot_steps",
        ):
            self._require(name, getattr(self, name) < 2**63, "it must be below 2^63")
        self._require("ema_decay", 0 <= self.ema_decay < 1, "it must be from 0 to below 1")
        is_share = self.decoder_finish is None or isinstance(self.decoder_finish, Real)
        self._require("decoder_finish", is_share, "it must be a number")
        self._require("decoder_finish", 0 <= self.decoder_share < 1, "it must be from 0 to below 1")
        if self.quantizer.default_decoder_finish:
            remedy = f"{self.quantizer.method} fits its codes when the finish begins: give a share above 0, such as 0.2"
            self._require("decoder_finish", self.decoder_share > 0, remedy)
        self._require("precision", self.precision in PRECISIONS, f"choose one of {', '.join(PRECISIONS)}")
        is_replicate = 0 <= self.rounding_replicate <= MOST_ROUNDING_REPLICATES
        self._require("rounding_replicate", is_replicate, f"it must be from 0 to {MOST_ROUNDING_REPLICATES}")
        factor = self.backbone.factor
        whole_latents = self.image_size >= factor and self.image_size % factor == 0
        self._require("image_size", whole_latents, f"it must be a multiple of the backbone's factor {factor}")
        is_divisor = self.accumulation >= 1 and self.batch_size % self.accumulation == 0
        self._require("accumulation", is_divisor, f"it must divide the batch_size {self.batch_size}")
        tokens = self.micro_batch_size * (self.image_size // factor) ** 2
        fewest = self.quantizer.fewest_tokens
        remedy = (
            f"tokens in a pass are {tokens}, and {self.quantizer.method} with these settings needs at least {fewest}"
        )
        self._require("batch_size", tokens >= fewest, remedy)
        self._fill_loss_weights()
        self._copy_objectives()

    def _require(self, name: str, condition: bool, remedy: str) -> None:
        if not condition:
            raise InputError(f"{name} is {getattr(self, name)!r}: {remedy}")

    def _fill_loss_weights(self) -> None:
        weights = self.loss_weights or {**DEFAULT_LOSS_WEIGHTS, **self.quantizer.default_loss_weights}
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise InputError(f"loss_weights: {name} is {weight}: give a finite number of at least 0")
        object.__setattr__(self, "loss_weights", dict(weights))

    def _copy_objectives(self) -> None:
        for name in self.objectives:
            if name not in self.loss_weights:
                raise InputError(f"objectives: {name} has settings and no weight: give it one in loss_weights")
        named = {name: _as_json(settings) for name, settings in self.objectives.items() if settings}
        object.__setattr__(self, "objectives", named)

    @property
    def micro_batch_size(self) -> int:
        """Images that go through the tokenizer at once."""
        return self.batch_size // self.accumulation

    @property
    def decoder_share(self) -> float:
        """The share of the steps in the decoder-only finish, by default the method's own."""
        return self.quantizer.default_decoder_finish if self.decoder_finish is None else self.decoder_finish

    @property
    def finish_step(self) -> int:
        """The step, counted from 0, at which the decoder-only finish begins; `steps` if there is none.

        A finish has at least one step.
        """
        return self.steps - max(1, round(self.decoder_share * self.steps)) if self.decoder_share else self.steps

    def annealing_progress(self, step: int) -> float:
        """The share of its schedules that a method has finished at `step`, counted from 0: all of it in the finish."""
        return min(1.0, progress_at(step, self.finish_step))

    @property
    def recipe_hash(self) -> str:
        """12 hexadecimal digits, equal for recipes that differ in the fields of NOT_IN_RECIPE only."""
        return _hash(self._named_fields())

    def had_hash(self, stored: Mapping[str, Any], recipe_hash: str) -> bool:
        """Whether this or an earlier version gives `recipe_hash` to this recipe, whose JSON values are `stored`."""
        # Some versions left window_steps out, and the first ones hashed numbers as they were written.
        without_window = {name: value for name, value in self._named_fields().items() if name != "window_steps"}
        as_written = {name: value for name, value in stored.items() if name not in NOT_IN_RECIPE}
        return recipe_hash in (self.recipe_hash, _hash(without_window), _hash(as_written))

    def _named_fields(self) -> dict[str, Any]:
        """The JSON values that are hashed."""
        read_back = config_to_json(config_from_json(config_to_json(self)))  # 1 and 1.0 are equal
        recipe = {name: value for name, value in read_back.items() if name not in NOT_IN_RECIPE}
        recipe["decoder_finish"] = self.decoder_share
        _leave_out_of_hash(recipe, self)
        _leave_out_of_hash(recipe["quantizer"], self.quantizer)
        _leave_out_of_hash(recipe["backbone"], self.backbone)
        return recipe


def progress_at(step: int, steps: int) -> float:
    """The share of training finished at `step`, counted from 0: 0 at the first step, 1 at the last."""
    return step / max(1, steps - 1)


def _hash(recipe: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def _leave_out_of_hash(values: dict[str, Any], config: TrainConfig | QuantizerConfig | BackboneConfig) -> None:
    """Remove settings that were added later and have the default value, at which they change nothing."""
    for setting in fields(config):
        metadata = setting.metadata
        if "left_out_of_hash_at" in metadata and values[setting.name] == metadata["left_out_of_hash_at"]:
            del values[setting.name]


def _as_json(value: Any) -> Any:
    """A copy of settings as JSON values, in which 10.0 becomes 10."""
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class UnknownMethod(InputError):
    """A name that is not in QUANTIZERS. method: the name."""

    def __init__(self, method: str) -> None:
        near = near_matches(method, QUANTIZERS)
        super().__init__(f"unknown quantizer {method!r}{near}; choose one of {', '.join(QUANTIZERS)}")
        self.method = method


def default_settings(method: str) -> QuantizerConfig:
    """The named method's default settings. Raises UnknownMethod for a name that is not in QUANTIZERS."""
    if method not in QUANTIZERS:
        raise UnknownMethod(method)
    return QUANTIZERS[method]()


def read_recipe(path: Path) -> TrainConfig:
    """The recipe in a JSON file, or in a run's config.json. Raises InputError."""
    values = read_json(path)
    return config_from_json(values.get("recipe", values))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError if the file does not hold one."""
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=each_once)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}. Name a JSON file.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({plain_cause(error)}): name a JSON file") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, not an object: give the fields of a recipe")
    return content


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without repeated names; Python's own reader would silently take the last value."""
    read = dict(pairs)
    for name in read:
        if sum(name == other for other, _ in pairs) > 1:
            raise InputError(f"{name!r} is given twice: leave one of them out")
    return read


def plain_cause(error: Exception) -> str:
    """The error of a JSON reader in plain words."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    return "it is nested too deep" if isinstance(error, RecursionError) else "it is not text"


def config_to_json(config: TrainConfig) -> dict[str, Any]:
    """The recipe as JSON values; the quantizer's fields lie under its method's name."""
    return {**asdict(config), "quantizer": {"method": config.quantizer.method, **asdict(config.quantizer)}}


def config_from_json(values: Mapping[str, Any]) -> TrainConfig:
    """The recipe of `config_to_json`; fields that are left out take their defaults.

    Raises InputError for an unknown field, with its near matches, and for an unusable value.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"a recipe is {values!r}: give an object with its fields")
    settings = values.get("quantizer", {})
    if not isinstance(settings, Mapping):
        raise InputError(f"quantizer is {settings!r}: give an object with the method's name and settings")
    settings = dict(settings)
    method = settings.pop("method", LGQConfig.method)
    if not isinstance(method, str):
        raise InputError(f"quantizer.method is {method!r}: choose one of {', '.join(QUANTIZERS)}")
    quantizer = dataclass_from_json(type(default_settings(method)), settings, "quantizer.")
    return dataclass_from_json(TrainConfig, {**values, "quantizer": quantizer})


def override(values: Mapping[str, Any], assignment: str) -> dict[str, Any]:
    """`values` with one `key.path=value` applied. The value is read as JSON; if it is not JSON, it is text.

    An object sets the fields that it names and does not change the others. Raises InputError for an assignment without
    "=", for a path through a value that has no fields, and for an empty object.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise InputError(f"{shortened(assignment)!r} is not an assignment: write key.path=value")
    if path.count(".") > DEEPEST_PATH:
        raise InputError(f"{shortened(path)!r} has {path.count('.')} dots: no field has such a long path")
    try:
        value = json.loads(text, object_pairs_hook=each_once)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except RecursionError:
        raise InputError(f"{path} is {shortened(text)!r}: no field has values nested so deep") from None
    except ValueError:
        value = text
    if value == {}:
        raise InputError(f"{assignment} sets no field: write {path}.FIELD=VALUE")
    return _with_value(values, path, value)


def _with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    if not rest:
        return _merged(values, {head: value})
    inner = values.get(head, {})
    if not isinstance(inner, Mapping):
        raise InputError(f"{path!r} leads through {head!r}, which has no fields")
    return {**values, head: _with_value(inner, rest, value)}


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with the fields of `changes`, merged recursively."""
    merged = dict(before)
    for name, value in changes.items():
        inner = merged.get(name)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = _merged(inner, value)
        merged[name] = value
    return merged


def shortened(text: str) -> str:
    """The text, cut to 60 characters if it is longer."""
    return text if len(text) <= 60 else f"{text[:57]}…"


def dataclass_from_json(config_class: type[_Config], values: Mapping[str, Any], path: str = "") -> _Config:
    """A dataclass from JSON values, including nested dataclasses; every name and type is checked.

    Only what JSON does not distinguish is converted: 3.0 to 3, and a list to a tuple. True is not a number.
    """
    kinds = _field_kinds(config_class)  # type: ignore[arg-type]
    built = {}
    for name, value in values.items():
        if name not in kinds:
            remedy = near_matches(name, kinds) or f"; the fields are {', '.join(kinds)}"
            raise InputError(f"unknown field {path + name!r}{remedy}")
        built[name] = _field_value(kinds[name], value, path + name)
    try:
        return config_class(**built)
    except ValueError as error:  # raised by a check of the dataclass, with field and value
        raise InputError(path + str(error)) from error


@cache
def _field_kinds(config_class: type[Any]) -> dict[str, Any]:
    """Each field's dataclass, or what checks values of its type; made once, since it takes longer than all else."""
    hints = get_type_hints(config_class)
    kinds = {entry.name: hints[entry.name] for entry in fields(config_class)}
    return {name: kind if is_dataclass(kind) else TypeAdapter(kind) for name, kind in kinds.items()}


def _field_value(kind: Any, value: Any, path: str) -> Any:
    if is_dataclass(kind):
        if isinstance(value, Mapping):
            return dataclass_from_json(kind, value, f"{path}.")  # type: ignore[arg-type]
        if isinstance(value, kind):  # type: ignore[arg-type]
            return value
        raise InputError(f"{path} is {shortened(repr(value))}: give an object with its fields")
    try:
        return kind.validate_python(_as_read(value), strict=True)
    except ValidationError as error:
        raise InputError(_in_one_line(error, path, value)) from error


def _as_read(value: Any) -> Any:
    """Lists as tuples, and whole numbers as integers, even if they are written like 1e3."""
    if isinstance(value, list | tuple):
        return tuple(map(_as_read, value))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < EXACT else value


_EXPECTED = {"tuple_type": "give a list", "dict_type": "give an object with its fields"}
"""Remedies for types that pydantic calls by names other than JSON's."""


def _in_one_line(error: ValidationError, path: str, value: Any) -> str:
    # Where a field has several types, there is an error for each: the deepest one is that of the nearest type.
    nearest = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    keys = value if isinstance(value, Mapping) else ()
    where = ".".join([path, *(str(step) for step in nearest["loc"] if isinstance(step, int) or step in keys)])
    given = nearest["input"] if nearest["loc"] else value
    expected = _EXPECTED.get(nearest["type"], nearest["msg"][0].lower() + nearest["msg"][1:])
    return f"{where} is {shortened(repr(given))}: {expected}"
