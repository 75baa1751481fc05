"""`lgq-explore list …`: the available methods, data, presets and runs."""

from __future__ import annotations

import argparse
import inspect
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import InputError, printable
from ..progress import tell
from .streams import say


def add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="what there is to choose from")
    parser.add_argument("what", choices=("quantizers", "data", "presets", "runs"))
    parser.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    lines = [(printable(name), printable(description)) for name, description in _choices(options.what).items()]
    width = max((len(name) for name, _ in lines), default=0)
    for name, description in lines:
        say(f"{name:{width}}  {description}")
    if options.what == "runs" and not lines:
        _tell_where_runs_go()
    return 0


def _tell_where_runs_go() -> None:
    from ..folders import runs_folder

    tell(f"no runs in {printable(runs_folder())}: lgq-explore train --quantizer lgq makes one there")


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
            from ..runs.run_paths import run_folders

            return {folder.name: _run_in_one_line(folder) for folder in run_folders()}


def _run_in_one_line(folder: Path) -> str:
    """What was trained and how far, or an error message, since one damaged run must not hide the others."""
    from ..runs.run import open_run

    try:
        run = open_run(folder)
        config, begun = run.config, (folder / "config.json").stat().st_mtime
        return (
            f"{config.quantizer.method}, {config.quantizer.size} codes, {config.data}, seed {config.seed}, "
            f"{run.finished_steps} of {config.steps} steps, {datetime.fromtimestamp(begun):%Y-%m-%d %H:%M}"
        )
    except (InputError, OSError) as error:
        return str(error).splitlines()[0]
