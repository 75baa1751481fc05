"""Does the foot of a panel save what is asked for, and say what went wrong?"""

from __future__ import annotations

import asyncio
import math
import time
from io import BytesIO, StringIO
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lgq_explore.plots.paper import Width, printed_width
from lgq_explore.plots.printing import new_figure
from lgq_explore.widgets.parts.frame.foot import Foot
from lgq_explore.widgets.parts.frame.saving import FORMATS, Offered, SavedFile, as_latex, file_stem

PRINTED = pd.DataFrame({"perplexity": ["206"], "top 1 %": ["18.6%"]}, index=["lgq_a"])
NUMBERS = pd.DataFrame({"run": ["lgq_a", "lgq_b"], "perplexity": [206.123456789, 1e-9], "K": [65536.0, math.nan]})
DATA = pd.DataFrame({"code": [0, 1], "count": [3, 4]})


@pytest.fixture
def offered() -> Offered:
    def figure(width: Width) -> Figure:
        with printed_width(width):
            return new_figure(5, 1)

    return Offered("usage", lambda: NUMBERS, lambda: DATA, figure, lambda: PRINTED)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_can_be_saved(offered: Offered, kind: str) -> None:
    file = offered.prepare(kind)()
    assert file.name.startswith("usage")
    assert file.name.rpartition(".")[2] in kind.lower().replace("latex", "tex")
    assert len(file.data)


def test_a_figure_is_saved_with_the_dots_of_a_printed_page(offered: Offered) -> None:
    assert Image.open(BytesIO(offered.prepare("figure, PNG")().data)).info["dpi"][0] == pytest.approx(300, abs=0.5)
    assert offered.prepare("figure, PDF")().data.startswith(b"%PDF")
    assert b"<svg" in offered.prepare("figure, SVG")().data


def test_a_figure_for_a_column_has_its_width(offered: Offered) -> None:
    file = offered.prepare("figure for a column, PDF")()
    assert file.name == "usage-column.pdf"
    assert b"/MediaBox [ 0 0 234 " in file.data  # points, of 72 to an inch


def test_a_file_holds_what_was_there_when_it_was_asked_for() -> None:
    numbers = [NUMBERS]
    make = Offered("usage", lambda: numbers[0], lambda: DATA).prepare("numbers, CSV")
    numbers[0] = DATA
    assert b"perplexity" in make().data


def test_tables_come_back_as_they_were(offered: Offered) -> None:
    saved = offered.prepare("numbers, CSV")().data.decode()
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(saved)), NUMBERS, check_exact=True)
    assert saved.splitlines() == ["run,perplexity,K", "lgq_a,206.123456789,65536", "lgq_b,1e-09,"]
    pd.testing.assert_frame_equal(pd.read_csv(BytesIO(offered.prepare("data, CSV")().data)), DATA)
    assert r"lgq\_a & 206 & 18.6\% \\" in offered.prepare("numbers, LaTeX")().data.decode()


def test_latex_has_formulas_for_signs_and_turns_a_wide_table() -> None:
    wide = {f"τ_{place}": [f"{place}.5"] for place in range(8)} | {"state": ["−1 %"], "note": ["≥ & so on"]}
    table = as_latex(pd.DataFrame(wide, index=["a"]))
    assert table.isascii()
    assert r"$\tau$\_0 & 0.5 \\" in table
    assert r"note & $\geq$ \& so on \\" in table
    assert r"state & $-$1 \% \\" in table
    assert as_latex(PRINTED).count(r"\begin{tabular}{lrr}") == 1


def test_a_table_whose_rows_have_no_names_has_a_head_for_each_column_and_is_not_turned() -> None:
    wide = {"method": ["lgq"]} | {f"number {place}": [""] for place in range(8)}
    lines = as_latex(pd.DataFrame(wide)).splitlines()
    assert lines[1] == r"\begin{tabular}{lrrrrrrrr}"
    assert lines[3].startswith("method & number 0 & ")


def test_a_stem_has_no_character_that_a_file_system_refuses() -> None:
    assert file_stem("UsageExplorer(lgq, seed 0, vq: a/b)") == "UsageExplorer-lgq-seed-0-vq-a-b"


class Sent(Foot):
    """Keeps what it sends to the page."""

    def __init__(self, *arguments: Any) -> None:
        self.sent: list[tuple[Any, Any]] = []
        super().__init__(*arguments)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append((content, buffers))


def ask(foot: Foot, content: object) -> None:
    """What arrives when the page calls model.send(content)."""
    foot._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_a_file_reaches_the_page_without_a_loop() -> None:
    foot = Sent(["a", "b"], lambda kind: lambda: SavedFile(f"{kind}.txt", "text/plain", b"x"))
    ask(foot, {"save": "b"})
    ask(foot, {"save": "c"})
    ask(foot, {"save": 1})
    assert foot.sent == [({"file": "b.txt", "media_type": "text/plain"}, [b"x"])]


def test_a_file_is_made_while_the_loop_goes_on() -> None:
    async def save() -> tuple[list[Any], int]:
        def slowly() -> SavedFile:
            time.sleep(0.2)
            return SavedFile("x", "text/plain", b"x")

        foot, turns = Sent(["a"], lambda kind: slowly), 0
        ask(foot, {"save": "a"})
        async with asyncio.timeout(60):
            while not foot.sent:
                turns += 1
                await asyncio.sleep(0.01)
        return foot.sent, turns

    sent, turns = asyncio.run(save())
    assert sent[0][0]["file"] == "x"
    assert turns > 1


def test_what_goes_wrong_is_said_beside_the_button() -> None:
    def refuse(kind: str) -> SavedFile:
        raise ValueError("no figure of nothing")

    foot = Sent(["a"], refuse)
    with pytest.raises(ValueError, match="no figure"):
        foot._begin_to_save("a")
    assert foot.sent == [({"failed": "no figure of nothing"}, None)]
