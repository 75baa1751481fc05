"""`lgq-explore …`: a thin shell over the package; each command imports what it needs."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import InputError

if TYPE_CHECKING:
    from .bench.quantizers import Repeats
    from .training.config import TrainConfig
    from .training.run import Run

BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status: 0, 2 for bad input (told in at most two lines), 130 if interrupted."""
    try:
        options = parser().parse_args(arguments)
        status: int = options.command(options)
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"lgq-explore: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`); without a place to flush to, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("lgq-explore: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one message and no dump of the usage, and options are written out."""

    def __init__(self, **settings: Any) -> None:
        # An abbreviation would change its meaning with the options that come to be: --seed was taken for --seeds.
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}\nSee {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = _Parser(prog="lgq-explore", description="Train discrete image tokenizers alike, and see why they differ.")
    parser.add_argument("--version", action="version", version=f"lgq-explore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_resume(commands)
    _add_evaluate(commands)
    _add_encode(commands)
    _add_decode(commands)
    _add_health(commands)
    _add_bench(commands)
    _add_list(commands)
    return parser


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a tokenizer into a new run folder")
    parser.add_argument("--quantizer", metavar="NAME", help="method, see: lgq-explore list quantizers")
    parser.add_argument("--seed", type=int, metavar="I", help="of initial weights and of the order of crops")
    parser.add_argument("--run", type=Path, metavar="DIR", help="new folder (default: one under data/runs)")
    _add_codebook_size(parser)
    _add_recipe(parser)
    _add_device(parser)
    parser.set_defaults(command=_train)


def _train(options: argparse.Namespace) -> int:
    from .training.loop import train

    return _report_training(
        train(_recipe(options, options.quantizer, options.codebook_size), options.run, device=options.device)
    )


def _add_resume(commands: Any) -> None:
    parser = commands.add_parser("resume", help="continue a run from its newest checkpoint")
    parser.add_argument("run", type=Path, metavar="RUN")
    _add_device(parser)
    parser.set_defaults(command=_resume)


def _resume(options: argparse.Namespace) -> int:
    from .training.loop import resume

    return _report_training(resume(options.run, device=options.device))


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a run on pictures it has not seen")
    parser.add_argument("run", type=Path, metavar="RUN")
    _add_data(parser)
    parser.add_argument(
        "--fd-features", default="inception", metavar="NAME", help="inception (default) or efficientnet-lite0"
    )
    _add_json(parser)
    parser.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from .training.evaluate import evaluate

    result = evaluate(options.run, options.data, crops=options.crops, fd_features=options.fd_features)
    if options.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        print(f"{name:20} {_readable(value)}")
    return 0


def _add_encode(commands: Any) -> None:
    parser = commands.add_parser("encode", help="write the latents, codes and reconstructions of pictures to a file")
    parser.add_argument("run", type=Path, metavar="RUN")
    _add_data(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    parser.set_defaults(command=_encode)


def _encode(options: argparse.Namespace) -> int:
    from .training.encode import encode, require_new

    require_new(options.out)
    encoding = encode(options.run, options.data, crops=options.crops)
    encoding.save(options.out)
    print(
        f"{options.out}: {len(encoding)} crops of {len(encoding.photograph_names)} photographs",
        file=sys.stderr,
    )
    return 0


def _add_decode(commands: Any) -> None:
    parser = commands.add_parser("decode", help="make pictures of the codes in a file that encode wrote")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("file", type=Path, metavar="FILE.npz")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the PNG files")
    parser.set_defaults(command=_decode)


def _decode(options: argparse.Namespace) -> int:
    from .training.encode import Encoding, decode, write_pictures
    from .training.run import open_run

    run, encoding = open_run(options.run), Encoding.load(options.file)
    trained = run.trained()
    pictures = decode(run, encoding.codes, trained=trained)
    if encoding.weights not in ("", trained.digest):
        print(f"{options.file}: its codes were made by other weights than those that decode them", file=sys.stderr)
    write_pictures(options.out, pictures)
    print(f"{options.out}: {len(pictures)} pictures", file=sys.stderr)
    return 0


def _add_health(commands: Any) -> None:
    parser = commands.add_parser("health", help="say in words what goes wrong in a run, and what to change")
    parser.add_argument("run", type=Path, metavar="RUN")
    _add_json(parser)
    parser.set_defaults(command=_health)


def _health(options: argparse.Namespace) -> int:
    from .analysis.health import health
    from .report.health import health_json, health_text
    from .training.run import open_run

    run = open_run(options.run)
    verdicts = health(run)
    if options.json:
        print(json.dumps(health_json(run, verdicts)))
    else:
        print(health_text(run, verdicts, shutil.get_terminal_size().columns))
    return 0


def _add_bench(commands: Any) -> None:
    parser = commands.add_parser("bench", help="measure, and keep the result under benchmarks/results")
    benches = parser.add_subparsers(required=True, metavar="BENCHMARK")
    _add_bench_quantizers(benches)
    _add_bench_learning_rates(benches)
    _add_bench_soft_assignment(benches)
    _add_bench_training(benches)
    _add_bench_explorers(benches)
    _add_bench_browser(benches)


def _add_bench_quantizers(benches: Any) -> None:
    parser = benches.add_parser(
        "quantizers", help="train methods by one recipe and compare them on held-out photographs"
    )
    _add_quantizers(parser)
    _add_repeats(parser, seeds=3)
    _add_codebook_size(parser)
    _add_recipe(parser)
    _add_device(parser)
    _add_results(parser)
    parser.set_defaults(command=_bench_quantizers)


def _bench_quantizers(options: argparse.Namespace) -> int:
    from .bench.quantizers import compare_quantizers, markdown_table
    from .bench.results import results_folder

    repeats = _repeats(options)
    recipes = [_recipe(options, name, options.codebook_size) for name in options.quantizers]
    results_folder(options.results)
    return _report_benchmark(options, compare_quantizers(recipes, repeats, options.device), markdown_table)


def _add_bench_learning_rates(benches: Any) -> None:
    parser = benches.add_parser(
        "learning-rates", help="the training loss of all methods by learning rate, and the rate it chooses (an hour)"
    )
    parser.add_argument(
        "--rates", nargs="+", type=float, metavar="RATE", help="learning rates (default: 2e-3, 1e-3, 5e-4)"
    )
    _add_repeats(parser, seeds=1)
    _add_codebook_size(parser)
    _add_recipe(parser)
    _add_device(parser)
    _add_results(parser)
    parser.set_defaults(command=_bench_learning_rates)


def _bench_learning_rates(options: argparse.Namespace) -> int:
    from .bench.learning_rates import RATES, markdown_table, measure_learning_rates, recipes_at_rates
    from .bench.results import results_folder
    from .quantizers import QUANTIZERS

    repeats = _repeats(options)
    recipes = [_recipe(options, name, options.codebook_size) for name in QUANTIZERS]
    rates = options.rates or RATES
    recipes_at_rates(recipes, rates)
    results_folder(options.results)
    return _report_benchmark(options, measure_learning_rates(recipes, rates, repeats, options.device), markdown_table)


def _add_repeats(parser: argparse.ArgumentParser, seeds: int) -> None:
    parser.add_argument("--seeds", type=int, default=seeds, metavar="N", help=f"seeds 0 … N − 1 (default: {seeds})")
    parser.add_argument(
        "--rounding-replicates",
        type=int,
        default=1,
        metavar="R",
        help="runs of each seed that differ in rounding alone: the floor of every comparison (default: 1)",
    )


def _repeats(options: argparse.Namespace) -> Repeats:
    from .bench.quantizers import Repeats

    if options.seeds < 1:
        raise InputError(f"--seeds {options.seeds} trains nothing: give 1 or more")
    return Repeats(range(options.seeds), options.rounding_replicates)


def _add_bench_soft_assignment(benches: Any) -> None:
    parser = benches.add_parser(
        "soft-assignment", help="time and memory of LGQ's assignment, of a dense one and of hard ones (25 minutes)"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of all cases, in turn (default: 3)")
    parser.add_argument(
        "--cases",
        metavar="NxKxD,…",
        help="tokens, codes and width of each problem, such as 4096x1024x16 (default: seven)",
    )
    parser.add_argument(
        "--rivals", nargs="*", metavar="NAME", help="of dense, VectorQuantize, SimVQ and FSQ (default: all)"
    )
    _add_results(parser)
    parser.set_defaults(command=_bench_soft_assignment)


def _bench_soft_assignment(options: argparse.Namespace) -> int:
    from .bench.results import results_folder
    from .bench.soft_assignment import RIVALS, SHAPES, Shape, compare_assignments
    from .bench.soft_assignment_table import markdown_table

    shapes = SHAPES if options.cases is None else [Shape.parse(case) for case in options.cases.split(",")]
    rivals = RIVALS if options.rivals is None else options.rivals
    results_folder(options.results)
    comparison = compare_assignments(shapes, rivals=rivals, rounds=options.rounds)
    return _report_benchmark(options, comparison, markdown_table)


def _add_bench_training(benches: Any) -> None:
    parser = benches.add_parser("training", help="the quantizer's share of a training step (some minutes)")
    _add_quantizers(parser)
    parser.add_argument(
        "--codebook-sizes",
        nargs="+",
        type=int,
        default=[1024, 4096, 16384, 65536],
        metavar="K",
        help="codes (default: 1024 to 65536); the nearest product for grids",
    )
    _add_recipe(parser)
    _add_device(parser)
    _add_results(parser)
    parser.set_defaults(command=_bench_training)


def _bench_training(options: argparse.Namespace) -> int:
    from .bench.results import results_folder
    from .bench.training import markdown_table, measure_shares

    recipes = [_recipe(options, name, size) for name in options.quantizers for size in options.codebook_sizes]
    results_folder(options.results)
    return _report_benchmark(options, measure_shares(recipes, device=options.device), markdown_table)


def _add_bench_explorers(benches: Any) -> None:
    parser = benches.add_parser("explorers", help="the time that a move of the temperature panel takes (a minute)")
    parser.add_argument("--tokens", type=int, default=4096, metavar="N", help="held-out tokens (default: 4096)")
    parser.add_argument("--codebook-size", type=int, default=16384, metavar="K", help="codes (default: 16384)")
    parser.add_argument("--moves", type=int, default=20, metavar="N", help="temperatures moved to (default: 20)")
    _add_results(parser)
    parser.set_defaults(command=_bench_explorers)


def _bench_explorers(options: argparse.Namespace) -> int:
    from .bench.explorers import markdown_table, measure_explorers
    from .bench.results import results_folder

    results_folder(options.results)
    measured = measure_explorers(options.tokens, options.codebook_size, options.moves)
    return _report_benchmark(options, measured, markdown_table)


def _add_bench_browser(benches: Any) -> None:
    parser = benches.add_parser(
        "browser", help="panels, and a map of a large codebook drawn in two ways, in a real browser (10 minutes)"
    )
    parser.add_argument("--codebook-size", type=int, default=16384, metavar="K", help="codes (default: 16384)")
    parser.add_argument("--tokens", type=int, default=20000, metavar="N", help="tokens on the map (default: 20000)")
    parser.add_argument("--moves", type=int, default=20, metavar="N", help="of the temperature (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of the map, in turn (default: 5)")
    parser.add_argument("--data", default="photos", metavar="SPEC", help="pictures of the panel (default: photos)")
    _add_results(parser)
    parser.set_defaults(command=_bench_browser)


def _bench_browser(options: argparse.Namespace) -> int:
    from .bench.browser_explorers import BrowserSizes, measure_browser
    from .bench.browser_table import markdown_table
    from .bench.results import results_folder

    sizes = BrowserSizes(options.codebook_size, options.tokens, options.moves, options.rounds, options.data)
    results_folder(options.results)
    measured = measure_browser(sizes, say=lambda what: print(what, file=sys.stderr))
    return _report_benchmark(options, measured, markdown_table)


def _add_quantizers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quantizers", nargs="+", metavar="NAME", default=["lgq", "fsq", "simvq", "vq"])


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    _add_json(parser)


def _report_benchmark(
    options: argparse.Namespace, result: dict[str, Any], markdown_table: Callable[[dict[str, Any]], str]
) -> int:
    """Keep the result, say where on stderr, and print it or its table."""
    from .bench.results import save_result

    print(save_result(result, options.results), file=sys.stderr)
    print(json.dumps(result) if options.json else markdown_table(result))
    return 0


def _add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="what there is to choose from")
    parser.add_argument("what", choices=("quantizers", "data", "presets", "runs"))
    parser.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    choices = _choices(options.what)
    width = max(map(len, choices), default=0)
    for name, description in choices.items():
        print(f"{name:{width}}  {description}")
    return 0


def _choices(what: str) -> dict[str, str]:
    """What `list` prints: names, and a line on each."""
    match what:
        case "quantizers":
            from .quantizers import QUANTIZERS

            return {name: inspect.getdoc(config) or "" for name, config in QUANTIZERS.items()}
        case "data":
            from .training.images import DATA_SPECS

            return dict(DATA_SPECS)
        case "presets":
            from .training.config import PRESETS

            return {
                name: f"{recipe.image_size} px, factor {recipe.backbone.factor}, D = {recipe.backbone.dim}, "
                f"{recipe.steps} steps of {recipe.batch_size} crops"
                for name, recipe in PRESETS.items()
            }
        case _:
            from .training.run import run_folders

            return {folder.name: _run_in_one_line(folder) for folder in run_folders()}


def _run_in_one_line(folder: Path) -> str:
    """What was trained and how far, or why that can't be told: one damaged run must not hide the others."""
    from .training.run import open_run

    try:
        run = open_run(folder)
        return f"{run.config.quantizer.size} codes, {run.finished_steps} of {run.config.steps} steps"
    except InputError as error:
        return str(error).splitlines()[0]


