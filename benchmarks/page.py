"""Fills in the page of benchmarks from the results that it names.

``python -m benchmarks.page benchmarks`` looks in ``benchmarks/README.md`` for sections such as

    <!-- soft-assignment results/2026-11-24-soft-assignment.json -->
    <!-- /soft-assignment -->

and writes the named result between the two lines: its figure if it has one, saved beside the page, and its table. To
show another result, name it there and run the command again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.figures import publish_assignment_costs, publish_quantizer_shares
from lgq_explore.bench import (
    coverage,
    data,
    explorers,
    learning_rates,
    metrics,
    objectives,
    quantizers,
    soft_assignment_table,
    training,
)
from lgq_explore.bench.results import read_result
from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.plots.audit import publish_audit

from . import versions
from .browser import gestures, lasso
from .browser import table as browser_table
from .figures import COST_COLUMNS
from .gpu import runs_table as gpu_runs_table
from .gpu import table as gpu_table

PAGE = "README.md"
SECTION = re.compile(
    r"(?P<start><!-- (?P<benchmark>[a-z-]+) (?P<result>\S+\.json) -->\n).*?(?P<end><!-- /(?P=benchmark) -->)",
    re.DOTALL,
)
TEMPERATURE = 1.0
"""The temperature at which soft methods are drawn; the table has all temperatures."""


@dataclass(frozen=True)
class SectionFigure:
    """The function that draws a benchmark's figure, its file, and its alternative text."""

    draw: Callable[[dict[str, Any]], Figure]
    file: str
    alternative: str


@dataclass(frozen=True)
class Section:
    """The section of a benchmark: a table, and above it a figure if there is one."""

    table: Callable[[dict[str, Any]], str]
    figure: SectionFigure | None = None


def write_page(folder: Path) -> list[Path]:
    """Fill in all sections of the page in `folder`, draw their figures, and return the files that were written.

    Raises InputError, and writes nothing, for a page or result that can't be read, or a section of an unknown
    benchmark.
    """
    page = folder / PAGE
    try:
        text = page.read_text()
    except OSError as error:
        raise InputError(f"{page} can't be read: {error.strerror}. Name a folder with a page.") from error
    figures: dict[Path, bytes] = {}

    def fill(match: re.Match[str]) -> str:
        benchmark = match["benchmark"]
        figure = _section(benchmark).figure
        result = read_result(folder / match["result"], benchmark)
        if figure is not None:
            if folder / figure.file in figures:
                raise InputError(f"{page} has two sections of {benchmark}, which has one figure: leave one")
            figures[folder / figure.file] = _png(figure.draw(result), source=folder / match["result"])
        return f"{match['start']}{section_text(benchmark, result)}\n{match['end']}"

    if not SECTION.search(text):
        raise InputError(f"{page} has no section to fill in: write a line such as <!-- training results/FILE.json -->")
    filled = SECTION.sub(fill, text)
    for path, content in {**figures, page: filled.encode()}.items():
        with whole_file(path) as target:
            target.write(content)
    return [page, *figures]


def section_text(benchmark: str, result: dict[str, Any]) -> str:
    """The content of a section of the page, between its two lines."""
    section = _section(benchmark)
    picture = f"![{section.figure.alternative}]({section.figure.file})\n\n" if section.figure else ""
    return picture + section.table(result)


def digest(path: Path) -> str:
    """Metadata of a figure: the name and SHA-256 of the result that it was drawn from."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def assignment_costs(comparison: dict[str, Any]) -> pd.DataFrame:
    """The frame for `publish_assignment_costs`, at the N and D with the most numbers of codes, on plain data."""
    to_dense = {
        (ratio["tokens"], ratio["codes"], ratio["dim"]): ratio
        for ratio in comparison["ratios"]
        if ratio["rival"] == "dense" and _is_plain(ratio)
    }
    rows = []
    for result in filter(_is_plain, comparison["results"]):
        shape = (result["tokens"], result["codes"], result["dim"])
        ratio = to_dense.get(shape, {}) if result["method"] == "lgq" else {}
        costs = (result["median_seconds"], result["median_megabytes"], result["needed_megabytes"])
        rows.append((result["method"], *shape, *costs, ratio.get("times_faster"), ratio.get("times_less_memory")))
    costs_of_all = pd.DataFrame(rows, columns=COST_COLUMNS)
    sizes = costs_of_all.groupby(["tokens", "dim"])["codes"].nunique()
    tokens, dim = max(sizes.index, key=lambda shape: (sizes[shape], shape))
    return costs_of_all[(costs_of_all["tokens"] == tokens) & (costs_of_all["dim"] == dim)].reset_index(drop=True)


def _is_plain(entry: dict[str, Any]) -> bool:
    """Whether a result or ratio is drawn: of a hard method, or exact, at TEMPERATURE, on unscaled data."""
    is_hard = entry["temperature"] is None
    return is_hard or (entry["temperature"] == TEMPERATURE and entry["subnormals"] and not entry["drop"])


def quantizer_shares(shares: dict[str, Any]) -> pd.DataFrame:
    """The frame for `publish_quantizer_shares`, of `training.METHODS` alone: more lines can't be told apart."""
    columns = {"quantizer": "method", "codebook_size": "codes", "share": "share"}
    rows = [result for result in shares["results"] if result["quantizer"] in training.METHODS]
    return pd.DataFrame(rows)[list(columns)].rename(columns=columns).astype({"share": "float64"})


SECTIONS = {
    "soft-assignment": Section(
        soft_assignment_table.markdown_table,
        SectionFigure(
            lambda comparison: publish_assignment_costs(assignment_costs(comparison), TEMPERATURE),
            "soft_assignment.png",
            "Time and memory of a step by the number of codes: LGQ, a dense reference and hard methods",
        ),
    ),
    "training": Section(
        training.markdown_table,
        SectionFigure(
            lambda shares: publish_quantizer_shares(quantizer_shares(shares)),
            "training_share.png",
            "The quantizer's share of a training step by method and number of codes",
        ),
    ),
    "quantizers": Section(quantizers.markdown_table),
    "data": Section(data.markdown_table),
    "versions": Section(versions.markdown_table),
    "learning-rates": Section(learning_rates.markdown_table),
    "objectives": Section(objectives.markdown_table),
    "gpu-soft-assignment": Section(gpu_table.markdown_table),
    "gpu-training": Section(gpu_runs_table.training_table),
    "gpu-quantizers": Section(gpu_runs_table.quantizers_table),
    "coverage": Section(coverage.markdown_table),
    "metrics": Section(
        metrics.markdown_table,
        SectionFigure(
            lambda measured: publish_audit(metrics.shown(measured)),
            "metrics.png",
            "Bias and noise of each metric by the number of tokens, whether it tells two methods apart, and its rank "
            "correlation with the true distortion",
        ),
    ),
    "explorers": Section(explorers.markdown_table),
    "browser": Section(browser_table.markdown_table),
    "gestures": Section(gestures.markdown_table),
    "lasso": Section(lasso.markdown_table),
}


def _section(benchmark: str) -> Section:
    if benchmark not in SECTIONS:
        raise InputError(f"unknown benchmark {benchmark!r} on the page: choose from {', '.join(SECTIONS)}")
    return SECTIONS[benchmark]


def _png(figure: Figure, source: Path) -> bytes:
    target = BytesIO()
    figure.savefig(target, format="png", metadata={"Source": digest(source)})
    return target.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description="fill in a page of benchmarks from its results"
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="that holds the page, README.md, such as benchmarks"
    )
    try:
        written = write_page(parser.parse_args(arguments).folder)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
