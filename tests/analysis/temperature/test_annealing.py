"""Do codes split where the covariance of their cells says, and does a simulation agree?"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lgq_explore.analysis.temperature import critical_temperature
from lgq_explore.analysis.temperature.annealing import (
    _state,
    annealing_path,
    annealing_temperatures,
    bifurcations,
    count_distinct,
    split_temperatures,
    temperature_at,
)
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import study
from lgq_explore.training.loop import train
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of


def gaussian(tokens: int, *spreads: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, len(spreads), generator=generator, dtype=torch.float64) * torch.tensor(spreads)


def pair(tokens: int = 2000) -> Tensor:
    """[N, 2]: two round Gaussians, 20 apart, with deviations 0.5 and 1."""
    left, right = gaussian(tokens // 2, 0.5, 0.5), gaussian(tokens // 2, 1.0, 1.0, seed=1)
    return torch.cat([left - torch.tensor([10.0, 0.0]), right + torch.tensor([10.0, 0.0])])


def by_definition(tokens: Tensor, codebook: Tensor, temperature: float) -> list[float]:
    """2 λ_max of every cell, from all responsibilities at once and numpy's weighted covariance."""
    p = (-torch.cdist(tokens, codebook).square() / temperature).softmax(1).numpy()
    cells = [np.cov(tokens.numpy().T, aweights=weights, ddof=0) for weights in p.T]
    return [2 * np.linalg.eigvalsh(np.atleast_2d(cell))[-1] for cell in cells]


@pytest.mark.parametrize("temperature", [0.3, 2.0, 50.0])
def test_split_temperatures_are_those_of_the_definition(temperature: float) -> None:
    tokens, codebook = gaussian(500, 2.0, 1.0, 0.5) + 30, gaussian(6, 2.0, 1.0, 0.5, seed=1) + 30
    split = split_temperatures(tokens, codebook, temperature)
    assert split["code"].tolist() == list(range(6))
    assert split["mass"].sum() == pytest.approx(1)
    expected = by_definition(tokens, codebook, temperature)
    assert split["split_temperature"].tolist() == pytest.approx(expected, rel=1e-9)


def test_codes_that_coincide_all_split_at_the_critical_temperature() -> None:
    tokens = gaussian(3000, 2.0, 0.5)
    split = split_temperatures(tokens, tokens.mean(0).expand(5, -1), temperature=1.0)
    assert split["split_temperature"].to_numpy() == pytest.approx(critical_temperature(tokens), rel=1e-12)
    assert split["mass"].to_numpy() == pytest.approx(0.2)


def test_a_separate_cluster_splits_at_its_own_temperature() -> None:
    split = split_temperatures(pair(), torch.tensor([[-10.0, 0.0], [10.0, 0.0]]), temperature=1.0)
    left, right = pair()[:1000], pair()[1000:]
    assert split["split_temperature"].tolist() == pytest.approx(
        [critical_temperature(left), critical_temperature(right)], rel=1e-9
    )


def test_a_code_of_next_to_no_mass_has_no_split_temperature() -> None:
    far = torch.tensor([[-10.0, 0.0], [10.0, 0.0], [500.0, 0.0]])
    split = split_temperatures(pair(), far, temperature=1.0)
    assert split["split_temperature"].isna().tolist() == [False, False, True]
    assert split["mass"].iloc[2] == pytest.approx(0, abs=1e-12)


def test_equal_tokens_split_at_no_temperature() -> None:
    split = split_temperatures(np.full((10, 3), 7.0), np.zeros((2, 3)), temperature=1.0)
    assert split["split_temperature"].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_a_large_codebook_holds_no_table_of_tokens_and_codes() -> None:
    class LargestTensor(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            made = function(*args, **(kwargs or {}))
            sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
            LargestTensor.elements = max(LargestTensor.elements, *sizes, 0)
            return made

    tokens = gaussian(4096, 1.0, 1.0)
    with LargestTensor():
        split_temperatures(tokens, tokens, temperature=0.1)
    assert 0 < LargestTensor.elements <= 4096 * 4096 / 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "tokens",
    [gaussian(600, 1.5, 0.6), gaussian(600, 1.0, 0.8, 0.5), pair(600), gaussian(600, 1.2)],
    ids=["ellipse", "three dimensions", "pair", "line"],
)
def test_the_first_split_of_a_simulation_is_at_the_critical_temperature(tokens: Tensor) -> None:
    critical = critical_temperature(tokens)
    path = annealing_path(tokens, 4, [critical * ratio for ratio in np.arange(1.1, 0.95, -0.005)])
    assert path.critical_temperature == critical
    assert path.first_split is not None
    assert 0.98 * critical <= path.first_split <= 1.02 * critical
    above = path.states[path.states["temperature"] > 1.001 * critical]
    assert (above["distinct_centres"] == 1).all()
    assert above["effective_centres"].to_numpy() == pytest.approx(1, abs=1e-3)
    hot = path.codebook(1.1 * critical)
    assert (hot - tokens.mean(0)).norm(dim=1).max() < 1e-4 * tokens.std()


