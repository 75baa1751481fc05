"""Do rules choose the codes that they name?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore import analysis
from lgq_explore.analysis.code_rules import codes_by_rule
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of(method_tokenizer("vq"), noise_pictures(4))


@pytest.fixture
def counts(study: Study) -> np.ndarray:
    return np.bincount(np.asarray(study.codes).reshape(-1), minlength=study.quantizer.codebook_size)


def chosen(text: str, study: Study) -> list[int]:
    return codes_by_rule(text, study.quantizer.codebook_size, study)


def test_codes_are_chosen_by_how_often_they_are_used(study: Study, counts: np.ndarray) -> None:
    assert 0 < (counts == 0).sum() < len(counts)
    some = int(np.median(counts[counts > 0]))
    assert chosen("dead", study) == np.flatnonzero(counts == 0).tolist()
    assert chosen(f"hits > {some}", study) == np.flatnonzero(counts > some).tolist()
    assert chosen(f"Hits<={some}", study) == np.flatnonzero(counts <= some).tolist()
    assert chosen(f"hits ≥ {some}", study) == np.flatnonzero(counts >= some).tolist()
    assert chosen("hits = 1", study) == np.flatnonzero(counts == 1).tolist()


def test_the_nearest_are_those_of_the_neighbours(study: Study) -> None:
    neighbours = analysis.geometry.code_neighbours(study, [5], neighbours=3)["neighbour"]
    assert chosen("nearest 3 to 5", study) == sorted(neighbours)


def test_parts_are_joined(study: Study, counts: np.ndarray) -> None:
    assert chosen("1-3, dead", study) == sorted({1, 2, 3, *np.flatnonzero(counts == 0)})


@pytest.mark.parametrize("text", ["alive", "hits", "hits > many", "nearest to 5", "1-3 dead", "nearest 0 to 5", "9999"])
def test_what_chooses_nothing_is_refused_in_one_line_with_an_example(study: Study, text: str) -> None:
    with pytest.raises(InputError, match="give") as caught:
        chosen(text, study)
    assert "\n" not in str(caught.value)