def _add_codebook_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--codebook-size", type=int, metavar="K", help="codes; the nearest product for grids")


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="SPEC", help="photographs, see: lgq-explore list data (default: photos)")
    parser.add_argument("--image-size", type=int, metavar="S", help="side of the crops, in pixels")
    parser.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    parser.add_argument("--batch-size", type=int, metavar="B", help="crops a step, over all devices")
    parser.add_argument("--checkpoint-steps", type=int, metavar="N", help="steps between checkpoints")
    parser.add_argument("--preset", metavar="P", help="whole recipe, see: lgq-explore list presets (default: tiny)")
    parser.add_argument(
        "--config", type=Path, metavar="FILE.json", help="recipe, or a run's config.json, to start from"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="any field of the recipe; may be repeated",
    )


RECIPE_OPTIONS = ("data", "image_size", "steps", "batch_size", "checkpoint_steps", "seed")


def _recipe(options: argparse.Namespace, quantizer: str | None, codebook_size: int | None) -> TrainConfig:
    """A preset or a file, then what the options say, then the single fields of --set."""
    from .training.config import config_from_json, override

    values = _starting_recipe(options, quantizer, codebook_size)
    for name in RECIPE_OPTIONS:
        given = getattr(options, name, None)
        if given is not None:
            values[name] = given
    for assignment in options.set:
        values = override(values, assignment)
    return config_from_json(values)