def test_another_critical_temperature_would_be_noticed() -> None:
    """The simulation knows of no formula: with τ twice as warm in it, centres part elsewhere."""
    tokens = gaussian(400, 1.5, 0.6)
    critical = critical_temperature(tokens)
    path = annealing_path(2**0.5 * tokens, 4, [critical * ratio for ratio in (2.2, 1.9, 1.1)])
    assert path.first_split == pytest.approx(1.9 * critical)


def test_every_centre_is_the_mean_of_what_it_answers_for_and_the_first_to_part_follow_the_longest_axis() -> None:
    tokens = gaussian(500, 1.5, 0.5)
    critical = critical_temperature(tokens)
    path = annealing_path(tokens, 3, annealing_temperatures(critical, 0.8 * critical))
    temperature = float(path.states["temperature"].iloc[-1])
    assert temperature == pytest.approx(0.8 * critical)
    centres = path.codebook(temperature)
    p = (-torch.cdist(tokens, centres).square() / temperature).softmax(1)
    torch.testing.assert_close((p.T @ tokens) / p.sum(0)[:, None], centres, rtol=0, atol=1e-4)
    last = path.centres[path.centres["temperature"] == temperature]
    assert last["mass"].to_numpy() == pytest.approx(p.mean(0).numpy(), abs=1e-4)
    assert np.ptp(last["axis_0"]) > 10 * np.ptp(last["axis_1"])


def test_states_hold_the_numbers_of_their_definition() -> None:
    tokens = pair(400)
    path = annealing_path(tokens, 4, [20.0, 1.0])
    state = path.states.iloc[1]
    distances = torch.cdist(tokens, path.codebook(1.0)).square()
    p = (-distances).softmax(1)
    assert state["distortion"] == pytest.approx((p * distances).sum(1).mean().item(), rel=1e-9)
    assert state["free_energy"] == pytest.approx(-(-distances).logsumexp(1).mean().item(), rel=1e-9)
    shared = torch.special.entr(p.mean(0)).sum() - torch.special.entr(p).sum(1).mean()
    assert state["effective_centres"] == pytest.approx(shared.exp().item(), rel=1e-9)
    assert state["tokens"] == 400


def test_centres_that_are_no_number_are_not_told_as_one() -> None:
    tokens, centres = torch.tensor([[1.0], [math.nan]]).double(), torch.tensor([[0.0], [1.0]]).double()
    state, _ = _state(tokens, centres, 1.0)
    assert math.isnan(state["effective_centres"])


def test_cold_codes_are_hard_and_the_free_energy_rises_as_it_cools() -> None:
    """F is a minimum over p of Σ p d² − τ H(p), and H is not negative."""
    path = annealing_path(pair(400), 2, np.geomspace(400, 0.1, 30).tolist())
    assert path.states["temperature"].is_monotonic_decreasing
    assert path.states["free_energy"].diff().dropna().min() > -1e-6
    cold = path.states.iloc[-1]
    assert cold["effective_centres"] == pytest.approx(2, rel=1e-3)
    assert cold["distortion"] == pytest.approx(cold["free_energy"], rel=1e-3)
    assert cold["distortion"] == pytest.approx(2 * (0.5**2 + 1) / 2, rel=0.1)


def test_a_path_repeats_by_its_seed() -> None:
    tokens, temperatures = pair(200), [300.0, 150.0, 1.0]
    one, again, other = (annealing_path(tokens, 4, temperatures, seed=seed) for seed in (0, 0, 1))
    assert one.centres.equals(again.centres)
    assert not one.centres.equals(other.centres)


def test_a_path_gives_the_codebook_of_its_nearest_temperature() -> None:
    path = annealing_path(pair(200), 2, [300.0, 1.0])
    assert torch.equal(path.codebook(1e9), path.codebook(300.0))
    assert torch.equal(path.codebook(1e-9), path.codebook(1.0))
    assert path.codebook(1.0).shape == (2, 2)


def test_a_path_that_stays_hot_never_splits() -> None:
    assert annealing_path(pair(200), 2, [1e4]).first_split is None


