"""Tests of the commands, links, tables and the diagram in the README."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lgq_explore.bench.quantizers import markdown_table
from lgq_explore.cli.entry import parser
from lgq_explore.runs.config import config_from_json

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("lgq-explore ")]


COMPARISONS = re.findall(r"<!-- comparison (\S+) -->\n(.*?)\n<!-- /comparison -->", README, flags=re.DOTALL)


def test_there_is_a_comparison() -> None:
    assert COMPARISONS


@pytest.mark.parametrize(("result", "table"), COMPARISONS)
def test_comparisons_are_results(result: str, table: str) -> None:
    comparison = json.loads((ROOT / result).read_text())
    assert table == markdown_table(comparison)
    assert all(config_from_json(recipe).recipe_hash == name for name, recipe in comparison["recipes"].items())
    assert {each["recipe_hash"] for each in comparison["results"]} == comparison["recipes"].keys()


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str) -> None:
    parser().parse_args(shlex.split(command, comments=True)[1:])


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    local = [target for target in targets if not target.startswith("http")]
    assert len(local) >= 5
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_diagram_is_that_of_contributing() -> None:
    diagrams = [
        re.findall(r"(?:^    .+\n)+", text, flags=re.MULTILINE)
        for text in (README, (ROOT / "CONTRIBUTING.md").read_text())
    ]
    own, contributing = ([block for block in blocks if "reconstruction" in block] for blocks in diagrams)
    assert len(own) == 1
    assert own == contributing


def test_notebooks_that_are_missing_are_named() -> None:
    there = {int(path.name[:2]) for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    missing = set(range(1, max(there))) - there
    told = re.search(r"Notebooks? ([^.]*) not written yet\.", README)
    assert {int(number) for number in re.findall(r"\b0\d\b", told[1] if told else "")} == missing


def test_the_two_commands_come_first() -> None:
    assert README.index("make lab") < README.index("make test") < README.index("lgq-explore train")


def test_the_method_of_your_own_keeps_its_promises_and_trains(tmp_path: Path) -> None:
    """The block of the README as a script, with fewer steps and drawn pictures."""
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "@lgq.register" in each]
    recipe = 'lgq.preset("tiny", "sphere", codebook_size=1024)'
    assert recipe in block
    short = f'dataclasses.replace({recipe}, data="fake", steps=3, batch_size=4), progress=False'
    script = tmp_path / "sphere.py"
    script.write_text(f"import dataclasses\n{block.replace(recipe, short)}print(run.is_finished)\n")
    environment = os.environ | {"LGQ_EXPLORE_DATA": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