def _starting_recipe(options: argparse.Namespace, quantizer: str | None, codebook_size: int | None) -> dict[str, Any]:
    from .training.config import config_to_json, preset, read_recipe, with_quantizer

    if options.config is None:
        if quantizer is None:
            raise InputError(
                "--quantizer is missing: name one of lgq-explore list quantizers, or give --config FILE.json"
            )
        return config_to_json(preset(options.preset or "tiny", quantizer, codebook_size))
    if options.preset is not None:
        raise InputError(
            f"--preset {options.preset} and --config {options.config} are both whole recipes: give one of them"
        )
    return config_to_json(with_quantizer(read_recipe(options.config), quantizer, codebook_size))


def _report_training(run: Run) -> int:
    config = run.config
    print(run.path)
    if run.is_finished:
        print(
            f"finished: {config.steps} of {config.steps} steps; next: lgq-explore evaluate {run.path}",
            file=sys.stderr,
        )
        return 0
    print(
        f"stopped after {run.finished_steps} of {config.steps} steps; continue with lgq-explore resume {run.path}",
        file=sys.stderr,
    )
    return INTERRUPTED


def _readable(value: Any) -> str:
    match value:
        case {"value": number, "why": why, **net_or_features}:
            network = " ".join(map(str, net_or_features.values()))
            return f"{_readable(number)} ({network}{': ' + why if why else ''})"
        case None:
            return "–"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto (default), cpu or cuda")


def _add_data(parser: argparse.ArgumentParser, required: bool = False) -> None:
    parser.add_argument(
        "--data",
        required=required,
        metavar="SPEC",
        help="all photographs of a SPEC (default: the run's held-out ones)",
    )
    parser.add_argument("--crops", type=int, default=1024, metavar="N", help="crops at most (default: 1024)")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
