"""Runs of an earlier comparison that count in a later one, if a run made again still gives the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgq_explore.bench.results import read_result
from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig

BENCHMARK = "gpu-quantizers"
"""The comparison's name in its results."""
COMPARED = ("psnr_db", "l1", "active_codes", "entropy_bits")
"""Numbers of a run that are computed on the CPU, to the last digit the same for the same weights. Digests of weights
would not do: they are of a file, which also names the version that wrote it."""


@dataclass(frozen=True)
class EarlierRuns:
    """Results of an earlier comparison, by the indices of their recipes in the later one.

    One run of each method is made again, its control. The method's others are taken if the control's numbers are the
    same, and otherwise made again too.
    """

    name: str
    environment: Mapping[str, Any]
    results: Mapping[int, Mapping[str, Any]]
    methods: Mapping[int, str]

    @classmethod
    def read(cls, path: Path, recipes: Sequence[TrainConfig], photographs: Mapping[str, Any]) -> EarlierRuns:
        """Raises InputError for a file that is no such result, and for other photographs than the later ones."""
        earlier = read_result(path, BENCHMARK)
        if earlier["photographs"] != photographs:
            raise InputError(f"{path.name} was measured on other photographs: give the same, or no earlier result")
        by_run = {_run_of(result): result for result in earlier["results"]}
        results = {
            index: by_run[run]
            for index, recipe in enumerate(recipes)
            if (run := (recipe.recipe_hash, recipe.seed, recipe.rounding_replicate)) in by_run
        }
        methods = {index: recipes[index].quantizer.method for index in results}
        return cls(path.name, earlier["environment"], results, methods)

    @property
    def controls(self) -> list[int]:
        """The first run of each method."""
        return list({method: index for index, method in reversed(self.methods.items())}.values())

    def others(self, control: int) -> list[int]:
        """The runs of a control's method without it."""
        return [index for index, method in self.methods.items() if method == self.methods[control] and index != control]

    def is_repeated(self, control: int, result: Mapping[str, Any]) -> bool:
        """Whether the control has the same numbers as then."""
        return all(result[name] == self.results[control][name] for name in COMPARED)

    def cell(self, index: int) -> dict[str, Any]:
        """A run's cell; `measured_in` of its result names the file, or the one that the file took it from."""
        return {"result": {"measured_in": self.name, **self.results[index]}, "environment": self.environment}


def _run_of(result: Mapping[str, Any]) -> tuple[str, int, int]:
    return result["recipe_hash"], result["seed"], result.get("rounding_replicate", 0)
