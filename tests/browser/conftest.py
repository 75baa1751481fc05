"""Where do browser tests get a JupyterLab and a page from? A server of their own and a headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser.page import VIEWPORT, Lab, chromium, find_browser, jupyterlab
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from tests.browser.notebook_page import SMALL


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab whose notebooks, data, settings and kernels' files all lie in `tmp_path`."""
    with jupyterlab(tmp_path) as running:
        yield running


@pytest.fixture
def run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A small run, which notebooks open by the name "lgq"."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    return train(SMALL, lab.data / "runs" / "lgq")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for all tests of a module: it starts slowly."""
    path = find_browser()
    if path is None:
        pytest.fail("no Chromium or Chrome is found: run `make browser`", pytrace=False)
    with chromium(path) as page:
        assert page.context.browser is not None
        yield page.context.browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 × 900 pixels that shares no cookies, storage or cache with those of other tests."""
    width, height = VIEWPORT
    page = browser.new_page(viewport={"width": width, "height": height})
    yield page
    page.close()
