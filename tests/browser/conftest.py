"""Where do browser tests get a JupyterLab and a page from? A server of their own and a headless Chromium."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

STARTED_WITHIN_SECONDS = 120
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Notebooks open as a reader finds them, without a question about news from the network.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its folder of notebooks, the folder of data and runs, and the address of a notebook."""

    notebooks: Path
    data: Path
    address: str
    token: str

    def address_of(self, notebook: str) -> str:
        return f"{self.address}/lab/tree/{notebook}?token={self.token}"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab whose notebooks, data, settings and kernels' files all lie in `tmp_path`."""
    notebooks, data, settings = (tmp_path / name for name in ("notebooks", "data", "settings"))
    notebooks.mkdir()
    for name, values in SETTINGS.items():
        target = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values))
    port, token = _free_port(), secrets.token_hex(16)
    environment = {
        **os.environ,
        "LGQ_EXPLORE_DATA": str(data),
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        **{name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")},
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={notebooks}"]
    log = tmp_path / "jupyterlab.log"
    with log.open("wb") as target:
        server = subprocess.Popen(command, env=environment, stdout=target, stderr=target, cwd=notebooks)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        yield Lab(notebooks, data, f"http://127.0.0.1:{port}", token)
    finally:
        server.terminate()  # it ends its kernels, too
        server.wait(timeout=60)


@pytest.fixture
def page(browser_path: str | None) -> Iterator[Page]:
    """A page of 1280 × 900 pixels in a headless Chromium."""
    if browser_path is None:
        pytest.fail("no Chromium or Chrome is found: run `make browser`", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        yield page
        browser.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
