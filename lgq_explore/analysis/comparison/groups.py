"""Groups of runs whose recipes differ in the seed alone, on the photographs that all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError, printable

from .measured_run import FRECHET, OF_CODES, OF_PHOTOGRAPHS, MeasuredRun


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one recipe and several seeds.

    method: the runs' label. name: that, with what else tells the group from others.
    """

    name: str
    method: str
    codebook_size: int
    runs: tuple[MeasuredRun, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Ascending, each once."""
        return tuple(sorted({run.config.seed for run in self.runs}))

    def by_seed(self, value: Callable[[MeasuredRun], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Values [S, …] of each seed, a mean over its runs where there are several."""
        return np.stack(
            [np.mean([value(run) for run in self.runs if run.config.seed == seed], axis=0) for seed in self.seeds]
        )


@dataclass(frozen=True, eq=False)
class GroupedRuns:
    """All groups of a comparison, and the photographs (their digests) that all runs share, with numbers of crops."""

    groups: tuple[Group, ...]
    digests: tuple[str, ...]
    crops: NDArray[np.int64]
    left_out: int

    def values(self, group: Group, number: str) -> NDArray[np.float64] | None:
        """Values [S, P] of a number whose mean with weights of `weights` it is; None where it was not measured."""
        if number in OF_PHOTOGRAPHS:
            found = group.by_seed(lambda run: run.of_photographs(self.digests, number))
        elif number == FRECHET:
            return self._frechet[group.name]
        elif group.runs[0].counts is None or number not in OF_CODES:
            return None
        else:
            found = group.by_seed(lambda run: run.usage(self.digests)[number])
        return found if np.isfinite(found).all() else None

    @cached_property
    def _frechet(self) -> dict[str, NDArray[np.float64] | None]:
        """FD of each group by its name, kept since each is a decomposition of a large matrix."""
        return {group.name: self._frechet_of(group) for group in self.groups}

    def _frechet_of(self, group: Group) -> NDArray[np.float64] | None:
        of_runs = {run.name: run.frechet(self.digests) for run in group.runs}
        measured = {name: values for name, values in of_runs.items() if values is not None}
        return group.by_seed(lambda run: measured[run.name]) if len(measured) == len(of_runs) else None

    def weights(self, number: str) -> NDArray[np.float64]:
        """Crops of each photograph for a mean over crops; equal ones for numbers of all tokens, and for FD."""
        return self.crops.astype(np.float64) if number in OF_PHOTOGRAPHS else np.ones(len(self.digests))


def grouped(runs: Sequence[MeasuredRun]) -> GroupedRuns:
    """The groups of some runs: methods in the order of the runs, and those of a method by their numbers of codes.

    Raises:
        InputError: no runs, or runs that share no held-out photograph.
    """
    if not runs:
        raise InputError("no runs to compare: give at least one")
    shared = [digest for digest in runs[0].digests if all(digest in run.digests for run in runs)]
    if not shared:
        raise InputError(
            f"{printable(runs[0].name)} and the others were not measured on one common photograph: compare runs of "
            "one data set and one size of images"
        )
    every = {digest for run in runs for digest in run.digests}
    by_recipe: dict[str, list[MeasuredRun]] = {}
    for run in runs:
        by_recipe.setdefault(run.config.recipe_hash, []).append(run)
    names = _names({recipe: members[0] for recipe, members in by_recipe.items()})
    groups = [
        Group(names[recipe], members[0].label, members[0].codebook_size, tuple(members))
        for recipe, members in by_recipe.items()
    ]
    order = list(dict.fromkeys(group.method for group in groups))
    groups.sort(key=lambda group: (order.index(group.method), group.codebook_size))
    crops = runs[0].photographs.set_index("digest").loc[shared, "crops"].to_numpy()
    return GroupedRuns(tuple(groups), tuple(shared), crops, len(every) - len(shared))


def _names(firsts: Mapping[str, MeasuredRun]) -> dict[str, str]:
    """The label; its K where groups of one label differ in it; and the recipe's hash where that is not enough."""
    labels = Counter(run.label for run in firsts.values())
    short = {
        recipe: run.label + (f", K = {run.codebook_size:,d}" if labels[run.label] > 1 and run.codebook_size else "")
        for recipe, run in firsts.items()
    }
    repeated = Counter(short.values())
    return {recipe: name if repeated[name] == 1 else f"{name} ({recipe[:6]})" for recipe, name in short.items()}
