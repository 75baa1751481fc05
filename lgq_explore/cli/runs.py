"""`lgq-explore evaluate`, `encode`, `decode` and `health`: commands for a trained run."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import printable
from ..progress import tell
from .options import add_data, add_device, add_json, add_run, add_without, file_path, some_path
from .streams import say

if TYPE_CHECKING:
    from ..runs.run import Run


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a run on pictures it has not seen")
    add_run(parser)
    add_data(parser)
    parser.add_argument(
        "--fd-features",
        default="auto",
        metavar="NAME",
        help="inception, efficientnet-lite0, or auto (default): inception where its weights are at hand",
    )
    add_without(parser)
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="what to measure, after RUN: names of lgq-explore list metrics, default, or all (default: default)",
    )
    add_device(parser, default="cpu")
    add_json(parser)
    parser.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from ..runs.evaluate import Asked, evaluate
    from ..runs.run import open_run

    run = open_run(options.run)
    result = evaluate(
        run,
        options.data,
        crops=options.crops,
        fd_features=options.fd_features,
        device=options.device,
        without=options.without,
        metrics=options.metrics,
    )
    _tell_remarks(run)
    if options.json:
        say(json.dumps(result))
    else:
        shown = {name: value for name, value in result.items() if name not in ("groups", "soft_decode")}
        groups, soft_decode = result.get("groups", {}), result.get("soft_decode") or {}
        shown |= {f"soft_decode.{name}": value for name, value in soft_decode.items()}
        lines = [line for name, value in shown.items() for line in _lines(name, value)]
        say("\n".join([*lines, *(_of_group(*group) for group in groups.items() if len(groups) > 1)]))
    if options.data is None:
        _tell_kept(run, result, Asked(without=options.without, metrics=options.metrics).is_whole)
    return 0


def _tell_kept(run: Run, result: dict[str, Any], is_whole: bool) -> None:
    """Whether compare and list runs will read this result, and why not. is_whole: whether it has all metrics."""
    from ..runs.evaluate import METRICS, kept_metrics

    if not is_whole:
        tell("not kept with the run: compare and list runs read results of all default metrics alone")
        return
    kept, file = kept_metrics(run), printable(run.path / METRICS)
    if result.items() <= kept.items():
        tell(f"{file}: kept, for compare and list runs")
    elif kept:
        tell(f"not kept with the run: {file} has one of {kept['images']:,d} crops")
    else:
        tell(f"not kept with the run: {file} can't be written")


def _of_group(number: str, usage: dict[str, Any]) -> str:
    """One line on the usage of one group's codes."""
    numbers = [f"{name} {_readable(value)}" for name, value in usage.items()]
    return f"{'group ' + number:20} {', '.join(numbers)}"


def add_encode(commands: Any) -> None:
    parser = commands.add_parser("encode", help="write the latents, codes and reconstructions of pictures to a file")
    add_run(parser)
    add_data(parser, required=True)
    parser.add_argument("--out", type=file_path, required=True, metavar="FILE.npz")
    add_device(parser, default="cpu")
    parser.set_defaults(command=_encode)


def _encode(options: argparse.Namespace) -> int:
    from ..runs.encoding import encode
    from ..runs.outputs import require_new, require_writable
    from ..runs.run import open_run

    require_new(options.out)
    require_writable(options.out)
    run = open_run(options.run)
    encoding = encode(run, options.data, crops=options.crops, device=options.device)
    encoding.save(options.out)
    _tell_remarks(run)
    tell(f"{printable(options.out)}: {len(encoding)} crops of {len(encoding.photograph_names)} photographs")
    return 0


def add_decode(commands: Any) -> None:
    parser = commands.add_parser("decode", help="make pictures of the codes in a file that encode wrote")
    add_run(parser)
    parser.add_argument("file", type=some_path, metavar="FILE.npz")
    parser.add_argument(
        "--out", type=some_path, required=True, metavar="DIR", help="new folder for PNG files and their list"
    )
    add_device(parser, default="cpu")
    parser.set_defaults(command=_decode)


def _decode(options: argparse.Namespace) -> int:
    from ..runs.encoding import Encoding, decode, write_pictures
    from ..runs.outputs import require_folder_to_make
    from ..runs.run import open_run

    require_folder_to_make(options.out)
    run, encoding = open_run(options.run), Encoding.load(options.file)
    trained = run.trained()
    pictures = decode(run, encoding.codes, trained=trained, device=options.device)
    if encoding.weights not in ("", trained.digest):
        tell(f"{printable(options.file)}: its codes were made by other weights than those that decode them")
    write_pictures(options.out, pictures, encoding.photograph_names[encoding.photograph].tolist())
    _tell_remarks(run)
    tell(f"{printable(options.out)}: {len(pictures)} pictures")
    return 0


def add_health(commands: Any) -> None:
    parser = commands.add_parser("health", help="say in words what goes wrong in a run, and what to change")
    add_run(parser)
    add_json(parser)
    parser.set_defaults(command=_health)


def _health(options: argparse.Namespace) -> int:
    from ..analysis.health.verdicts import assess
    from ..report.health import health_json, health_text
    from ..runs.run import open_run

    run = open_run(options.run)
    verdicts = assess(run)
    _tell_remarks(run)
    if options.json:
        say(json.dumps(health_json(run, verdicts)))
    else:
        say(health_text(run, verdicts, shutil.get_terminal_size().columns))
    return 0


def _tell_remarks(run: Run) -> None:
    """Print warnings about the run's folder; after the result, so that a refused command has a single message."""
    for remark in run.remarks():
        tell(remark)


def _lines(name: str, value: Any) -> Iterator[str]:
    """A line on a number; for one by a network, its name or why there is no value, and what else it depends on."""
    match value:
        case {"value": number, "why": why, **depends_on}:
            (_, network), *others = depends_on.items()
            yield f"{name:20} {_readable(number)} ({network}{': ' + why if why else ''})"
            yield from (f"{f'{name}.{key}':20} {told}" for key, told in others)
        case dict():
            yield from (line for key, inner in value.items() for line in _lines(f"{name}.{key}", inner))
        case _:
            yield f"{name:20} {_readable(value)}"


def _readable(value: Any) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)
