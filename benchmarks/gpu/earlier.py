"""Runs of an earlier comparison that count in a later one, because training still gives the same weights."""

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


@dataclass(frozen=True)
class EarlierRuns:
    """Results of an earlier comparison by recipe, seed and rounding replicate, and the methods that they are of."""

    name: str
    methods: Sequence[str]
    environment: Mapping[str, Any]
    results: Mapping[tuple[str, int, int], Mapping[str, Any]]

    @classmethod
    def repeatable(
        cls, path: Path, sharing: Sequence[Mapping[str, Any]], photographs: Mapping[str, Any]
    ) -> EarlierRuns:
        """Those of methods that end a short training with the same weights, bit for bit, every time, then and now.

        sharing, photographs: of the later comparison. Raises InputError for a file that is no such result, and for
        other photographs.
        """
        earlier = read_result(path, BENCHMARK)
        if earlier["photographs"] != photographs:
            raise InputError(f"{path.name} was measured on other photographs: give the same, or no earlier result")
        then, now = _digests(earlier["sharing"]), _digests(sharing)
        methods = [method for method, digests in now.items() if len(digests) == 1 and digests == then.get(method)]
        results = {_identity(result): result for result in earlier["results"] if result["quantizer"] in methods}
        return cls(path.name, methods, earlier["environment"], results)

    def cells_of(self, recipes: Sequence[TrainConfig]) -> dict[int, dict[str, Any]]:
        """The cells of recipes that were run then, by the recipe's index; `measured_in` names the file of each."""
        cells = {}
        for index, recipe in enumerate(recipes):
            found = self.results.get((recipe.recipe_hash, recipe.seed, recipe.rounding_replicate))
            if found is not None:
                result = {"measured_in": self.name, **found}  # a file that took it from another names that one
                cells[index] = {"result": result, "environment": self.environment}
        return cells


def _digests(sharing: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    return {each["quantizer"]: {*each["alone"], *each["shared"]} for each in sharing}


def _identity(result: Mapping[str, Any]) -> tuple[str, int, int]:
    return result["recipe_hash"], result["seed"], result.get("rounding_replicate", 0)
