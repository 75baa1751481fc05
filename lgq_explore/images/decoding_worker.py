"""The program of a process that decodes pictures and cuts crops from them, for `DecodingProcesses`.

It reads one `Wanted` a line, as JSON, from its standard input. It answers each on its standard output with a line of
JSON, which is followed by the bytes of the crops. It ends with its input: also when the process that started it was
killed. It imports no torch, so that it starts in a quarter of a second and takes some 50 MB.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .cutting import SIDE_IN_CROPS, Draw, grid_crops, random_crop
from .decoding import LargePicture, UnusablePicture, read_picture

LARGE = 1 << 24
"""More pixels than this take more memory to decode (four to eight bytes each) than every process may have at once."""


@dataclass(frozen=True)
class Wanted:
    """Crops of S×S pixels of the picture in the file at `path`: one by `draw`, or `cells` of its grid.

    may_be_large: whether a picture of more than `LARGE` pixels is decoded.
    """

    path: str
    image_size: int
    draw: Draw | None = None
    cells: int = 1
    may_be_large: bool = False

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Wanted:
        values: dict[str, Any] = json.loads(line)
        draw = values.pop("draw")
        return cls(**values, draw=None if draw is None else Draw(*draw))


@dataclass(frozen=True, eq=False)
class Cut:
    """Crops of one picture, uint8 [N, 3, S, S], and the size in pixels that it was prepared to."""

    height: int
    width: int
    crops: NDArray[np.uint8]


Answer = Cut | UnusablePicture | LargePicture


def cut(wanted: Wanted) -> Answer:
    """Decode one picture and cut it."""
    size = wanted.image_size
    try:
        most_pixels = None if wanted.may_be_large else LARGE
        pixels = read_picture(Path(wanted.path), SIDE_IN_CROPS * size, size, most_pixels=most_pixels)
    except (UnusablePicture, LargePicture) as answer:
        return answer
    draw = wanted.draw
    crops = grid_crops(pixels, size, wanted.cells) if draw is None else [random_crop(pixels, size, draw)]
    height, width, _ = pixels.shape
    return Cut(height, width, np.stack(crops))


def write_answer(answer: Answer, target: IO[bytes]) -> None:
    """Write an answer for `read_answer`."""
    head: dict[str, Any] = {}
    crops = b""
    match answer:
        case Cut(height, width):
            head, crops = {"height": height, "width": width, "crops": answer.crops.shape}, answer.crops.tobytes()
        case UnusablePicture():
            head = {"why": str(answer), "passing": answer.passing}
    target.write(json.dumps(head).encode() + b"\n" + crops)
    target.flush()


def read_answer(source: IO[bytes]) -> Answer:
    """Read an answer of `write_answer`. Raises EOFError if its writer has ended before the end of it."""
    line = source.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    if "why" in head:
        return UnusablePicture(head["why"], passing=head["passing"])
    if not head:
        return LargePicture()
    shape = head["crops"]
    content = bytearray(int(np.prod(shape)))
    if source.readinto(content) != len(content):  # type: ignore[attr-defined]
        raise EOFError
    return Cut(head["height"], head["width"], np.frombuffer(content, dtype=np.uint8).reshape(shape))


def main() -> None:
    for line in sys.stdin.buffer:
        write_answer(cut(Wanted.of_line(line)), sys.stdout.buffer)
