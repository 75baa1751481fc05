"""Tests of the bits of codes in their context: Markov chains, independent codes, and codes that a position decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lgq_explore.metrics import causal_model
from lgq_explore.metrics.causal_model import CausalModel, cross_entropy_bits
from lgq_explore.metrics.code_settings import CodeSettings
from lgq_explore.metrics.contextual_bits import ContextualBits, ContextualBitsResult, _halves, _Symbols
from tests.package.process_state import process_untouched


@dataclass(frozen=True, eq=False)
class Chain:
    """codes: [images, tokens] of a Markov chain. entropy_rate: in bits per token."""

    codes: NDArray[np.int64]
    entropy_rate: float


def markov_chain(symbols: int, images: int, tokens: int, seed: int = 0) -> Chain:
    """A chain of order 1 that begins in its stationary distribution."""
    draws = np.random.default_rng(seed)
    transitions = draws.dirichlet(np.full(symbols, 0.3), size=symbols)
    stationary = np.linalg.matrix_power(transitions, 200)[0]
    codes = np.empty((images, tokens), dtype=np.int64)
    codes[:, 0] = draws.choice(symbols, size=images, p=stationary)
    for step in range(1, tokens):
        thresholds = transitions.cumsum(axis=1)[codes[:, step - 1]]
        codes[:, step] = (draws.random((images, 1)) > thresholds[:, :-1]).sum(axis=1)
    rows = -(transitions * np.log2(np.maximum(transitions, 1e-300))).sum(axis=1)
    return Chain(codes, float(stationary @ rows))


def bits(codes: NDArray[np.int64], codebook_size: int, photographs: NDArray[np.int64] | None = None) -> ContextualBits:
    """Codes [images, H · W] on a square grid, each image its own photograph unless they are given."""
    metric = ContextualBits.of(CodeSettings((codebook_size,), 4))
    side = int(codes.shape[1] ** 0.5)
    grid = torch.from_numpy(codes).reshape(len(codes), 1, side, side)
    metric.update(grid, np.arange(len(codes)) if photographs is None else photographs)
    return metric


@pytest.mark.slow
@pytest.mark.parametrize("symbols", [8, 16])
def test_a_markov_chain_has_its_entropy_rate(symbols: int) -> None:
    chain = markov_chain(symbols, images=1024, tokens=16 * 16)
    result = bits(chain.codes, symbols).compute()
    assert result.value == pytest.approx(chain.entropy_rate, rel=0.02)
    assert (result.tokens, result.photographs) == (512 * 256, 512)
    assert result.learning_tokens is not None
    assert result.learning_tokens > 0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of a few steps."""
    monkeypatch.setattr(causal_model, "STEPS", 30)
    monkeypatch.setattr(causal_model, "TOKENS_A_STEP", 256)


