"""`lgq-explore list …`: the available methods, data, presets, metrics and runs."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import InputError, printable
from ..progress import tell
from .streams import say

if TYPE_CHECKING:
    from ..runs.overview import RunOverview


def add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="what there is to choose from, and what a quantizer is")
    parser.add_argument("what", choices=("quantizers", "data", "presets", "metrics", "runs"))
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="of a quantizer: its formula, source and settings; of runs, the folder that holds them",
    )
    parser.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    match options.what, options.name:
        case "runs", folder:
            found = _runs(folder)
        case what, None:
            found = _choices(what)
        case "quantizers", name:
            say("\n".join(_about_quantizer(name)))
            return 0
        case what, name:
            raise InputError(
                f"list {what} takes no name, and {printable(name)} is one: list quantizers takes that of a method, "
                "and list runs a folder"
            )
    lines = [(printable(name), printable(description)) for name, description in found.items()]
    width = max((len(name) for name, _ in lines), default=0)
    for name, description in lines:
        say(f"{name:{width}}  {description}")
    if options.what == "runs" and not lines:
        from ..runs.overview import how_to_make_a_run

        tell(how_to_make_a_run(options.name))
    return 0


def _about_quantizer(name: str) -> Iterator[str]:
    """What the module of a method says of it, and its settings with their defaults. Raises InputError."""
    from ..runs.config import config_to_json, default_settings
    from ..training.presets import preset

    settings = default_settings(name)
    module = inspect.getmodule(type(settings))
    yield (inspect.getdoc(module) if module else None) or inspect.getdoc(settings) or name
    recipe = config_to_json(preset("tiny", name))
    for group, values in (("quantizer", recipe["quantizer"]), ("loss_weights", settings.default_loss_weights)):
        own = {f"{group}.{key}": json.dumps(value) for key, value in values.items() if key != "method"}
        if own:
            width = max(map(len, own))
            yield f"\nWith --preset tiny, and changed by --set {next(iter(own))}=VALUE:"
            yield from (f"  {key:{width}}  {value}" for key, value in own.items())


def _choices(what: str) -> dict[str, str]:
    """The names that `list` prints, each with a description of one line."""
    match what:
        case "quantizers":
            from ..quantizers import QUANTIZERS

            return {name: (inspect.getdoc(config) or "").partition("\n")[0] for name, config in QUANTIZERS.items()}
        case "data":
            from ..images.opening import spec_forms

            return spec_forms()
        case "presets":
            from ..training.presets import PRESETS

            return {
                name: f"{recipe.image_size} px, factor {recipe.backbone.factor}, D = {recipe.backbone.dim}, "
                f"{recipe.steps} steps of {recipe.batch_size} crops"
                for name, recipe in PRESETS.items()
            }
        case _:
            from ..runs.measures import DEFINITIONS

            return {
                name: f"{definition.summary}{' (on request)' if definition.on_request else ''}"
                for name, definition in DEFINITIONS.items()
            }


def _runs(folder: str | None) -> dict[str, str]:
    """The runs of a folder, or of data/runs, each in one line. Raises InputError for a folder that holds none."""
    from ..runs.overview import overviews

    return {seen.path.name: _in_one_line(seen) for seen in overviews(folder)}


def _in_one_line(seen: RunOverview) -> str:
    """What was trained and how far, or why the run can't be opened."""
    if seen.run is None:
        return seen.trouble
    config = seen.run.config
    return (
        f"{config.quantizer.method}, {config.quantizer.size} codes, {config.data}, seed {config.seed}, "
        f"{seen.finished_steps} of {config.steps} steps, {datetime.fromtimestamp(seen.begun):%Y-%m-%d %H:%M}"
    )
