"""Methods compared on photographs, trained on a GPU by one recipe with three seeds each.

It is the comparison of `lgq-explore bench quantizers` at three sizes of the codebook, with the recipe of the `small`
preset. Every run is trained and evaluated in its own process, and several processes share the GPU. Sharing changes
running times, so none is reported, but no weights, as the digests in `sharing` show. Results are saved run by run, the
small codebooks of all methods and seeds first. Then every run is repeated as a rounding replicate, which shows the
differences that say nothing. Runs of an earlier result are not made again if one of their method still gives the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from lgq_explore.bench.fresh_process import ProcessFailed, in_fresh_process
from lgq_explore.bench.quantizers import measure_run, resolved, trained_runs
from lgq_explore.bench.results import about_runs
from lgq_explore.bench.training import METHODS
from lgq_explore.errors import InputError
from lgq_explore.images.cache import digest_of
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource
from lgq_explore.models import BackboneConfig
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.presets import preset

from .earlier import BENCHMARK, EarlierRuns
from .job import Job

CODEBOOK_SIZES, TOY_CODEBOOK_SIZES = (1024, 4096, 16384), (16,)
SEEDS, TOY_SEEDS = (0, 1, 2), (0,)
ROUNDING_REPLICATES, TOY_ROUNDING_REPLICATES = (0, 1), (0,)
STEPS, TOY_STEPS = 500, 2
CROPS, TOY_CROPS = 1024, 8
SHARING_STEPS = 30
MOST_PROCESSES = 14
SPARE_PROCESSORS = 2


@dataclass
class _Comparison:
    """The finished cells, in the order of the recipes."""

    recipes: Sequence[TrainConfig]
    fixed: Mapping[str, Any]
    measured: dict[int, dict[str, Any]] = field(default_factory=dict)
    sharing: Sequence[Mapping[str, Any]] = ()

    def result(self) -> dict[str, Any] | None:
        """The result so far; None before the first cell, when the environment is unknown."""
        cells = [self.measured[index] for index in sorted(self.measured)]
        done = [cell for cell in cells if "result" in cell]
        if not done:
            return None
        latest = max(done, key=lambda cell: "measured_in" not in cell["result"])
        named = {recipe.recipe_hash: recipe for recipe in reversed(self.recipes)}  # the first seed of each
        recipes = list(reversed(named.values()))
        return {
            **about_runs(BENCHMARK, recipes, latest["environment"]),
            **self.fixed,
            "sharing": self.sharing,
            "results": [cell["result"] for cell in done],
            "not_run": [cell["not_run"] for cell in cells if "not_run" in cell],
        }


def compare(job: Job) -> dict[str, Any]:
    """Train and evaluate every cell that time allows."""
    deadline = time.monotonic() + job.seconds
    recipes, processes = _cells(job), _processes(job)
    photographs = _photographs(recipes[0])
    earlier = None if job.earlier is None else EarlierRuns.read(job.earlier, recipes, photographs)
    sharing = _Sharing.begun_alone(job, recipes)
    comparison = _Comparison(recipes, {"protocol": {"processes": processes}, "photographs": photographs})
    crops = TOY_CROPS if job.toy else CROPS
    result = None
    with ThreadPoolExecutor(processes) as pool:

        def submitted(indices: Iterable[int]) -> dict[Future[Any], int | None]:
            return {pool.submit(_cell, recipes[index], job, crops, deadline): index for index in indices}

        pending = submitted(_begun(recipes, earlier))
        pending |= {pool.submit(sharing.trained_again, deadline): None for _ in range(min(2, processes))}
        while pending:
            for done in wait(pending, return_when=FIRST_COMPLETED).done:
                index = pending.pop(done)
                if index is not None:
                    comparison.measured[index] = done.result()
                    pending |= submitted(_after_control(comparison, index, earlier))
            comparison.sharing = sharing.digests()
            if (result := comparison.result()) is not None:
                job.keep(result)
    if result is None:
        reasons = dict.fromkeys(cell["not_run"]["why"] for cell in comparison.measured.values())
        raise InputError(f"no run finished: {'; '.join(reasons)}")
    return result


def _begun(recipes: Sequence[TrainConfig], earlier: EarlierRuns | None) -> list[int]:
    """The runs to begin with: controls of the earlier runs, then all that were not made then."""
    if earlier is None:
        return list(range(len(recipes)))
    return earlier.controls + [index for index in range(len(recipes)) if index not in earlier.results]


def _after_control(comparison: _Comparison, index: int, earlier: EarlierRuns | None) -> list[int]:
    """After a control, take the earlier runs of its method if it gives the same numbers, or return them to be made."""
    if earlier is None or index not in earlier.controls:
        return []
    cell = comparison.measured[index]
    if "result" not in cell or not earlier.is_repeated(index, cell["result"]):
        return earlier.others(index)
    comparison.measured |= {other: earlier.cell(other) for other in earlier.others(index)}
    return []


def _cells(job: Job) -> list[TrainConfig]:
    """Recipes with their seeds: sizes, then replicates last, so that what is cut off leaves whole rows."""
    return [
        resolved(replace(_recipe(job, method, size), seed=seed, rounding_replicate=replicate))
        for replicate in (TOY_ROUNDING_REPLICATES if job.toy else ROUNDING_REPLICATES)
        for size in (TOY_CODEBOOK_SIZES if job.toy else CODEBOOK_SIZES)
        for seed in (TOY_SEEDS if job.toy else SEEDS)
        for method in (METHODS[:2] if job.toy else METHODS)
    ]


def _recipe(job: Job, method: str, size: int) -> TrainConfig:
    recipe = replace(preset("small", method, size), data=job.data, steps=job.steps or (TOY_STEPS if job.toy else STEPS))
    if not job.toy:
        return recipe
    return replace(recipe, image_size=16, batch_size=2, backbone=BackboneConfig((8, 8, 8), dim=8))


def _processes(job: Job) -> int:
    return 1 if job.toy else max(1, min(MOST_PROCESSES, (os.cpu_count() or 1) - SPARE_PROCESSORS))


def _cell(recipe: TrainConfig, job: Job, crops: int, deadline: float) -> dict[str, Any]:
    """`result` and `environment` of a cell, or `not_run` with the cell and the reason."""
    started, quantizer = time.monotonic(), recipe.quantizer
    cell = {
        "quantizer": quantizer.method,
        "codebook_size": quantizer.size,
        "seed": recipe.seed,
        "rounding_replicate": recipe.rounding_replicate,
    }
    try:
        if started > deadline:
            raise ProcessFailed("no time was left to start it")
        case = {"recipe": config_to_json(recipe), "device": job.device.type, "crops": crops}
        measured = in_fresh_process(measure_run, case, seconds=deadline - started)
    except ProcessFailed as error:
        return {"not_run": {**cell, "why": str(error)}}
    steps, whole = measured["training_seconds"], time.monotonic() - started
    print(f"{cell}: {steps:.0f} s of {whole:.0f} in steps", flush=True)
    return measured


@dataclass
class _Sharing:
    """Compares the weights of runs that have the GPU to themselves with those of runs that share it.

    A few steps of every method are trained twice alone, and twice while others train.
    """

    case: dict[str, Any]
    alone: dict[str, list[str]]
    shared: list[dict[str, list[str]]] = field(default_factory=list)

    @classmethod
    def begun_alone(cls, job: Job, recipes: Sequence[TrainConfig]) -> _Sharing:
        of_method = {recipe.quantizer.method: recipe for recipe in reversed(recipes)}  # the first of each
        steps = TOY_STEPS if job.toy else SHARING_STEPS
        shortened = [config_to_json(replace(recipe, steps=steps)) for recipe in of_method.values()]
        case = {"recipes": shortened, "device": job.device.type}
        return cls(case, in_fresh_process(weights_after, {**case, "times": 2})["digests"])

    def trained_again(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        try:
            self.shared.append(in_fresh_process(weights_after, {**self.case, "times": 1}, seconds=left)["digests"])
        except ProcessFailed:
            return

    def digests(self) -> list[dict[str, Any]]:
        """One row per method: SHA-256 of its weights, each time alone and each time shared."""
        return [
            {
                "quantizer": method,
                "alone": digests,
                "shared": [digest for again in self.shared for digest in again[method]],
            }
            for method, digests in self.alone.items()
        ]


def weights_after(case: Mapping[str, Any]) -> dict[str, Any]:
    """Digests of the weights that each of `recipes` ends with, trained `times` times; for a fresh process."""
    digests: dict[str, list[str]] = {}
    for recipe in map(config_from_json, case["recipes"]):
        for run in trained_runs([recipe] * case["times"], case["device"]):
            digests.setdefault(recipe.quantizer.method, []).append(run.trained().digest)
    return {"digests": digests}


def _photographs(recipe: TrainConfig) -> dict[str, dict[str, str]]:
    """Names and SHA-256 of the prepared pixels, by split, to check that a rebuilt folder is the same."""
    source = open_source(recipe.data, recipe.image_size)
    if not isinstance(source, PhotographSource):
        return {}
    return {
        split: {name: digest_of(pixels) for name, pixels in zip(photographs.names, photographs.pixels, strict=True)}
        for split, photographs in (("training", source.training), ("held_out", source.evaluation))
    }
