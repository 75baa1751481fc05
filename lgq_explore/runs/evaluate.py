"""Metrics of a run's tokenizer on held-out pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch

from lgq_explore.devices import device_named, model_of
from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.metrics import (
    CodeUsage,
    GroupedCodeCounts,
    PictureMetricSettings,
    QuantizationError,
    bits_per_pixel,
    picture_metrics,
)
from lgq_explore.metrics.perceptual import ComparedImages
from lgq_explore.metrics.pictures import PictureMetric
from lgq_explore.progress import Progress

from .encoding import EvaluationSet, coded_batches, evaluation_set
from .run import Run, TrainedTokenizer, open_run
from .soft_decode import SoftDecode

METRICS = "metrics.json"
"""The file in a run's folder that keeps the last result on its held-out split."""

SECONDS_UNSHOWN = 3.0
"""A bar that appears and is gone would only disturb."""


@torch.no_grad()
def evaluate(
    run: Run | str | os.PathLike[str],
    data: str | None = None,
    *,
    crops: int = 1024,
    fd_features: str = "auto",
    device: str = "cpu",
    without: Sequence[str] = (),
    progress: bool = True,
) -> dict[str, Any]:
    """All metrics of a run's newest weights, on its held-out split or on all photographs of another SPEC.

    Where the pictures of training were moved, the SPEC of their new place gives their held-out split.
    Pictures are compared as 8-bit values in [0, 1]. Usage is counted over `tokens` tokens of `images` crops from
    `photographs` photographs, which show `scenes` scenes; compare runs at equal numbers only. `lpips` and `fd` are
    objects; their `value` is None, with the reason in `why`, if the networks' weights are not available. Beside a value
    of `fd` stands what it depends on: reference set, crop, resize and network.
    `bits_per_pixel` is the entropy over f² pixels. If a token has several codes, usage is that of their tuples, and
    `groups` has the usage of each group's own codes, by the group's number. Of a method without codes, all that is said
    of codes is None, and `codebook_size` 0. Pictures are decoded from codes; of a method whose decoder is meant for
    weighted sums of code vectors, `soft_decode` has the same metrics of pictures that are decoded from these, which no
    bits of codes belong to. `weights` is `ema` where they are an average over steps, else `last`.
    `pandas.json_normalize` makes a table of several results, with columns such as `fd.value`.

    A whole result on the held-out split is kept in the run's folder, where it can be written (`kept_metrics`).

    device: of `devices.DEVICES`, for the tokenizer and for the networks of LPIPS and FD, which take most of the time;
    the result names it. The CPU by default, which gives the same codes on every machine. A GPU rounds otherwise: a
    token that lies between two codes may get the other one (see README.md), and FD differs in its third digit.
    without: `lpips`, `fd` or both, to leave them out. progress: whether a bar is shown if it takes more than seconds.
    Raises InputError if the run has no weights, or the data or the device can't be used.
    """
    there = device_named(device)
    run = run if isinstance(run, Run) else open_run(run)
    trained, chosen = run.trained(), evaluation_set(run, data, crops)
    settings = PictureMetricSettings(fd_features, str(there), _in_words(chosen))
    result = _measured(run, trained, chosen, partial(picture_metrics, settings, without), there, progress)
    if chosen.split == "held out" and not without:
        _keep(run, trained.digest, result)
    return result


def _in_words(chosen: EvaluationSet) -> ComparedImages:
    crops, side = chosen.crops, chosen.crops.images.shape[-1]
    split = "held-out " if chosen.split == "held out" else ""
    return ComparedImages(
        f"the same {len(crops.images)} crops of {len(set(crops.photograph.tolist()))} {split}photographs",
        f"{side} × {side} pixels, on a fixed grid of each photograph",
    )


def _measured(
    run: Run,
    trained: TrainedTokenizer,
    chosen: EvaluationSet,
    make_metrics: Callable[[], Sequence[PictureMetric]],
    device: torch.device,
    progress: bool,
) -> dict[str, Any]:
    """The result of `evaluate`, of these weights on these crops."""
    config, tokenizer = run.config, trained.on(device)
    quantizer, metrics, soft_decode = tokenizer.quantizer, make_metrics(), SoftDecode(tokenizer, make_metrics)
    counts = GroupedCodeCounts(quantizer.levels) if quantizer.has_codes else None
    error, tokens = QuantizationError(), 0
    bar = Progress("evaluating", len(chosen.crops.images), "crops", shown=progress, delay=SECONDS_UNSHOWN)
    with bar:
        for batch in coded_batches(tokenizer, chosen.crops.images):
            images, reconstructions = batch.images.float() / 255, batch.reconstructions.float() / 255
            for metric in metrics:
                metric.update(images, reconstructions)
            latents, codes = batch.output.latents, batch.output.coded.codes
            soft_decode.update(images, latents)
            tokens += latents[:, 0].numel()
            if counts is not None:
                counts.update(codes)
                error.update(quantizer.continuous(latents), quantizer.discrete(codes))
            bar.advance(len(batch.images))
        numbers = {name: value for metric in metrics for name, value in metric.numbers().items()}
    usage = None if counts is None else counts.usage()
    return {
        "run": run.name,
        "quantizer": config.quantizer.method,
        "codebook_size": quantizer.codebook_size,
        "dim": config.backbone.dim,
        "images": len(chosen.crops.images),
        "photographs": len(set(chosen.crops.photograph.tolist())),
        "tokens": tokens,
        **numbers,
        **_usage_numbers(usage),
        "bits_per_pixel": None if usage is None else bits_per_pixel(usage.entropy_bits, config.backbone.factor),
        "gini": None if usage is None else usage.gini,
        "quantization_error": None if usage is None or quantizer.no_geometry else error.compute().value,
        "seed": config.seed,
        "steps": trained.finished_steps,
        "recipe_hash": config.recipe_hash,
        "rounding_replicate": config.rounding_replicate,
        "scenes": len({chosen.crops.scenes[index] for index in chosen.crops.photograph.tolist()}),
        "weights": run.kind_of_weights,
        "device": model_of(device),
        "groups": {} if counts is None else _by_number(counts.group_usages()),
        **soft_decode.numbers(),
    }


def kept_metrics(run: Run) -> Mapping[str, Any]:
    """The last result of `evaluate` on this run's held-out split, of any step; empty if none was kept.

    Raises InputError for a file that `evaluate` did not write.
    """
    try:
        kept = json.loads((run.path / METRICS).read_bytes())
        identity, result = kept["identity"], kept["result"]
        of_run = {"steps", "tokens"} <= result.keys()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        of_run = False
    if not of_run:
        raise InputError(f"its {METRICS} can't be read: delete it, and evaluate the run again")
    return result if identity == run.identity else {}


def _keep(run: Run, digest: str, result: Mapping[str, Any]) -> None:
    """Keep a result with the run and the weights that it is of."""
    content = json.dumps({"identity": run.identity, "weights": digest, "result": result}, indent=2)
    with suppress(OSError), whole_file(run.path / METRICS) as target:  # the folder may be another user's
        target.write(f"{content}\n".encode())


def _by_number(groups: Sequence[CodeUsage]) -> dict[str, Any]:
    return {
        str(group): {"codebook_size": usage.codebook_size, **_usage_numbers(usage), "gini": usage.gini}
        for group, usage in enumerate(groups)
    }


def _usage_numbers(usage: CodeUsage | None) -> dict[str, Any]:
    """The keys that mean the same for joint codes and for the codes of one group; None for those of no codes."""
    names = ("active_codes", "utilization", "perplexity", "entropy_bits")
    return {name: None if usage is None else getattr(usage, name) for name in names}
