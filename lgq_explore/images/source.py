"""The protocol of sources, from which training, evaluation and encoding take pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, printable
from .division import Division

FILES_NAMED = 3
"""The most skipped files that a message names; a folder may have thousands."""

_NO_STEP = 2**31
"""A step that no training reaches: that of `training_crops`. Steps just below it initialise codebooks."""


def numbered_scenes(scenes: Sequence[str]) -> NDArray[np.int64]:
    """The number of each photograph's scene [P], in the order in which scenes first occur."""
    numbers = {scene: number for number, scene in enumerate(dict.fromkeys(scenes))}
    return np.array([numbers[scene] for scene in scenes], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops to evaluate on.

    images: uint8 [N, 3, S, S]. photograph: int64 [N], of each crop, as an index into `names` and `scenes`, which
    have one entry per photograph. Photographs of one scene are versions of one picture.
    """

    images: Tensor
    photograph: NDArray[np.int64]
    names: tuple[str, ...]
    scenes: tuple[str, ...]

    @classmethod
    def unnamed(cls, images: Tensor) -> Crops:
        """Crops of pictures without names, uint8 [N, 3, S, S], one per picture; they are named by their numbers."""
        require_crops(len(images))
        names = tuple(f"picture {number}" for number in range(1, len(images) + 1))
        return cls(images, np.arange(len(images), dtype=np.int64), names, names)

    @property
    def scene(self) -> NDArray[np.int64]:
        """The number of each crop's scene [N]: of what is not independent of each other."""
        return numbered_scenes(self.scenes)[self.photograph]

    def without_copies(self) -> Crops:
        """The crops without those of a photograph that shows, pixel for pixel, what an earlier one does."""
        order = np.argsort(self.photograph, kind="stable")
        owners, begins = np.unique(self.photograph[order], return_index=True)
        first: dict[bytes, int] = {}
        for owner, crops in zip(owners.tolist(), np.split(order, begins[1:]), strict=True):
            first.setdefault(self.images[torch.from_numpy(crops)].numpy().tobytes(), owner)
        kept = np.array(sorted(first.values()), dtype=np.int64)
        if len(kept) == len(owners):
            return self
        chosen = np.isin(self.photograph, kept)
        return Crops(
            self.images[torch.from_numpy(chosen)],
            np.searchsorted(kept, self.photograph[chosen]),
            tuple(self.names[index] for index in kept),
            tuple(self.scenes[index] for index in kept),
        )


@dataclass(frozen=True)
class Skipped:
    """A file or subfolder without a usable picture, and the reason, as a clause that follows its name.

    passing: whether the reason is outside of the file (no permission, an error of the disk), so that the next load
    tries it again.
    """

    name: str
    why: str
    passing: bool = False


@dataclass(frozen=True)
class PictureCounts:
    """Numbers of pictures in each split of a source, None if it cannot say, and of skipped files."""

    training: int | None = None
    held_out: int | None = None
    skipped_files: int = 0


class Source(Protocol):
    """Pictures of S×S pixels: batches to train on, and others, held out, to evaluate on.

    A subclass implements `spec`, `identity`, `batch` and `held_out`; the other members suit a source that has no state,
    skips nothing and keeps nothing open.
    """

    spec: str
    """The SPEC that opens the same source from any working directory."""

    identity: str
    """A string that differs for sources with different pictures; it does not depend on the seed."""

    skipped: Sequence[Skipped] = ()
    """The files that gave no picture so far, each once."""

    @property
    def counts(self) -> PictureCounts:
        """The numbers of pictures."""
        return PictureCounts()

    @property
    def notes(self) -> Sequence[str]:
        """Lines to print when training starts, such as which files were skipped; when it ends, those that changed."""
        return skipped_notes(self.spec, self.skipped)

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        """Pictures to train on, uint8 [B, 3, S, S], one for each of `rows`, which are indices in the global batch.

        A row is a pure function of the source's seed, `step` and its index. So processes that share a batch train on
        the same pictures as a single one, and a repeated step is the same. It is not called by two threads at once.
        """
        ...

    def held_out(self, limit: int) -> Crops:
        """At most `limit` crops of pictures that are in no batch; the same for every seed."""
        ...

    def training_crops(self, limit: int) -> Crops:
        """At most `limit` crops of training pictures."""
        return Crops.unnamed(self.batch(_NO_STEP, range(limit)))

    def validation_crops(self, limit: int) -> Crops:
        """At most `limit` crops of the pictures that a `Division` keeps to choose settings on.

        Raises InputError for a source without such pictures.
        """
        raise no_validation(self.spec)

    def divided(self, division: Division) -> Source:
        """The same pictures, divided anew into training, validation and held out.

        Raises InputError for a source that can't be divided so.
        """
        raise InputError(
            f"{printable(self.spec)} can't be divided by content: leave split out of the recipe, or give folder:PATH"
        )

    def state_dict(self) -> dict[str, Any]:
        """State with which the source can continue quickly after its last batch: tensors, numbers, containers of them.

        It must not affect what `batch` returns. Empty if there is none.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`. Raises an exception of some kind if it does not fit."""
        if state:
            raise ValueError(f"{self.spec} has no state, but the checkpoint holds {', '.join(state)}")

    def close(self) -> None:
        """End what was kept open from batch to batch, such as processes; the next batch opens it again."""
        return


class SourceKind(Protocol):
    """One kind of data SPEC, named in front of the colon."""

    form: str
    """The form of its SPECs: `NAME`, or `NAME:` and a placeholder in capitals."""

    description: str

    def resolve(self, argument: str) -> str:
        """The part after the colon, made independent of the working directory. Raises InputError if it is invalid."""
        return argument

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> Source:
        """The source of a resolved argument. split: as in `open_source`. Raises InputError if it can't be used."""
        ...


def skipped_notes(spec: str, skipped: Sequence[Skipped]) -> Sequence[str]:
    """How many files gave no picture, and the first of them by name, in a line; none if there are none."""
    if not skipped:
        return ()
    named = "; ".join(f"{printable(file.name)}: {printable(file.why)}" for file in skipped[:FILES_NAMED])
    rest = "; …" if len(skipped) > FILES_NAMED else ""
    files = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    return (f"{printable(spec)}: {files} skipped ({named}{rest})",)


def no_usable_picture(spec: str, unusable: Sequence[Skipped], image_size: int) -> InputError:
    """What to raise where none of the files tried, at least one, gave a picture."""
    first = unusable[0]
    return InputError(
        f"{printable(spec)} has no usable picture, {len(unusable)} skipped, the first {printable(first.name)}: "
        f"{printable(first.why)}.\n"
        f"Give whole image files of at least {image_size} pixels a side, or a smaller image size."
    )


def no_validation(spec: str) -> InputError:
    """What to raise where validation pictures are asked for, and there are none."""
    return InputError(
        f"{printable(spec)} has no validation pictures: give them a share in the recipe, such as split.validation=0.1"
    )


def one_picture(spec: str, names: Sequence[str], skipped: int) -> InputError:
    """What to raise where all files, at least one, are versions of one picture, and a split needs a second."""
    return InputError(
        f"{printable(spec)} has one picture in {len(names)} files, {printable(names[0])}, and {skipped} files skipped; "
        "a held-out split needs a second.\n"
        "Add others: copies of one, and names that differ by size or theme alone, count as one picture."
    )


def initialization_step(number: int) -> int:
    """The step of the batch with this number, from 0, among those that a codebook is initialised from.

    No training reaches it, so these crops are not repeated in the first steps.
    """
    return _NO_STEP - 1 - number


def require_crops(limit: int) -> None:
    """Raise InputError for fewer than one crop."""
    if limit < 1:
        raise InputError(f"{limit} crops are too few to evaluate on: give 1 or more")
