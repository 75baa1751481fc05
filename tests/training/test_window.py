"""Are usage and speed counted over exactly the steps that the column's name says?"""

from __future__ import annotations

import pytest
import torch

from lgq_explore.training.window import StepTrace, StepWindow


def filled(steps: int, *batches: list[int]) -> StepWindow:
    window = StepWindow(steps, codebook_size=8)
    for number, codes in enumerate(batches, start=1):
        window.add(StepTrace(torch.tensor(codes), images=10 * number, seconds=0.25))
    return window


def test_columns_are_counted_by_hand() -> None:
    columns = filled(32, [0, 0, 1, 1], [7, 7, 5, 5]).columns()
    assert columns == {
        "active_codes_last_32_steps": 4,
        "perplexity_last_32_steps": pytest.approx(4, rel=1e-12),
        "tokens_last_32_steps": 8,
        "images_per_second_last_32_steps": pytest.approx((10 + 20) / 0.5),
    }


def test_perplexity_is_that_of_unequal_counts() -> None:
    """Shares ½, ¼, ¼: 1.5 bits."""
    assert filled(4, [0, 0], [1, 2]).columns()["perplexity_last_4_steps"] == pytest.approx(2**1.5, rel=1e-12)


def test_older_steps_fall_out_of_the_window() -> None:
    window = filled(2, [0, 0, 0], [1, 2], [3])
    assert window.counts().counts().tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    columns = window.columns()
    assert columns["active_codes_last_2_steps"] == 3
    assert columns["tokens_last_2_steps"] == 3
    assert columns["images_per_second_last_2_steps"] == pytest.approx((20 + 30) / 0.5)


def test_codes_may_have_any_shape() -> None:
    window = StepWindow(3, codebook_size=4)
    window.add(StepTrace(torch.full((2, 3, 3), 2), images=2, seconds=1.0))
    assert window.counts().counts().tolist() == [0, 0, 18, 0]


def test_a_state_continues_as_the_window_it_was_taken_of() -> None:
    window, restored = filled(3, [0, 1], [2, 2], [3, 4], [5, 5]), StepWindow(3, codebook_size=8)
    restored.add(StepTrace(torch.tensor([6]), images=1, seconds=1.0))
    restored.load(window.state(), torch.device("cpu"))
    assert restored.columns() == window.columns()
    for each in (window, restored):
        each.add(StepTrace(torch.tensor([7]), images=3, seconds=0.25))
    assert restored.columns() == window.columns()
    assert restored.counts().counts().tolist() == window.counts().counts().tolist()


def test_restored_codes_are_where_those_of_the_next_steps_will_be() -> None:
    """A window that mixed devices could not be counted."""
    state, restored = filled(3, [0, 1], [2, 2]).state(), StepWindow(3, codebook_size=8)
    restored.load(state, torch.device("meta"))
    assert [trace.codes.device.type for trace in restored._traces] == ["meta", "meta"]
