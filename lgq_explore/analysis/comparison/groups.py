"""Groups of runs whose recipes differ in the seed alone, on the photographs that all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError, printable
from lgq_explore.runs.config import TrainConfig

from .measured_run import FRECHET, OF_CODES, OF_PHOTOGRAPHS, MeasuredRun


class Groupable(Protocol):
    """What tells the group of a run: a recipe, the label of its method, and its number of codes."""

    @property
    def config(self) -> TrainConfig: ...

    @property
    def label(self) -> str: ...

    @property
    def codebook_size(self) -> int: ...


OfAGroup = TypeVar("OfAGroup", bound=Groupable)


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

    def only(self, groups: Collection[str], seeds: Collection[int]) -> GroupedRuns:
        """Some groups, by their names, and their runs of some seeds, on the same photographs.

        Raises:
            InputError: none of these groups has a run of these seeds.
        """
        chosen = [(group, [run for run in group.runs if run.config.seed in seeds]) for group in self.groups]
        kept = tuple(replace(group, runs=tuple(runs)) for group, runs in chosen if group.name in groups and runs)
        if not kept:
            raise InputError("none of the chosen groups has a run of the chosen seeds: choose more of either")
        return replace(self, groups=kept)

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
    of_runs = [set(run.digests) for run in runs]
    of_all = set.intersection(*of_runs)
    shared = [digest for digest in runs[0].digests if digest in of_all]
    if not shared:
        alone = (run.name for run, digests in zip(runs, of_runs, strict=True) if not digests & of_runs[0])
        others = printable(next(alone, "the others"))
        raise InputError(
            f"{printable(runs[0].name)} and {others} were not measured on one common photograph: compare runs of "
            "one data set and one size of images"
        )
    every = set.union(*of_runs)
    groups = [
        Group(name, members[0].label, members[0].codebook_size, tuple(members))
        for name, members in in_groups(runs).items()
    ]
    crops = runs[0].photographs.set_index("digest").loc[shared, "crops"].to_numpy()
    return GroupedRuns(tuple(groups), tuple(shared), crops, len(every) - len(shared))


def in_groups(runs: Sequence[OfAGroup]) -> dict[str, list[OfAGroup]]:
    """Runs by the names of their groups, in the order that `grouped` gives these: nothing has to be measured for it."""
    by_recipe: dict[str, list[OfAGroup]] = {}
    for run in runs:
        by_recipe.setdefault(run.config.recipe_hash, []).append(run)
    names = _names({recipe: members[0] for recipe, members in by_recipe.items()})
    order = list(dict.fromkeys(members[0].label for members in by_recipe.values()))
    found = sorted(by_recipe.items(), key=lambda each: (order.index(each[1][0].label), each[1][0].codebook_size))
    return {names[recipe]: members for recipe, members in found}


def _names(firsts: Mapping[str, Groupable]) -> dict[str, str]:
    """The label; its K where groups of one label differ in it; and the recipe's hash where that is not enough."""
    labels = Counter(run.label for run in firsts.values())
    short = {
        recipe: run.label + (f", K = {run.codebook_size:,d}" if labels[run.label] > 1 and run.codebook_size else "")
        for recipe, run in firsts.items()
    }
    repeated = Counter(short.values())
    return {recipe: name if repeated[name] == 1 else f"{name} ({recipe[:6]})" for recipe, name in short.items()}
