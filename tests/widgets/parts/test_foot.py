"""Does the foot of a panel save what is asked for, and say what went wrong?"""

from __future__ import annotations

import asyncio
import time
from io import BytesIO, StringIO
from typing import Any

import matplotlib.figure
import pandas as pd
import pytest
from PIL import Image

from lgq_explore.widgets.parts.foot import Foot
from lgq_explore.widgets.parts.saving import FORMATS, Offered, SavedFile, file_stem

NUMBERS = pd.DataFrame({"perplexity": ["206"], "top 1 %": ["18.6%"]}, index=["lgq_a"])
DATA = pd.DataFrame({"code": [0, 1], "count": [3, 4]})


@pytest.fixture
def offered() -> Offered:
    return Offered("usage", lambda: NUMBERS, lambda: DATA, lambda: matplotlib.figure.Figure(figsize=(2, 1)))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_can_be_saved(offered: Offered, kind: str) -> None:
    file = offered.save(kind)
    assert file.name.startswith("usage")
    assert file.name.rpartition(".")[2] in kind.lower().replace("latex", "tex")
    assert len(file.data)


def test_a_figure_is_saved_with_the_dots_of_a_printed_page(offered: Offered) -> None:
    assert Image.open(BytesIO(offered.save("figure, PNG").data)).info["dpi"][0] == pytest.approx(300, abs=0.5)
    assert offered.save("figure, PDF").data.startswith(b"%PDF")
    assert b"<svg" in offered.save("figure, SVG").data


def test_tables_come_back_as_they_were(offered: Offered) -> None:
    numbers = pd.read_csv(StringIO(offered.save("numbers, CSV").data.decode()), index_col=0)
    assert numbers.loc["lgq_a", "perplexity"] == 206
    pd.testing.assert_frame_equal(pd.read_csv(BytesIO(offered.save("data, CSV").data)), DATA)
    assert r"lgq\_a & 206 & 18.6\% \\" in offered.save("numbers, LaTeX").data.decode()


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
    foot = Sent(["a", "b"], lambda kind: SavedFile(f"{kind}.txt", "text/plain", b"x"))
    ask(foot, {"save": "b"})
    ask(foot, {"save": "c"})
    ask(foot, {"save": 1})
    assert foot.sent == [({"file": "b.txt", "media_type": "text/plain"}, [b"x"])]


def test_a_file_is_made_while_the_loop_goes_on() -> None:
    async def save() -> tuple[list[Any], int]:
        def slowly(kind: str) -> SavedFile:
            time.sleep(0.2)
            return SavedFile("x", "text/plain", b"x")

        foot, turns = Sent(["a"], slowly), 0
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
