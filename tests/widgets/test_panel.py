"""What does a panel put into a notebook, and does its picture follow the panel?"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from lgq_explore.plots.printing import new_figure
from lgq_explore.widgets import panel as module
from lgq_explore.widgets.panel import Panel
from lgq_explore.widgets.parts.frame import renewal
from lgq_explore.widgets.parts.frame.presence import in_words, saved_model

VIEW = "application/vnd.jupyter.widget-view+json"


class Square(Panel):
    """A panel whose picture is as wide as it says."""

    def __init__(self, inches: float = 2) -> None:
        self.inches, self.drawn = inches, 0
        super().__init__([])

    def __repr__(self) -> str:
        return "Square(τ)"

    def line(self) -> str:
        return f"{self.inches:g} inches wide"

    def figures(self) -> list[Figure]:
        self.drawn += 1
        if not self.inches:
            return []
        figure = new_figure(self.inches, 2)
        figure.subplots().plot([1, 2])
        return [figure]


class Notebook:
    """What is displayed, and what replaces it."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []

    def display(self, data: dict[str, Any], raw: bool, display_id: bool = False) -> Notebook:
        self.outputs.append(data)
        return self

    def update(self, data: dict[str, Any], raw: bool) -> None:
        self.outputs[0] = data

    @property
    def picture(self) -> Image.Image:
        return Image.open(BytesIO(self.outputs[0]["image/png"]))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    notebook = Notebook()
    monkeypatch.setattr(module, "display", notebook.display)
    return notebook


def test_a_panel_is_a_picture_and_below_it_the_live_view(notebook: Notebook) -> None:
    panel = Square()
    panel._ipython_display_()
    picture, view = notebook.outputs
    assert picture.keys() == {"text/plain", "image/png"}
    assert picture["text/plain"] == "Square(τ)"
    assert view == {
        "text/plain": "Square(τ) · run this cell to make it live",
        VIEW: {"version_major": 2, "version_minor": 0, "model_id": panel.model_id},
    }


def test_the_file_of_a_picture_says_whose_it_is_and_what_it_shows_and_is_the_same_every_time() -> None:
    picture = Image.open(BytesIO(Square().still()["image/png"]))
    assert picture.text == {"Software": "lgq_explore", "Title": "Square(τ)", "Description": "2 inches wide"}
    assert Square().still() == Square().still()


def test_a_panel_without_figures_says_what_to_do_in_its_picture() -> None:
    empty, full = (Image.open(BytesIO(Square(inches).still()["image/png"])) for inches in (0, 2))
    assert empty.height < full.height / 2
    assert len(empty.convert("L").getcolors()) > 10, "words are drawn"


def test_the_page_knows_the_panel_and_what_to_keep_of_it(notebook: Notebook) -> None:
    panel = Square()
    panel._ipython_display_()
    presence = panel.children[-1]
    assert (presence.panel, presence.name) == (panel.model_id, "Square(τ)")
    assert presence.saved == saved_model(in_words("Square(τ)", "2 inches wide"))
    assert "<b>" not in saved_model("<b>")["state"]["value"]
    assert "lgq-panel" in panel._dom_classes


def test_a_picture_follows_the_panel_while_the_loop_runs(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(renewal, "LONGEST_SECONDS", 0.02)

    async def change() -> None:
        panel = Square()
        panel.picture_changed()
        await asyncio.sleep(0)
        assert panel.drawn == 0, "it is not displayed"
        panel._ipython_display_()
        narrow, drawn = notebook.picture.width, panel.drawn
        panel.inches = 4
        for _ in range(5):
            panel.picture_changed()
        async with asyncio.timeout(60):
            while notebook.picture.width < 1.5 * narrow:
                await asyncio.sleep(0.01)
        assert panel.drawn == drawn + 1
        assert panel.children[-1].saved == saved_model(in_words("Square(τ)", "4 inches wide"))

    asyncio.run(change())
    assert len(notebook.outputs) == 2, "the live view is not displayed again"


def test_a_panel_in_a_box_of_others_sends_its_pictures_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(renewal, "LONGEST_SECONDS", 0.02)

    async def put_into_a_box() -> list[dict[str, Any]]:
        panel, sent = Square(), []
        monkeypatch.setattr(panel._presence, "send_still", sent.append)
        panel.picture_changed()
        panel._presence.is_in_a_box = True  # as the page says
        async with asyncio.timeout(60):
            while not sent:
                await asyncio.sleep(0.01)
        assert panel._presence.saved == saved_model(in_words("Square(τ)", "2 inches wide"))
        panel.inches = 4
        panel.picture_changed()
        async with asyncio.timeout(60):
            while len(sent) < 2:
                await asyncio.sleep(0.01)
        return sent

    narrow, wide = (Image.open(BytesIO(still["image/png"])).width for still in asyncio.run(put_into_a_box()))
    assert wide > 1.5 * narrow


def test_pictures_are_renewed_at_once_where_a_cell_asks_for_it(notebook: Notebook) -> None:
    panel = Square()
    panel.renew_pictures()
    assert panel.drawn == 0
    panel._ipython_display_()
    narrow = notebook.picture.width
    panel.inches = 4
    panel.renew_pictures()
    assert notebook.picture.width > 1.5 * narrow
