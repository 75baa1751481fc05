"""Metrics of a run's tokenizer on held-out pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from numbers import Integral
from typing import Any

import pandas as pd
import torch

from lgq_explore.devices import device_named, model_of
from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file
from lgq_explore.frames.comparison import PHOTOGRAPHS
from lgq_explore.images.division import HELD_OUT, VALIDATION
from lgq_explore.metrics.feature_networks import ComputedOnce, efficientnet_lite0_features
from lgq_explore.metrics.picture_settings import ComparedImages, PictureMetricSettings
from lgq_explore.metrics.pictures import require_slow
from lgq_explore.progress import Progress

from .encoding import EvaluationSet, coded_batches, evaluation_set
from .kept_features import KeptFeatures
from .measures import DEFAULT, DEFINITIONS, Measure, MeasuredBatch, MeasureSettings, chosen_metrics, measure
from .photograph_numbers import EachPhotograph
from .picture_features import PairedFeatures
from .run import Run, TrainedTokenizer, open_run

METRICS = "metrics.json"
"""The file in a run's folder that keeps the last result on its held-out split."""

SECONDS_UNSHOWN = 3.0
"""A bar that appears and is gone would only disturb."""


@dataclass(frozen=True)
class Asked:
    """What is evaluated, and how: the arguments of `evaluate`. Raises InputError for metrics that can't be left out."""

    data: str | None = None
    crops: int = 1024
    split: str = HELD_OUT
    fd_features: str = "auto"
    device: str = "cpu"
    without: Sequence[str] = ()
    metrics: Sequence[str] | str | None = None

    def __post_init__(self) -> None:
        require_slow(self.without)
        if not isinstance(self.crops, Integral):
            raise InputError(f"crops is {self.crops!r}: give a whole number")

    @property
    def is_whole(self) -> bool:
        """Whether the result stands for the run: every metric on its held-out split."""
        return not self.without and set(chosen_metrics([DEFAULT])) <= set(chosen_metrics(self.metrics))


@dataclass(frozen=True, eq=False)
class Evaluated:
    """numbers: the result of `evaluate`. on: the crops.

    photographs: of `photograph_numbers`, or without rows. features: of the crops; None where they were not measured.
    """

    numbers: dict[str, Any]
    on: EvaluationSet
    photographs: pd.DataFrame = field(default_factory=lambda: PHOTOGRAPHS.frame([]))
    features: PairedFeatures | None = None


