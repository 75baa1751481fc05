"""Tests of usage and speed over the last training steps."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.training.window import StepTrace, StepWindow


def filled(steps: int, *batches: list[int]) -> StepWindow:
    window = StepWindow(steps, levels=(8,))
    for number, codes in enumerate(batches, start=1):
        codes_of_step = torch.tensor(codes)[None, None, None]
        window.add(StepTrace(codes_of_step, images=10 * number, seconds=0.25, waited=0.05 * number))
    return window


def columns_of(window: StepWindow) -> dict[str, float]:
    return window.columns(window.counts())


def test_columns_are_counted_by_hand() -> None:
    columns = columns_of(filled(32, [0, 0, 1, 1], [7, 7, 5, 5]))
    assert columns == {
        "active_codes_last_32_steps": 4,
        "perplexity_last_32_steps": pytest.approx(4, rel=1e-12),
        "tokens_last_32_steps": 8,
        "images_per_second_last_32_steps": pytest.approx((10 + 20) / 0.5),
        "images_per_second_without_waiting_last_32_steps": pytest.approx((10 + 20) / (0.5 - 0.05 - 0.1)),
    }


def test_perplexity_is_that_of_unequal_counts() -> None:
    """Shares ½, ¼, ¼: 1.5 bits."""
    assert columns_of(filled(4, [0, 0], [1, 2]))["perplexity_last_4_steps"] == pytest.approx(2**1.5, rel=1e-12)


def test_older_steps_fall_out_of_the_window() -> None:
    window = filled(2, [0, 0, 0], [1, 2], [3])
    assert window.counts().joint.counts().tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    columns = columns_of(window)
    assert columns["active_codes_last_2_steps"] == 3
    assert columns["tokens_last_2_steps"] == 3
    assert columns["images_per_second_last_2_steps"] == pytest.approx((20 + 30) / 0.5)
    assert columns["images_per_second_without_waiting_last_2_steps"] == pytest.approx((20 + 30) / (0.5 - 0.1 - 0.15))


def test_batches_may_be_of_any_shape() -> None:
    window = StepWindow(3, levels=(4,))
    window.add(StepTrace(torch.full((2, 1, 3, 3), 2), images=2, seconds=1.0))
    assert window.counts().joint.counts().tolist() == [0, 0, 18, 0]


def test_a_state_continues_as_the_window_it_was_taken_of() -> None:
    window, restored = filled(3, [0, 1], [2, 2], [3, 4], [5, 5]), StepWindow(3, levels=(8,))
    restored.add(StepTrace(torch.full((1, 1, 1, 1), 6), images=1, seconds=1.0))
    restored.load(window.state(), torch.device("cpu"))
    assert columns_of(restored) == columns_of(window)
    for each in (window, restored):
        each.add(StepTrace(torch.full((1, 1, 1, 1), 7), images=3, seconds=0.25))
    assert columns_of(restored) == columns_of(window)
    assert restored.counts().joint.counts().tolist() == window.counts().joint.counts().tolist()


def test_a_state_of_an_older_version_did_not_wait() -> None:
    window, restored = filled(3, [0, 1], [2, 2]), StepWindow(3, levels=(8,))
    older = [{name: value for name, value in trace.items() if name != "waited"} for trace in window.state()]
    restored.load(older, torch.device("cpu"))
    columns = columns_of(restored)
    assert columns["images_per_second_without_waiting_last_3_steps"] == columns["images_per_second_last_3_steps"]
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="waited"):
            restored.load([{**older[0], "waited": wrong}], torch.device("cpu"))


STAGES = (1024,) * 8


def of_groups(levels: tuple[int, ...], seed: int = 0) -> StepWindow:
    window, generator = StepWindow(4, levels), torch.Generator().manual_seed(seed)
    for _ in range(3):
        codes = [torch.randint(min(level, 3), (2, 3, 3), generator=generator) for level in levels]
        window.add(StepTrace(torch.stack(codes, dim=1), images=2, seconds=0.5))
    return window


@pytest.mark.parametrize("levels", [(3, 5), (2,) * 36, STAGES])
def test_each_group_has_columns_of_its_own_beside_those_of_their_tuples(levels: tuple[int, ...]) -> None:
    window = of_groups(levels)
    columns = columns_of(window)
    codes = torch.cat([trace.codes for trace in window._traces]).movedim(1, -1).reshape(-1, len(levels))
    assert columns["active_codes_last_4_steps"] == len(codes.unique(dim=0))
    for group in range(len(levels)):
        counts = codes[:, group].bincount().double()
        share = counts[counts > 0] / len(codes)
        assert columns[f"active_codes_group_{group}_last_4_steps"] == len(share)
        perplexity = 2 ** -(share * share.log2()).sum().item()
        assert columns[f"perplexity_group_{group}_last_4_steps"] == pytest.approx(perplexity)
    assert len(columns) == 5 + 2 * len(levels)


@pytest.mark.parametrize(("levels", "shape"), [((3, 5), [2, 3, 3]), ((2,) * 36, [2, 3, 3]), (STAGES, [2, 8, 3, 3])])
def test_a_state_holds_joint_codes_where_they_have_numbers(levels: tuple[int, ...], shape: list[int]) -> None:
    window, restored = of_groups(levels), StepWindow(4, levels)
    state = window.state()
    assert all(list(trace["codes"].shape) == shape for trace in state)
    restored.load(state, torch.device("cpu"))
    assert columns_of(restored) == columns_of(window)
    state[0]["codes"][0, 0, 0] = 10**15
    with pytest.raises(ValueError, match="codes of a step"):
        restored.load(state, torch.device("cpu"))


def test_restored_codes_are_where_those_of_the_next_steps_will_be() -> None:
    """A window that mixed devices could not be counted."""
    state, restored = filled(3, [0, 1], [2, 2]).state(), StepWindow(3, levels=(8,))
    restored.load(state, torch.device("meta"))
    assert [trace.codes.device.type for trace in restored._traces] == ["meta", "meta"]
