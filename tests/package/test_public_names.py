"""Tests of the names that ``import lgq_explore`` gives, and of how little it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lgq_explore

PROMISED = {
    "PRESETS",
    "QUANTIZERS",
    "Controls",
    "Encoding",
    "InputError",
    "LogEvent",
    "Run",
    "Study",
    "TrainConfig",
    "analysis",
    "codes",
    "contract",
    "encode",
    "encode_training",
    "evaluate",
    "metrics",
    "open_run",
    "plots",
    "preset",
    "quantizers",
    "register",
    "resume",
    "statistics",
    "study",
    "sweeps",
    "train",
    "tutorial_run",
    "widgets",
}


def test_the_promised_names_are_listed() -> None:
    assert set(lgq_explore.__all__) == set(dir(lgq_explore)) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_promised_name_loads(name: str) -> None:
    assert getattr(lgq_explore, name) is not None


def test_the_docstring_says_what_the_package_is_for_and_begins_with_its_entry_points() -> None:
    said = lgq_explore.__doc__ or ""
    assert said.startswith("Train discrete image tokenizers")
    for name in ("preset", "train", "evaluate", "study", "open_run", "resume", "widgets"):
        assert name in said
    assert "PEP" not in said


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        lgq_explore.no_such_name  # noqa: B018


def test_the_import_loads_neither_torch_nor_pandas() -> None:
    program = "import sys, lgq_explore; print({'torch', 'numpy', 'pandas', 'plotly'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_panel_does_not_wait_for_what_only_training_metrics_and_umap_import() -> None:
    slow = {"lightning_fabric", "sympy", "torchmetrics", "torchvision", "umap"}
    program = f"import sys, lgq_explore; lgq_explore.widgets.UsageExplorer; print({slow} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
