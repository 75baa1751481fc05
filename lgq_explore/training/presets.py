"""Whole recipes by name, and recipes with another method or codebook size."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path

from lgq_explore.errors import InputError, near_matches
from lgq_explore.quantizers import QuantizerConfig
from lgq_explore.runs.config import TrainConfig, default_settings, read_recipe

PRESETS_FOLDER = Path(__file__).with_name("presets")
"""Holds the recipe of each preset as NAME.json, which `--config` takes, too."""

PRESETS: Mapping[str, TrainConfig] = types.MappingProxyType(
    {
        name: read_recipe(PRESETS_FOLDER / f"{name}.json")
        for name in ("tiny", "small", "vqgan-128", "vqgan-256", "lgq-paper")
    }
)
"""Whole recipes by name.

`tiny` (32 px, a laptop's minutes) and `small` (64 px) are our own. `vqgan-128` and `vqgan-256` have the published
numbers of LGQ's experiments (arXiv 2602.16086 and its code) as one recipe for all methods, and `lgq-paper` what its
authors ran for LGQ at 256 px.
"""


def preset(name: str, quantizer: str | None = None, codebook_size: int | None = None) -> TrainConfig:
    """A whole recipe with the named method, by default the preset's own (LGQ).

    Its codebook size is the one nearest to `codebook_size`; by default the preset's, or else the method's.

    Raises InputError for a name that is not in PRESETS or QUANTIZERS, or a size the method cannot have.
    """
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}{near_matches(name, PRESETS)}; choose one of {', '.join(PRESETS)}")
    return with_quantizer(PRESETS[name], quantizer, codebook_size)


def quantizer_config(method: str, codebook_size: int | None = None) -> QuantizerConfig:
    """The named method's default settings, with a codebook size if one is given. Raises InputError."""
    defaults = default_settings(method)
    return defaults if codebook_size is None else _resized(defaults, codebook_size)


def with_quantizer(config: TrainConfig, method: str | None, codebook_size: int | None) -> TrainConfig:
    """The recipe with another method or codebook size; None leaves either as it is. Raises InputError.

    A new method brings its default settings and published loss weights; the weights of other terms are kept, and so is
    a codebook size that the recipe chose. A new size changes nothing else.
    """
    if method is not None and method != config.quantizer.method:
        size, default_size = config.quantizer.size, default_settings(config.quantizer.method).size
        quantizer = quantizer_config(method, size if codebook_size is None and size != default_size else codebook_size)
        others = config.loss_weights.keys() - config.quantizer.default_loss_weights.keys()
        return replace(
            config,
            quantizer=quantizer,
            loss_weights={name: config.loss_weights[name] for name in others} | quantizer.default_loss_weights,
            objectives={name: settings for name, settings in config.objectives.items() if name in others},
        )
    if codebook_size is None:
        return config
    return replace(config, quantizer=_resized(config.quantizer, codebook_size))


def _resized(quantizer: QuantizerConfig, codebook_size: int) -> QuantizerConfig:
    if not isinstance(codebook_size, Integral):
        raise InputError(f"codebook_size is {codebook_size!r}: give a whole number")
    try:
        return quantizer.resized(codebook_size)
    except ValueError as error:
        raise InputError(str(error)) from error
