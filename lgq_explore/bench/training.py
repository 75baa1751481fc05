"""The quantizer's share of a training step, and the memory of training, by method and codebook size.

Each recipe trains a few steps by the loop that `lgq-explore train` runs, in a fresh process on one thread: crops,
forward, losses, backward, clip, AdamW, a row of the history. Then the quantizer alone goes forward and backward on the
latents of the last step's crops. The share is the median of its times over the median of the steps'. The temperature is
that of the first steps, when assignments are softest. Memory is the peak of these steps above that before training:
on a CPU the process's, which includes libraries that training loads, and on a GPU that of its arrays.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.images.ranges import to_model_range
from lgq_explore.images.source import Source
from lgq_explore.models import Tokenizer
from lgq_explore.progress import Progress
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, train
from lgq_explore.training.machine import fabric_on, precision_on
from lgq_explore.training.objectives.base import weighted_sum

from .fresh_process import THREADS, PeakMemory, ProcessFailed, in_fresh_process
from .markdown import count, number, one_line_each, table
from .quantizers import require_each_once
from .results import device_name, today

METHODS = ("lgq", "fsq", "simvq", "vq")
CODEBOOK_SIZES = (1024, 4096, 16384, 65536)
WARM_UP_STEPS, TIMED_STEPS = 2, 5


def measure_shares(recipes: Sequence[TrainConfig], device: str = "auto", progress: bool = True) -> dict[str, Any]:
    """Measure every recipe as described above: a JSON object with the recipes by their hash and one result per recipe.

    Raises InputError for no recipe, one given twice, one with too few steps, and as `train` does.
    """
    _check(recipes)
    for data, image_size in {(recipe.data, recipe.image_size) for recipe in recipes}:
        open_source(data, image_size)  # decoded and cached, or refused, before anything is measured
    results, environment = [], None
    with Progress("training", len(recipes), "recipes", shown=progress) as bar:
        for recipe in recipes:
            bar.note(f"{recipe.quantizer.method}, K = {recipe.quantizer.size}", at_once=True)
            try:
                measured = in_fresh_process(measure_share, {"recipe": config_to_json(recipe), "device": device})
                environment = measured["environment"]
                results.append(_result(recipe, measured))
            except ProcessFailed as error:
                results.append(_result(recipe, {}, why_not=str(error)))
            bar.advance()
    return {
        "benchmark": "training",
        "date": today(),
        "device": device_name(environment["device"] if environment else device, THREADS),
        "environment": environment,
        "protocol": {
            "clock": "CPU time" if environment is None or environment["device"] == "cpu" else "GPU time",
            "threads": THREADS,
            "warm_up_steps": WARM_UP_STEPS,
            "steps": TIMED_STEPS,
        },
        "recipes": {recipe.recipe_hash: config_to_json(recipe) for recipe in recipes},
        "results": results,
    }


def _check(recipes: Sequence[TrainConfig]) -> None:
    require_each_once(recipes)
    for recipe in recipes:
        if recipe.steps < WARM_UP_STEPS + TIMED_STEPS:
            raise InputError(f"steps is {recipe.steps}: give {WARM_UP_STEPS + TIMED_STEPS} or more, which are measured")


def _result(recipe: TrainConfig, measured: Mapping[str, Any], why_not: str | None = None) -> dict[str, Any]:
    steps, quantizer = (measured.get(key, []) for key in ("step_seconds", "quantizer_seconds"))
    median_step, median_quantizer = (statistics.median(times) if times else None for times in (steps, quantizer))
    share = median_quantizer / median_step if median_step and median_quantizer is not None else None
    return {
        "quantizer": recipe.quantizer.method,
        "codebook_size": recipe.quantizer.size,
        "dim": recipe.backbone.dim,
        "image_size": recipe.image_size,
        "batch_size": recipe.batch_size,
        "tokens": recipe.batch_size * (recipe.image_size // recipe.backbone.factor) ** 2,
        "recipe_hash": recipe.recipe_hash,
        "step_seconds": list(steps),
        "median_step_seconds": median_step,
        "quantizer_seconds": list(quantizer),
        "median_quantizer_seconds": median_quantizer,
        "share": share,
        "megabytes": measured.get("megabytes"),
        "not_run": why_not,
    }


def measure_share(case: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the steps, and of the quantizer alone, for `recipe` on `device`; to be run in a fresh process."""
    # Logging and saving do not affect the weights; a row per step makes the loop call the watch after each step.
    config = replace(config_from_json(case["recipe"]), log_steps=1, checkpoint_steps=10**9, snapshot_steps=10**9)
    source = open_source(config.data, config.image_size, seed=config.seed, division=config.split)
    device = fabric_on(case["device"], config.precision).device  # imports what training does
    watch = StepWatch(config, source, WARM_UP_STEPS, WARM_UP_STEPS + TIMED_STEPS, PEAKS[device.type]())
    with tempfile.TemporaryDirectory(prefix="lgq-explore-bench-") as folder:
        run = train(
            config,
            Path(folder) / "run",
            device=case["device"],
            on_log=watch,
            controls=watch.controls,
            progress=False,
        )
        environment = run.environment.__dict__
    return {
        "environment": environment,
        "step_seconds": watch.interval_seconds,
        "quantizer_seconds": watch.quantizer_seconds,
        "megabytes": watch.megabytes,
    }


