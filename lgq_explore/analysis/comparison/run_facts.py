"""Facts of a run that a fair comparison depends on, as text by field name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from lgq_explore.frames.comparison import CONDITION, COST, OWN, RECORDED, REPEATED, TUNED
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import QuantizerConfig
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.evaluate import kept_metrics
from lgq_explore.runs.run import Run
from lgq_explore.training.energy import PARTS, joules_of
from lgq_explore.training.objectives.gan import gan_settings

from .phases import in_words

UNKNOWN, NOT_EVALUATED, NONE = "not recorded", "not evaluated", "–"
"""Words in the place of a value: nobody noted it; the run was not evaluated; the run has no such setting."""

TRIALS = "tuning trials"

WORDS = {
    "batch_size": "images per step (batch)",
    "accumulation": "micro-batches per step",
    "steps": "steps of the recipe",
    "learning_rate": "learning rate",
    "final_learning_rate": "learning rate at the end",
    "warmup_steps": "warm-up, steps",
    "weight_decay": "weight decay",
    "gradient_clip": "largest gradient norm",
    "image_size": "side of the images, pixels",
    "backbone.dim": "width of the latents, D",
    "ema_decay": "decay of the average of weights (EMA)",
    "decoder_finish": "decoder-only finish that the recipe asks for",
    "precision": "precision that the recipe asks for",
    "quantizer.method": "method",
}
"""Names of fields of a recipe; others keep their path."""

ENERGY = {part: f"training, joules of {words}" for part, words in PARTS.items()}
"""Columns of a history, and their names."""

_KINDS = {
    "data": RECORDED,
    "seed": REPEATED,
    "rounding_replicate": REPEATED,
    "log_steps": RECORDED,
    "window_steps": RECORDED,
    "checkpoint_steps": RECORDED,
    "snapshot_steps": RECORDED,
}
"""Fields of a recipe that are no conditions. The place of pictures is none, since a digest says which they are."""


@dataclass(frozen=True)
class Recorded:
    """What a sweep has noted of a run: the name of its method there, and how many settings of it were tried.

    tuned: the paths of the recipe's fields that these trials differed in.
    cpu_seconds: of its training; None if they were not noted.
    """

    method: str = ""
    trials: int | None = None
    tuned: frozenset[str] = frozenset()
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Fact:
    """A field's kind and value in words.

    is_measured: it is a time or an energy, which is never exactly the same. number: that, where it is known.
    """

    kind: str
    value: str
    number: float | None = None
    is_measured: bool = False


def run_facts(run: Run, recorded: Recorded | None = None) -> dict[str, Fact]:
    """The facts of a run by the names of their fields.

    Raises:
        InputError: weights, a history or a result that can't be read.
    """
    finished = run.finished_steps
    return (
        _training(run.config, finished)
        | dict(_recipe(run.config, (recorded or Recorded()).tuned))
        | _size(run.config.backbone, run.config.quantizer)
        | _circumstances(run)
        | _evaluation(kept_metrics(run), finished)
        | _costs(run, recorded or Recorded())
    )


def _training(config: TrainConfig, finished: int) -> dict[str, Fact]:
    gan = gan_settings(config)
    phase = in_words(pd.NA if gan is None else max(0, finished - gan.start_step))
    return {
        "images seen": Fact(CONDITION, f"{finished * config.batch_size:,d}"),
        "finished steps": Fact(CONDITION, f"{finished:,d}"),
        "GAN phase": Fact(CONDITION, phase),
        "weights that are evaluated": Fact(CONDITION, "average over steps" if config.ema_decay else "of the last step"),
        "downsampling": Fact(CONDITION, f"{config.backbone.factor}"),
        "codebook size, K": Fact(OWN, f"{config.quantizer.size:,d}"),
        "share of the steps that train the decoder alone": Fact(OWN, _text(config.decoder_share)),
    }


def _recipe(config: TrainConfig, tuned: frozenset[str]) -> Iterator[tuple[str, Fact]]:
    """Every field of the recipe, so that none can differ unseen."""
    own_losses = config.quantizer.default_loss_weights
    for path, value in _flat(config_to_json(config)):
        name, _, inner = path.partition(".")
        is_own = name == "quantizer" or (name == "loss_weights" and inner in own_losses)
        kind = TUNED if path in tuned else OWN if is_own else _KINDS.get(name, CONDITION)
        text = "the method's own" if path == "decoder_finish" and value is None else _text(value)
        yield WORDS.get(path, path), Fact(kind, text)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@lru_cache(maxsize=256)
def _size(backbone: BackboneConfig, quantizer: QuantizerConfig) -> dict[str, Fact]:
    built = build_tokenizer(backbone, quantizer, seed=0)
    parameters = {
        name: sum(each.numel() for each in part.parameters() if each.requires_grad)
        for name, part in (("all", built), ("quantizer", built.quantizer))
    }
    codebooks = sum(math.prod(shape) for shape in quantizer.learned_shapes(backbone.dim)) if quantizer.has_codes else 0
    return {
        "parameters": Fact(COST, f"{parameters['all']:,d}"),
        "parameters of the quantizer": Fact(COST, f"{parameters['quantizer']:,d}"),
        "numbers in learned codebooks": Fact(COST, f"{codebooks:,d}"),
    }


def _circumstances(run: Run) -> dict[str, Fact]:
    environment = run.environment
    facts = {
        "pictures and split, digest": environment.data_fingerprint[:12],
        "training photographs": environment.training_photographs,
        "held-out photographs": environment.held_out_photographs,
        "files without a picture": environment.skipped_files,
        "precision": environment.precision,
        "device of training": environment.device,
        "processes": environment.world_size,
        "processor": environment.processor or None,
        "threads": environment.threads or None,
        **{f"version of {name}": version for name, version in environment.versions.items()},
    }
    return {name: Fact(CONDITION, UNKNOWN if value is None else _text(value)) for name, value in facts.items()}


EVALUATED = {
    "images": "images of the last evaluation",
    "photographs": "photographs of the last evaluation",
    "scenes": "scenes of the last evaluation",
    "tokens": "tokens of the last evaluation",
    "weights": "kind of the evaluated weights",
    "device": "device of evaluation",
    "lpips.net": "network of LPIPS",
    "fd.features": "features of FD",
    "fd.reference": "reference set of FD",
    "fd.crop": "crops of FD",
    "fd.resize": "resizing of FD",
    "fd.extractor": "network of FD",
    "feature_error.features": "features of the feature error",
}
"""Keys of `evaluate`, and their names."""


def _evaluation(metrics: Mapping[str, Any], finished: int) -> dict[str, Fact]:
    if not metrics:
        return dict.fromkeys(EVALUATED.values(), Fact(CONDITION, NOT_EVALUATED))
    found = {name: "" if value is None else _text(value) for name, value in _flat(metrics)}
    steps = "" if metrics["steps"] == finished else f" at step {metrics['steps']:,d}"
    return {words: Fact(CONDITION, (found.get(key) or UNKNOWN) + steps) for key, words in EVALUATED.items()}


def _costs(run: Run, recorded: Recorded) -> dict[str, Fact]:
    trials = UNKNOWN if recorded.trials is None else f"{recorded.trials:,d}"
    joules = joules_of(run)
    return {
        TRIALS: Fact(CONDITION, trials),
        "training, seconds by the clock": _measured(_seconds(run)),
        "training, seconds of CPU time": _measured(recorded.cpu_seconds),
        **{words: _measured(joules.get(part)) for part, words in ENERGY.items()},
    }


def _measured(number: float | None) -> Fact:
    return Fact(COST, UNKNOWN if number is None else f"{number:,.0f}", number, is_measured=True)


def _seconds(run: Run) -> float | None:
    """Seconds of the steps, by the speed that each row of the history has of its last steps."""
    history, speed = run.history(), f"images_per_second_last_{run.config.window_steps}_steps"
    if speed not in history or history.empty:
        return None
    images = history["step"].diff().fillna(history["step"]) * run.config.batch_size
    return float((images / history[speed]).sum())


def _text(value: Any) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case int():
            return f"{value:,d}"
        case list() | tuple():
            return f"({', '.join(map(_text, value))})" if value else NONE
    return str(value)
