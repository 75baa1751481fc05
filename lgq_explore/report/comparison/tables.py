"""The tables of a comparison, as cells in words, and as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.frames.quantities import QUANTITIES, RATIO, counted, interval_text, mean_text

from .published import PUBLISHED
from .writing import write_text, writing

INTERVALS = (
    "[low, high] is the 95 % interval over seeds and photographs; where there is none, ± is the standard deviation "
    "over seeds."
)

PAIRING = (
    "Runs of one seed share data order and first weights; groups with the same seeds are compared seed by seed, others "
    "as independent."
)

FRECHET_FEATURES = "FD is by 1280 features of EfficientNet-Lite0."


@dataclass(frozen=True)
class Table:
    """name: of its files. head: of its columns, the first of which names the rows. note: what its cells are."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    numeric: bool = True


def comparison_tables(comparison: Comparison) -> dict[str, Table]:
    """The tables by their names: numbers, differences, ratios, fd-sizes, curves, ledger, published."""
    tables = (
        numbers_table(comparison.numbers, frechet_remark(comparison)),
        differences_table(comparison.differences),
        ratios_table(comparison.ratios),
        frechet_sizes_table(comparison.frechet_sizes),
        curves_table(comparison.curves),
        ledger_table(comparison),
        published_table(),
    )
    return {table.name: table for table in tables}


def frechet_remark(comparison: Comparison) -> str:
    """Which features FD is by, where it was measured for the comparison; the ledger has those of each `evaluate`."""
    return "" if comparison.frechet_sizes.empty else FRECHET_FEATURES


def numbers_table(numbers: pd.DataFrame, remark: str = "") -> Table:
    """A row per group, and a column per number that any of them has. remark: a sentence for its note."""
    measured = numbers.dropna(subset="estimate")["number"].unique()
    shown = [number for number in QUANTITIES if number in measured]
    rows = []
    for name, of_group in numbers.groupby("group", sort=False):
        of_number = of_group.set_index("number")
        first = of_group.iloc[0]
        size = f"{first['codebook_size']:,.0f}" if first["codebook_size"] else "–"
        rows.append((str(name), size, str(first["seeds"]), *(_cell(of_number.loc[number]) for number in shown)))
    head = ("group", "K", "seeds", *(QUANTITIES[number].heading for number in shown))
    photographs = int(numbers["photographs"].iloc[0])
    pairing = PAIRING if len(rows) > 1 else ""
    note = " ".join(filter(None, [f"{photographs:,d} photographs.", INTERVALS, pairing, remark]))
    return Table("numbers", "Means of each group", head, tuple(rows), note)


def differences_table(differences: pd.DataFrame) -> Table:
    """A row per pair of groups, and a column per number: first minus second."""
    shown = [number for number in QUANTITIES if number in set(differences["number"])]
    rows = []
    for (first, second), of_pair in differences.groupby(["first", "second"], sort=False):
        of_number = of_pair.set_index("number")
        cells = (_gap(of_number.loc[number]) if number in of_number.index else "–" for number in shown)
        rows.append((f"{first} − {second}", *cells))
    note = (
        "First minus second, on the same photographs. [low, high] is the 95 % interval over seeds and photographs, and "
        f"p is by Holm over all pairs of a number; where they are missing, seeds or photographs are too few. {PAIRING}"
    )
    return Table(
        "differences", "Differences of groups", ("pair", *(QUANTITIES[n].heading for n in shown)), tuple(rows), note
    )


def ratios_table(ratios: pd.DataFrame) -> Table:
    """A row per pair of groups: FD of the first over that of the second."""
    rows = []
    for row in ratios.to_dict("records"):
        interval = interval_text(RATIO, row["low"], row["high"])
        told = f"{RATIO.value(row['ratio'])} {interval}".strip() + _p_value(row["p_holm"])
        rows.append((f"{row['first']} / {row['second']}", QUANTITIES[row["number"]].name, told))
    note = (
        f"{FRECHET_FEATURES} First over second, on the same photographs: below 1 the first is nearer to the pictures. "
        "[low, high] is the 95 % interval by the logarithm, and p, that the ratio is 1, is by Holm over all pairs; "
        f"where they are missing, seeds or photographs are too few. {PAIRING}"
    )
    return Table("ratios", "Ratios of FD", ("pair", "ratio of", "ratio"), tuple(rows), note)


def frechet_sizes_table(sizes: pd.DataFrame) -> Table:
    """A row per group, and a column per number of photographs that FD was measured on."""
    columns = sizes.drop_duplicates("photographs").sort_values("photographs")
    head = [f"{counted(row.photographs, 'photograph')}, {counted(row.crops, 'crop')}" for row in columns.itertuples()]
    rows = [
        (str(name), *(QUANTITIES["fd"].value(fd) for fd in of_group.sort_values("photographs")["fd"]))
        for name, of_group in sizes.groupby("group", sort=False)
    ]
    note = (
        f"{FRECHET_FEATURES} Means over seeds, and over the disjoint sets that the photographs were cut into: what "
        "changes along a row is bias. FD compares at one number of pictures only, and intervals do not hold the bias."
    )
    return Table("fd-sizes", "FD against the number of photographs", ("group", *head), tuple(rows), note)


