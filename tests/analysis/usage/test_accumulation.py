"""Does the curve grow as the codes of a known set do, and does the band hold what other photographs would show?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.usage import accumulation
from lgq_explore.analysis.usage.accumulation import FEWEST_PHOTOGRAPHS, code_incidence
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study
from tests.analysis.planted_codes import study_of_codes

CODES = np.array([[0, 0, 1, 1], [1, 2, 2, 2], [1, 1, 1, 1], [3, 3, 3, 0]]).reshape(4, 1, 2, 2)


def test_which_images_hold_which_codes() -> None:
    incidence = code_incidence(study_of_codes(CODES + 4, [8], [0, 0, 0, 5]))
    assert incidence.holds.toarray().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0], [1, 0, 0, 1]]
    assert incidence.images_of_codes().tolist() == [2, 3, 1, 1]
    assert incidence.photographs == 2


def test_the_accumulation_of_a_known_set() -> None:
    curve = accumulation(study_of_codes(CODES, [8]))
    assert curve["images"].tolist() == [1, 2, 3, 4]
    assert curve["tokens"].tolist() == [4, 8, 12, 16]
    pairs = [3, 2, 3, 2, 4, 3]  # codes in each pair of images
    triples = [3, 4, 3, 4]
    assert curve["active_codes"].tolist() == pytest.approx([7 / 4, np.mean(pairs), np.mean(triples), 4])
    # One code in two images, two in one.
    assert curve["chao2"].tolist() == pytest.approx([4 + 3 / 4 * 4 / 2] * 4)
    assert (curve["codebook_size"] == 8).all()


def test_groups_are_accumulated_as_joint_codes() -> None:
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]).reshape(4, 2, 1, 1)
    assert accumulation(study_of_codes(codes, [2, 2]))["active_codes"].tolist() == pytest.approx([1, 2, 3, 4])


def test_images_that_are_all_alike_leave_no_band() -> None:
    curve = accumulation(study_of_codes(np.tile(CODES[:1], (20, 1, 1, 1)), [8]))
    for column in ("active_codes", "low", "high"):
        assert curve[column].tolist() == pytest.approx([2] * 20)


def test_photographs_are_resampled_where_there_are_enough_and_images_where_there_are_not() -> None:
    few, enough = (
        study_of_codes(np.arange(24).reshape(24, 1, 1, 1), [24], np.arange(24) % photographs)
        for photographs in (FEWEST_PHOTOGRAPHS - 1, FEWEST_PHOTOGRAPHS)
    )
    assert set(accumulation(few)["unit"]) == {"image"}
    assert set(accumulation(enough)["unit"]) == {"photograph"}
    assert set(accumulation(few, unit="photograph")["unit"]) == {"photograph"}


def test_crops_that_resemble_each_other_need_photographs_as_units() -> None:
    """Each photograph has codes of its own: as independent images they would promise too narrow a band."""
    crops = alike_crops(np.random.default_rng(0), photographs=20)
    by_photograph, by_image = (accumulation(crops, unit=unit).iloc[30] for unit in ("photograph", "image"))
    assert by_photograph["high"] - by_photograph["low"] > 1.5 * (by_image["high"] - by_image["low"])


def test_the_band_holds_what_is_expected_of_other_photographs() -> None:
    generator = np.random.default_rng(1)
    curves = [accumulation(alike_crops(generator, photographs=20)) for _ in range(60)]
    at = 20  # a third of the images
    expected = np.mean([curve["active_codes"].iloc[at] for curve in curves])
    held = np.mean([curve["low"].iloc[at] <= expected <= curve["high"].iloc[at] for curve in curves])
    assert 0.85 <= held <= 1


def test_the_band_lies_around_the_curve_though_resamples_hold_fewer_codes() -> None:
    curve = accumulation(alike_crops(np.random.default_rng(5), photographs=20), resamples=1000)
    off_centre = (curve["low"] + curve["high"]) / 2 - curve["active_codes"]
    assert (off_centre.abs() < 0.15 * (curve["high"] - curve["low"])).all()


def alike_crops(generator: np.random.Generator, photographs: int) -> Study:
    """Photographs of three crops with 16 tokens each; a photograph draws some of 300 codes, its crops draw of those."""
    palettes = [generator.integers(0, 300, size=generator.integers(5, 60)) for _ in range(photographs)]
    codes = np.stack([generator.choice(palette, size=(3, 16)) for palette in palettes])
    return study_of_codes(codes.reshape(-1, 1, 4, 4), [300], np.repeat(np.arange(photographs), 3))


def test_the_same_seed_gives_the_same_band() -> None:
    study = alike_crops(np.random.default_rng(2), photographs=10)
    assert accumulation(study, seed=3).equals(accumulation(study, seed=3))
    assert not accumulation(study, seed=3)["low"].equals(accumulation(study, seed=4)["low"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"unit": "token"}, "unit is 'token'"),
        ({"resamples": 1}, "resamples is 1"),
        ({"unit": "photograph"}, "there is"),
    ],
)
def test_nonsense_is_refused(settings: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        accumulation(study_of_codes(CODES, [8]), **settings)


def test_a_study_without_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="no tokens"):
        accumulation(study_of_codes(CODES[:0], [8]))
