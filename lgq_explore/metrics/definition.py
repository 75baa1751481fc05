"""The definition of a metric in words: its formula, unit, bias, cost and source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Definition:
    """What stands of a metric on the page of metrics, and in `lgq-explore list metrics`.

    summary: one line. keys: of `evaluate`, in their order. formula, unit, bias, cost, source: one sentence or a few.
    on_request: whether `evaluate` leaves it out unless it is asked for. without_codes: what each key holds for a method
    without codes, where the metric is of codes.
    """

    summary: str
    keys: tuple[str, ...]
    formula: str
    unit: str
    bias: str
    cost: str
    source: str
    on_request: bool = False
    without_codes: Any = None