def curves_table(curves: pd.DataFrame) -> Table:
    """A row per pair of methods that have curves, at equal bits and at equal PSNR."""
    rows = []
    for row in curves.to_dict("records"):
        equal, number = QUANTITIES[row["at_equal"]], QUANTITIES[row["number"]]
        interval = interval_text(number, row["low"], row["high"], signed=True)
        told = f"{number.value(row['difference'], signed=True)} {number.unit} {interval}".strip()
        known = math.isfinite(row["difference"])
        span = f"{equal.value(row['from'])} to {equal.with_unit(row['to'])}" if known else row["why"]
        rows.append((f"{row['first']} − {row['second']}", equal.name, number.name, told if known else "–", span))
    head = ("pair", "at equal", "difference of", "mean difference", "over")
    return Table("curves", "At equal rate and at equal distortion", head, tuple(rows), "", numeric=False)


def ledger_table(comparison: Comparison) -> Table:
    """A row per field, those that differ first, and a column per group with the values of its runs, each once."""
    ordered = comparison.ledger_of_groups.sort_values("differs", ascending=False, kind="stable")
    groups = [group.name for group in comparison.grouped.groups]
    rows = [
        (row["field"], row["kind"], "yes" if row["differs"] else "no", *(row[group] for group in groups))
        for row in ordered.to_dict("records")
    ]
    return Table("ledger", "Ledger", ("field", "kind", "differs", *groups), tuple(rows), "", numeric=False)


def published_table() -> Table:
    """Numbers of others."""
    head = ("method", "pictures", "K", "rFID", "codes used", "remark", "source")
    rows = [
        (
            each.method,
            each.setting,
            f"{each.codebook_size:,d}",
            f"{each.rfid:.2f}",
            each.used or "–",
            each.remark or "–",
            f"{each.source}, {each.address}",
        )
        for each in PUBLISHED
    ]
    note = (
        "These were measured by others, on all of ImageNet's validation pictures, after trainings hundreds of times as "
        "long, by Inception's features. None of them compares with the numbers above."
    )
    return Table("published", "Published numbers", head, tuple(rows), note, numeric=False)


def save_tables(tables: Mapping[str, Table], folder: Path) -> list[Path]:
    """Write each table that has rows as CSV, Markdown and LaTeX into a folder, which is made if it is missing.

    Returns the paths. Raises InputError if they can't be written.
    """
    forms = {"csv": as_csv, "md": as_markdown, "tex": as_latex}
    filled = [table for table in tables.values() if table.rows]
    texts = {folder / f"{table.name}.{kind}": form(table) for table in filled for kind, form in forms.items()}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_text(path, text)
    return list(texts)


def as_csv(table: Table) -> str:
    """Cells as they are read on the page. A cell that a spreadsheet would take for a formula begins with a '."""
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerows(map(_harmless, row) for row in (table.head, *table.rows))
    return target.getvalue()


def as_markdown(table: Table) -> str:
    """A pipe table, with its note below."""
    lines = [
        _piped(map(_markdown, table.head)),
        _piped(["---", *["---:" if table.numeric else "---"] * (len(table.head) - 1)]),
    ]
    lines += [_piped(map(_markdown, row)) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else [])]) + "\n"


def as_latex(table: Table) -> str:
    """A tabular of booktabs, with its note below."""
    columns = "l" + ("r" if table.numeric else "l") * (len(table.head) - 1)
    body = [" & ".join(map(_latex, row)) + r" \\" for row in table.rows]
    head = " & ".join(map(_latex, table.head)) + r" \\"
    lines = [
        f"\\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, *([f"% {table.note}"] if table.note else [])]) + "\n"


def _cell(row: pd.Series) -> str:
    return mean_text(QUANTITIES[str(row.name)], row["estimate"], row["spread"], row["low"], row["high"])


def _gap(row: pd.Series) -> str:
    quantity = QUANTITIES[str(row.name)]
    interval = interval_text(quantity, row["low"], row["high"], signed=True)
    return f"{quantity.value(row['difference'], signed=True)} {interval}".strip() + _p_value(row["p_holm"])


def _p_value(p_holm: float) -> str:
    return f", p = {p_holm:.2g}" if math.isfinite(p_holm) else ""


def _harmless(cell: str) -> str:
    return f"'{cell}" if re.match(r"[=@\t\r]|[+-](?![\d.])", cell) else cell


def _piped(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(cell: str) -> str:
    escaped = re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", cell)
    return " ".join(escaped.split())


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _latex(cell: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(cell.split()))
