"""Does each definition count planted codes as it says, and does the order of two runs turn where it was planted?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.usage import definitions
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study
from tests.analysis.planted_codes import study_of_codes

STEADY = np.arange(16).reshape(4, 4)
"""Four images of four tokens: every code once."""
CONCENTRATED = np.array([[0, 1, 2, 3]] * 3 + [[0, 1, 4, 5]])
"""The same four codes in nearly every image."""


def of(codes: np.ndarray, levels: int = 16) -> Study:
    return study_of_codes(codes.reshape(len(codes), 1, 2, 2), [levels])


def test_each_definition_by_hand() -> None:
    table = definitions({"a": of(CONCENTRATED)}, batch_images=1, window_tokens=8, hits=3)
    assert table["definition"].tolist() == [
        "batch of 1 image",
        "window of 8 tokens",
        "whole set",
        "at least 3 hits",
        "perplexity",
    ]
    pairs_with_and_without_the_last = (3 * 4 + 3 * 6) / 6
    counts = np.array([4, 4, 3, 3, 1, 1])
    perplexity = 2 ** -(counts / 16 * np.log2(counts / 16)).sum()
    assert table["codes"].tolist() == pytest.approx([4, pairs_with_and_without_the_last, 6, 4, perplexity])
    assert table["tokens"].tolist() == [4, 8, 16, 16, 16]
    assert table["utilization"].tolist() == pytest.approx((table["codes"] / 16).tolist())


def test_the_ranking_turns_with_the_definition() -> None:
    table = definitions({"steady": of(STEADY), "few": of(CONCENTRATED)}, batch_images=4, window_tokens=16, hits=3)
    ranks = table.pivot(index="definition", columns="run", values="rank")
    assert ranks.loc["whole set"].to_dict() == {"steady": 1, "few": 2}
    assert ranks.loc["at least 3 hits"].to_dict() == {"steady": 2, "few": 1}


def test_equals_share_their_rank() -> None:
    table = definitions({"a": of(STEADY), "b": of(STEADY), "c": of(CONCENTRATED)}, hits=1, window_tokens=4)
    ranks = table[table["definition"] == "whole set"].set_index("run")["rank"]
    assert ranks.to_dict() == {"a": 1, "b": 1, "c": 3}


def test_a_set_too_small_for_a_window_says_so() -> None:
    table = definitions({"a": of(STEADY)}, batch_images=2, window_tokens=17).set_index("definition")
    window = table.loc["window of 17 tokens"]
    assert np.isnan(window["codes"])
    assert np.isnan(window["utilization"])
    assert np.isnan(window["rank"])
    assert window["why"] == "16 tokens were encoded: encode more crops"
    assert (table["why"].drop("window of 17 tokens") == "").all()


def test_runs_counted_over_different_numbers_of_tokens_are_not_ranked() -> None:
    table = definitions({"a": of(STEADY), "b": of(CONCENTRATED[:3])}, batch_images=2, window_tokens=8, hits=1)
    ranked = table.groupby("definition")["rank"].count()
    assert ranked.to_dict() == {
        "batch of 2 images": 2,
        "window of 8 tokens": 2,
        "whole set": 0,
        "at least 1 hit": 0,
        "perplexity": 0,
    }


def test_runs_of_different_codebooks_are_ranked_by_the_share_of_their_own() -> None:
    table = definitions({"large": of(STEADY, 64), "small": of(CONCENTRATED, 8)}, window_tokens=4, batch_images=1)
    ranks = table[table["definition"] == "whole set"].set_index("run")["rank"]
    assert ranks.to_dict() == {"large": 2, "small": 1}


@pytest.mark.parametrize("name", ["batch_images", "window_tokens", "hits"])
def test_definitions_that_count_nothing_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 0"):
        definitions({"a": of(STEADY)}, **{name: 0})


def test_no_runs_are_refused() -> None:
    with pytest.raises(InputError, match="no studies to count codes in: give at least one"):
        definitions({})
