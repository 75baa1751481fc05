"""Tests of the metrics of codes: usage by position and over groups, lengths of codes, accumulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.metrics import CODE_METRICS, accumulated_codes, chao2
from lgq_explore.metrics.accumulation import CodeAccumulation
from lgq_explore.metrics.code_settings import CodeSettings
from lgq_explore.metrics.codes import CodeMetric
from lgq_explore.metrics.group_numbers import GroupSpread
from lgq_explore.metrics.position_usage import PositionUsage
from lgq_explore.metrics.usage_numbers import CodeLengths, Usage

LEVELS = (3, 4)
QUICK = [name for name in CODE_METRICS if name != "contextual_bits"]


def codes(images: int = 30, side: int = 4, levels: tuple[int, ...] = LEVELS, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    groups = [torch.randint(level, (images, side, side), generator=generator) for level in levels]
    return torch.stack(groups, dim=1)


def metric_of(kind: type[CodeMetric], *batches: Tensor, levels: tuple[int, ...] = LEVELS) -> CodeMetric:
    metric = kind.of(CodeSettings(levels, 4))
    for batch in batches:
        metric.update(batch, np.arange(len(batch)))
    return metric


@pytest.mark.parametrize("name", QUICK)
def test_batches_order_and_processes_change_nothing(name: str) -> None:
    drawn, kind = codes(), CODE_METRICS[name]
    whole = metric_of(kind, drawn)
    parts = metric_of(kind, drawn[20:], drawn[7:20].flip(0))
    parts.merge(metric_of(kind, drawn[:7]))  # type: ignore[attr-defined]
    assert tuple(whole.numbers()) == kind.definition.keys
    assert parts.numbers() == whole.numbers()


@pytest.mark.parametrize("name", QUICK)
def test_joint_codes_without_numbers_have_numbers_or_none(name: str) -> None:
    levels = (2**31, 2**31, 4)
    numbers = metric_of(CODE_METRICS[name], codes(levels=levels), levels=levels).numbers()
    assert tuple(numbers) == CODE_METRICS[name].definition.keys


def test_usage_is_over_the_pixels_of_a_token() -> None:
    numbers = metric_of(Usage, codes()).numbers()
    joint = codes()[:, 0] * 4 + codes()[:, 1]
    bits = entropy(np.bincount(joint.flatten()), base=2)
    assert numbers["entropy_bits"] == pytest.approx(bits)
    assert numbers["bits_per_pixel"] == pytest.approx(bits / 16)


def test_lengths_of_fixed_codes_are_logarithms() -> None:
    drawn = torch.tensor([0, 0, 1, 5]).reshape(1, 1, 2, 2)
    numbers = metric_of(CodeLengths, drawn, levels=(8,)).numbers()
    assert (numbers["bits_codebook"], numbers["bits_active"]) == (3, math.log2(3))
    assert numbers["entropy_bits_miller_madow"] == pytest.approx(1.5 + 2 / (2 * 4 * math.log(2)))


class TestPositions:
    def test_it_is_the_mutual_information_of_scikit_learn(self) -> None:
        drawn = codes(images=50)
        numbers = metric_of(PositionUsage, drawn).numbers()
        joint = (drawn[:, 0] * 4 + drawn[:, 1]).flatten(1).numpy()
        place = np.broadcast_to(np.arange(16), joint.shape)
        expected = mutual_info_score(place.ravel(), joint.ravel()) / math.log(2)
        assert numbers["position_information_bits"] == pytest.approx(expected)

    def test_codes_that_do_not_depend_on_it_tell_what_chance_does(self) -> None:
        numbers = metric_of(PositionUsage, codes(images=400, side=8)).numbers()
        assert numbers["position_information_bits"] == pytest.approx(
            numbers["position_information_bits_by_chance"], rel=0.1
        )

    def test_codes_that_are_positions_tell_all_of_it(self) -> None:
        place = torch.arange(16).reshape(1, 1, 4, 4).expand(9, -1, -1, -1)
        usage = PositionUsage((16,))
        usage.update(place, np.arange(9))
        result = usage.compute()
        assert result.information_bits == pytest.approx(4)
        assert (result.entropy_bits == 0).all()
        assert (result.active_codes == 1).all()
        assert result.images == 9

    def test_the_grid_has_each_position_where_it_is(self) -> None:
        drawn = codes(images=40, levels=(6,))
        drawn[:, :, 1, 2] = 5
        usage = PositionUsage((6,))
        usage.update(drawn, np.arange(40))
        entropy_bits = usage.compute().entropy_bits
        assert entropy_bits[1, 2] == 0
        assert entropy_bits[2, 1] == pytest.approx(entropy(np.bincount(drawn[:, 0, 2, 1]), base=2))

    def test_another_grid_is_refused(self) -> None:
        with pytest.raises(InputError, match="give one grid"):
            metric_of(PositionUsage, codes(), codes(side=2))


class TestGroups:
    def test_mean_and_variance_are_over_groups(self) -> None:
        same = torch.randint(4, (20, 1, 4, 4), generator=torch.Generator().manual_seed(0))
        numbers = metric_of(GroupSpread, torch.cat([torch.zeros_like(same), same], dim=1)).numbers()
        perplexity = 2 ** entropy(np.bincount(same.flatten()), base=2)
        assert numbers["group_perplexity"]["mean"] == pytest.approx((1 + perplexity) / 2)
        assert numbers["group_perplexity"]["variance"] == pytest.approx((perplexity - 1) ** 2 / 4)
        assert numbers["group_utilization"] == pytest.approx({"mean": (1 / 3 + 1) / 2, "variance": (2 / 3) ** 2 / 4})

    def test_the_dependence_is_none_of_independent_groups_and_all_of_equal_ones(self) -> None:
        same = torch.randint(4, (500, 1, 4, 4), generator=torch.Generator().manual_seed(0))
        equal = metric_of(GroupSpread, torch.cat([same, same], dim=1), levels=(4, 4)).numbers()
        assert equal["group_dependence_bits"] == pytest.approx(2, abs=1e-3)
        independent = metric_of(GroupSpread, codes(images=2000)).numbers()
        assert independent["group_dependence_bits"] == pytest.approx(0, abs=1e-3)

    def test_joint_and_group_numbers_have_different_names(self) -> None:
        assert not set(GroupSpread.definition.keys) & set(Usage.definition.keys)


def test_accumulation_counts_images_that_hold_a_code() -> None:
    drawn = codes(images=12, side=2)
    joint = (drawn[:, 0] * 4 + drawn[:, 1]).flatten(1).numpy()
    incidences = np.array([sum(code in image for image in joint) for code in np.unique(joint)])
    numbers = metric_of(CodeAccumulation, drawn).numbers()
    assert numbers["chao2"] == pytest.approx(chao2(incidences, 12))
    assert numbers["codes_in_half"] == pytest.approx(accumulated_codes(incidences, 12, [6]).item())
