"""`lgq-explore bench …`: benchmarks that print a table and save their result."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, printable
from ..progress import tell
from .options import (
    add_codebook_size,
    add_device,
    add_json,
    add_recipe,
    add_without,
    codebook_size,
    recipe,
    some_path,
)
from .streams import say

if TYPE_CHECKING:
    from ..bench.quantizers import Repeats
    from ..runs.config import TrainConfig


REPEATED = {"seed": "--seeds", "rounding_replicate": "--rounding-replicates"}
"""Fields of a recipe that the benchmark repeats, each with the option that sets the repetitions."""


def add_bench(commands: Any) -> None:
    parser = commands.add_parser("bench", help="measure, and keep the result under benchmarks/results")
    benches = parser.add_subparsers(required=True, metavar="BENCHMARK")
    _add_bench_quantizers(benches)
    _add_bench_objectives(benches)
    _add_bench_learning_rates(benches)
    _add_bench_soft_assignment(benches)
    _add_bench_training(benches)
    _add_bench_data(benches)
    _add_bench_explorers(benches)
    _add_bench_coverage(benches)
    _add_bench_metrics(benches)


def _add_bench_quantizers(benches: Any) -> None:
    parser = benches.add_parser(
        "quantizers", help="train methods by one recipe and compare them on held-out photographs"
    )
    _add_quantizers(parser)
    parser.add_argument(
        "--codebook-sizes",
        "--codebook-size",
        nargs="+",
        type=codebook_size,
        default=[None],
        metavar="K",
        help="codes (default: the preset's); the nearest product for grids",
    )
    _add_repeats(parser, seeds=3)
    parser.add_argument(
        "--runs", type=some_path, metavar="DIR", help="keep the runs there; the same again continues (default: no runs)"
    )
    add_without(parser)
    add_recipe(parser)
    add_device(parser)
    _add_results(parser)
    parser.set_defaults(command=_bench_quantizers)


def _bench_quantizers(options: argparse.Namespace) -> int:
    from ..bench.quantizers import compare_quantizers, markdown_table, require_each_once
    from ..bench.results import results_folder

    repeats = _repeats(options)
    _require_unset(options, REPEATED)
    recipes = _of_all_sizes(options)
    require_each_once(recipes)
    results_folder(options.results)
    comparison = compare_quantizers(recipes, repeats, options.device, runs=options.runs, without=options.without)
    return _report_benchmark(options, comparison, markdown_table)


def _add_bench_objectives(benches: Any) -> None:
    parser = benches.add_parser(
        "objectives", help="train methods for pixels alone, and with perceptual loss and GAN, and compare them"
    )
    _add_quantizers(parser, ["lgq", "fsq"])
    _add_repeats(parser, seeds=3)
    parser.add_argument(
        "--runs", type=some_path, required=True, metavar="DIR", help="for the runs; the same again continues there"
    )
    _add_training(parser)
    parser.set_defaults(command=_bench_objectives)


def _bench_objectives(options: argparse.Namespace) -> int:
    from ..bench.objectives import compare_objectives, markdown_table
    from ..bench.results import results_folder

    repeats = _repeats(options)
    recipes = _compared(options, options.quantizers, REPEATED)
    results_folder(options.results)
    return _report_benchmark(
        options, compare_objectives(recipes, repeats, options.runs, options.device), markdown_table
    )


def _add_bench_learning_rates(benches: Any) -> None:
    parser = benches.add_parser(
        "learning-rates", help="training loss of all methods by learning rate, and the rate it chooses (an hour)"
    )
    parser.add_argument(
        "--rates", nargs="+", type=float, metavar="RATE", help="learning rates (default: 2e-3, 1e-3, 5e-4)"
    )
    _add_repeats(parser, seeds=1)
    _add_training(parser)
    parser.set_defaults(command=_bench_learning_rates)


def _bench_learning_rates(options: argparse.Namespace) -> int:
    from ..bench.learning_rates import RATES, markdown_table, measure_learning_rates, recipes_at_rates
    from ..bench.results import results_folder
    from ..quantizers import QUANTIZERS

    repeats = _repeats(options)
    recipes = _compared(options, QUANTIZERS, {**REPEATED, "learning_rate": "--rates"})
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
    from ..bench.quantizers import Repeats

    return Repeats(range(_repeated(options.seeds)), options.rounding_replicates)


def _repeated(seeds: int) -> int:
    if seeds < 1:
        raise InputError(f"--seeds {seeds} trains nothing: give 1 or more")
    return seeds


def _compared(options: argparse.Namespace, names: Iterable[str], decided: Mapping[str, str]) -> list[TrainConfig]:
    """The recipe of each method. Raises InputError if --set gives a field of `decided`."""
    _require_unset(options, decided)
    return [recipe(options, name, options.codebook_size) for name in _methods(names)]


def _of_all_sizes(options: argparse.Namespace) -> list[TrainConfig]:
    """The recipe of each method with each size of --codebook-sizes; one of a method without codes."""
    recipes = []
    for name in _methods(options.quantizers):
        of_method = [recipe(options, name, size) for size in options.codebook_sizes]
        recipes += of_method if of_method[0].quantizer.size else of_method[:1]
    return recipes


def _methods(names: Iterable[str]) -> Iterable[str]:
    """The names; those of all methods for `all`."""
    from ..quantizers import QUANTIZERS

    return QUANTIZERS if list(names) == ["all"] else names


def _require_unset(options: argparse.Namespace, decided: Mapping[str, str]) -> None:
    """Raise InputError if --set gives a field that the benchmark sets by an option of its own."""
    for assignment in options.set:
        field = assignment.partition("=")[0]
        if field in decided:
            raise InputError(
                f"--set {assignment} would be overwritten: this benchmark takes {field} by {decided[field]}"
            )


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
    from ..bench.results import results_folder
    from ..bench.soft_assignment import RIVALS, SHAPES, Shape, compare_assignments
    from ..bench.soft_assignment_table import markdown_table

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
    add_recipe(parser)
    add_device(parser)
    _add_results(parser)
    parser.set_defaults(command=_bench_training)


def _bench_training(options: argparse.Namespace) -> int:
    from ..bench.results import results_folder
    from ..bench.training import markdown_table, measure_shares

    recipes = _of_all_sizes(options)
    results_folder(options.results)
    return _report_benchmark(options, measure_shares(recipes, device=options.device), markdown_table)


def _add_bench_data(benches: Any) -> None:
    parser = benches.add_parser(
        "data", help="what a source of pictures costs: waiting, memory, and the time before the first step (minutes)"
    )
    parser.add_argument("--quantizer", metavar="NAME", default="lgq", help="method (default: lgq)")
    _add_training(parser)
    parser.set_defaults(command=_bench_data)


def _bench_data(options: argparse.Namespace) -> int:
    from ..bench.data import markdown_table, measure_data
    from ..bench.results import results_folder

    chosen = recipe(options, options.quantizer, options.codebook_size)
    results_folder(options.results)
    return _report_benchmark(options, measure_data(chosen, options.device), markdown_table)


def _add_bench_explorers(benches: Any) -> None:
    parser = benches.add_parser("explorers", help="the time that a move of the temperature panel takes (a minute)")
    parser.add_argument("--tokens", type=int, default=4096, metavar="N", help="held-out tokens (default: 4096)")
    parser.add_argument("--codebook-size", type=int, default=16384, metavar="K", help="codes (default: 16384)")
    parser.add_argument("--moves", type=int, default=20, metavar="N", help="temperatures moved to (default: 20)")
    _add_results(parser)
    parser.set_defaults(command=_bench_explorers)


def _bench_explorers(options: argparse.Namespace) -> int:
    from ..bench.explorers import markdown_table, measure_explorers
    from ..bench.results import results_folder

    results_folder(options.results)
    measured = measure_explorers(options.tokens, options.codebook_size, options.moves)
    return _report_benchmark(options, measured, markdown_table)


def _add_bench_coverage(benches: Any) -> None:
    parser = benches.add_parser(
        "coverage", help="how often intervals over seeds and photographs hold the true value (some minutes)"
    )
    parser.add_argument("--repetitions", type=int, default=2000, metavar="N", help="of each case (default: 2000)")
    _add_results(parser)
    parser.set_defaults(command=_bench_coverage)


def _bench_coverage(options: argparse.Namespace) -> int:
    from ..bench.coverage import markdown_table, measure_coverage
    from ..bench.results import results_folder

    results_folder(options.results)
    return _report_benchmark(options, measure_coverage(options.repetitions), markdown_table)


def _add_bench_metrics(benches: Any) -> None:
    parser = benches.add_parser(
        "metrics",
        help="at which N the metrics can be trusted: bias, noise, separation, truth (three quarters of an hour)",
    )
    _add_quantizers(parser, ["lgq", "vq"])
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="seeds 0 … N − 1 (default: 4)")
    parser.add_argument("--crops", type=int, metavar="N", help="held-out crops, spread over photographs (default: 512)")
    parser.add_argument("--toy-seeds", type=int, metavar="N", help="of the fits in the plane (default: 2)")
    parser.add_argument("--toy-steps", type=int, metavar="N", help="of each of these fits (default: 500)")
    parser.add_argument("--toy-methods", nargs="+", metavar="NAME", help="that are fitted there (default: all)")
    parser.add_argument("--runs", type=some_path, metavar="DIR", help="keep the runs, and use those that are there")
    _add_training(parser)
    parser.set_defaults(command=_bench_metrics)


def _bench_metrics(options: argparse.Namespace) -> int:
    from ..bench.metrics import Protocol, audit_metrics, markdown_table
    from ..bench.results import results_folder

    seeds = range(_repeated(options.seeds))
    recipes = _compared(options, options.quantizers, {"seed": "--seeds"})
    asked = {name: getattr(options, name) for name in ("crops", "toy_seeds", "toy_steps")}
    asked["toy_methods"] = tuple(options.toy_methods or ())
    protocol = Protocol(**{name: value for name, value in asked.items() if value is not None})
    results_folder(options.results)
    measured = audit_metrics(recipes, seeds, protocol, options.runs, options.device)
    return _report_benchmark(options, measured, markdown_table)


def _add_quantizers(parser: argparse.ArgumentParser, names: Sequence[str] = ("lgq", "fsq", "simvq", "vq")) -> None:
    parser.add_argument(
        "--quantizers", nargs="+", metavar="NAME", default=list(names), help=f"or all (default: {' '.join(names)})"
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    """Options of what is trained and where, by one size of codebook, and of the result."""
    add_codebook_size(parser)
    add_recipe(parser)
    add_device(parser)
    _add_results(parser)


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=some_path, default=Path("benchmarks/results"), metavar="DIR")
    add_json(parser)


def _report_benchmark(
    options: argparse.Namespace, result: dict[str, Any], markdown_table: Callable[[dict[str, Any]], str]
) -> int:
    """Save the result, print its path on stderr, and print it or its table."""
    from ..bench.results import save_result

    tell(printable(save_result(result, options.results)))
    say(json.dumps(result) if options.json else markdown_table(result))
    return 0
