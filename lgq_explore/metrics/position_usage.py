"""Usage of codes by the position in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError

from .code_settings import CodeSettings
from .definition import Definition
from .group_usage import GroupedCodeCounts
from .usage import is_numbered


@dataclass(frozen=True, eq=False)
class PositionUsageResult:
    """Over a grid of positions: entropy_bits [H, W] float64 and active_codes [H, W] int64 of the codes at each.

    information_bits: I(code; position) of the plug-in entropies. by_chance: about what it is on average where codes do
    not depend on the position, for so few tokens. images: those counted.
    """

    entropy_bits: NDArray[np.float64]
    active_codes: NDArray[np.int64]
    information_bits: float
    by_chance: float
    images: int


class PositionUsage:
    """Counts of joint codes at each position of the grid, accumulated over batches."""

    definition: ClassVar[Definition] = Definition(
        summary="usage of codes by the position in the picture",
        keys=("position_entropy_bits", "position_information_bits", "position_information_bits_by_chance"),
        formula="`position_entropy_bits` = `.mean`, `.lowest` and `.highest` over positions of the entropy of the "
        "codes there; `position_information_bits` = H − mean over positions of the entropy there = I(code; position); "
        "`position_information_bits_by_chance` = (Σ_positions (active there − 1) − (active − 1))/(2 N ln 2), its bias.",
        unit="bits per token",
        bias="The entropy at a position is low by about (active there − 1)/(2 n ln 2), n images, so that the "
        "information is high by what it is by chance. That is the first order in 1/n, and too little for fewer images "
        "than codes. None where joint codes at each position are too many to number.",
        cost="Milliseconds a batch.",
        source="Cover & Thomas 2006, ch. 2; Miller 1955.",
        on_request=True,
    )

    @classmethod
    def of(cls, settings: CodeSettings) -> Self:
        return cls(settings.levels)

    def __init__(self, levels: tuple[int, ...]) -> None:
        self.levels = levels
        self._grid: tuple[int, int] | None = None
        self._counts = GroupedCodeCounts(levels)
        self._placed = self._counts  # with the position as one more group, once the grid is known

    def update(self, codes: Tensor, photographs: NDArray[np.int64]) -> None:
        """Add codes [B, G, H, W]. Raises InputError for another grid than before."""
        self._require_grid((codes.shape[2], codes.shape[3]))
        positions = torch.arange(codes.shape[2] * codes.shape[3], device=codes.device).reshape(codes.shape[2:])
        self._placed.update(torch.cat([positions.expand_as(codes[:, :1]), codes], dim=1))
        self._counts.update(codes)

    def merge(self, other: Self) -> None:
        """Add the images of another instance. Raises InputError for another grid."""
        if other._grid is not None:
            self._require_grid(other._grid)
            self._placed.merge(other._placed)
            self._counts.merge(other._counts)

    def _require_grid(self, grid: tuple[int, int]) -> None:
        if self._grid is None:
            self._grid = grid
            self._placed = GroupedCodeCounts((grid[0] * grid[1], *self.levels))
        elif grid != self._grid:
            raise InputError(f"codes on a grid of {grid} follow those of {self._grid}: give one grid")

    def compute(self) -> PositionUsageResult:
        """Usage at each position.

        Raises InputError before the first image, and where there are too many joint codes to number at each position.
        """
        if self._grid is None:
            raise InputError("the usage of no codes is undefined: update with at least one batch")
        positions, placed, whole = self._grid[0] * self._grid[1], self._placed.joint, self._counts.usage()
        counts = placed.active_counts()
        position = placed.active_codes() // self._counts.codebook_size
        images = placed.tokens // positions
        share = counts / images
        entropy = np.maximum(0, -np.bincount(position, share * np.log2(share), minlength=positions))
        active = np.bincount(position, minlength=positions)
        excess = (len(counts) - positions) - (whole.active_codes - 1)
        return PositionUsageResult(
            entropy_bits=entropy.reshape(self._grid),
            active_codes=active.reshape(self._grid),
            information_bits=float(whole.entropy_bits - entropy.mean()),
            by_chance=float(excess / (2 * whole.tokens * np.log(2))),
            images=images,
        )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; None where joint codes at each position are too many to number."""
        if not is_numbered(self._placed.codebook_size):
            return dict.fromkeys(self.definition.keys)
        result = self.compute()
        entropy = result.entropy_bits
        return {
            "position_entropy_bits": {
                "mean": float(entropy.mean()),
                "lowest": float(entropy.min()),
                "highest": float(entropy.max()),
            },
            "position_information_bits": result.information_bits,
            "position_information_bits_by_chance": result.by_chance,
        }
