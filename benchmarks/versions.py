"""Measure a training step of this version of the package against one of another, in turn.

    git worktree add ../before COMMIT
    python -m benchmarks.versions ../before [--presets tiny small] [--rounds 3] [--precision bf16-mixed]

The other version is a folder with its checkout. Each measurement is that of `lgq-explore bench training`: whole steps
of the training loop in a fresh process on one thread, on the CPU. In each round both versions take their turn, so that
a slower machine affects both; the median of the ratios within the rounds is compared. The result is saved as dated JSON
in `benchmarks/results/`, and printed as a table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from lgq_explore.bench.fresh_process import THREADS, in_fresh_process
from lgq_explore.bench.markdown import count, number, table
from lgq_explore.bench.results import about_runs, save_result
from lgq_explore.bench.training import TIMED_STEPS, measure_share
from lgq_explore.errors import InputError
from lgq_explore.progress import Progress, tell
from lgq_explore.runs.config import PRECISIONS, TrainConfig, config_to_json, read_json
from lgq_explore.training.presets import preset

HERE = Path(__file__).parents[1]
RESULTS = HERE / "benchmarks" / "results"


def compare_versions(
    before: Path, presets: Sequence[str], rounds: int, precision: str = "auto", progress: bool = True
) -> dict[str, Any]:
    """Steps of each preset by the package in the folder `before`, and by this one: a JSON object, with all rounds.

    Each version trains by its own preset of the name, with its own defaults.

    precision: of this version's steps, of `lgq_explore.runs.config.PRECISIONS`; the version before uses its own.
    Raises InputError for a preset that a version lacks, an unknown precision, no rounds, and a folder without a
    commit or a package.
    """
    recipes = {name: replace(preset(name), precision=precision) for name in presets}
    if rounds < 1 or not recipes:
        raise InputError(f"{rounds} rounds of {len(recipes)} presets measure nothing: give 1 or more")
    if not (before / "lgq_explore").is_dir():
        raise InputError(f"{before} has no lgq_explore: name the folder of another version's checkout")
    versions = {
        "before": (before, {name: preset_of(before, name) for name in presets}),
        "now": (HERE, {name: config_to_json(recipe) for name, recipe in recipes.items()}),
    }
    commits = {version: commit_of(folder) for version, (folder, _) in versions.items()}
    results, environment = [], {}
    with Progress("versions", 2 * rounds * len(recipes), "processes", shown=progress) as bar:
        for name, recipe in recipes.items():
            seconds: dict[str, list[float]] = {version: [] for version in versions}
            for _ in range(rounds):
                for version, (folder, its_recipes) in versions.items():
                    bar.note(f"{name}, {version}", at_once=True)
                    case = {"recipe": its_recipes[name], "device": "cpu"}
                    measured = in_fresh_process(measure_share, case, folder=folder)
                    seconds[version].append(median(measured["step_seconds"]))
                    environment = measured["environment"]
                    bar.advance()
            results.append(result_of(name, recipe, seconds))
    return {
        **about_runs("versions", list(recipes.values()), environment),
        "protocol": {"clock": "CPU time", "threads": THREADS, "rounds": rounds, "steps": TIMED_STEPS},
        "commits": commits,
        "results": results,
    }


def preset_of(folder: Path, name: str) -> dict[str, Any]:
    """The fields that a version's preset sets. Raises InputError for one that it lacks."""
    path = folder / "lgq_explore" / "training" / "presets" / f"{name}.json"
    if not path.is_file():
        raise InputError(f"{folder} has no preset {name}: leave it out of --presets")
    return read_json(path)


def commit_of(folder: Path) -> str:
    """The commit that is checked out in a folder. Raises InputError if git knows of none."""
    asked = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True)
    if asked.returncode:
        raise InputError(f"{folder} is no checkout of a commit: make one with git worktree add {folder} COMMIT")
    return asked.stdout.strip()


def result_of(name: str, recipe: TrainConfig, seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """seconds: by version, the median step of each round."""
    faster = [before / now for before, now in zip(seconds["before"], seconds["now"], strict=True)]
    return {
        "preset": name,
        "recipe_hash": recipe.recipe_hash,
        "batch_size": recipe.batch_size,
        "image_size": recipe.image_size,
        "step_seconds": dict(seconds),
        "times_faster": median(faster),
        "times_faster_rounds": faster,
    }


def markdown_table(comparison: Mapping[str, Any]) -> str:
    """One row per preset, with the images per second of both versions and the ratio in every round."""
    rows = []
    for result in comparison["results"]:
        speeds = {name: result["batch_size"] / median(seconds) for name, seconds in result["step_seconds"].items()}
        rounds = " · ".join(f"{ratio:.3f}" for ratio in result["times_faster_rounds"])
        ratio = f"{result['times_faster']:.3f}"
        rows.append([f"`{result['preset']}`", number(speeds["before"]), number(speeds["now"]), ratio, rounds])
    header = ["preset", "images/s before", "images/s now", "× faster", "by round"]
    return table(header, rows, left=1) + "\n\n" + _caption(comparison)


def _caption(comparison: Mapping[str, Any]) -> str:
    protocol = comparison["protocol"]
    before, now = (comparison["commits"][version][:7] for version in ("before", "now"))
    return (
        f"Whole steps of training by {before} (before) and {now} (now): {protocol['clock']} on "
        f"{count(protocol['threads'], 'thread')}, the median of {protocol['steps']} steps a process, and of "
        f"{count(protocol['rounds'], 'round')}. In {comparison['environment']['precision']} now. "
        f"{comparison['date']}, {comparison['device']}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions", description="a training step of this version against another's"
    )
    parser.add_argument("before", type=Path, metavar="FOLDER", help="the checkout of the other version")
    parser.add_argument("--presets", nargs="+", default=["tiny", "small"], metavar="P", help="default: tiny small")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of both versions, in turn (default: 3)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="of this version's steps (default: float32 on a CPU)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        comparison = compare_versions(options.before, options.presets, options.rounds, options.precision)
        tell(str(save_result(comparison, options.results)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(comparison) if options.json else markdown_table(comparison))
    return 0


if __name__ == "__main__":
    sys.exit(main())
