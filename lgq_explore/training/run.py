"""What does a run folder hold? The one file that knows its file names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer, build_tokenizer

from .config import TrainConfig, config_from_json, config_to_json, read_json
from .files import whole_file, whole_folder
from .image_cache import data_directory

CHECKPOINTS_KEPT = 2


@dataclass(frozen=True)
class Environment:
    """What a recipe does not decide, but a result may depend on."""

    versions: dict[str, str]
    device: str
    precision: str
    world_size: int
    data_fingerprint: str
    training_photographs: int
    held_out_photographs: int
    skipped_files: int


@dataclass(frozen=True)
class TrainedTokenizer:
    """A run's weights as they were at one moment, whatever its trainer writes afterwards.

    tokenizer: in eval mode, on the CPU. finished_steps: optimiser steps that its weights have seen. digest: SHA-256
    (hexadecimal) of the weights' file; whatever is kept of a tokenizer is kept by it.
    """

    tokenizer: Tokenizer
    finished_steps: int
    digest: str


class Run:
    """An opened run folder. It reads, and does nothing else; what it gives is what the folder holds now."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.expanduser(path))
        if not os.path.isfile(self.path / "config.json"):  # False, unlike Path.is_file, for an impossible name
            raise InputError(
                f"{self.path} is not a run folder: there is no config.json in it.\n"
                "Name one that lgq-explore train made; lgq-explore list runs shows those under data/runs."
            )
        description = read_json(self.path / "config.json")
        try:
            self.config = config_from_json(description["recipe"])
            self.environment = Environment(**description["environment"])
        except (KeyError, TypeError, InputError) as error:
            trouble = {
                KeyError: f"it lacks {error}",
                TypeError: "its environment has other fields than this version writes",
            }.get(type(error), str(error))
            raise InputError(f"{self.path / 'config.json'} can't be used: {trouble}\nTrain the run again.") from error

    def __repr__(self) -> str:
        config = self.config
        return (
            f"Run({self.path.name!r}: {config.quantizer.method}, K = {config.quantizer.size}, "
            f"{self.finished_steps} of {config.steps} steps)"
        )

    @property
    def finished_steps(self) -> int:
        """Optimiser steps that the run's weights have seen; 0 where there are no weights yet."""
        try:
            with safe_open(self._weights, framework="pt") as weights:
                return int(weights.metadata()["steps"])
        except FileNotFoundError:
            return 0
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self._weights} can't be read: {error}\nDelete it and resume the run.") from error

    @property
    def is_finished(self) -> bool:
        """Whether every step of the recipe was made."""
        return self.finished_steps >= self.config.steps

    def history(self) -> pd.DataFrame:
        """A row a logged step, in order; empty before the first. A row that is still being written is left out."""
        try:
            text = self._history.read_text()
        except FileNotFoundError:
            text = ""
        whole_lines = text[: text.rfind("\n") + 1]
        if not whole_lines:
            return pd.DataFrame({"step": pd.Series(dtype=int)})
        # The one engine that reads every float exactly as it was written, whichever pandas is installed.
        return pd.read_csv(StringIO(whole_lines), engine="python")

    def tokenizer(self) -> Tokenizer:
        """The trained tokenizer in eval mode, on the CPU. Raises InputError where there are no weights yet."""
        return self.trained().tokenizer

    def trained(self) -> TrainedTokenizer:
        """The newest weights, all of one moment. Raises InputError where there are none yet, or not for this recipe."""
        try:
            content = self._weights.read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"{self.path} has no weights yet.\nTrain it first: lgq-explore resume {self.path}"
            ) from None
        except OSError as error:
            raise InputError(f"{self._weights} can't be read: {error.strerror}.\nMake it readable.") from error
        finished_steps = _steps_of(content, self._weights)
        tokenizer = build_tokenizer(self.config.backbone, self.config.quantizer, self.config.seed)
        try:
            tokenizer.load_state_dict(load(content))
        except RuntimeError as error:
            raise InputError(
                f"{self._weights} does not fit the recipe in config.json beside it.\n"
                "Put back the config.json that the run was trained with."
            ) from error
        tokenizer.quantizer.anneal(progress_at(finished_steps - 1, self.config.steps))
        return TrainedTokenizer(tokenizer.eval(), finished_steps, hashlib.sha256(content).hexdigest())

    def codebook_snapshots(self) -> dict[int, NDArray[np.float32]]:
        """Finished steps → codebook [K, D], float32, by memory map; empty for fixed grids."""
        files = sorted((self.path / "codebooks").glob("step-*.npy"))
        return {_step_of(file): np.load(file, mmap_mode="r", allow_pickle=False) for file in files}

    def cached_map(self, key: str) -> Path:
        """Where the map of latents with this key is kept, once it was made; nothing else depends on the file."""
        return self.path / "maps" / f"{key}.npz"

    @property
    def _weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def _history(self) -> Path:
        return self.path / "history.csv"