class Peak(Protocol):
    """The peak of memory since an instance was made."""

    def megabytes(self) -> float | None:
        """In 10⁶ bytes, above what was taken at the start; None where it is not reported."""


class CudaPeak:
    """The peak of the memory of arrays on the present GPU."""

    def __init__(self) -> None:
        torch.cuda.reset_peak_memory_stats()
        self._before = torch.cuda.memory_allocated()

    def megabytes(self) -> float:
        return (torch.cuda.max_memory_allocated() - self._before) / 1e6


PEAKS: Mapping[str, Callable[[], Peak]] = {"cpu": PeakMemory, "cuda": CudaPeak}
"""What takes the peak, by the type of the device."""


@dataclass
class StepWatch:
    """Times the intervals between rows of the history, and then the quantizer alone; the loop calls it after each row.

    Rows up to `warm_up_steps` are not timed; training is stopped after `last_step`, when memory is read from `peak`.
    source: of the config.
    """

    config: TrainConfig
    source: Source
    warm_up_steps: int
    last_step: int
    peak: Peak
    controls: Controls = field(default_factory=Controls)
    interval_seconds: list[float] = field(default_factory=list)
    quantizer_seconds: list[float] = field(default_factory=list)
    megabytes: float | None = None
    started: float = 0.0

    def __call__(self, event: LogEvent) -> None:
        device = next(event.tokenizer.parameters()).device
        step, now = int(event.row["step"] or 0), clock(device)
        if step > self.warm_up_steps:
            self.interval_seconds.append(now - self.started)
        if step == self.last_step:
            self.megabytes = self.peak.megabytes()
            images = training_images(self.source, self.config, step - 1, device)
            self.quantizer_seconds = quantizer_seconds(event.tokenizer, self.config, images)
            self.controls.stop()
        self.started = clock(device)


def clock(device: torch.device) -> float:
    """CPU time of the process, or the time at which the GPU has done all that it was given, in seconds."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def training_images(source: Source, config: TrainConfig, step: int, device: torch.device) -> Tensor:
    """The batch of a step, counted from 0, as the loop takes it."""
    batch = source.batch(step, range(config.batch_size))
    return to_model_range(batch.to(device)).to(memory_format=torch.channels_last)


def quantizer_seconds(tokenizer: Tokenizer, config: TrainConfig, images: Tensor) -> list[float]:
    """Each of several passes, forward and backward, through the quantizer alone, after one that warms up."""
    quantizer, device = tokenizer.quantizer.train(), images.device
    weights = {
        "decoder": 1.0,
        **{name: config.loss_weights.get(name, 0.0) for name in config.quantizer.default_loss_weights},
    }
    seconds = []
    in_bfloat16 = precision_on(device, config.precision) == "bf16-mixed"
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16):
        latents = tokenizer.encode(images).float()
    upstream = torch.empty_like(latents).normal_(generator=torch.Generator(device).manual_seed(0))
    for _ in range(1 + TIMED_STEPS):
        started = clock(device)
        quantizer.zero_grad()
        coded = quantizer(latents.detach().requires_grad_())
        losses = {"decoder": (coded.quantized * upstream).mean(), **coded.losses}
        weighted_sum(losses, weights).backward()
        seconds.append(clock(device) - started)
    return seconds[1:]


def markdown_table(shares: Mapping[str, Any]) -> str:
    """One row per method: the step, the quantizer in it, its share, and memory, each by the number of codes."""
    heads = ["method", "codes K", "step, ms", "quantizer, ms", "share, %", "memory, MB"]
    rows = one_line_each([[f"`{result['quantizer']}`", *_cells(result)] for result in shares["results"]])
    return "\n\n".join([table(heads, rows, left=1), *_failures(shares["results"]), _caption(shares)])


def _cells(result: Mapping[str, Any]) -> list[str]:
    share = result["share"]
    return [
        str(result["codebook_size"]),
        _milliseconds(result["median_step_seconds"]),
        _milliseconds(result["median_quantizer_seconds"]),
        number(None if share is None else 100 * share),
        number(result.get("megabytes")),  # older results have none
    ]


def _failures(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per recipe that was not measured, and why."""
    return [
        f"Not measured: `{result['quantizer']}` with {count(result['codebook_size'], 'code')}: {result['not_run']}."
        for result in results
        if result["not_run"]
    ]


def _caption(shares: Mapping[str, Any]) -> str:
    first, protocol = shares["results"][0], shares["protocol"]
    recipe = shares["recipes"][first["recipe_hash"]]
    return (
        f"A whole step on {first['batch_size']} crops of {first['image_size']} px ({recipe['data']}), and forward and "
        f"backward through the quantizer alone on their latents (N = {first['tokens']} tokens, D = {first['dim']}): "
        f"{protocol['clock']} on {count(protocol['threads'], 'thread')}, medians of {protocol['steps']}. "
        f"{shares['date']}, {shares['device']}."
    )


def _milliseconds(seconds: float | None) -> str:
    return number(None if seconds is None else 1000 * seconds)
