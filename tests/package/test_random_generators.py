"""Tests that all random draws come from seeded generators, and none from the global ones."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lgq_explore as lgq
from lgq_explore.analysis.geometry import latent_map
from lgq_explore.contract.training import fitted_to_few
from lgq_explore.models import tokenizer as models_tokenizer
from lgq_explore.models.tokenizer import build_tokenizer
from lgq_explore.quantizers import QUANTIZERS, StartsFromData, methods_with_codes
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.fit import fit_quantizer, without_encoder
from lgq_explore.training.loop import LogEvent
from tests.package.process_state import process_untouched

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


def recipe(method: str = "lgq", seed: int = 0) -> TrainConfig:
    config = fitted_to_few(lgq.preset("tiny", method, codebook_size=64))
    return replace(
        config, data="fake", image_size=16, steps=3, batch_size=8, log_steps=1, checkpoint_steps=2, seed=seed
    )


def weights(run: Run) -> dict[str, Tensor]:
    return run.tokenizer().state_dict()


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(own_data_and_no_network: None, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """A run of each of two seeds, trained while nothing else went on."""
    folder = tmp_path_factory.mktemp("runs")
    return {seed: lgq.train(recipe(seed=seed), folder / f"seed-{seed}", progress=False) for seed in (0, 1)}


@pytest.mark.parametrize("method", methods_with_codes())
def test_building_and_starting_draw_from_the_given_generator(method: str) -> None:
    config = QUANTIZERS[method].for_codebook_size(64)
    tokens = torch.randn(512, 8)

    def started(seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        quantizer = config.build(8, generator)
        if isinstance(quantizer, StartsFromData):
            quantizer.initialize(tokens, generator)
        return quantizer.state_dict()

    with process_untouched():
        first, tokenizer = started(3), build_tokenizer(recipe().backbone, config, seed=3)
    torch.manual_seed(100)
    assert equal(started(3), first)
    assert not equal(started(4), first)
    assert equal(build_tokenizer(recipe().backbone, config, seed=3).state_dict(), tokenizer.state_dict())


@pytest.mark.parametrize("method", QUANTIZERS)
def test_without_a_generator_torchs_own_is_drawn_from(method: str) -> None:
    config = QUANTIZERS[method].for_codebook_size(64)
    tokens = torch.randn(512, 8)
    states = []
    for generator in (torch.Generator().manual_seed(5), None):
        torch.manual_seed(5)
        quantizer = config.build(8, generator)
        if isinstance(quantizer, StartsFromData):
            quantizer.initialize(tokens, generator)
        states.append(quantizer.state_dict())
    assert equal(*states)


@pytest.mark.parametrize("method", methods_with_codes())
def test_fitting_a_quantizer_leaves_the_process_as_it_is(method: str) -> None:
    tokens = torch.randn(256, 2)
    with process_untouched():
        fit_quantizer(without_encoder(method, 16, 2), tokens, steps=3, batch_size=32)


@pytest.mark.parametrize("method", QUANTIZERS)
@pytest.mark.slow
def test_training_and_resuming_leave_the_process_as_it_is(method: str, tmp_path: Path) -> None:
    controls = lgq.Controls()

    def stop_at_the_second_step(event: LogEvent) -> None:
        if event.row["step"] == 2:
            controls.stop()

    with process_untouched():
        run = lgq.train(
            recipe(method), tmp_path / "run", on_log=stop_at_the_second_step, controls=controls, progress=False
        )
        assert run.finished_steps == 2
        assert lgq.resume(run.path, progress=False).is_finished


USES: dict[str, Callable[[Run], object]] = {
    "opening": lambda run: run.tokenizer(),
    "encoding": lgq.encode,
    "evaluating": lambda run: lgq.evaluate(run, crops=8),
    "mapping": lambda run: latent_map(lgq.study(run), method="pca"),
    "monitor": lambda run: lgq.widgets.TrainingMonitor(run.config),
    "temperatures": lambda run: lgq.widgets.TemperatureExplorer(run),
    "usage": lambda run: lgq.widgets.UsageExplorer(run),
    "geometry": lambda run: lgq.widgets.GeometryExplorer(run),
    "health": lambda run: lgq.widgets.HealthPanel(run),
    "toys": lambda run: lgq.widgets.ToyLab(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.slow
def test_what_is_done_with_a_run_leaves_the_process_as_it_is(
    use: Callable[[Run], object], trained: dict[int, Run]
) -> None:
    with process_untouched():
        use(trained[0])


def test_two_trainings_at_once_each_give_what_their_seed_gives(trained: dict[int, Run], tmp_path: Path) -> None:
    together = threading.Barrier(2)

    def train(seed: int) -> Run:
        together.wait()
        # Both meet again at every step, so that neither is over before the other began.
        return lgq.train(
            recipe(seed=seed), tmp_path / str(seed), on_log=lambda event: void(together.wait()), progress=False
        )

    with ThreadPoolExecutor(2) as pool:
        for seed, run in zip((0, 1), pool.map(train, (0, 1)), strict=True):
            assert equal(weights(run), weights(trained[seed]))


def test_what_others_draw_while_a_run_trains_changes_nothing(
    trained: dict[int, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads draw and seed just when it would hurt: between two parts of a model, and between two steps."""

    def disturb(*_: object) -> None:
        torch.manual_seed(99)
        torch.rand(3)
        np.random.seed(99)  # noqa: NPY002 - the global one shall move
        random.seed(99)

    def decoder_after_a_disturbance(*arguments: Any) -> torch.nn.Module:
        disturb()
        return lgq.models.Decoder(*arguments)

    monkeypatch.setattr(models_tokenizer, "Decoder", decoder_after_a_disturbance)
    run = lgq.train(recipe(), tmp_path / "run", on_log=disturb, progress=False)
    assert equal(weights(run), weights(trained[0]))


def test_a_monitor_and_the_next_cell_each_give_what_their_seed_gives(trained: dict[int, Run], tmp_path: Path) -> None:
    async def monitored_run() -> tuple[Run, Run]:
        monitor = lgq.widgets.TrainingMonitor(recipe(seed=0), run=tmp_path / "monitored")
        monitor.start()
        torch.manual_seed(0)
        torch.rand(3)
        other = lgq.train(recipe(seed=1), tmp_path / "next", progress=False)
        return await monitor.finished(), other

    for seed, run in enumerate(asyncio.run(monitored_run())):
        assert equal(weights(run), weights(trained[seed]))


def void(_: object) -> None:
    """For a callback that has nothing to give."""
