"""Where do browser tests get a JupyterLab and a page from? A server of their own and a headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from benchmarks.browser.page import Lab, chromium, find_browser, jupyterlab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab whose notebooks, data, settings and kernels' files all lie in `tmp_path`."""
    with jupyterlab(tmp_path) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of 1280 × 900 pixels in a headless Chromium."""
    path = find_browser()
    if path is None:
        pytest.fail("no Chromium or Chrome is found: run `make browser`", pytrace=False)
    with chromium(path) as page:
        yield page
