"""Summaries of finished cells: all that comparisons need, without a path and small enough to be committed.

format kind method quantizer codebook_size seed rounding_replicate trial    which cell; `trial` is null if final
settings                        of a trial, beyond those of its method
recipe portable_hash            with the folder's name in place of its path, so that the hash is not that of the run's
                                config.json; `data_fingerprint` is of the pictures
run                             name of the run's folder, and of this file
evaluation evaluation_set       how it was evaluated; split, digest of the crops, and their numbers
environment cost                versions, device, processor, threads; seconds by the clock and of CPU time, and joules
                                where the machine counts them
tuning                          of a final cell: metric, every trial with its value, and which was chosen
numbers                         of `evaluate`: the photographs of `evaluation.split` for a final cell, by default the
                                held-out ones; validation ones for a trial
photographs                     of a final cell: the numbers of each, by the digest of its crops (`photograph_numbers`)
fd_by_photographs               of a final cell with features: FD of fewer photographs, by their number
diverged                        why a trial has no numbers; only there if it has none
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lgq_explore.images.division import VALIDATION
from lgq_explore.metrics.pictures import SLOW_METRICS
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.encoding import EvaluationSet
from lgq_explore.runs.evaluate import Asked, Evaluated, evaluated
from lgq_explore.runs.measures import DEFAULT
from lgq_explore.runs.picture_features import fd_by_photographs
from lgq_explore.runs.run import Run

from .cells import FINAL, Cell, described, portable, portable_hash
from .description import Evaluation, Tuning
from .folder import FORMAT
from .reading import metric_of

SIGNIFICANT_DIGITS = 8
"""Of each number of a photograph, which is a mean of float32 arithmetic."""


def summary_of(
    cell: Cell,
    recipe: TrainConfig,
    run: Run,
    evaluation: Evaluation,
    tuning: Tuning | None,
    chosen: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The summary of a trained cell, which is evaluated here: once.

    A final cell is evaluated on the photographs of `evaluation.split`, each with its numbers; a trial on the validation
    photographs.
    chosen: the trials of a final cell, and which of them was taken.
    """
    is_final = cell.kind == FINAL
    split = evaluation.split if is_final else VALIDATION
    metrics, without = (evaluation.metrics, evaluation.without) if is_final else _judging(tuning)
    asked = Asked(None, evaluation.crops, split, evaluation.fd_features, evaluation.device, without, metrics)
    found = evaluated(run, asked, each_photograph=is_final, has_features=evaluation.has_features, progress=False)
    environment = vars(run.environment)
    head = _head(cell, portable(recipe), run.name, evaluation, run.environment.data_fingerprint, environment)
    numbers = dict(found.numbers)
    del numbers["recipe_hash"]  # which is also of the place of the pictures
    return {
        **head,
        "evaluation_set": {
            "split": split,
            "digest": digest_of_crops(found.on),
            "crops": len(found.on.crops.images),
            "photographs": len(set(found.on.crops.photograph.tolist())),
        },
        "tuning": None if chosen is None else plain(chosen),
        "numbers": plain(numbers),
        "photographs": _by_digest(found.photographs),
        "fd_by_photographs": plain(_course(found)),
    }


def summary_of_diverged_trial(
    cell: Cell, recipe: TrainConfig, key: str, evaluation: Evaluation, fingerprint: str, why: str
) -> dict[str, Any]:
    """The summary of a trial whose training diverged: that is a result, and the worst one."""
    head = _head(cell, portable(recipe), key, evaluation, fingerprint, {})
    return {**head, "diverged": why, "evaluation_set": None, "tuning": None, "numbers": {}, "photographs": {}}


def _judging(tuning: Tuning | None) -> tuple[Sequence[str], Sequence[str]]:
    """The metrics of a trial, and what is left out of them: nothing slow, unless it is what trials are judged by."""
    assert tuning is not None
    judged = metric_of(tuning.metric)
    return (DEFAULT, judged), [name for name in SLOW_METRICS if name != judged]


def _head(
    cell: Cell,
    recipe: TrainConfig,
    run: str,
    evaluation: Evaluation,
    fingerprint: str,
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **described(cell),
        "settings": None if cell.trial is None else plain(cell.settings),
        "portable_hash": portable_hash(recipe),
        "recipe": plain(config_to_json(recipe)),
        "run": run,
        "evaluation": plain(vars(evaluation)),
        "data_fingerprint": fingerprint,
        "environment": plain(environment),
    }


def _by_digest(photographs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The numbers of each photograph, by the digest of its crops."""
    rows = photographs.to_dict("records")
    return {str(row.pop("digest")): {str(name): _rounded(value) for name, value in row.items()} for row in rows}


def _course(found: Evaluated) -> dict[int, float]:
    return {} if found.features is None else fd_by_photographs(found.features, found.on.crops.scene)


def digest_of_crops(chosen: EvaluationSet) -> str:
    """SHA-256 (hexadecimal) of the pixels of all crops and of the photograph of each."""
    digest = hashlib.sha256(np.ascontiguousarray(chosen.crops.images.numpy()).data)
    digest.update(chosen.crops.photograph.astype("<i8").tobytes())
    return digest.hexdigest()


def plain(value: Any) -> Any:
    """A copy as JSON values; what is not a finite number is None."""
    match value:
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case np.generic():
            return plain(value.item())
        case float():
            return value if math.isfinite(value) else None
    return value


def _rounded(value: Any) -> Any:
    value = plain(value)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value
