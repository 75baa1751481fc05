"""Tests of the page of metrics: it has what the code has, and says all of each."""

from __future__ import annotations

from pathlib import Path

import pytest

import lgq_explore
from lgq_explore.runs.measures import DEFINITIONS
from lgq_explore.runs.measures.page import metrics_page

PAGE = Path(lgq_explore.__file__).parent / "metrics" / "README.md"


def test_the_page_is_that_of_the_definitions() -> None:
    """Where it is not: python -m lgq_explore.runs.measures.page writes it again."""
    assert PAGE.read_text(encoding="utf-8") == metrics_page()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_each_metric_says_all_of_itself(name: str) -> None:
    definition = DEFINITIONS[name]
    assert definition.keys
    for said in (definition.formula, definition.unit, definition.bias, definition.cost, definition.source):
        assert said
        assert not said.endswith(" ")
    assert all(f"`{key}" in definition.formula or len(definition.keys) == 1 for key in definition.keys)


def test_no_key_has_two_definitions() -> None:
    keys = [key for definition in DEFINITIONS.values() for key in definition.keys]
    assert len(keys) == len(set(keys))
