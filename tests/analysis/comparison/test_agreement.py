"""Do codes that differ in name only agree, and independent ones no more than by chance?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score

from lgq_explore.analysis.comparison import agreement
from lgq_explore.errors import InputError
from tests.analysis.planted_codes import study_of_codes

GENERATOR = np.random.default_rng(0)
CODES = GENERATOR.integers(0, 30, (40, 1, 4, 4))
INDEPENDENT = GENERATOR.integers(0, 30, (40, 1, 4, 4))
NOISY = np.where(GENERATOR.uniform(size=CODES.shape) < 0.5, CODES, INDEPENDENT)


def of(*codes: np.ndarray) -> dict:
    return {f"run {number}": study_of_codes(one, [30]) for number, one in enumerate(codes)}


def test_other_names_for_the_same_codes_agree() -> None:
    renamed = GENERATOR.permutation(30)[CODES]
    (row,) = agreement(of(CODES, renamed)).to_dict("records")
    assert row["agreement"] == pytest.approx(1)
    assert (row["first"], row["second"]) == ("run 0", "run 1")
    assert (row["tokens"], row["images"], row["photographs"], row["draws"]) == (640, 40, 1, 20)


def test_independent_codes_agree_no_more_than_their_null() -> None:
    row = agreement(of(CODES, INDEPENDENT)).iloc[0]
    assert abs(row["agreement"] - row["null"]) < 4 * row["null_spread"]
    assert row["null"] == pytest.approx(0, abs=0.02)
    assert row["bits_null"] > 0.5  # 640 tokens of 30 × 30 pairs: as counted, chance looks like information


def test_every_pair_is_that_of_scikit_learn() -> None:
    frame = agreement(of(CODES, INDEPENDENT, NOISY)).set_index(["first", "second"])
    assert frame.index.tolist() == [("run 0", "run 1"), ("run 0", "run 2"), ("run 1", "run 2")]
    for (one, other), codes in zip(
        frame.index, [(CODES, INDEPENDENT), (CODES, NOISY), (INDEPENDENT, NOISY)], strict=True
    ):
        flat = [each.ravel() for each in codes]
        assert frame.loc[(one, other), "agreement"] == pytest.approx(adjusted_mutual_info_score(*flat))
        assert frame.loc[(one, other), "bits"] == pytest.approx(mutual_info_score(*flat) / np.log(2))
    assert 0.1 < frame.loc[("run 0", "run 2"), "agreement"] < 0.9


def test_the_null_knows_what_a_place_in_the_picture_gives_away() -> None:
    """Codes that say where a token is, and nothing of the picture, agree with those of any other picture."""
    place = np.broadcast_to(np.arange(16).reshape(1, 1, 4, 4), CODES.shape).copy()
    row = agreement(of(place, place)).iloc[0]
    assert row["agreement"] == pytest.approx(1)
    assert row["null"] == pytest.approx(1)


def test_no_image_is_its_own_partner() -> None:
    pair = agreement(of(CODES[:2], CODES[:2])).iloc[0]
    assert pair["null_spread"] == pytest.approx(0, abs=1e-12)  # two images have one other each
    assert pair["null"] < 0.5


def test_groups_count_as_joint_codes() -> None:
    groups = study_of_codes(np.concatenate([CODES // 6, CODES % 6], axis=1), [5, 6])
    assert agreement({"joint": groups, "one": study_of_codes(CODES, [30])})["agreement"][0] == pytest.approx(1)


def test_a_seed_draws_the_null() -> None:
    first, again, other = (agreement(of(CODES, NOISY), draws=3, seed=seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert first["null"][0] != other["null"][0]
    assert first["agreement"][0] == other["agreement"][0]


def test_one_code_for_all_is_an_agreement_as_in_scikit_learn() -> None:
    same = np.zeros_like(CODES)
    assert agreement(of(same, same))["agreement"][0] == adjusted_mutual_info_score(same.ravel(), same.ravel())


def test_nonsense_is_refused() -> None:
    studies = of(CODES, NOISY)
    with pytest.raises(InputError, match="draws is 1"):
        agreement(studies, draws=1)
    with pytest.raises(InputError, match="make no pair"):
        agreement(of(CODES))
    other = study_of_codes(NOISY, [30], pictures=np.ones((len(NOISY), 3, 4, 4), dtype=np.uint8))
    with pytest.raises(InputError, match="run 1 and run 0 hold different images"):
        agreement(studies | {"run 1": other})
    with pytest.raises(InputError, match=r"grid \[2, 4\]"):
        agreement(of(CODES, CODES[:, :, :2]))
    with pytest.raises(InputError, match="encode at least 2"):
        agreement(of(CODES[:1], NOISY[:1]))
