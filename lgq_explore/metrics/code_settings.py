"""Settings of code metrics: facts about the codes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CodeSettings:
    """levels: number of codes of each of the G groups. downsampling: pixels along the side of a token."""

    levels: tuple[int, ...]
    downsampling: int
