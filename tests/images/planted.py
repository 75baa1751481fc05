"""Pictures of noise: as images, and as an endless source without names that is registered for tests alone.

And the processes that decode for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lgq_explore.images.source import Crops, Source, SourceKind


class NoiseSource(Source):
    """Squares of a colour with noise on it. Its state counts the batches, as a stream's would say where it is."""

    spec = "noise"
    identity = "coloured noise, version 1"

    def __init__(self, image_size: int, seed: int) -> None:
        self.image_size, self.seed = image_size, seed
        self.batches = 0

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        self.batches += 1
        return self._drawn(self.seed, step, rows)

    def held_out(self, limit: int) -> Crops:
        return Crops.unnamed(self._drawn(2**40, 0, range(limit)))

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches = state["batches"]

    def _drawn(self, seed: int, step: int, rows: Sequence[int]) -> Tensor:
        pictures = np.empty((len(rows), 3, self.image_size, self.image_size), dtype=np.uint8)
        for picture, row in zip(pictures, rows, strict=True):
            generator = np.random.default_rng([seed, step, row])
            colour = generator.integers(40, 216, (3, 1, 1))
            picture[:] = colour + generator.integers(-40, 40, picture.shape)
        return torch.from_numpy(pictures)


class Noise(SourceKind):
    form = "noise"
    description = "coloured noise without end"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> NoiseSource:
        return NoiseSource(image_size, seed)


def noise(seed: int, height: int = 40, width: int = 48) -> Image.Image:
    """A picture of noise, another one for each seed."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def decoding_children(process: int | str = "self") -> list[int]:
    """The processes that decode pictures for a process, as Linux reports them."""
    children = [int(child) for task in Path(f"/proc/{process}/task").iterdir() for child in _words(task / "children")]
    return [child for child in children if b"decoding_worker" in _content(Path(f"/proc/{child}/cmdline"))]


def _words(path: Path) -> list[str]:
    return _content(path).decode().split()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""
