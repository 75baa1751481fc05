"""Options shared by several commands, and the recipe made from them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..runs.config import TrainConfig


def some_path(text: str) -> Path:
    """The path of a file or folder in an option; refuses an empty text, which Path takes for the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text names no file and no folder")
    return Path(text)


def file_path(text: str) -> Path:
    """The path of a file in an option."""
    if text.endswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} names a folder: name a file")
    return some_path(text)


def whole_number(text: str) -> int:
    """What options of type int take; argparse would call another text an invalid int value."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def codebook_size(text: str) -> int:
    """The number of codes in an option; refused here, so that it is named whatever else is missing."""
    size = whole_number(text)
    if size < 2:
        raise argparse.ArgumentTypeError(f"codebook_size is {size}: it must be at least 2")
    return size


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=some_path, metavar="RUN", help="folder of a run, or its name in lgq-explore list runs"
    )


def add_codebook_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--codebook-size", type=codebook_size, metavar="K", help="codes; the nearest product for grids")


def add_without(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=("lpips", "fd"),
        help="leave out what takes most of the time; may be given twice",
    )


def add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="SPEC",
        help="photos (default), folder:PATH, imagefolder:PATH and others, see: lgq-explore list data",
    )
    parser.add_argument("--image-size", type=int, metavar="S", help="side of the crops, in pixels")
    parser.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    parser.add_argument("--batch-size", type=int, metavar="B", help="crops per step, over all devices")
    parser.add_argument("--checkpoint-steps", type=int, metavar="N", help="steps between checkpoints")
    parser.add_argument("--preset", metavar="P", help="whole recipe, see: lgq-explore list presets (default: tiny)")
    parser.add_argument(
        "--config", type=some_path, metavar="FILE.json", help="recipe, or a run's config.json, to start from"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="any field of the recipe; may be repeated",
    )


RECIPE_OPTIONS = ("data", "image_size", "steps", "batch_size", "checkpoint_steps", "seed")


def recipe(options: argparse.Namespace, quantizer: str | None, codebook_size: int | None) -> TrainConfig:
    """The recipe of a preset or file, changed by options and --set. Raises InputError if these contradict."""
    from ..runs.config import config_from_json, override
    from ..training.objectives.of_recipe import require_objectives

    values = _starting_recipe(options, quantizer, codebook_size)
    given = {name: value for name in RECIPE_OPTIONS if (value := getattr(options, name, None)) is not None}
    values |= given
    size = config_from_json(values).quantizer.size
    method = values["quantizer"]["method"]
    for assignment in options.set:
        values = override(values, assignment)
    _require_method(values["quantizer"], method)
    config = config_from_json(values)
    asked_for = {name: (value, getattr(config, name)) for name, value in given.items()}
    if codebook_size is not None:
        asked_for["codebook_size"] = (size, config.quantizer.size)
    for name, (asked, got) in asked_for.items():
        if asked != got:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} asks for {asked!r}, and --set for {got!r}: give one of them")
    require_objectives(config)
    return config


def _require_method(settings: Any, method: str) -> None:
    """Raise InputError if --set names another method, which has other settings."""
    named = settings.get("method") if isinstance(settings, Mapping) else settings
    if named != method:
        raise InputError(f"--set gives the quantizer as {named!r}: choose the method by --quantizer, such as {method}")


def _starting_recipe(options: argparse.Namespace, quantizer: str | None, codebook_size: int | None) -> dict[str, Any]:
    from ..runs.config import config_to_json, read_recipe
    from ..training.presets import preset, with_quantizer

    if options.config is None:
        if quantizer is None and options.preset is None:
            raise InputError(
                "--quantizer is missing: name one of lgq-explore list quantizers, or give --config FILE.json"
            )
        return config_to_json(preset("tiny" if options.preset is None else options.preset, quantizer, codebook_size))
    if options.preset is not None:
        raise InputError(
            f"--preset {options.preset} and --config {options.config} are both whole recipes: give one of them"
        )
    return config_to_json(with_quantizer(read_recipe(options.config), quantizer, codebook_size))


def add_device(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    parser.add_argument(
        "--device", default=default, metavar="NAME", help=f"auto, cpu, cuda or cuda:I (default: {default})"
    )


def add_data(parser: argparse.ArgumentParser, required: bool = False) -> None:
    default = "" if required else " (default: the run's held-out ones)"
    parser.add_argument(
        "--data",
        required=required,
        metavar="SPEC",
        help=f"all photographs of a SPEC, see: lgq-explore list data{default}",
    )
    parser.add_argument("--crops", type=int, default=1024, metavar="N", help="crops at most (default: 1024)")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
