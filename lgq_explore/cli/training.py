"""`lgq-explore train` and `resume`."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import InputError, in_command
from ..progress import tell
from .options import add_codebook_size, add_device, add_recipe, add_run, recipe, some_path
from .status import INTERRUPTED
from .streams import say

if TYPE_CHECKING:
    from ..runs.config import TrainConfig
    from ..runs.run import Run


def add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a tokenizer into a new run folder")
    parser.add_argument("--quantizer", metavar="NAME", help="method, see: lgq-explore list quantizers")
    parser.add_argument("--seed", type=int, metavar="I", help="of initial weights and of the order of crops")
    parser.add_argument(
        "--run", type=some_path, metavar="DIR", help="new folder (default: one where lgq-explore list runs looks)"
    )
    add_codebook_size(parser)
    add_recipe(parser)
    add_device(parser)
    _add_log(parser)
    parser.set_defaults(command=_train)


def _train(options: argparse.Namespace) -> int:
    from ..training.loop import train

    config = recipe(options, options.quantizer, options.codebook_size)
    _tell_size(config, options.codebook_size)
    return _report_training(train(config, options.run, device=options.device, loggers=options.log))


def _tell_size(config: TrainConfig, asked: int | None) -> None:
    """Where a method can't have the number of codes that was asked for, the one that it has."""
    method, size = config.quantizer.method, config.quantizer.size
    if asked is not None and not config.quantizer.has_codes:
        tell(f"{method} has no codes: --codebook-size {asked} changes nothing")
    elif asked not in (None, size):
        tell(f"{method} can't have {asked} codes: it is trained with {size}, the nearest number that it can have")


def add_resume(commands: Any) -> None:
    parser = commands.add_parser("resume", help="continue a run from its newest checkpoint")
    add_run(parser)
    add_device(parser)
    _add_log(parser)
    parser.set_defaults(command=_resume)


def _resume(options: argparse.Namespace) -> int:
    from ..training.loop import resume

    return _report_training(resume(options.run, device=options.device, loggers=options.log))


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="NAME",
        help="tensorboard, wandb or trackio get every row of the history, too; may be repeated",
    )


def _report_training(run: Run) -> int:
    config, name = run.config, in_command(run.path)
    with suppress(InputError):  # the run is saved, even if its name can't be printed
        say(str(run.path))
    if run.is_finished:
        tell(f"finished: {config.steps} of {config.steps} steps; next: lgq-explore evaluate {name}")
        return 0
    tell(f"stopped after {run.finished_steps} of {config.steps} steps; continue with lgq-explore resume {name}")
    return INTERRUPTED
