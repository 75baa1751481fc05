"""Where a comparison comes from: versions, definitions, and the commands that make it again."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from lgq_explore import __version__
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.frames.quantities import QUANTITIES
from lgq_explore.runs.config import config_to_json
from lgq_explore.runs.measures import DEFINITIONS

PACKAGES = ("numpy", "pandas", "torch", "matplotlib", "seaborn")
"""Those that the numbers and figures of a report come from, besides this one."""


@dataclass(frozen=True)
class Recipe:
    """A group's recipe as JSON, and the commands that train and evaluate its runs again."""

    group: str
    json: str
    commands: tuple[str, ...]


def defined_metrics(comparison: Comparison) -> list[str]:
    """The metrics, by their names in DEFINITIONS, whose numbers are shown."""
    measured = set(comparison.numbers.dropna(subset="estimate")["number"]) & set(QUANTITIES)
    return [name for name, definition in DEFINITIONS.items() if measured & set(definition.keys)]


def versions() -> dict[str, str]:
    """Versions of what made the report."""
    found = {"lgq_explore": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def recipes(comparison: Comparison) -> list[Recipe]:
    """The recipe of each group, with its commands: the file is its JSON below."""
    return [
        Recipe(
            group.name,
            json.dumps(config_to_json(group.runs[0].config), indent=2, ensure_ascii=False),
            tuple(
                command
                for run in group.runs
                for command in (
                    shlex.join(
                        [
                            "lgq-explore",
                            "train",
                            "--config",
                            str(comparison.runs[run.name].path / "config.json"),
                            "--run",
                            "NEW",
                        ]
                    ),
                    shlex.join(["lgq-explore", "evaluate", str(comparison.runs[run.name].path)]),
                )
            ),
        )
        for group in comparison.grouped.groups
    ]


def compare_command(comparison: Comparison) -> str:
    """The command that makes the comparison again."""
    paths = [str(run.path) for run in comparison.runs.values()]
    features = [] if comparison.frechet_sizes.empty else ["--features"]
    crops = ["--crops", str(comparison.crops)]
    return shlex.join(["lgq-explore", "compare", *paths, *crops, *features, "--out", "report.html"])
