"""Code usage and speed over the last few training steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lgq_explore.metrics import CodeUsage, GroupedCodeCounts
from lgq_explore.quantizers import joint_codes, split_codes
from lgq_explore.quantizers.base import MOST_NUMBERED


@dataclass(frozen=True)
class StepTrace:
    """One step. codes: [B, G, H, W]. images: their number. seconds: the time that the step took.

    waited: seconds of them in which nothing was done but wait for its pictures; 0 in checkpoints of older versions.
    """

    codes: Tensor
    images: int
    seconds: float
    waited: float = 0.0


class StepWindow:
    """The last `steps` steps, over which the history's usage and speed are computed.

    There is no usage without levels. A step whose codes are not there yet, [B, 0, H, W], counts for the speed alone.
    """

    def __init__(self, steps: int, levels: Sequence[int]) -> None:
        self.levels = tuple(levels)
        self._traces: deque[StepTrace] = deque(maxlen=steps)

    def add(self, trace: StepTrace) -> None:
        self._traces.append(trace)

    def counts(self) -> GroupedCodeCounts | None:
        """Counts in the window: of each group's codes, and of their tuples; None without codes."""
        codes = [trace.codes for trace in self._traces if trace.codes.shape[1]]
        if not codes:
            return None
        counts = GroupedCodeCounts(self.levels)
        counts.update(torch.cat([each.movedim(1, 0).flatten(1) for each in codes], dim=1).T)
        return counts

    def columns(self, counts: GroupedCodeCounts | None) -> dict[str, float | None]:
        """The history's columns. Each name contains the window, and one column has the number of tokens in it.

        With several groups, the plain names describe tuples of codes, and each group has columns of its own. They are
        None while there are no codes yet. Without levels there is the speed alone.
        """
        seconds = sum(trace.seconds for trace in self._traces)
        waited = sum(trace.waited for trace in self._traces)
        images = sum(trace.images for trace in self._traces)
        span = f"last_{self._traces.maxlen}_steps"
        speed: dict[str, float | None] = {
            f"images_per_second_{span}": images / seconds,
            f"images_per_second_without_waiting_{span}": images / (seconds - waited),
        }
        if not self.levels:
            return speed
        usage = None if counts is None else counts.usage()
        columns = {
            **_columns_of(usage, span),
            f"tokens_{span}": None if usage is None else usage.tokens,
            **speed,
        }
        of_groups = [None] * len(self.levels) if counts is None else counts.group_usages()
        for group, of_group in enumerate(of_groups if len(self.levels) > 1 else ()):
            columns |= _columns_of(of_group, f"group_{group}_{span}")
        return columns

    def state(self) -> list[dict[str, Any]]:
        """The window as plain tensors and numbers, for a checkpoint; joint codes [B, H, W] if they fit into int64."""
        return [{**vars(trace), "codes": self._packed(trace.codes.cpu())} for trace in self._traces]

    def load(self, state: Sequence[dict[str, Any]], device: torch.device) -> None:
        """Continue from the result of `state`, with codes on `device`.

        Raises TypeError or ValueError for a state that does not fit.
        """
        self._traces.clear()
        for trace in self._unpacked(state):
            if not (isinstance(trace.images, int) and trace.images > 0 and 0 < trace.seconds < math.inf):
                raise ValueError(f"a step has {trace.images} images and took {trace.seconds} s")
            if not 0 <= trace.waited < math.inf:
                raise ValueError(f"a step waited {trace.waited} s for its pictures")
            self.add(replace(trace, codes=trace.codes.to(device)))

    @property
    def _is_numbered(self) -> bool:
        return bool(self.levels) and math.prod(self.levels) < MOST_NUMBERED

    def _packed(self, codes: Tensor) -> Tensor:
        return joint_codes(codes, self.levels) if self._is_numbered and codes.shape[1] else codes

    def _unpacked(self, state: Sequence[dict[str, Any]]) -> Iterator[StepTrace]:
        sizes = torch.tensor([math.prod(self.levels)] if self._is_numbered else self.levels)
        for values in state:
            trace = StepTrace(**values)
            if trace.codes.ndim == 4 and not trace.codes.shape[1]:  # they are not there yet
                yield trace
                continue
            axes = 3 if self._is_numbered else 4
            if trace.codes.dtype != torch.int64 or trace.codes.ndim != axes:
                raise ValueError(f"codes of a step are {trace.codes.dtype} {list(trace.codes.shape)}")
            if not ((trace.codes >= 0) & (trace.codes < sizes[:, None, None])).all():
                raise ValueError(f"codes of a step are not 0 … {sizes.tolist()} − 1")
            codes = split_codes(trace.codes, self.levels) if self._is_numbered else trace.codes
            yield replace(trace, codes=codes)


def _columns_of(usage: CodeUsage | None, span: str) -> dict[str, float | None]:
    """The columns of a usage, which is None where there are no codes yet."""
    return {
        f"active_codes_{span}": None if usage is None else usage.active_codes,
        f"perplexity_{span}": None if usage is None else usage.perplexity,
    }
