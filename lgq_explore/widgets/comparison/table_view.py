"""A table of runs in the page: heads that sort, a box to tick in front of each run, and its own scrolling."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import traitlets

from ..parts.page_part import PagePart, script
from .columns import COLUMNS, IS_TEXT, meaning
from .rows import Section

FOLDER = Path(__file__).parent
STYLE = FOLDER / "table_view.css"


class TableView(PagePart):
    """Sections of runs below a head. What a reader does is only reported; the traits say what is shown.

    The page sends ``{"sort": column}`` where a head is clicked, and ``{"tick": [runs], "on": bool}``.
    is_compact: whether it leaves room for a panel below it.
    """

    _esm = script(FOLDER / "table_view.js")
    _css = STYLE

    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    sections = traitlets.List(traitlets.Dict()).tag(sync=True)
    sort = traitlets.Unicode("run").tag(sync=True)
    descending = traitlets.Bool(False).tag(sync=True)
    is_compact = traitlets.Bool(False).tag(sync=True)
    ticked = traitlets.List(traitlets.Unicode()).tag(sync=True)
    why_empty = traitlets.Unicode().tag(sync=True)
    """What stands below the heads where there are no rows."""

    def __init__(self, on_sort: Callable[[str], None], on_tick: Callable[[list[str], bool], None]) -> None:
        super().__init__()
        self._on_sort, self._on_tick = on_sort, on_tick
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return f"TableView({sum(len(section['rows']) for section in self.sections)} runs)"

    def show(
        self, columns: Sequence[str], shown: Sequence[Section], sort: str, descending: bool, why_empty: str
    ) -> None:
        """Show these, in place of what is shown."""
        with self.hold_sync():
            self.columns = [
                {"name": name, "label": COLUMNS[name].label, "title": meaning(name), "text": name in IS_TEXT}
                for name in columns
            ]
            self.sections = [asdict(section) for section in shown]
            self.sort, self.descending, self.why_empty = sort, descending, why_empty

    def _hear(self, widget: TableView, content: Any, buffers: Any) -> None:
        """Anything but the two messages is another widget's talk."""
        match content:
            case {"sort": str(column)} if column in COLUMNS:
                self._on_sort(column)
            case {"tick": list(runs), "on": bool(on)} if all(isinstance(run, str) for run in runs):
                self._on_tick(runs, on)


def static_table(columns: Sequence[str], shown: Sequence[Section], ticked: Sequence[str], why_empty: str) -> str:
    """The same table as HTML without controls, for a notebook that nobody runs."""
    heads = "".join(_cell("th", name, COLUMNS[name].label, "scope='col'") for name in columns)
    bodies = "".join(_body(columns, section, ticked) for section in shown) or (
        f"<tbody><tr><td class='lgq-runs-why' colspan='{len(columns)}'>{html.escape(why_empty)}</td></tr></tbody>"
    )
    table = f"<div class='lgq-runs-scroll'><table><thead><tr>{heads}</tr></thead>{bodies}</table></div>"
    return f"<style>{STYLE.read_text(encoding='utf-8')}</style><div class='lgq-runs'>{table}</div>"


def _body(columns: Sequence[str], section: Section, ticked: Sequence[str]) -> str:
    rows = [_row(columns, section.head, "lgq-runs-head")] if section.head else []
    for row in section.rows:
        cells = row.cells | {"run": f"✓ {row.run}"} if row.run in ticked else row.cells
        rows.append(_row(columns, cells, "" if row.opens else "lgq-runs-closed", row.why))
    return f"<tbody>{''.join(rows)}</tbody>"


def _row(columns: Sequence[str], cells: Mapping[str, str], look: str, why: str = "") -> str:
    """A row; the reason why a run can't be opened takes the place of its cells from the first empty one on."""
    empty = next((place for place, name in enumerate(columns) if not cells.get(name)), len(columns))
    shown = columns[:empty] if why else columns
    texts = [_cell("td", name, cells.get(name, "")) for name in shown]
    if why:
        texts.append(f"<td class='lgq-runs-why' colspan='{len(columns) - empty}'>{html.escape(why)}</td>")
    return f"<tr class='{look}'>{''.join(texts)}</tr>"


def _cell(tag: str, name: str, text: str, attributes: str = "") -> str:
    look = f"lgq-runs-{name}" + (" lgq-runs-text" if name in IS_TEXT else "")
    return f"<{tag} class='{look}' {attributes}>{html.escape(text)}</{tag}>"
