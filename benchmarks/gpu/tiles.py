"""The fastest tile of each Triton kernel on this GPU.

Every kernel is run alone, with the arguments of `assign` and `gradients` at N = K = 16384, with each tile of a grid.
All are compiled first, in parallel processes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from lgq_explore.bench.results import today
from lgq_explore.files import whole_file
from lgq_explore.quantizers import soft_assignment
from lgq_explore.quantizers.assignment import OutputGradients

from .clock import cost_of, on_what

TILES = Path(soft_assignment.__file__).with_name("triton_tiles.json")
SIZE, TOY_SIZE = 2**14, 2**9
KERNELS = ("find_largest", "sum_over_codes", "sum_over_tokens", "token_gradients", "code_gradients")
GRID = {
    16: (
        *((64, 16, 4, 2), (64, 16, 4, 3), (64, 32, 4, 1), (64, 32, 4, 2), (64, 32, 4, 3)),
        *((64, 64, 4, 2), (64, 64, 4, 3), (64, 128, 4, 1), (64, 128, 4, 2), (64, 64, 8, 2)),
        *((128, 16, 8, 2), (128, 32, 8, 2), (128, 32, 8, 3), (128, 64, 8, 2), (128, 64, 8, 3)),
        *((128, 32, 4, 2), (128, 64, 4, 2), (128, 128, 8, 2)),
    ),
    64: (
        *((64, 16, 4, 2), (64, 32, 4, 1), (64, 32, 4, 2), (64, 32, 4, 3), (64, 64, 4, 2), (64, 32, 8, 2)),
        *((128, 16, 8, 2), (128, 32, 8, 1), (128, 32, 8, 2), (128, 64, 8, 1), (128, 64, 8, 2), (128, 16, 4, 2)),
    ),
}


def tune(device: torch.device, seconds: float, toy: bool) -> dict[str, Any]:
    """Every kernel's milliseconds with every tile, the best tile, and the reasons for tiles that did not run."""
    deadline = time.monotonic() + seconds
    size, grid = (TOY_SIZE, {16: GRID[16][:2]}) if toy else (SIZE, GRID)
    if not toy:
        _compile_all([(dim, tile) for dim, tiles in grid.items() for tile in tiles])
    results, best = [], {}
    for dim, tiles in grid.items():
        problem = _problem(size, dim, device)
        for tile in tiles:
            if time.monotonic() > deadline:
                break
            results += [{"dim": dim, **each} for each in _kernel_costs(problem, tile, device)]
        best[str(dim)] = {
            kernel: min(measured, key=lambda each: each["milliseconds"])["tile"]
            for kernel in KERNELS
            if (
                measured := [
                    each for each in results if (each["dim"], each["kernel"]) == (dim, kernel) and each["tile"]
                ]
            )
        }
    return {
        "benchmark": "gpu-tiles",
        "date": today(),
        **on_what(device),
        "protocol": {"tokens": size, "codes": size, "seed": 0, "clock": "CUDA events"},
        "best": best,
        "results": results,
    }


def keep_tiles(result: dict[str, Any], path: Path = TILES) -> None:
    """Add the best tiles to the file that the kernels read, which keeps those of other GPUs."""
    kept = json.loads(path.read_text())
    kept["tiles"][result["device"]] = result["best"]
    with whole_file(path) as target:
        target.write((json.dumps(kept, indent=1) + "\n").encode())


def _problem(size: int, dim: int, device: torch.device) -> tuple[Any, ...]:
    """Queries, keys and upstream gradients, like those of LGQ at temperature 1."""
    generator = torch.Generator(device).manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, generator=generator)

    tokens, centres = randn(size, dim), randn(size, dim)
    queries = torch.cat([2 * tokens, -torch.ones_like(tokens[:, :1])], 1)
    keys = torch.cat([centres, centres.square().sum(1, keepdim=True)], 1)
    return queries, keys, OutputGradients(randn(size, dim + 1), randn(size), randn(size), randn(size))


def _kernel_costs(problem: tuple[Any, ...], tile: tuple[int, ...], device: torch.device) -> Iterator[dict[str, Any]]:
    from lgq_explore.quantizers.soft_assignment.triton_backend import Tile

    named = asdict(Tile(*tile))
    try:
        starts = _starts(problem, tile)
    except Exception as error:  # compiling or launching may fail with any exception
        yield {"kernel": None, "tile": None, "tried": named, "not_run": str(error).splitlines()[0]}
        return
    for kernel in KERNELS:
        walk, tensors = starts[kernel]
        cost = cost_of(lambda walk=walk, tensors=tensors: walk.start(*tensors), device, seconds=0.2)
        yield {"kernel": kernel, "tile": named, "milliseconds": cost.median, "rounds": cost.milliseconds}


def _starts(problem: tuple[Any, ...], tile: tuple[int, ...]) -> dict[str, tuple[Any, ...]]:
    """The walk and the tensors with which each kernel was started."""
    from lgq_explore.quantizers.soft_assignment import triton_backend

    queries, keys, upstream = problem
    starts: dict[str, tuple[Any, ...]] = {}
    with _all_tiles(tile, starts):
        assignment = triton_backend.assign(queries, keys, keys, 0.0)
        triton_backend.gradients(queries, keys, keys, assignment, upstream, 0.0)
    return starts


@contextmanager
def _all_tiles(tile: tuple[int, ...], starts: dict[str, tuple[Any, ...]]) -> Iterator[None]:
    """A context in which every kernel uses this tile, and its start is recorded."""
    from lgq_explore.quantizers.soft_assignment import triton_backend

    tile_for, start = triton_backend.tile_for, triton_backend._Walk.start

    def noted(walk: Any, *tensors: torch.Tensor) -> None:
        starts[walk.kernel.__name__] = walk, tensors
        start(walk, *tensors)

    triton_backend.tile_for = lambda *_: triton_backend.Tile(*tile)
    triton_backend._Walk.start = noted
    try:
        yield
    finally:
        triton_backend.tile_for, triton_backend._Walk.start = tile_for, start


def _compile_all(cases: list[tuple[int, tuple[int, ...]]]) -> None:
    """Compile into Triton's cache; tiles that do not compile are reported when they are measured."""
    with ProcessPoolExecutor(min(len(cases), os.cpu_count() or 1), get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_compile, *case) for case in cases]):
            done.exception()


def _compile(dim: int, tile: tuple[int, ...]) -> None:
    _starts(_problem(TOY_SIZE, dim, torch.device("cuda")), tile)
