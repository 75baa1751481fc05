"""`lgq-explore compare`: runs side by side, in a table, as JSON or as a page."""

from __future__ import annotations

import argparse
import json
import shutil
from typing import TYPE_CHECKING, Any

from ..progress import Progress, tell
from .options import add_json, some_path
from .streams import say

if TYPE_CHECKING:
    from ..analysis.comparison.compare import Comparison
    from ..analysis.comparison.given import GivenRuns


def add_compare(commands: Any) -> None:
    parser = commands.add_parser("compare", help="compare runs: what was found, how sure it is, and whether it is fair")
    parser.add_argument(
        "runs",
        nargs="+",
        type=some_path,
        metavar="RUN",
        help="folders of runs, their names in lgq-explore list runs, folders of several runs, or of a sweep",
    )
    parser.add_argument("--crops", type=int, default=1024, metavar="N", help="held-out crops at most (default: 1024)")
    parser.add_argument("--features", action="store_true", help="measure the feature error, too: some 0.1 s a crop")
    add_json(parser)
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    from ..analysis.comparison.given import given_runs

    given = given_runs(options.runs)
    comparison = _measured(options, given)
    for line in given.skipped:
        tell(line)
    _print(options, given, comparison)
    return 0


def _measured(options: argparse.Namespace, given: GivenRuns) -> Comparison:
    from ..analysis.comparison.compare import compare, names_of

    recorded = {
        name: given.recorded[run.path] for name, run in names_of(given.runs).items() if run.path in given.recorded
    }
    with Progress("measuring", len(given.runs), "runs") as bar:
        return compare(
            given.runs,
            crops=options.crops,
            features=options.features,
            recorded=recorded,
            measured=lambda name: bar.advance(1),
        )


def _print(options: argparse.Namespace, given: GivenRuns, comparison: Comparison) -> None:
    from ..report.comparison.text import comparison_json, comparison_text

    if options.json:
        say(json.dumps(comparison_json(comparison, given.sweeps), allow_nan=False))
    else:
        say(comparison_text(comparison, shutil.get_terminal_size().columns))