def evaluate(
    run: Run | str | os.PathLike[str],
    data: str | None = None,
    *,
    crops: int = 1024,
    split: str = HELD_OUT,
    fd_features: str = "auto",
    device: str = "cpu",
    without: Sequence[str] = (),
    metrics: Sequence[str] | str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Metrics of a run's newest weights, on its held-out split or on all photographs of another SPEC.

    Where the pictures of training were moved, the SPEC of their new place gives their held-out split.
    split: `validation` for the photographs that the recipe's `split` keeps to choose settings on.
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

    A whole result on the held-out split is kept in the run's folder, where it can be written (`kept_metrics`), unless
    one of the same weights on more crops is there. The features of its pictures are kept for runs that are evaluated
    on the same ones (`kept_features`).

    device: of `devices.DEVICES`, for the tokenizer and for the networks of LPIPS and FD, which take most of the time;
    the result names it. The CPU by default, which gives the same codes on every machine. A GPU rounds otherwise: a
    token that lies between two codes may get the other one (see README.md), and FD differs in its third digit.
    metrics: names of `measures.DEFINITIONS`, of which nothing else is computed then; `default` stands for those that
    are computed without it, `all` for all. metrics/README.md defines each, with its keys. without: `lpips`, `fd` or
    both, to leave them out. progress: whether a bar is shown if it takes more than seconds.
    Raises InputError if the run has no weights, if the data or the device can't be used, or for an unknown metric.
    """
    asked = Asked(data, crops, split, fd_features, device, without, metrics)
    return evaluated(run, asked, progress=progress).numbers


@torch.no_grad()
def evaluated(
    run: Run | str | os.PathLike[str],
    asked: Asked,
    *,
    each_photograph: bool = False,
    has_features: bool | None = None,
    progress: bool = True,
) -> Evaluated:
    """What `evaluate` gives, with the crops it is of, and the numbers of each photograph from the same pass.

    each_photograph: whether to have them. has_features: whether with FD and the feature error, by default unless `fd`
    is left out. Pictures are encoded and run through the network of the features once. Raises InputError, as `evaluate`
    does.
    """
    names, there = chosen_metrics(asked.metrics), device_named(asked.device)
    run = run if isinstance(run, Run) else open_run(run)
    trained, chosen = run.trained(), evaluation_set(run, asked.data, asked.crops, asked.split)
    network = cache(lambda: ComputedOnce(KeptFeatures(efficientnet_lite0_features(), chosen.crops.images, there)))
    settings = PictureMetricSettings(asked.fd_features, str(there), _in_words(chosen), network)
    measured = MeasureSettings(trained.on(there), settings, run.config.backbone.factor, tuple(asked.without))
    measures = {name: measure(name, measured) for name in names}
    if has_features is None:
        has_features = "fd" not in asked.without
    beside = None
    if each_photograph:
        beside = EachPhotograph(trained.tokenizer.quantizer, network if has_features else None, there)
    numbers = _measured(run, trained, chosen, measures, beside, there, progress)
    if chosen.split == HELD_OUT and asked.is_whole:
        _keep(run, trained.digest, numbers)
    if beside is None:
        return Evaluated(numbers, chosen)
    return Evaluated(numbers, chosen, beside.numbers(chosen.crops), beside.features)


def _in_words(chosen: EvaluationSet) -> ComparedImages:
    crops, side = chosen.crops, chosen.crops.images.shape[-1]
    split = {HELD_OUT: "held-out ", VALIDATION: "validation "}.get(chosen.split, "")
    return ComparedImages(
        f"the same {len(crops.images)} crops of {len(set(crops.photograph.tolist()))} {split}photographs",
        f"{side} × {side} pixels, on a fixed grid of each photograph",
    )


def _measured(
    run: Run,
    trained: TrainedTokenizer,
    chosen: EvaluationSet,
    measures: Mapping[str, Measure],
    beside: EachPhotograph | None,
    device: torch.device,
    progress: bool,
) -> dict[str, Any]:
    """The result of `evaluate`, of these weights on these crops. beside: is given the same batches."""
    config, tokenizer, crops = run.config, trained.on(device), chosen.crops
    every: Iterable[Measure | EachPhotograph] = (*measures.values(), *([] if beside is None else [beside]))
    quantizer, tokens, measured = tokenizer.quantizer, 0, 0
    with Progress("evaluating", len(crops.images), "crops", shown=progress, delay=SECONDS_UNSHOWN) as bar:
        for coded in coded_batches(tokenizer, crops.images):
            photographs = crops.photograph[measured : measured + len(coded.images)]
            batch = MeasuredBatch(coded.images, coded.output, coded.reconstructions, photographs)
            for each in every:
                each.update(batch)
            tokens += coded.output.latents[:, 0].numel()
            measured += len(coded.images)
            bar.advance(len(coded.images))
        numbers = {name: each.numbers() for name, each in measures.items()}
    return {
        "run": run.name,
        "quantizer": config.quantizer.method,
        "codebook_size": quantizer.codebook_size,
        "dim": config.backbone.dim,
        "images": len(crops.images),
        "photographs": len(set(crops.photograph.tolist())),
        "tokens": tokens,
        **_together(numbers, [name for name in numbers if name not in _ASIDE and not DEFINITIONS[name].on_request]),
        "seed": config.seed,
        "steps": trained.finished_steps,
        "recipe_hash": config.recipe_hash,
        "rounding_replicate": config.rounding_replicate,
        "scenes": len(set(crops.scene.tolist())),
        "weights": run.kind_of_weights,
        "device": model_of(device),
        **_together(numbers, [name for name in numbers if name in _ASIDE]),
        **_together(numbers, [name for name in numbers if DEFINITIONS[name].on_request]),
    }


_ASIDE = ("colour", "groups", "soft_decode")
"""Metrics of every evaluation whose numbers come after those that results have always had, in their fixed order."""


def _together(numbers: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """The numbers of these metrics in one."""
    return {key: value for name in names for key, value in numbers[name].items()}


def kept_metrics(run: Run, weights: str = "") -> Mapping[str, Any]:
    """The last result of `evaluate` on this run's held-out split; empty if none was kept.

    weights: the digest of those that it has to be of; by default it may be of any step.
    Raises InputError for a file that `evaluate` did not write.
    """
    kept = _kept(run)
    is_of = kept.identity == run.identity and weights in ("", kept.weights)
    return kept.result if is_of else {}


@dataclass(frozen=True)
class _Kept:
    """A kept result, the identity of the run and the digest of the weights it is of; all empty if none was kept."""

    identity: str = ""
    weights: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


def _kept(run: Run) -> _Kept:
    file = run.path / METRICS
    try:
        kept = json.loads(file.read_bytes())
        found = _Kept(kept["identity"], kept.get("weights", ""), kept["result"])
        if {"steps", "tokens"} <= found.result.keys():
            return found
    except FileNotFoundError:
        return _Kept()
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        pass
    raise InputError(f"{printable(file)} can't be read: delete it, and evaluate the run again")


def _keep(run: Run, digest: str, result: Mapping[str, Any]) -> None:
    """Keep a result with the run and the weights that it is of, beside other metrics of the same weights and crops.

    One of these weights on more crops stays as it is.
    """
    there: Mapping[str, Any] = {}
    with suppress(InputError):  # one that can't be read is replaced
        there = kept_metrics(run, digest)
    if there and there["tokens"] > result["tokens"]:
        return
    if there and all(there.get(name) == result[name] for name in ("tokens", "device")):
        result = {**there, **result}
    content = json.dumps({"identity": run.identity, "weights": digest, "result": result}, indent=2)
    with suppress(OSError), whole_file(run.path / METRICS) as target:  # the folder may be another user's
        target.write(f"{content}\n".encode())
