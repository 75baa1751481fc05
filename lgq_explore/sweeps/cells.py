"""The cells of a sweep: one training each, numbered in the order in which they are trained."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.sweep_paths import FINAL, TRIAL

from .description import NO_CODES, Method, Settings, Sweep


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation. trial: the number of the method's settings that it tries; None if final."""

    number: int
    kind: str
    method: Method
    codebook_size: int
    seed: int
    rounding_replicate: int = 0
    trial: int | None = None

    def __str__(self) -> str:
        size = f", K = {self.codebook_size}" if self.codebook_size != NO_CODES else ""
        replicate = f", rounding {self.rounding_replicate}" if self.rounding_replicate else ""
        trial = "" if self.trial is None else f", trial {self.trial} ({in_words(self.settings)})"
        return f"{self.method.name}{size}{trial}, seed {self.seed}{replicate}"

    @property
    def settings(self) -> Settings:
        """Those that a trial tries; of a final cell none."""
        return {} if self.trial is None else self.method.trials[self.trial]


def in_words(settings: Settings) -> str:
    """Settings as the file writes them: `learning_rate = 0.001`."""
    return ", ".join(f"{path} = {json.dumps(value)}" for path, value in settings.items())


def cells_of(sweep: Sweep) -> list[Cell]:
    """All cells in their order: trials, and then final cells, all methods and sizes of a seed before the next seed.

    So whatever was reached compares all methods.
    """
    drafts = [*_trials(sweep), *_finals(sweep)]
    return [replace(cell, number=number) for number, cell in enumerate(drafts)]


def _trials(sweep: Sweep) -> Iterator[Cell]:
    if sweep.tuning is None:
        return
    for trial in range(max(len(method.trials) for method in sweep.methods.values())):
        for method in sweep.methods.values():
            for size in tuned_sizes(sweep, method) if method.trials else ():
                yield Cell(0, TRIAL, method, size, sweep.tuning.seed, trial=trial)


def tuned_sizes(sweep: Sweep, method: Method) -> list[int]:
    """The codebook sizes at which a method's trials run."""
    assert sweep.tuning is not None
    return list(dict.fromkeys(sweep.tuning.size_for(method, size) for size in method.sizes))


def _finals(sweep: Sweep) -> Iterator[Cell]:
    methods = sweep.methods.values()
    sizes = list(dict.fromkeys(size for method in methods for size in method.sizes))
    seeds = sorted({seed for method in methods for of_size in method.seeds.values() for seed in of_size})
    for seed in seeds:
        for size in sizes:
            for method in methods:
                if seed in method.seeds.get(size, ()):
                    for replicate in range(method.rounding_replicates):
                        yield Cell(0, FINAL, method, size, seed, replicate)


def portable(recipe: TrainConfig) -> TrainConfig:
    """The recipe with the name of its folder of pictures in place of its path, so that its hash is that of any machine.

    What the folder holds is told by the fingerprint of the pictures.
    """
    kind, colon, place = recipe.data.partition(":")
    name = os.path.basename(os.path.abspath(os.path.expanduser(place))) if colon else ""
    return replace(recipe, data=f"{kind}{colon}{name}")


def portable_hash(recipe: TrainConfig) -> str:
    """The hash of the portable recipe. That in a run's config.json also holds the path of the folder of pictures."""
    return portable(recipe).recipe_hash


def key_of(cell: Cell, recipe: TrainConfig) -> str:
    """The name of a cell's summary and run: the hash of its recipe, what a person looks for, and what no hash holds."""
    size = f"-{cell.codebook_size}" if cell.codebook_size != NO_CODES else ""
    replicate = f"-rounding{cell.rounding_replicate}" if cell.rounding_replicate else ""
    kind = f"-{TRIAL}" if cell.kind == TRIAL else ""
    return f"{portable_hash(recipe)}-{cell.method.name}{size}-seed{cell.seed}{replicate}{kind}"


def described(cell: Cell) -> dict[str, Any]:
    """What a summary and a frame say of a cell besides its recipe."""
    return {
        "kind": cell.kind,
        "method": cell.method.name,
        "quantizer": cell.method.quantizer,
        "codebook_size": cell.codebook_size,
        "seed": cell.seed,
        "rounding_replicate": cell.rounding_replicate,
        "trial": cell.trial,
    }