def test_temperatures_lie_close_around_the_critical_one() -> None:
    temperatures = np.array(annealing_temperatures(3.0, 0.01))
    assert (temperatures[0], temperatures[-1]) == pytest.approx((6.0, 0.01))
    assert (np.diff(temperatures) < 0).all()
    around = temperatures[np.abs(temperatures / 3 - 1) < 0.03]
    assert (around[:-1] / around[1:]).max() < 1.0055


def test_distinct_centres_are_counted_in_groups() -> None:
    centres = torch.tensor([[0.0, 0.0], [0.005, 0.0], [0.01, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert count_distinct(centres, 0.006) == 3
    assert count_distinct(centres, 1e-4) == 5
    assert count_distinct(centres[:1], 0.1) == 1


RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=4,
    log_steps=1,
    snapshot_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))
    return train(RECIPE, tmp_path / "run")


def test_a_run_is_placed_on_its_schedule_at_each_snapshot(run: Run) -> None:
    placed = bifurcations(study(run, crops=4), tokens=200)
    assert placed["step"].tolist() == [0, 2, 4]
    assert placed["temperature"].tolist() == pytest.approx([1.0, 0.7, 0.1])
    assert (placed[["to_split", "settled", "idle"]].sum(axis=1) == 16).all()
    assert placed["tokens"].tolist() == [200] * 3
    assert placed["critical_temperature"].nunique() == 1
    assert ((placed["effective_centres"] >= 1) & (placed["effective_centres"] <= 16)).all()


def test_a_collapsed_snapshot_has_one_centre_and_splits_at_the_critical_temperature(run: Run) -> None:
    np.save(run.path / "codebooks" / "step-00000002.npy", np.zeros((16, 4), dtype=np.float32))
    placed = bifurcations(study(run, crops=4), tokens=200).set_index("step").loc[2]
    assert placed["effective_centres"] == pytest.approx(1)
    is_below = placed["temperature"] < placed["critical_temperature"]
    assert (placed["to_split"], placed["settled"]) == ((16, 0) if is_below else (0, 16))


def test_the_temperature_in_force_is_the_newest_known() -> None:
    history = pd.DataFrame({"step": [1, 10, 20], "temperature": [1.0, 0.5, 0.2]})
    assert [temperature_at(history, step) for step in (0, 1, 15, 20, 99)] == [1.0, 1.0, 0.5, 0.2, 0.2]
    with pytest.raises(InputError, match="no temperature"):
        temperature_at(history[["step"]], 1)


@pytest.mark.usefixtures("run")
def test_a_run_without_temperature_is_refused(tmp_path: Path) -> None:
    recipe = TrainConfig(
        data="fake", batch_size=4, steps=1, backbone=RECIPE.backbone, quantizer=FSQConfig(levels=(3, 3))
    )
    fixed = train(recipe, tmp_path / "fsq")
    with pytest.raises(InputError, match="without a temperature"):
        bifurcations(study(fixed, crops=2))
    with pytest.raises(InputError, match="has no run"):
        bifurcations(study_of(method_tokenizer("lgq"), noise_pictures(1)))


@pytest.mark.parametrize(
    ("tokens", "codebook", "temperature", "told"),
    [
        (torch.zeros(3), torch.zeros(2, 2), 1.0, r"\[3\]"),
        (torch.zeros(3, 2), torch.zeros(2, 3), 1.0, r"\[2, 3\]"),
        (torch.zeros(0, 2), torch.zeros(2, 2), 1.0, r"\[0, 2\]"),
        (torch.full((3, 2), math.inf), torch.zeros(2, 2), 1.0, "contain NaN or infinity"),
        (torch.full((3, 2), 1e160, dtype=torch.double), torch.zeros(2, 2), 1.0, "their squares overflow"),
        (torch.zeros(3, 2), torch.zeros(2, 2), 0.0, "temperature is 0"),
        (torch.zeros(3, 256), torch.zeros(4096, 256), 1.0, "268,435,456 numbers"),
    ],
)
def test_what_cannot_be_computed_is_named(tokens: Tensor, codebook: Tensor, temperature: float, told: str) -> None:
    with pytest.raises(InputError, match=told):
        split_temperatures(tokens, codebook, temperature)


def test_a_path_needs_codes_and_temperatures() -> None:
    with pytest.raises(InputError, match="codes is 1"):
        annealing_path(pair(20), 1, [1.0])
    with pytest.raises(InputError, match="temperatures is empty"):
        annealing_path(pair(20), 2, [])
    with pytest.raises(InputError, match="temperature is -1"):
        annealing_path(pair(20), 2, [1.0, -1.0])
    with pytest.raises(InputError, match="the second smaller"):
        annealing_temperatures(1.0, 2.0)