@pytest.mark.usefixtures("quick")
class TestOfFewSteps:
    def test_independent_codes_have_their_entropy_and_nothing_to_learn(self) -> None:
        codes = np.random.default_rng(0).integers(16, size=(256, 64))
        result = bits(codes, 16).compute()
        assert result.value == pytest.approx(4, rel=0.01)
        assert result.learning_tokens == 0

    def test_codes_that_are_equal_in_all_pictures_cost_far_less_than_their_entropy(self) -> None:
        codes = np.tile(np.random.default_rng(0).permutation(64), (128, 1))
        result = bits(codes, 64).compute()
        assert result.value is not None
        assert result.value < 3  # of 6
        assert result.learning_tokens is not None
        assert result.learning_tokens > 256

    def test_neither_order_nor_batches_change_it_and_nothing_global_is_touched(self) -> None:
        codes = markov_chain(8, images=60, tokens=16).codes
        with process_untouched():
            whole = bits(codes, 8).compute()
        photographs = np.arange(60)
        order = np.random.default_rng(1).permutation(60)
        parts = bits(codes[order[:25]], 8, photographs[order[:25]])
        parts.merge(bits(codes[order[25:]], 8, photographs[order[25:]]))
        assert parts.compute() == whole

    def test_codes_that_are_never_fitted_to_cost_what_names_them_among_all_others(self) -> None:
        """The first half has code 0 alone: each code of the second is rare, of which there are 999."""
        codes = np.zeros((64, 16), dtype=np.int64)
        codes[1::2] = np.random.default_rng(0).integers(1, 1000, size=(32, 16))
        result = bits(codes, 1000).compute()
        assert result.value is not None
        assert result.value > np.log2(999)

    def test_groups_are_joined(self) -> None:
        joint = markov_chain(8, images=40, tokens=16).codes
        grouped = ContextualBits.of(CodeSettings((2, 4), 4))
        pairs = torch.from_numpy(np.stack([joint // 4, joint % 4], axis=1)).reshape(40, 2, 4, 4)
        grouped.update(pairs, np.arange(40))
        assert grouped.compute() == bits(joint, 8).compute()


def without(result: ContextualBitsResult) -> bool:
    return result.value is None and result.learning_tokens is None


def test_where_there_is_no_value_there_is_a_reason() -> None:
    one = bits(np.zeros((8, 16), dtype=np.int64), 4, np.zeros(8, dtype=np.int64))
    unnumbered = ContextualBits.of(CodeSettings((2**32, 2**32), 4))
    unnumbered.update(torch.zeros(2, 2, 1, 1, dtype=torch.int64), np.arange(2))
    for metric, why in ((one, "at least 2"), (unnumbered, "too many"), (ContextualBits((4,)), "no codes")):
        result = metric.compute()
        assert without(result)
        assert why in (result.why or "")


def test_the_model_knows_no_code_before_it_has_come() -> None:
    generator = torch.Generator().manual_seed(0)
    model = CausalModel(torch.ones(5), (3, 4), generator)
    with torch.no_grad():
        model.head.weight.copy_(torch.randn(model.head.weight.shape, generator=generator))
    codes = torch.randint(5, (2, 12), generator=generator)
    changed = codes.clone()
    changed[:, 7] = (codes[:, 7] + 1) % 5
    with torch.no_grad():
        before, after = model(codes), model(changed)
    assert torch.equal(before[:, :8], after[:, :8])
    assert not torch.equal(before[:, 8], after[:, 8])


def test_its_probabilities_sum_to_one_and_start_as_the_frequencies() -> None:
    model = CausalModel(torch.tensor([1.0, 3.0]), (1, 2), torch.Generator().manual_seed(0))
    every = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    probabilities = 2 ** -cross_entropy_bits(model, every).sum(dim=1)
    assert probabilities.sum().item() == pytest.approx(1, rel=1e-6)
    assert probabilities.tolist() == pytest.approx([1 / 16, 3 / 16, 3 / 16, 9 / 16], rel=1e-5)


def test_no_photograph_is_on_two_sides() -> None:
    for count in (2, 3, 4, 5, 8, 30):
        photographs = np.sort(np.random.default_rng(count).permutation(np.repeat(np.arange(count), 6)))
        halves = _halves(photographs)
        assert halves is not None
        parts = [set(photographs[part]) for part in (halves.fitted, halves.validation, halves.test)]
        assert abs(len(parts[2]) - count / 2) < 1
        assert not parts[2] & (parts[0] | parts[1])
        assert count <= 2 or not parts[0] & parts[1]
        assert (halves.fitted.astype(int) + halves.validation + halves.test == 1).all()


def test_codes_that_came_once_are_rare() -> None:
    symbols = _Symbols.of(np.array([[5, 5, 9], [9, 2, 7]]), 100)
    assert symbols.of_codes(np.array([5, 9, 2, 7, 99])).tolist() == [0, 1, 2, 2, 2]
    assert symbols.bits_of_rare == pytest.approx(np.log2(98))
