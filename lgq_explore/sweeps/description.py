"""What a sweep is: methods, codebook sizes, seeds and trials, and the recipe of each of its cells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.images.division import HELD_OUT, VALIDATION
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json, override
from lgq_explore.training.objectives.of_recipe import require_objectives
from lgq_explore.training.presets import with_quantizer

Settings = Mapping[str, Any]
"""Fields of a recipe by their paths, such as `quantizer.decay`."""

NO_CODES = 0
"""The codebook size of a method without codes."""

HIGHEST, LOWEST = "highest", "lowest"
LARGEST, SMALLEST, EACH = "largest", "smallest", "each"


@dataclass(frozen=True)
class Method:
    """A method of a sweep, by a name of its own.

    sizes: its codebook sizes, in the order of the sweep; (NO_CODES,) without codes. seeds: of its final cells, by size.
    trials: the settings that are tried on validation photographs; none for a reference, which is not tuned.
    """

    name: str
    quantizer: str
    settings: Settings
    sizes: tuple[int, ...]
    seeds: Mapping[int, tuple[int, ...]]
    rounding_replicates: int = 1
    trials: tuple[Settings, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """How trials are judged.

    metric: a key of `evaluate`, with dots for nested ones. best: HIGHEST or LOWEST. seed: of all trials. size: the
    codebook size at which trials run: EACH, LARGEST or SMALLEST of a method's, or a number.
    """

    metric: str
    best: str
    seed: int
    size: str | int = EACH

    def size_for(self, method: Method, codebook_size: int) -> int:
        """The codebook size whose trials decide for one of the method's."""
        match self.size:
            case int():
                return self.size if method.sizes != (NO_CODES,) else NO_CODES
            case "largest":
                return max(method.sizes)
            case "smallest":
                return min(method.sizes)
        return codebook_size


@dataclass(frozen=True)
class Evaluation:
    """How cells are evaluated: arguments of `evaluate`, with these of final cells.

    split: the photographs that final cells are evaluated on; VALIDATION for a pilot or an ablation, which leaves the
    held-out ones unseen. features: whether each photograph has numbers of EfficientNet-Lite0, also if `fd` is left out
    of the metrics, which then is not computed twice.
    """

    crops: int = 1024
    metrics: tuple[str, ...] = ("default",)
    without: tuple[str, ...] = ()
    fd_features: str = "auto"
    device: str = "cpu"
    split: str = HELD_OUT
    features: bool = False

    def __post_init__(self) -> None:
        if self.split not in (HELD_OUT, VALIDATION):
            raise InputError(f"evaluation.split is {self.split!r}: give {HELD_OUT!r} or {VALIDATION!r}")
        if not isinstance(self.features, bool):
            raise InputError(f"evaluation.features is {self.features!r}: give true or false")

    @property
    def has_features(self) -> bool:
        """Whether features of the photographs are computed."""
        return self.features or "fd" not in self.without


@dataclass(frozen=True)
class Sweep:
    """A whole sweep. base: the common recipe, without the settings of methods. cluster: options of submitit."""

    base: TrainConfig
    settings: Settings
    methods: Mapping[str, Method]
    tuning: Tuning | None = None
    evaluation: Evaluation = Evaluation()
    cluster: Mapping[str, Any] = field(default_factory=dict)

    def recipe(
        self, method: Method, codebook_size: int, trial: Settings, *, seed: int, rounding_replicate: int = 0
    ) -> TrainConfig:
        """The recipe of a cell: the common one, then the method's settings, then those of the trial.

        Raises InputError, which begins with the table of the file that is wrong, for a field or value that the method
        can't have, and for a codebook size that it can't have.
        """
        try:
            recipe = self._recipe(method, codebook_size, trial)
        except InputError as error:
            raise InputError(f"{self._where_wrong(method, codebook_size)}: {error}") from error
        return replace(recipe, seed=seed, rounding_replicate=rounding_replicate)

    def _where_wrong(self, method: Method, codebook_size: int) -> str:
        """The first table of the file, from the most common settings on, with which there is no recipe."""
        plain = replace(method, settings={})
        parts = {
            f"methods.{method.name}": (replace(self, settings={}), plain),
            "set": (self, plain),
            f"methods.{method.name}.set": (self, method),
        }
        for table, (sweep, of_method) in parts.items():
            try:
                sweep._recipe(of_method, codebook_size, {})
            except InputError:
                return table
        return f"trials of methods.{method.name}"

    def _recipe(self, method: Method, codebook_size: int, trial: Settings) -> TrainConfig:
        size = codebook_size or None
        recipe = with_quantizer(self.base, method.quantizer, size)
        _require_size(recipe, codebook_size, "the nearest that it can have is {}")
        values: Mapping[str, Any] = config_to_json(recipe)
        for path, value in {**self.settings, **method.settings, **trial}.items():
            values = override(values, f"{path}={json.dumps(value)}")
        recipe = config_from_json(values)
        _require_size(recipe, codebook_size, "by its settings it has {}")
        require_objectives(recipe)
        return recipe


def _require_size(recipe: TrainConfig, codebook_size: int, told: str) -> None:
    got = recipe.quantizer.size
    if got != codebook_size:
        raise InputError(
            f"{recipe.quantizer.method} can't have {codebook_size} codes: {told.format(got)}.\n"
            f"Give the method codebook_sizes of its own, such as [{got}], or other ones to all."
        )


def require_alike(recipes: Sequence[tuple[str, TrainConfig]]) -> None:
    """Raise InputError unless all recipes, each with its method's name, have the same pictures in the same split."""
    first_name, first = recipes[0]
    for name, recipe in recipes:
        for key in ("data", "image_size", "split"):
            ours, theirs = getattr(recipe, key), getattr(first, key)
            if ours != theirs:
                raise InputError(
                    f"methods.{name}: {key} is {ours!r}, and {theirs!r} for {first_name}: methods are compared on the "
                    "same pictures, so set it in [set] for all"
                )
