"""The evaluation of a sweep's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.metrics.pictures import require_slow
from lgq_explore.runs.measures import chosen_metrics

from ..description import Evaluation
from .tables import require_keys


def evaluation_of(table: Mapping[str, Any]) -> Evaluation:
    """The evaluation of a table. Raises InputError."""
    names = [entry.name for entry in fields(Evaluation)]
    require_keys(table, names, "evaluation.")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    evaluation = Evaluation(**given)
    if type(evaluation.crops) is not int or evaluation.crops < 1:
        raise InputError(f"evaluation.crops is {evaluation.crops!r}: give 1 or more")
    for name in ("metrics", "without"):
        if not isinstance(getattr(evaluation, name), tuple):
            raise InputError(f"evaluation.{name} is {getattr(evaluation, name)!r}: give a list of names")
    try:
        chosen_metrics(evaluation.metrics)
        require_slow(evaluation.without)
    except InputError as error:
        raise InputError(f"evaluation: {error}") from error
    return evaluation
