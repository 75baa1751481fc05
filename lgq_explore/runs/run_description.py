"""The config.json of a run folder: its content, and the identity of the run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lgq_explore.errors import InputError, printable
from lgq_explore.folders import runs_folder

from .config import TrainConfig, UnknownMethod, config_from_json, config_to_json, each_once, plain_cause
from .run_files import Origin, unreadable

CONFIG = "config.json"


@dataclass(frozen=True)
class Environment:
    """Properties of the machine and the data that are not in the recipe but may affect a result.

    processor, threads: the CPU, and how many of its threads PyTorch used. Together with the versions they determine how
    sums are rounded, and so the last digits of the weights; "" and 0 in runs of older versions. Numbers of photographs
    are None if the source cannot count them.
    """

    versions: dict[str, str]
    device: str
    precision: str
    world_size: int
    data_fingerprint: str
    training_photographs: int | None
    held_out_photographs: int | None
    skipped_files: int
    processor: str = ""
    threads: int = 0

    def rounding_changes(self, now: Environment) -> list[str]:
        """The differences to `now` that change rounding, in words; properties that were not kept are ignored."""
        pairs = {
            "device": (self.device, now.device),
            "processor": (self.processor, now.processor),
            "threads": (self.threads, now.threads),
            "torch": (self.versions.get("torch"), now.versions.get("torch")),
        }
        return [f"{name} {new} instead of {old}" for name, (old, new) in pairs.items() if old and new != old]


@dataclass(frozen=True)
class RunDescription:
    """The content of a run's config.json.

    recipe_hash: as computed by the version that began the run. identity: SHA-256 (hexadecimal) of the file, which does
    not change during training and differs between runs, even in the same folder.
    """

    config: TrainConfig
    environment: Environment
    recipe_hash: str
    identity: str

    @property
    def origin(self) -> Origin:
        """The origin that the run's weights carry in their header."""
        config = self.config
        return Origin(self.recipe_hash, config.seed, config.rounding_replicate, self.environment.data_fingerprint)


def write_description(folder: Path, config: TrainConfig, environment: Environment) -> None:
    """Write the config.json of a new run. Raises OSError."""
    description = {
        "recipe": config_to_json(config),
        "recipe_hash": config.recipe_hash,
        "environment": environment.__dict__,
    }
    (folder / CONFIG).write_text(json.dumps(description, indent=2) + "\n")


def read_description(folder: Path) -> RunDescription:
    """Read the config.json in a folder. Raises InputError if there is none, or it can't be used."""
    file = folder / CONFIG
    if not os.path.isfile(file):  # False, unlike Path.is_file, for an impossible name
        raise InputError(
            f"{printable(folder)} is not a run folder: there is no {CONFIG} in it.\nName one that "
            f"lgq-explore train made; lgq-explore list runs shows those in {printable(runs_folder())}."
        )
    try:
        content = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    try:
        values = _object(content)
        config = config_from_json(values["recipe"])
        environment = _environment_type().validate_python(values["environment"])
        recipe_hash = str(values["recipe_hash"])
    except UnknownMethod as error:
        raise InputError(
            f"{printable(file)}: {printable(error.method)} is no method that is known here.\nInstall the package that "
            "registers it by an entry point in lgq_explore.quantizers, or call lgq.register before."
        ) from error
    except (KeyError, ValidationError, InputError) as error:
        raise _unusable(file, _trouble(error)) from error
    if not config.had_hash(values["recipe"], recipe_hash):
        trouble = f"its recipe ({config.recipe_hash}) is not the one that was trained ({recipe_hash})"
        raise _unusable(file, trouble, f"train it as it is now: lgq-explore train --config {printable(file)}")
    return RunDescription(config, environment, recipe_hash, identity_of(content))


@cache
def _environment_type() -> TypeAdapter[Environment]:
    return TypeAdapter(Environment)


def identity_of(content: bytes) -> str:
    """The identity of the run with this content of config.json."""
    return hashlib.sha256(content).hexdigest()


def require_run(folder: Path, identity: str) -> None:
    """Raise RunReplaced unless the folder still holds the run of this identity."""
    try:
        found = identity_of((folder / CONFIG).read_bytes())
    except OSError:
        found = ""
    if found != identity:
        name = printable(folder)
        what = "holds another run now than when it was opened" if found else "was moved or deleted since it was opened"
        raise RunReplaced(f"{name} {what}.\nOpen it again: lgq.open_run({name!r}).")


class RunReplaced(InputError):
    """The folder of an opened run was deleted, or another run was trained at its path."""


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(content, object_pairs_hook=each_once)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON ({plain_cause(error)})") from error
    if not isinstance(values, dict):
        raise InputError(f"it holds {type(values).__name__}, not an object")
    return values


def _trouble(error: Exception) -> str:
    match error:
        case KeyError():
            return f"it lacks {error}"
        case ValidationError():
            return "its environment is not as training writes it"
    return str(error).splitlines()[0]


def _unusable(file: Path, why: str, otherwise: str = "train the run again") -> InputError:
    return InputError(
        f"{printable(file)} can't be used: {why}.\nPut back the file that training wrote, or {otherwise}."
    )
