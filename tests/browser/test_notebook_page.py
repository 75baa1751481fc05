"""Tests of how a notebook is opened in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from benchmarks.browser.page import Lab, write_notebook
from tests.browser.notebook_page import NotebookPage

pytestmark = pytest.mark.browser


def test_of_notebooks_opened_one_after_another_each_runs_its_own_cells(lab: Lab, page: Page) -> None:
    opened = NotebookPage(page)
    for name in ("first", "second", "third"):
        write_notebook(lab.notebooks / f"{name}.ipynb", [f"print('{name}', 'has run')"])
        opened.open(lab.address_of(f"{name}.ipynb"))
        opened.run_all()
        opened.wait_for_text(f"{name} has run")
