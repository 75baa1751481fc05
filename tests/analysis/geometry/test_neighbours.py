"""Are the nearest codes of planted codebooks those seen by eye?"""

from __future__ import annotations

import pytest

from lgq_explore.analysis.geometry import code_neighbours
from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig
from tests.analysis.planted_tokenizer import colour_tokenizer, config_tokenizer, noise_pictures, study_of
from tests.planted_methods.dot_product import DotProductConfig

LINE = study_of(colour_tokenizer([[place, 0.0, 0.0] for place in (0.0, 1.0, 3.0, 7.0)]), noise_pictures(1))


def test_neighbours_on_a_line_are_known() -> None:
    found = code_neighbours(LINE, [3, 0], neighbours=2)
    assert found["code"].tolist() == [0, 0, 3, 3]
    assert found["rank"].tolist() == [1, 2, 1, 2]
    assert found["neighbour"].tolist() == [1, 2, 2, 1]
    assert found["distance"].tolist() == [1, 3, 4, 6]


def test_a_small_codebook_has_only_so_many() -> None:
    assert code_neighbours(LINE, [0])["neighbour"].tolist() == [1, 2, 3]


def test_neighbours_on_a_grid_differ_in_one_digit() -> None:
    grid = study_of(config_tokenizer(FSQConfig(levels=(3, 5))), noise_pictures(1))
    found = code_neighbours(grid, [1 * 5 + 2], neighbours=4)
    # Steps of the second digit are ½, those of the first 1; the ends of the second digit are as far, and come by code.
    assert found["neighbour"].tolist() == [6, 8, 2, 5]
    assert found["distance"].tolist() == [0.5, 0.5, 1, 1]


def test_near_is_what_the_method_calls_near() -> None:
    study = study_of(config_tokenizer(DotProductConfig(16)), noise_pictures(1))
    found = code_neighbours(study, [5], neighbours=15)
    products = study.code_points @ study.code_points[5]
    assert found["neighbour"].tolist() == [code for code in products.argsort(descending=True).tolist() if code != 5]
    assert not found["distance"].is_monotonic_increasing


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="neighbours is 0"):
        code_neighbours(LINE, [0], neighbours=0)
    with pytest.raises(InputError, match="code 4 is outside"):
        code_neighbours(LINE, [4])
