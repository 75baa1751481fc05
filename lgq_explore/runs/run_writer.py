"""Writing of run folders, whose content `run` lists: by the one process that trains."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from lgq_explore.errors import InputError, in_command, printable
from lgq_explore.files import new_folder, remove_folder, remove_leftovers, whole_file
from lgq_explore.images.source import Skipped
from lgq_explore.models import Tokenizer

from .config import TrainConfig
from .history import append_row, cut_history
from .run import Run
from .run_description import Environment, write_description
from .run_files import (
    WeightsHeader,
    as_damage_of,
    files_by_step,
    require_origin,
    serialized_weights,
    weights_header,
)
from .run_paths import default_run_path, new_run_path, require_new_path
from .skipped_files import write_skipped
from .snapshots import remove_snapshots_after, write_snapshot
from .training_lock import AlreadyHeld, held

CHECKPOINTS_KEPT = 2


class RunWriter(Run):
    """A run folder opened for training, by the only process that writes there.

    If writing fails (a full disk, no permission, a deleted folder), it raises InputError, and what was saved before is
    unchanged.
    """

    _held: int | None = None  # the folder's descriptor while it is claimed, so that its inode is not reused

    @classmethod
    def create(cls, path: Path, config: TrainConfig, environment: Environment) -> RunWriter:
        """Create a run folder with its config.json. Raises InputError if the path exists already."""
        path = new_run_path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(path) as folder:
                write_description(folder, config, environment)
        except (OSError, ValueError) as error:  # ValueError for a name that no folder can have
            require_new_path(path)  # another trainer may have come first
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{printable(path)} can't be made: {why}. Give a folder that can be written.") from error
        return cls(path)

    @classmethod
    def create_by_default(cls, config: TrainConfig, environment: Environment) -> RunWriter:
        """Create a run folder under data/runs, with the next free name if another trainer takes the first one."""
        while True:
            path = default_run_path(config)
            try:
                return cls.create(path, config, environment)
            except InputError:
                if not os.path.lexists(path):
                    raise

    def save_checkpoint(
        self,
        step: int,
        tokenizer: Tokenizer,
        state: Mapping[str, Any],
        average: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Save weights and trainer state at `step` as a whole, and then the weights as the run's newest.

        average: of the weights, where the recipe has an ema_decay; it then becomes the run's newest weights.
        state: what `load_checkpoint` returns. Of `training.session`, by key: `step`, finished steps; `seconds` spent in
        them; `joules` by part, where they are known; `override`, the held temperature or None; `window`, the code usage
        of the last steps; and the states of the `optimizer`, of the `objectives` by name (only of those that have one),
        and of the `source` of pictures.
        """
        header = WeightsHeader(step, self._description.origin)
        weights = {"weights.safetensors": serialized_weights(tokenizer.state_dict(), header)}
        if average is not None:
            weights["ema.safetensors"] = serialized_weights(average, header)
        serialized = BytesIO()  # on a failure to write to a file, torch raises errors that do not say why
        torch.save(dict(state), serialized)
        with self._writing():
            self._checkpoints.mkdir(exist_ok=True)
            with new_folder(self._checkpoints / f"step-{step:08d}") as folder:
                for name, content in weights.items():
                    (folder / name).write_bytes(content)
                (folder / "state.pt").write_bytes(serialized.getbuffer())
            for old in list(self._whole_checkpoints().values())[:-CHECKPOINTS_KEPT]:
                remove_folder(old)
            self._publish(weights[self._published])  # last: with them a run is finished, and nothing is left to do

    def publish_weights(self, checkpoint: Path) -> None:
        """Make a checkpoint's weights the run's newest, if a crash came in between, or the newest are other ones."""
        with self._writing():
            weights = (checkpoint / self._published).read_bytes()
            if not (self._weights.exists() and self._weights.read_bytes() == weights):
                self._publish(weights)

    def load_checkpoint(self, checkpoint: Path, tokenizer: Tokenizer) -> dict[str, Any]:
        """Load the tokenizer's weights, and return the state saved with them. Raises InputError if damaged."""
        weights = self._loaded(checkpoint, "weights.safetensors")
        with as_damage_of(checkpoint):
            tokenizer.load_state_dict(weights)
            return torch.load(BytesIO((checkpoint / "state.pt").read_bytes()), weights_only=True)

    def load_average(self, checkpoint: Path) -> dict[str, torch.Tensor]:
        """The average of weights in a checkpoint of a recipe with an ema_decay. Raises InputError if damaged."""
        return self._loaded(checkpoint, "ema.safetensors")

    def _loaded(self, checkpoint: Path, name: str) -> dict[str, torch.Tensor]:
        with as_damage_of(checkpoint):
            content = (checkpoint / name).read_bytes()
            header = weights_header(BytesIO(content), checkpoint / name)
        require_origin(header, self._description.origin, checkpoint / name)
        with as_damage_of(checkpoint):
            return load(content)

    def save_codebooks(self, step: int, codebooks: Sequence[torch.Tensor]) -> None:
        """Save a snapshot of the learned codebooks after `step` finished steps."""
        with self._writing():
            write_snapshot(self._codebooks, step, [codebook.float().cpu().numpy() for codebook in codebooks])

    def save_skipped(self, skipped: Sequence[Skipped]) -> None:
        """Write the list of the files that gave no picture, if there are any."""
        if skipped:
            with self._writing():
                write_skipped(self.path / "skipped.csv", skipped)

    def rewind_to(self, step: int) -> None:
        """Drop the rows of the history and the snapshots after `step`, and torn rows; training continues from there."""
        with self._writing():
            cut_history(self._history, step)
            remove_snapshots_after(self._codebooks, step)

    def append_history(self, row: Mapping[str, float | None]) -> None:
        """Append one row, whole or not at all; the first row sets the columns."""
        with self._writing():
            append_row(self._history, row)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the folder for this trainer, and remove what killed trainers left.

        Raises InputError if another process trains here already, or the folder can't be written.
        """
        with ExitStack() as stack:
            with self._writing():
                try:
                    stack.enter_context(held(self.path))
                except AlreadyHeld:
                    name = printable(self.path)
                    raise InputError(f"{name} is being trained already: wait for it, or stop it") from None
            self._held = os.open(self.path, os.O_RDONLY)
            stack.callback(self._let_go)
            self.require_unchanged()  # since it was opened
            with self._writing():
                self._remove_leftovers()
            yield

    def _let_go(self) -> None:
        assert self._held is not None
        os.close(self._held)
        self._held = None

    def _publish(self, weights: bytes) -> None:
        with whole_file(self._weights) as target:
            target.write(weights)

    def _remove_leftovers(self) -> None:
        for folder in (self.path, self._checkpoints, self._codebooks):
            remove_leftovers(folder, unchanged_for=0)
        remove_leftovers(self.path / "maps")  # not all at once: panels of other processes write there, too
        whole = self._whole_checkpoints()
        for step, half in files_by_step(self._checkpoints).items():
            if step not in whole and half.is_dir():
                remove_folder(half)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._require_folder()
        try:
            yield
        except OSError as error:
            self._require_folder()
            raise InputError(
                f"{printable(self.path)} can't be written: {error.strerror or error}. What was saved is unchanged.\n"
                "Free space on the disk or allow writing, then continue: "
                f"lgq-explore resume {in_command(self.path)}"
            ) from error

    def _require_folder(self) -> None:
        """Raise InputError if the folder was deleted or replaced, so that no part of it is created again."""
        try:
            is_same = self._held is None or os.path.samestat(os.fstat(self._held), os.stat(self.path))
        except OSError:
            is_same = False
        if not (is_same and os.path.isfile(self.path / "config.json")):
            raise InputError(
                f"{printable(self.path)} was deleted or replaced while it was trained: training ends.\n"
                "Train it again in a folder that stays."
            )
