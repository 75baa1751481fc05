"""The metrics of codes alone that `evaluate` computes; `CODE_METRICS` lists them."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .accumulation import CodeAccumulation
from .code_settings import CodeSettings
from .coded_bits import CodedBits
from .contextual_bits import ContextualBits
from .definition import Definition
from .group_numbers import GroupSpread, GroupUsage
from .position_usage import PositionUsage
from .usage_numbers import CodeLengths, Usage


class CodeMetric(Protocol):
    """A metric over the codes of images, accumulated over batches."""

    definition: ClassVar[Definition]

    @classmethod
    def of(cls, settings: CodeSettings) -> CodeMetric:
        """A new instance, of no codes."""
        ...

    def update(self, codes: Tensor, photographs: NDArray[np.int64]) -> None:
        """Add a batch: codes [B, G, H, W] int64, and the number of the photograph of each image [B]."""
        ...

    def numbers(self) -> dict[str, Any]:
        """The values over all codes so far, as JSON values under the keys of `evaluate`."""
        ...


CODE_METRICS: dict[str, type[CodeMetric]] = {
    "usage": Usage,
    "groups": GroupUsage,
    "code_lengths": CodeLengths,
    "coded_bits": CodedBits,
    "contextual_bits": ContextualBits,
    "accumulation": CodeAccumulation,
    "positions": PositionUsage,
    "group_spread": GroupSpread,
}
