"""What training, evaluation and encoding ask of a place where pictures come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError

_NO_STEP = 2**31  # a step that no training reaches


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops to evaluate on.

    images: uint8 [N, 3, S, S]. photograph: the photograph of each crop, int64 [N], an index into `names`, what each
    photograph is called, and `scenes`: photographs of one scene are versions of one picture.
    """

    images: Tensor
    photograph: NDArray[np.int64]
    names: tuple[str, ...]
    scenes: tuple[str, ...]

    @classmethod
    def unnamed(cls, images: Tensor) -> Crops:
        """Crops of as many pictures that have no names, uint8 [N, 3, S, S]; they go by their numbers."""
        require_crops(len(images))
        names = tuple(f"picture {number}" for number in range(1, len(images) + 1))
        return cls(images, np.arange(len(images), dtype=np.int64), names, names)


@dataclass(frozen=True)
class PictureCounts:
    """How many pictures a source has on each side of its split, None where it cannot say, and files it passed over."""

    training: int | None = None
    held_out: int | None = None
    skipped_files: int = 0


class Source(Protocol):
    """Pictures of S×S pixels: batches to train on, and others, held out, to evaluate on.

    A subclass gives `spec`, `identity`, `batch` and `held_out`; the rest suits a source that has no state.
    """

    spec: str
    """The SPEC that opens the same source from any working directory."""

    identity: str
    """Differs wherever the source would give other pictures, whatever its seed."""

    @property
    def counts(self) -> PictureCounts:
        """How many pictures there are."""
        return PictureCounts()

    @property
    def notes(self) -> Sequence[str]:
        """Lines to tell whoever begins to train on it, such as which files were passed over."""
        return ()

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        """Pictures to train on, uint8 [B, 3, S, S], one for each of `rows`, which are indices in the global batch.

        A row is a pure function of the source's seed, `step` and its index, so that processes which share a batch
        train on what one would alone, and a step that is made again is the same. Threads call it one at a time.
        """
        ...

    def held_out(self, limit: int) -> Crops:
        """At most `limit` crops of pictures that no batch shows: the same ones for every seed."""
        ...

    def training_crops(self, limit: int) -> Crops:
        """At most `limit` crops of pictures that are trained on."""
        return Crops.unnamed(self.batch(_NO_STEP, range(limit)))

    def state_dict(self) -> dict[str, Any]:
        """What lets the source go on quickly after the batch that it gave last: tensors, numbers, containers of them.

        It must not change what `batch` returns. Empty where there is none.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises an exception of some kind where it does not fit."""
        if state:
            raise ValueError(f"{self.spec} has no state, but the checkpoint holds {', '.join(state)}")


class SourceKind(Protocol):
    """One kind of data SPEC, by the name in front of its colon."""

    form: str
    """How its SPECs are written: `NAME`, or `NAME:` and what follows, in capitals."""

    description: str

    def resolve(self, argument: str) -> str:
        """What follows the colon, the same from any working directory. Raises InputError where it names nothing."""
        return argument

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> Source:
        """The source with a resolved argument. split: as in `open_source`. Raises InputError where it can't be used."""
        ...


def require_crops(limit: int) -> None:
    """Raise InputError for fewer than one crop."""
    if limit < 1:
        raise InputError(f"{limit} crops are none to evaluate on: give 1 or more")
