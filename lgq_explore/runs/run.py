"""Run folders: what they hold, and reading them; `run_writer` writes them.

    config.json                    the recipe, its hash, and the machine and data of the start; never changed
    history.csv                    a row per logged step
    weights.safetensors            the newest weights, averaged where the recipe has an ema_decay; the header holds
                                   their step and their recipe's hash
    checkpoints/step-N/            the newest CHECKPOINTS_KEPT, each whole: training continues from the last one
        weights.safetensors        the weights after N finished steps
        ema.safetensors            the average of weights, where the recipe has an ema_decay
        state.pt                   the state of the trainer, see `RunWriter.save_checkpoint`
    skipped.csv                    the files that gave no picture, with the reasons; only if there are any
    codebooks/step-N.npy, .npz     the learned codebook after N finished steps; .npz if there are several
    metrics.json                   the last result of `evaluate` on the held-out split, which can be deleted
    maps/KEY.npz                   cached maps of latents, which can be deleted
    .lock                          locked by the process that trains

N has eight digits. What `encode` makes is written where the caller says, and not here.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import torch
from safetensors.torch import load

from lgq_explore.devices import device_named
from lgq_explore.errors import InputError, in_command, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.models import Tokenizer, build_tokenizer

from .history import history_content, history_of, missing_end
from .run_description import RunReplaced, read_description, require_run
from .run_files import (
    WeightsHeader,
    damaged_weights,
    digest_of_weights,
    files_by_step,
    require_origin,
    require_same_weights,
    unreadable,
    weights_header,
)
from .run_paths import path_of_run
from .snapshots import Codebooks, snapshots_in


@dataclass(frozen=True)
class TrainedTokenizer:
    """A tokenizer with the weights of one moment, which do not change when a trainer writes new ones.

    tokenizer: in eval mode, on the CPU. finished_steps: optimiser steps of its weights; 0 if unknown. digest: SHA-256
    (hexadecimal) of the file of weights, the key of everything cached for the tokenizer.
    """

    tokenizer: Tokenizer
    finished_steps: int
    digest: str

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> TrainedTokenizer:
        """A tokenizer without a run folder, put into eval mode; its digest is computed from its weights alone."""
        return cls(tokenizer.eval(), 0, digest_of_weights(tokenizer))

    def on(self, device: torch.device) -> Tokenizer:
        """The tokenizer itself for the CPU, and a copy on any other device."""
        return self.tokenizer if device.type == "cpu" else copy.deepcopy(self.tokenizer).to(device)


class Run:
    """An opened run folder, read-only; it always returns what the folder holds now.

    The run may continue to train meanwhile. If another run was trained at the same path, or the folder was deleted,
    reading from it raises RunReplaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = given_path_from_home(path)
        self._description = read_description(self.path)
        self.config, self.environment = self._description.config, self._description.environment

    def __repr__(self) -> str:
        config = self.config
        try:
            progress = f"{self.finished_steps} of {config.steps} steps"
        except RunReplaced:
            progress = "no longer in its folder"
        except InputError:
            progress = "its weights can't be read"
        return f"Run({self.name!r}: {config.quantizer.method}, K = {config.quantizer.size}, {progress})"

    @property
    def identity(self) -> str:
        """The digest of config.json, which identifies the run at any step and in any folder."""
        return self._description.identity

    def require_unchanged(self) -> None:
        """Raise RunReplaced if the folder no longer holds the run that was opened."""
        require_run(self.path, self.identity)

    @property
    def name(self) -> str:
        """The folder's name, even if the run was opened as `.`."""
        return Path(os.path.abspath(self.path)).name

    @property
    def finished_steps(self) -> int:
        """Optimiser steps of the run's newest weights; 0 if there are none yet."""
        with self._reading():
            try:
                with self._weights.open("rb") as file:
                    return self._own_header(file).finished_steps
            except FileNotFoundError:
                return 0
            except OSError as error:
                raise unreadable(self._weights, error) from error

    @property
    def kind_of_weights(self) -> str:
        """`ema` if the run's weights are an average over its steps, `last` if they are those of the last step."""
        return "ema" if self.config.ema_decay else "last"

    @property
    def is_finished(self) -> bool:
        """Whether all steps of the recipe are finished."""
        return self.finished_steps >= self.config.steps

    def history(self) -> pd.DataFrame:
        """One row per logged step, in order; empty before the first. A row that is being written is left out.

        A loss has a column `loss_NAME`, unweighted, of pictures in [−1, 1]: `loss_l1` is twice the `l1` of `evaluate`,
        whose pictures are in [0, 1].

        Raises InputError with the line for a damaged file.
        """
        return history_of(self._history_content(), self._history)

    def remarks(self) -> list[str]:
        """Warnings about a finished run that is incomplete but usable, a sentence or two each; usually none."""
        lacking = missing_end(self._history_content(), self._history, self.config.steps) if self.is_finished else ""
        return [lacking] if lacking else []

    def tokenizer(self, device: str = "cpu") -> Tokenizer:
        """The trained tokenizer in eval mode, on a device of `devices.DEVICES`.

        Raises InputError if there are no weights yet, or no such device.
        """
        there = device_named(device)
        return self.trained().on(there)

    def trained(self) -> TrainedTokenizer:
        """The tokenizer with the newest weights. Raises InputError if there are none, or they don't fit the recipe."""
        with self._reading():
            content = self._weights_content()
            header = self._own_header(BytesIO(content))
            # Weights of older versions do not name their run. Only the checkpoint shows whether they were exchanged.
            if header.origin is None:
                checkpoint = self._checkpoints / f"step-{header.finished_steps:08d}"
                require_same_weights(content, self._weights, checkpoint)
        finished_steps = header.finished_steps
        try:
            weights = load(content)
        except Exception as error:  # safetensors raises many kinds of exceptions for a damaged header
            raise damaged_weights(self._weights, "it holds no tensors") from error
        tokenizer = build_tokenizer(self.config.backbone, self.config.quantizer, self.config.seed)
        try:
            tokenizer.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"{printable(self._weights)} does not fit the recipe in config.json beside it.\n"
                "Put back the config.json that the run was trained with."
            ) from error
        tokenizer.quantizer.anneal(self.config.annealing_progress(finished_steps - 1))
        return TrainedTokenizer(tokenizer.eval(), finished_steps, hashlib.sha256(content).hexdigest())

    def codebook_snapshots(self) -> Mapping[int, Codebooks]:
        """Finished steps → the learned codebooks, one array [levels[g], P_g] per group; empty if none is learned.

        `with_codebooks` of the tokenizer's quantizer takes them. Snapshots after the step of the newest weights are
        left out, since the run is still in training there.
        """
        shapes = self.config.quantizer.learned_shapes(self.config.backbone.dim)
        return snapshots_in(self._codebooks, shapes, self.finished_steps or math.inf, self._reading)

    def newest_checkpoint(self) -> Path | None:
        """The folder of the newest whole checkpoint, or None."""
        return next(reversed(self._whole_checkpoints().values()), None)

    def cached_map(self, key: str) -> Path:
        """The path of the cached map of latents with this key; nothing else depends on the file."""
        return self.path / "maps" / f"{key}.npz"

    def _whole_checkpoints(self) -> dict[int, Path]:
        """Step → folder, ascending. Older versions may have left incomplete folders, which are ignored."""
        parts = {"weights.safetensors", "state.pt", self._published}
        return {
            step: folder
            for step, folder in files_by_step(self._checkpoints).items()
            if all(os.path.isfile(folder / part) for part in parts)
        }

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """A context for reading the run's files; at its end it raises RunReplaced if they are another run's."""
        try:
            yield
        finally:  # also after an error in another run's files
            self.require_unchanged()

    def _weights_content(self) -> bytes:
        try:
            return self._weights.read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"{printable(self.path)} has no weights yet.\n"
                f"Train it first: lgq-explore resume {in_command(self.path)}"
            ) from None
        except OSError as error:
            raise unreadable(self._weights, error) from error

    def _own_header(self, weights: BinaryIO) -> WeightsHeader:
        header = weights_header(weights, self._weights)
        require_origin(header, self._description.origin, self._weights)
        return header

    def _history_content(self) -> bytes:
        with self._reading():
            return history_content(self._history)

    @property
    def _weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def _published(self) -> str:
        """The file of a checkpoint that becomes the run's weights."""
        return "ema.safetensors" if self.config.ema_decay else "weights.safetensors"

    @property
    def _history(self) -> Path:
        return self.path / "history.csv"

    @property
    def _codebooks(self) -> Path:
        return self.path / "codebooks"

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"


def open_run(run: str | os.PathLike[str]) -> Run:
    """Open the run in a folder, or the one of this name under data/runs.

    Raises InputError if there is none, or its config can't be read.
    """
    return Run(path_of_run(run))
