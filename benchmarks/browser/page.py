"""A JupyterLab server and a page in a real browser, for benchmarks and tests.

They need the packages of the extra `test` and Chromium or Chrome, which ``make browser`` installs. The server listens
on 127.0.0.1 only, and everything that JupyterLab writes is in a given folder.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lgq_explore.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

STARTED_WITHIN_SECONDS = 120
SECONDS = 1000
"""In milliseconds, as playwright takes them."""

PATIENCE = 240 * SECONDS
VIEWPORT = (1280, 900)
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
"""JupyterLab settings: no question about news from the network."""

REMEDY = 'install what drives it with pip install "lgq-explore[notebook,test]", and a browser with make browser'


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its folder of notebooks, the folder of data and runs, and the address of a notebook."""

    notebooks: Path
    data: Path
    address: str
    token: str

    def address_of(self, notebook: str) -> str:
        """An address that opens this notebook alone; without a workspace of its own the last one opened comes first."""
        workspace = secrets.token_hex(4)
        return f"{self.address}/lab/workspaces/{workspace}/tree/{notebook}?token={self.token}"


class NotebookPage:
    """A notebook that is open in a page. errors: the error messages of the browser's console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, address: str) -> None:
        self.page.goto(address)
        # The notebook's own indicator is idle even before there is a kernel.
        self.page.get_by_text("(ipykernel) | Idle").wait_for(timeout=PATIENCE)

    def run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def wait_for_kernel(self) -> None:
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=PATIENCE)

    def wait_until(self, holds: str) -> None:
        """Wait until an expression of JavaScript is true in the page."""
        self.page.wait_for_function(holds, timeout=PATIENCE)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


def find_browser() -> str | None:
    """The path of Chromium or Chrome, by preference that of BROWSER_PATH; None if there is none."""
    from choreographer.browsers.chromium import Chromium

    found: str | None = Chromium.find_browser(skip_local=False)
    return found


def require_browser() -> str:
    """The path of the browser. Raises InputError if it, JupyterLab or playwright is missing."""
    missing = [name for name in ("playwright", "choreographer", "jupyterlab") if find_spec(name) is None]
    if missing:
        raise InputError(f"the browser benchmark needs {', '.join(missing)}:\n{REMEDY}")
    path = find_browser()
    if path is None:
        raise InputError(f"no Chromium or Chrome is found: name one in BROWSER_PATH, or\n{REMEDY}")
    return path


@contextmanager
def jupyterlab(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Lab]:
    """A JupyterLab whose notebooks, data, settings and kernels' files all lie in `folder`.

    environment: variables for it and its kernels, in addition to those of this process.
    """
    notebooks, data, settings = (folder / name for name in ("notebooks", "data", "settings"))
    notebooks.mkdir()
    for name, values in SETTINGS.items():
        target = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values))
    port, token = _free_port(), secrets.token_hex(16)
    variables = {
        **os.environ,
        "LGQ_EXPLORE_DATA": str(data),
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        **{name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")},
        **(environment or {}),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={notebooks}"]
    log = folder / "jupyterlab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=variables, stdout=output, stderr=output, cwd=notebooks)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        yield Lab(notebooks, data, f"http://127.0.0.1:{port}", token)
    finally:
        server.terminate()  # it ends its kernels, too
        server.wait(timeout=60)


@contextmanager
def chromium(path: str) -> Iterator[Page]:
    """A page of VIEWPORT pixels in the headless Chromium at `path`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(BROWSER_FLAGS))
        width, height = VIEWPORT
        yield browser.new_page(viewport={"width": width, "height": height})
        browser.close()


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of these code cells, whose kernel is this Python's."""
    empty: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    written = [empty | {"id": f"cell-{place}", "source": source} for place, source in enumerate(cells)]
    # Without a kernel's name JupyterLab would ask for one.
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": written}
    path.write_text(json.dumps(notebook))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with direct.open(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
