"""Tests of where pictures and runs are kept by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore import folders
from lgq_explore.folders import data_directory, runs_folder


def test_data_directory_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("LGQ_EXPLORE_DATA", "~/pictures")
    assert data_directory() == Path("/somewhere/pictures")
    monkeypatch.delenv("LGQ_EXPLORE_DATA")
    checkout = Path(__file__).parents[1]
    assert data_directory() == checkout / "data"
    monkeypatch.setattr(folders, "__file__", "/site-packages/lgq_explore/folders.py")
    assert data_directory() == Path("/somewhere/.cache/lgq-explore")
    assert runs_folder() == Path("/somewhere/.cache/lgq-explore/runs")
