"""How many codes were used, and how fast did training go, over the last few steps?"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lgq_explore.metrics import CodeCounts


@dataclass(frozen=True)
class StepTrace:
    """codes: joint codes of the step's tokens, any shape. images: in the step. seconds: that the step took."""

    codes: Tensor
    images: int
    seconds: float


class StepWindow:
    """The last `steps` steps, from which the history's usage and speed are counted."""

    def __init__(self, steps: int, codebook_size: int, traces: Sequence[StepTrace] = ()) -> None:
        self.codebook_size = codebook_size
        self._traces = deque(traces, maxlen=steps)

    def add(self, trace: StepTrace) -> None:
        self._traces.append(trace)

    def counts(self) -> CodeCounts:
        """Hits of the codes in the window."""
        counts = CodeCounts(self.codebook_size)
        counts.update(torch.cat([trace.codes.flatten() for trace in self._traces]))
        return counts

    def columns(self) -> dict[str, float]:
        """The history's columns; each name says the window, and the tokens in it stand beside."""
        usage = self.counts().usage()
        seconds = sum(trace.seconds for trace in self._traces)
        images = sum(trace.images for trace in self._traces)
        span = f"last_{self._traces.maxlen}_steps"
        return {
            f"active_codes_{span}": usage.active_codes,
            f"perplexity_{span}": usage.perplexity,
            f"tokens_{span}": usage.tokens,
            f"images_per_second_{span}": images / seconds,
        }

    def state(self) -> list[dict[str, Any]]:
        """The window as plain tensors and numbers, for a checkpoint."""
        return [{**vars(trace), "codes": trace.codes.cpu()} for trace in self._traces]

    def load(self, state: Sequence[dict[str, Any]], device: torch.device) -> None:
        """Continue from what `state` gave, with codes on the device of those to come.

        Raises TypeError or ValueError for what it can't have given.
        """
        self._traces.clear()
        for values in state:
            trace = StepTrace(**values)
            if trace.codes.dtype != torch.int64 or not ((trace.codes >= 0) & (trace.codes < self.codebook_size)).all():
                raise ValueError(f"codes of a step are not 0 … {self.codebook_size - 1}")
            if not (isinstance(trace.images, int) and trace.images > 0 and 0 < trace.seconds < math.inf):
                raise ValueError(f"a step has {trace.images} images and took {trace.seconds} s")
            self.add(replace(trace, codes=trace.codes.to(device)))
