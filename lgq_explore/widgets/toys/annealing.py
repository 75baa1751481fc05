"""The annealed codebook of a toy in the making, in the background of a panel."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from lgq_explore import analysis
from lgq_explore.analysis.toys import ToyView

from ..parts.work.background import Abandoned

TOLD_SECONDS = 0.25
"""Least time between two sentences about how far it is."""


class Annealing:
    """A piece of work that anneals the codebook of a view; it ends early where `give_up` was called.

    told: called in the thread that does the work, now and then, when `progress` says something new.
    """

    def __init__(self, view: ToyView, told: Callable[[], None]) -> None:
        self._of = _annealed_for(view)
        self.progress = "being annealed …"
        self._told, self._told_at, self._is_given_up = told, perf_counter(), False

    def __call__(self) -> None:
        data, codes, seed = self._of
        analysis.toys.toy_path(data, codes, seed, self._hear)

    def is_for(self, view: ToyView) -> bool:
        """Whether it gives, or is about to give, the codebook of this view."""
        return self._of == _annealed_for(view) and not self._is_given_up

    def give_up(self) -> None:
        """End it at its next temperature. Any thread may call this."""
        self._is_given_up = True

    def _hear(self, done: int, temperatures: int) -> None:
        if self._is_given_up:
            raise Abandoned
        self.progress = f"being annealed, {done} of {temperatures} temperatures …"
        if perf_counter() >= self._told_at + TOLD_SECONDS:
            self._told_at = perf_counter()
            self._told()


def _annealed_for(view: ToyView) -> tuple[str, int, int]:
    """What the annealed codebook of a view depends on: the data, the number of codes and the seed."""
    return view.setting.data, len(view.codebook), view.setting.seed