class RunWriter(Run):
    """A run folder opened by its trainer, the only one who writes there."""

    @classmethod
    def create(cls, path: Path, config: TrainConfig, environment: Environment) -> RunWriter:
        """A new folder with its config. Raises InputError where something is there already, and leaves it alone."""
        path = new_run_path(path)
        description = {
            "recipe": config_to_json(config),
            "recipe_hash": config.recipe_hash,
            "environment": environment.__dict__,
        }
        try:
            with whole_folder(path) as folder:
                (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n")
        except OSError as error:
            raise InputError(f"{path} can't be made: {error.strerror}. Give a folder that can be written.") from error
        return cls(path)

    def newest_checkpoint(self) -> Path | None:
        """The folder of the newest whole checkpoint, or None."""
        return max(self._checkpoints.glob("step-*"), default=None)

    def save_checkpoint(self, step: int, tokenizer: Tokenizer, state: Mapping[str, Any]) -> None:
        """Weights and trainer state at `step`: whole or absent. The run's newest weights follow, last."""
        weights = save(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tokenizer.state_dict().items()},
            metadata={"steps": str(step)},
        )
        with whole_folder(self._checkpoints / f"step-{step:08d}") as folder:
            (folder / "weights.safetensors").write_bytes(weights)
            torch.save(dict(state), folder / "state.pt")
        with whole_file(self._weights) as target:
            target.write(weights)
        for old in sorted(self._checkpoints.glob("step-*"))[:-CHECKPOINTS_KEPT]:
            shutil.rmtree(old)

    def load_checkpoint(self, checkpoint: Path, tokenizer: Tokenizer) -> dict[str, Any]:
        """Fill the tokenizer's weights, and give the state that was saved with them. Raises InputError if damaged."""
        try:
            tokenizer.load_state_dict(load_file(checkpoint / "weights.safetensors"))
            return torch.load(checkpoint / "state.pt", weights_only=True)
        except Exception as error:  # on bytes that were changed, the unpickler raises whatever they make of it
            raise InputError(
                f"{checkpoint} can't be read ({type(error).__name__}).\n"
                "Delete it and resume the run: it continues from the checkpoint before, or from the start."
            ) from error

    def save_codebook(self, step: int, codebook: torch.Tensor) -> None:
        """A snapshot [K, D] after `step` finished steps."""
        path = self.path / "codebooks" / f"step-{step:08d}.npy"
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as target:
            np.save(target, codebook.float().cpu().numpy(), allow_pickle=False)

    def cut_history(self, step: int) -> None:
        """Drop what was logged and seen after `step`: a run continues from there."""
        history = self.history()
        if self._history.exists():
            with whole_file(self._history) as target:
                kept = history[history["step"] <= step]
                target.write(kept.to_csv(index=False).encode() if len(kept) else b"")
        for later in self.codebook_snapshots():
            if later > step:
                (self.path / "codebooks" / f"step-{later:08d}.npy").unlink()

    def append_history(self, row: Mapping[str, float | None]) -> None:
        """One row, on disk when this returns; the first row names the columns."""
        line = pd.DataFrame([row])
        with self._history.open("a") as target:
            target.write(line.to_csv(index=False, header=target.tell() == 0))

    def claimed(self) -> AbstractContextManager[object]:
        """Holds the folder while training, so that nobody else trains here. Raises InputError where one does."""
        try:
            return FileLock(self.path / ".lock").acquire(blocking=False)
        except Timeout:
            raise InputError(f"{self.path} is being trained already: wait for it, or stop it") from None

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"


def open_run(path: str | os.PathLike[str]) -> Run:
    """The run in a folder. Raises InputError where there is none, or its config can't be read."""
    return Run(path)


def new_run_path(path: str | os.PathLike[str]) -> Path:
    """The path, ~ expanded, where there is nothing yet. Raises InputError where there is."""
    new = Path(os.path.expanduser(path))
    if os.path.lexists(new):  # False, unlike Path.exists, for an impossible name
        raise InputError(f"{new} exists already.\nContinue it with lgq-explore resume {new}, or give another folder.")
    return new


def run_folders(folder: Path | None = None) -> list[Path]:
    """The run folders in a folder (data/runs), by name; others in it are passed over."""
    runs = data_directory() / "runs" if folder is None else folder
    return [path.parent for path in sorted(runs.glob("[!.]*/config.json"))]


def default_run_path(config: TrainConfig) -> Path:
    """A free folder under data/runs, named by method, codebook size, recipe and seed."""
    name = f"{config.quantizer.method}-{config.quantizer.size}-{config.recipe_hash}-seed{config.seed}"
    folder = data_directory() / "runs"
    repeats = (folder / (name if repeat == 1 else f"{name}-{repeat}") for repeat in range(1, 10**6))
    return next(path for path in repeats if not path.exists())


def progress_at(step: int, steps: int) -> float:
    """The share of training finished at `step`, counted from 0: 0 at the first step, 1 at the last."""
    return step / max(1, steps - 1)


def _steps_of(weights: bytes, path: Path) -> int:
    """The finished steps in the header of a weights file. Raises InputError for a damaged one, by its path."""
    try:
        length = int.from_bytes(weights[:8], "little")
        steps = int(json.loads(weights[8 : 8 + length])["__metadata__"]["steps"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} can't be read: its header is damaged.\nDelete it and resume the run.") from error
    return steps


def _step_of(file: Path) -> int:
    return int(file.stem.removeprefix("step-"))
