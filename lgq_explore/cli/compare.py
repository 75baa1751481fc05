"""`lgq-explore compare`: runs side by side, in a table, as JSON or as a page."""

from __future__ import annotations

import argparse
import json
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import InputError, printable
from ..progress import Progress, tell
from .options import add_json, file_path, some_path
from .streams import say

if TYPE_CHECKING:
    from ..analysis.comparison.compare import Comparison
    from ..analysis.comparison.given import GivenRuns

SECONDS_UNSHOWN = 3.0
"""A bar that appears and is gone would only disturb."""

DRAWING = ("jinja2", "matplotlib", "seaborn", "plotly")
"""Packages of the extra `notebook` that a page and its figures need."""


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
    parser.add_argument(
        "--features", action="store_true", help="measure FD with its interval, and the feature error: some 0.1 s a crop"
    )
    parser.add_argument("--out", type=file_path, metavar="FILE.html", help="write a page that needs nothing else")
    parser.add_argument("--tables", type=some_path, metavar="DIR", help="write its tables as CSV, Markdown and LaTeX")
    parser.add_argument("--figures", type=some_path, metavar="DIR", help="write its figures as PDF and SVG")
    parser.add_argument(
        "--pair", nargs=2, default=(), metavar="GROUP", help="whose pictures stand side by side (default: the best two)"
    )
    add_json(parser)
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    from ..analysis.comparison.given import given_runs

    _require_outputs(options)
    given = given_runs(options.runs)
    comparison = _measured(options, given)
    for line in given.skipped:
        tell(line)
    _write(options, given, comparison)
    _print(options, given, comparison)
    return 0


def _require_outputs(options: argparse.Namespace) -> None:
    """Refuse what can't be written, or drawn, before minutes of work."""
    from ..runs.outputs import require_folder_to_make, require_writable

    if options.out is not None:
        if options.out.is_dir():
            raise InputError(
                f"{printable(options.out)} is a folder: name a file, such as {options.out / 'report.html'}"
            )
        require_writable(options.out)
    for folder in filter(None, (options.tables, options.figures)):
        if not folder.is_dir():
            require_folder_to_make(folder)
    if (options.out or options.figures) and not all(map(find_spec, DRAWING)):
        raise InputError('figures need packages that are not installed: pip install "lgq_explore[notebook]"')
    if options.pair and options.out is None:
        raise InputError("--pair chooses pictures of a page: give --out FILE.html, too")


def _write(options: argparse.Namespace, given: GivenRuns, comparison: Comparison) -> None:
    """The page, tables and figures that were asked for."""
    if options.tables:
        from ..report.comparison.tables import comparison_tables, save_tables

        written = save_tables(comparison_tables(comparison), options.tables)
        tell(f"{printable(options.tables)}: tables of {', '.join(dict.fromkeys(path.stem for path in written))}")
    if not options.out and not options.figures:
        return
    from ..report.comparison.figures import save_figures
    from ..report.comparison.page import comparison_page, report_parts, write_page

    parts = report_parts(comparison, options.pair)
    if options.figures:
        save_figures(parts.figures, options.figures)
        tell(f"{printable(options.figures)}: figures")
    if options.out:
        write_page(options.out, comparison_page(comparison, parts, given.sweeps))
        tell(f"{printable(options.out)}: report on {len(comparison.runs)} runs")


def _measured(options: argparse.Namespace, given: GivenRuns) -> Comparison:
    from ..analysis.comparison.compare import compare, names_of

    with Progress("measuring", len(given.runs), "runs", delay=SECONDS_UNSHOWN) as bar:
        return compare(
            given.runs,
            crops=options.crops,
            features=options.features,
            recorded=given.recorded_of(names_of(given.runs)),
            measured=lambda name: bar.advance(1),
        )


def _print(options: argparse.Namespace, given: GivenRuns, comparison: Comparison) -> None:
    """One JSON object; or what was found, with numbers and ledger unless a page has them."""
    from ..report.comparison.text import comparison_json, comparison_text, findings_text

    width = shutil.get_terminal_size().columns
    if options.json:
        say(json.dumps(comparison_json(comparison, given.sweeps), allow_nan=False))
    elif options.out:
        say(findings_text(comparison, width))
    else:
        say(comparison_text(comparison, width))
