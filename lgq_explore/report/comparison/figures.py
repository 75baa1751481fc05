"""The figures of a comparison, each drawn or told why not, and their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lgq_explore import analysis, plots
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.geometry.cells import FEWEST_TOKENS
from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file
from lgq_explore.frames.quantities import counted
from lgq_explore.runs.study import Study

from .writing import writing

PRUNED_CROPS = 256
"""Crops that are decoded again for each number of codes."""

MOST_CELLS = 4
"""Groups whose cells are drawn."""

FEWEST_CELLS = 8
"""Cells whose fit is worth a figure: `density_exponents` takes fewer."""

FORMATS = ("pdf", "svg")


@dataclass(frozen=True, eq=False)
class ReportFigure:
    """name: of its files. title: its heading. alt: what it shows, for those who can't see it. why: there is none.

    other_photographs: that it shows other numbers of photographs than the tables have, in a sentence; empty if not.
    """

    name: str
    title: str
    alt: str
    figure: Figure | None = None
    why: str = ""
    other_photographs: str = ""


def comparison_figures(comparison: Comparison, studies: Mapping[str, Study]) -> Iterator[ReportFigure]:
    """The figures of a comparison. studies: one of each group, by the group's name."""
    coded = {name: study for name, study in studies.items() if study.quantizer.has_codes}
    methods = {group.name: group.method for group in comparison.grouped.groups}
    in_tables = len(comparison.grouped.digests)
    runs = comparison.runs_shown(coded)
    yield _attempt(
        "rate-distortion",
        "Rate and distortion",
        "PSNR in dB against entropy in bits per token: a point for each codebook size of each method, and a dashed "
        "line for a method without codes. The table of numbers has the same values.",
        lambda: plots.comparison.publish_rate_distortion(comparison.numbers),
    )
    yield _attempt(
        "pruning",
        "Codes taken away without training again",
        f"PSNR against the number of codes kept, a line each for {runs}; it falls as codes are taken away.",
        lambda: plots.comparison.publish_pruning(_of_several(coded, _pruned), methods, runs),
        _other_photographs(coded.values(), in_tables, PRUNED_CROPS),
    )
    yield _attempt(
        "usage",
        "Usage of the codes",
        f"Four charts with a line each for {runs}: usage by rank, Lorenz curves, codes seen against images, "
        "and definitions of usage.",
        lambda: plots.usage.publish_comparison(_usage_frames(coded), methods, runs),
        _other_photographs(coded.values(), in_tables),
    )
    for name, study in list(coded.items())[:MOST_CELLS]:
        yield _attempt(
            f"cells-{name}",
            f"Cells of {printable(name)}",
            "Volume, occupancy and anisotropy of each code's cell against the density of latents there: a dot a code.",
            partial(_cells, name, study),
            _other_photographs([study], in_tables),
        )


def save_figures(figures: Sequence[ReportFigure], folder: Path) -> list[Path]:
    """Write each figure as PDF and SVG into a folder, which is made if it is missing.

    Returns the paths. Raises InputError if they can't be written.
    """
    drawn = {each.name: each.figure for each in figures if each.figure is not None}
    written = []
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in drawn.items():
            for kind in FORMATS:
                path = folder / f"{file_name(name)}.{kind}"
                with whole_file(path) as target:
                    figure.savefig(target, format=kind)
                written.append(path)
    return written


def file_name(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.") or "figure"


def _other_photographs(studies: Iterable[Study], in_tables: int, crops: int | None = None) -> str:
    """That the first crops of these studies, by default all, show other numbers of photographs than the tables have."""
    drawn = sorted({len(np.unique(study.encoding.photograph[:crops])) for study in studies})
    if not drawn or drawn == [in_tables]:
        return ""
    numbers = counted(drawn[0], "photograph") if len(drawn) == 1 else f"{drawn[0]:,d} to {drawn[-1]:,d} photographs"
    verb = "is" if in_tables == 1 else "are"
    return f"Drawn on {numbers}; the numbers of the tables {verb} of {counted(in_tables, 'photograph')}."


def _attempt(name: str, title: str, alt: str, draw: Callable[[], Figure], other_photographs: str = "") -> ReportFigure:
    try:
        return ReportFigure(name, title, alt, draw(), other_photographs=other_photographs)
    except InputError as error:
        return ReportFigure(name, title, alt, why=str(error).replace("\n", " "))


def _of_several(studies: Mapping[str, Study], look: Callable[[Study], pd.DataFrame]) -> pd.DataFrame:
    """The frames of all studies in one; those that raise InputError are left out unless all do."""
    frames, error = {}, None
    for name, study in studies.items():
        try:
            frames[name] = look(study)
        except InputError as raised:
            error = raised
    if not frames and error is not None:
        raise error
    return analysis.comparison.of_several_runs(frames)


def _pruned(study: Study) -> pd.DataFrame:
    return analysis.comparison.pruning(study, crops=PRUNED_CROPS)


def _usage_frames(studies: Mapping[str, Study]) -> plots.usage.UsageFrames:
    usage = analysis.usage
    return plots.usage.UsageFrames(
        _of_several(studies, usage.summary),
        _of_several(studies, usage.by_rank),
        _of_several(studies, usage.lorenz),
        _of_several(studies, usage.accumulation),
        usage.definitions(studies),
    )


def _cells(name: str, study: Study) -> Figure:
    study.require_geometry()
    cells = analysis.geometry.code_cells(study)
    filled = int((cells["count"] >= FEWEST_TOKENS).sum())
    if filled < FEWEST_CELLS:
        raise InputError(
            f"{filled} cells have {FEWEST_TOKENS} tokens or more: a power of the density takes {FEWEST_CELLS}; "
            "encode more crops"
        )
    return plots.geometry.publish_code_cells(cells, analysis.geometry.density_exponents(cells), name=name)
