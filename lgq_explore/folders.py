"""Where pictures and runs are kept by default."""

from __future__ import annotations

import os
from pathlib import Path


def data_directory() -> Path:
    """Of pictures, features and runs: $LGQ_EXPLORE_DATA, or data/ of the checkout, or ~/.cache/lgq-explore."""
    chosen = os.environ.get("LGQ_EXPLORE_DATA")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return Path.home() / ".cache" / "lgq-explore"


def runs_folder() -> Path:
    """The folder for runs without a path of their own: runs/ in the data directory (data/runs in a checkout)."""
    return data_directory() / "runs"
