"""Tests of training: repeated, interrupted, steered and resumed."""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.images.opening import open_source
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import (
    FSQConfig,
    LGQConfig,
    QuantizerConfig,
    QuantizerOutput,
    TemperatureSchedule,
    VQConfig,
    joint_codes,
    mixture,
    soft_assign,
)
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training import loop
from lgq_explore.training.controls import Controls, ReplayedControls
from lgq_explore.training.energy import PARTS
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.training.machine import processor_name
from lgq_explore.training.numerical_noise import perturb_first_weights
from lgq_explore.training.objectives import of_recipe
from lgq_explore.training.optimizer import learning_rate
from lgq_explore.training.step import training_step
from lgq_explore.training.step.compilation import compiled

STEPS = 8
EFFECTIVE_CODES = TemperatureSchedule(8.0, 1.5, "exponential", "effective_codes")
LIKELIHOOD = TemperatureSchedule(1.0, 0.5, unit="likelihood")
METHODS = {
    "lgq": LGQConfig(32),
    "lgq, batch norm, effective codes": LGQConfig(32, EFFECTIVE_CODES, norm="batch"),
    "lgq, prior, split, likelihood": LGQConfig(
        32, LIKELIHOOD, learned_prior=True, estimator="split", distance="cosine", gain_floor=0.05
    ),
    "lgq, widths, revival": LGQConfig(32, learned_widths=True, revival=0.7, cell_means=0.5),
    "vq with restarts": VQConfig(32, decay=0.5, restart_below=0.5),
    "fsq": FSQConfig((5, 5)),
}


def recipe(quantizer: QuantizerConfig = METHODS["lgq"], **settings: object) -> TrainConfig:
    defaults: dict[str, object] = {
        "data": "fake",
        "image_size": 16,
        "backbone": BackboneConfig((8, 8, 8), dim=4),
        "quantizer": quantizer,
        "steps": STEPS,
        "batch_size": 3,
        "warmup_steps": 2,
        "log_steps": 3,
        "window_steps": 4,
        "checkpoint_steps": 4,
        "snapshot_steps": 4,
    }
    return TrainConfig(**{**defaults, **settings})


def trained(config: TrainConfig, path: Path, controls: Controls | None = None) -> Run:
    return train(config, path, device="cpu", controls=controls, progress=False)


def resumed(path: Path, controls: Controls | None = None) -> Run:
    return resume(path, device="cpu", controls=controls, progress=False)


class Crash(BaseException):
    """What nobody catches, as when the process is killed."""


class StopsBefore(Controls):
    """Asks for a stop before a step, counted from 0, and takes the temperature by hand for some steps."""

    def __init__(self, step: int, by_hand: dict[int, float | None] | None = None) -> None:
        super().__init__()
        self.step = step
        self.by_hand = by_hand or {}

    def read(self, step: int):
        if step in self.by_hand:
            self.temperature = self.by_hand[step]
        if step == self.step:
            self.stop()
        return super().read(step)


class Steers(StopsBefore):
    """Takes the temperature by hand for some steps."""

    def __init__(self, by_hand: dict[int, float | None]) -> None:
        super().__init__(10**9, by_hand)


def timeless(history: pd.DataFrame) -> pd.DataFrame:
    """A history without what a machine takes, in seconds and, where it counts them, in joules."""
    return history[[name for name in history if "second" not in name and name not in PARTS]]


def assert_same_weights(run: Run, other: Run) -> None:
    weights, others = (each.tokenizer().state_dict() for each in (run, other))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name


def assert_same_run(run: Run, other: Run) -> None:
    """Equal to the bit: weights, codebooks, history but for its times."""
    assert_same_weights(run, other)
    pd.testing.assert_frame_equal(timeless(run.history()), timeless(other.history()), check_exact=True)
    snapshots, others = run.codebook_snapshots(), other.codebook_snapshots()
    assert list(snapshots) == list(others)
    for step, books in snapshots.items():
        assert all(np.array_equal(book, other) for book, other in zip(books, others[step], strict=True))


def files(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.glob("**/*"))}


@pytest.fixture(scope="module", autouse=True)
def _pictures_are_drawn_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "open_source", functools.cache(loop.open_source))
        yield


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A method's name → its run, trained at once. Not to be written to."""
    return functools.cache(lambda method: trained(recipe(METHODS[method]), tmp_path_factory.mktemp("whole") / "run"))


@pytest.fixture
def finished(uninterrupted: Callable[[str], Run]) -> Run:
    """LGQ, trained at once. Not to be written to."""
    return uninterrupted("lgq")


# What a run leaves behind


def test_a_run_folder_holds_what_is_promised(finished: Run) -> None:
    names = {str(path.relative_to(finished.path)) for path in finished.path.glob("**/*") if path.is_file()}
    assert names - {".lock"} == {
        "config.json",
        "history.csv",
        "weights.safetensors",
        *(f"checkpoints/step-0000000{step}/{file}" for step in (4, 8) for file in ("weights.safetensors", "state.pt")),
        *(f"codebooks/step-0000000{step}.npy" for step in (0, 4, 8)),
    }
    assert finished.is_finished
    assert finished.config == recipe()
    assert finished.environment.device == "cpu"
    assert finished.environment.training_photographs > 0
    assert len(finished.environment.data_fingerprint) > 8
    assert "torch" in finished.environment.versions


def test_the_history_has_its_columns_and_rows(finished: Run) -> None:
    history = finished.history()
    assert history["step"].tolist() == [1, 3, 6, 8]
    assert [name for name in history if name not in PARTS] == [
        "step",
        "seconds",
        "learning_rate",
        "loss",
        "loss_l1",
        "loss_quantization",
        "loss_peakedness",
        "loss_usage",
        "active_codes_last_4_steps",
        "perplexity_last_4_steps",
        "tokens_last_4_steps",
        "images_per_second_last_4_steps",
        "images_per_second_without_waiting_last_4_steps",
        "temperature",
        "effective_codes",
        "encoder_gain_mean",
        "encoder_gain_median",
        "encoder_gain_share_below_1_percent",
        "free_energy",
        "free_energy_per_dimension",
        "usage_published",
        "usage_unbiased",
        "temperature_override",
    ]
    tokens_a_step = 3 * 4 * 4
    assert history["tokens_last_4_steps"].tolist() == [steps * tokens_a_step for steps in (1, 3, 4, 4)]
    assert history["temperature_override"].isna().all()
    weights = finished.config.loss_weights
    weighted = sum(weight * history[f"loss_{name}"] for name, weight in weights.items())
    assert history["loss"].tolist() == pytest.approx(weighted.tolist(), rel=1e-5)
    assert history["learning_rate"].tolist() == [learning_rate(finished.config, step - 1) for step in (1, 3, 6, 8)]
    assert history["temperature"].tolist() == pytest.approx([1 - 0.9 * (step - 1) / 7 for step in (1, 3, 6, 8)])


def test_the_window_counts_the_codes_of_its_steps(tmp_path: Path) -> None:
    """All steps are logged, each with a window of itself alone and of the last three: their counts must add up."""
    alone, of_three = [], []
    for window_steps, counts in ((1, alone), (3, of_three)):
        train(
            recipe(log_steps=1, window_steps=window_steps),
            tmp_path / f"window {window_steps}",
            device="cpu",
            on_log=lambda event, counts=counts: counts.append(event.counts.joint.counts()),
            progress=False,
        )
    for step in range(STEPS):
        assert of_three[step].tolist() == sum(alone[max(0, step - 2) : step + 1]).tolist()
    history = Run(tmp_path / "window 3").history()
    assert history["active_codes_last_3_steps"].tolist() == [np.count_nonzero(counts) for counts in of_three]
    shares = [counts[counts > 0] / counts.sum() for counts in of_three]
    perplexities = [2 ** -(share * np.log2(share)).sum() for share in shares]
    assert history["perplexity_last_3_steps"].tolist() == pytest.approx(perplexities, rel=1e-9)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    history = trained(recipe(steps=40, learning_rate=5e-3), tmp_path / "run").history()
    assert history["loss_l1"].iloc[-1] < 0.7 * history["loss_l1"].iloc[0]


def test_a_method_with_a_fixed_grid_leaves_no_codebooks(tmp_path: Path) -> None:
    run = trained(recipe(METHODS["fsq"], steps=1), tmp_path / "run")
    assert run.codebook_snapshots() == {}
    assert "temperature_override" not in run.history()
    assert run.is_finished


def test_the_first_snapshot_is_the_codebook_as_it_starts(finished: Run) -> None:
    snapshots = finished.codebook_snapshots()
    assert [book.shape for book in snapshots[0]] == [(32, 4)]
    # LGQ's centres start as tokens after a layer norm: of mean 0 and variance 1 over D.
    assert np.abs(snapshots[0][0].mean(1)).max() < 1e-5
    assert np.array_equal(snapshots[STEPS][0], finished.tokenizer().quantizer.codebooks()[0].numpy())
    assert not np.array_equal(snapshots[0][0], snapshots[STEPS][0])


# The same again


def test_the_same_seed_gives_the_same_run_and_another_seed_another(finished: Run, tmp_path: Path) -> None:
    torch.manual_seed(123)  # torch's own generator must not matter
    assert_same_run(finished, trained(recipe(), tmp_path / "again"))
    other = trained(recipe(seed=1), tmp_path / "other")
    weights = finished.tokenizer().state_dict()
    assert all(
        not torch.equal(weights[name], tensor)
        for name, tensor in other.tokenizer().state_dict().items()
        if tensor.ndim > 1
    )


def test_rounding_replicates_differ_in_the_last_places_of_the_encoder_s_first_weights() -> None:
    first, other = (build_tokenizer(recipe().backbone, recipe().quantizer, seed=0) for _ in range(2))
    perturb_first_weights(other, replicate=0)
    assert all(map(torch.equal, first.state_dict().values(), other.state_dict().values()))
    perturb_first_weights(other, replicate=2)
    for (name, weight), (_, changed) in zip(first.named_parameters(), other.named_parameters(), strict=True):
        factor = 1 + 2e-6 if name.startswith("encoder.") else 1.0
        torch.testing.assert_close(changed, weight * factor, rtol=0, atol=0)


def test_a_rounding_replicate_is_another_run_and_the_same_again(finished: Run, tmp_path: Path) -> None:
    stopped = trained(recipe(rounding_replicate=1), tmp_path / "stopped", StopsBefore(6))
    replicate = trained(recipe(rounding_replicate=1), tmp_path / "replicate")
    assert_same_run(replicate, resumed(stopped.path))
    losses, of_finished = replicate.history()["loss"], finished.history()["loss"]
    assert losses.tolist() != of_finished.tolist()
    assert losses.iloc[0] == pytest.approx(of_finished.iloc[0], rel=1e-4)


def test_training_leaves_torchs_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trained(recipe(steps=1), tmp_path / "run")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("stop_before", [1, 6])
@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(
    uninterrupted: Callable[[str], Run], tmp_path: Path, method: str, stop_before: int
) -> None:
    stopped = trained(recipe(METHODS[method]), tmp_path / "run", StopsBefore(stop_before))
    assert stopped.finished_steps == stop_before
    assert not stopped.is_finished
    assert_same_run(uninterrupted(method), resumed(stopped.path))


def test_what_rounds_otherwise_than_where_the_run_began_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = trained(recipe(), tmp_path / "run", StopsBefore(1))
    environment = stopped.environment
    assert (environment.processor, environment.threads) == (processor_name(), torch.get_num_threads())
    resume(stopped.path, device="cpu", controls=StopsBefore(2))
    assert "rounding" not in capsys.readouterr().err
    file = stopped.path / "config.json"
    description = json.loads(file.read_text())
    description["environment"] |= {"processor": "an abacus", "threads": 99}
    file.write_text(json.dumps(description))
    resume(stopped.path, device="cpu", controls=StopsBefore(3))
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "rounding" in line]
    assert f"resumed with processor {processor_name()} instead of an abacus" in told
    assert f"threads {torch.get_num_threads()} instead of 99" in told
    assert "torch" not in told


def test_a_crash_costs_the_steps_since_the_last_checkpoint_and_nothing_else(finished: Run, tmp_path: Path) -> None:
    def crash(event: LogEvent) -> None:
        if event.row["step"] == 6:
            raise Crash

    with pytest.raises(Crash):
        train(recipe(), tmp_path / "run", device="cpu", on_log=crash, progress=False)
    crashed = Run(tmp_path / "run")
    assert crashed.finished_steps == 4
    assert crashed.history()["step"].tolist() == [1, 3, 6]
    assert_same_run(finished, resumed(crashed.path))


def test_a_run_without_a_checkpoint_starts_at_step_zero(finished: Run, tmp_path: Path) -> None:
    def crash(event: LogEvent) -> None:
        raise Crash

    with pytest.raises(Crash):
        train(recipe(), tmp_path / "run", device="cpu", on_log=crash, progress=False)
    assert RunWriter(tmp_path / "run").newest_checkpoint() is None
    assert_same_run(finished, resumed(tmp_path / "run"))


def test_what_a_crash_left_half_written_is_passed_over(finished: Run, tmp_path: Path) -> None:
    stopped = trained(recipe(), tmp_path / "run", StopsBefore(6))
    half = stopped.path / "checkpoints" / ".step-00000007.0123abcd"
    half.mkdir()
    (half / "state.pt").write_bytes(b"half")
    (stopped.path / "codebooks" / ".step-00000007.npy.0123abcd").write_bytes(b"half")
    with (stopped.path / "history.csv").open("a") as history:
        history.write("7,0.1,0.0")
    assert_same_run(finished, resumed(stopped.path))


@pytest.mark.parametrize("step", [4, STEPS])
def test_a_crash_between_a_checkpoint_and_the_weights_is_made_good(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    def crash(path: Path):
        if path.name == "weights.safetensors" and len(list(path.parent.glob(f"checkpoints/step-*{step}"))):
            raise Crash
        return whole_file(path)

    with monkeypatch.context() as patched:
        patched.setattr("lgq_explore.runs.run_writer.whole_file", crash)
        with pytest.raises(Crash):
            trained(recipe(), tmp_path / "run")
    assert Run(tmp_path / "run").finished_steps < step
    run = resumed(tmp_path / "run")
    assert run.is_finished
    assert_same_run(finished, run)


def test_a_finished_run_is_returned_as_it_is(finished: Run) -> None:
    before = files(finished.path)
    assert resumed(finished.path).finished_steps == STEPS
    assert resume(finished.path, device="cuda:7").finished_steps == STEPS  # which need not be there
    for device in ("", "gpu:7"):
        with pytest.raises(InputError, match=f"unknown device '{device}'; choose one of auto, cpu, cuda"):
            resume(finished.path, device=device)
    assert files(finished.path) == before


# Steering


BY_HAND = {2: 0.5, 4: 0.05, 6: None}


def test_a_temperature_taken_by_hand_is_told_and_given_back(tmp_path: Path) -> None:
    history = trained(recipe(), tmp_path / "run", Steers(BY_HAND)).history().set_index("step")
    assert history.index.tolist() == [1, 3, 5, 6, 7, 8]  # every change has its row
    assert history["temperature_override"].fillna(0).tolist() == [0, 0.5, 0.05, 0.05, 0, 0]
    assert history["temperature"][[3, 5, 6]].tolist() == [0.5, 0.05, 0.05]
    assert history["temperature"][7] == pytest.approx(1 - 0.9 * 6 / 7)


def test_a_steered_run_is_replayed_from_its_history(finished: Run, tmp_path: Path) -> None:
    steered = trained(recipe(), tmp_path / "steered", Steers(BY_HAND))
    replayed = trained(recipe(), tmp_path / "replayed", ReplayedControls(steered.history()))
    assert_same_run(steered, replayed)
    assert not torch.equal(steered.tokenizer().quantizer.codebooks()[0], finished.tokenizer().quantizer.codebooks()[0])


@pytest.mark.parametrize("stop_before", [3, 5])
def test_a_steered_run_is_resumed_with_its_temperature(tmp_path: Path, stop_before: int) -> None:
    by_hand = {2: 0.5}
    whole = trained(recipe(), tmp_path / "whole", Steers(by_hand))
    stopped = trained(recipe(), tmp_path / "stopped", StopsBefore(stop_before, by_hand))
    assert_same_run(whole, resumed(stopped.path))


def test_a_stopped_run_is_resumed_by_the_same_controls(finished: Run, tmp_path: Path) -> None:
    controls = Controls()

    def stop(event: LogEvent) -> None:
        controls.stop()

    run = train(recipe(), tmp_path / "run", device="cpu", on_log=stop, controls=controls, progress=False)
    assert run.finished_steps == 1
    controls.clear_stop()
    assert_same_weights(finished, resumed(run.path, controls))


def test_another_thread_stops_a_trainer(tmp_path: Path) -> None:
    controls, running = Controls(), threading.Event()
    runs: list[Run] = []
    trainer = threading.Thread(
        target=lambda: runs.append(
            train(
                recipe(steps=100_000, log_steps=1),
                tmp_path / "run",
                device="cpu",
                on_log=lambda event: running.set(),
                controls=controls,
                progress=False,
            )
        )
    )
    trainer.start()
    assert running.wait(60)
    controls.stop()
    trainer.join(60)
    assert not trainer.is_alive()
    assert 0 < runs[0].finished_steps < 100_000


class StopsWhileItStarts(Controls):
    """Asks for a stop when the trainer has looked for one so many times before its first step."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def stop_asked_for(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def read(self, step: int):
        raise AssertionError("a step was begun")


@pytest.mark.parametrize("looks", [0, 1, 8], ids=["at once", "while gathering", "while spreading"])
def test_a_stop_is_heard_before_the_first_step(finished: Run, tmp_path: Path, looks: int) -> None:
    # 64 tokens in batches of 48: two looks; then a look after each of the 31 rounds of k-means++.
    run = trained(recipe(), tmp_path / "run", StopsWhileItStarts(looks))
    assert run.finished_steps == 0
    assert len(run.history()) == 0
    assert_same_run(finished, resumed(run.path))


def test_resuming_from_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(recipe(steps=2), tmp_path / "run", StopsBefore(0))
    capsys.readouterr()
    resume(run.path, device="cpu")
    assert f"{run.path} has no checkpoint yet: training starts at step 0" in capsys.readouterr().err


@pytest.mark.slow
def test_an_interrupt_finishes_the_step_and_saves(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import json, sys
        from lgq_explore.runs.config import config_from_json
        from lgq_explore.training.loop import train

        config = config_from_json(json.loads(sys.argv[1]))
        step = lambda event: print("step", flush=True)
        print("finished", train(config, sys.argv[2], device="cpu", on_log=step, progress=False).finished_steps)
        """
    )
    config = recipe(steps=100_000, log_steps=1, checkpoint_steps=50_000)
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(config_to_json(config)), str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "step\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    steps = int(output.splitlines()[-1].removeprefix("finished "))
    run = Run(tmp_path / "run")
    assert 0 < run.finished_steps == steps < 100_000
    assert resumed(run.path, StopsBefore(steps + 2)).finished_steps == steps + 2


# What is told while training


def test_a_callback_is_told_and_may_use_the_tokenizer(tmp_path: Path) -> None:
    events: list[dict[str, float | None]] = []

    def look(event: LogEvent) -> None:
        events.append(event.row)
        assert event.counts.levels == (32,)
        assert event.counts.joint.counts().sum() == event.row["tokens_last_4_steps"]
        with torch.no_grad():
            output = event.tokenizer.eval()(torch.zeros(1, 3, 16, 16))
        assert joint_codes(output.coded.codes, (32,)).max() < 32

    run = train(recipe(), tmp_path / "run", device="cpu", on_log=look, progress=False)
    assert [row["step"] for row in events] == run.history()["step"].tolist()
    assert [row["loss"] for row in events] == run.history()["loss"].tolist()
    assert_same_weights(run, trained(recipe(), tmp_path / "unwatched"))


# Weights


def test_nothing_of_a_quantizer_decays(tmp_path: Path) -> None:
    """The first step's gradient is the same with and without decay: what differs after it was decayed."""
    for method in ("lgq", "fsq"):
        runs = [
            trained(recipe(METHODS[method], steps=1, weight_decay=decay), tmp_path / f"{method} {decay}").tokenizer()
            for decay in (0.0, 50.0)
        ]
        free, decayed = (run.state_dict() for run in runs)
        differing = {name for name in free if not torch.equal(free[name], decayed[name])}
        assert differing == {name for name in free if not name.startswith("quantizer.") and free[name].ndim > 1}


def test_the_learning_rate_rises_then_falls_along_half_a_cosine() -> None:
    config = recipe(steps=105, warmup_steps=4, learning_rate=1.0, final_learning_rate=0.1)
    assert [learning_rate(config, step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert learning_rate(config, 54) == pytest.approx(0.55)
    assert learning_rate(config, 29) == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2)
    assert learning_rate(config, 104) == pytest.approx(0.1)
    assert learning_rate(recipe(steps=1, warmup_steps=0, learning_rate=1.0), 0) == 1.0
    assert learning_rate(recipe(steps=3, warmup_steps=6, learning_rate=1.0), 2) == 0.5


# What cannot go on


def test_latents_that_are_no_numbers_are_told_as_a_step_that_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(*tables: Tensor, **settings: object) -> NoReturn:
        return soft_assign(torch.full_like(tables[0], math.nan), *tables[1:], **settings)

    monkeypatch.setattr(mixture, "soft_assign", spoilt)
    with pytest.raises(InputError, match=r"the loss is nan.* at step 1: lower learning_rate") as error:
        train(recipe(), tmp_path / "run", progress=False)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_want_of_memory_is_told_with_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory_at(call: int) -> Callable[..., Tensor]:
        calls = iter(range(call))

        def weighted_sum(losses, weights):
            if next(calls, None) is None:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
            return whole(losses, weights)

        return weighted_sum

    whole = of_recipe.weighted_sum
    kept = {0: "", 2: "\n.*/run stays, with a history and no checkpoint", 5: "\n.*/run keeps its last checkpoint"}
    for steps, words in kept.items():
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        monkeypatch.setattr(of_recipe, "weighted_sum", out_of_memory_at(steps))
        with pytest.raises(InputError, match=f"^memory ran out: make image_size, batch_size.* smaller{words}"):
            trained(recipe(), tmp_path / "run")
        assert (tmp_path / "run").exists() == (steps > 0)


@pytest.mark.parametrize("trouble", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_weights_and_checkpoints_are_spoilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: float
) -> None:
    seen = []

    def spoiling(losses, weights):
        seen.append(weighted_sum(losses, weights))
        return seen[-1] * (trouble if len(seen) == 6 else 1)

    weighted_sum = of_recipe.weighted_sum
    monkeypatch.setattr(of_recipe, "weighted_sum", spoiling)
    with pytest.raises(InputError, match=f"the loss is {trouble}.* at step 6: lower learning_rate") as error:
        trained(recipe(log_steps=100), tmp_path / "run")
    assert str(error.value).count("\n") == 1
    run = Run(tmp_path / "run")
    assert run.finished_steps == 4
    assert all(tensor.isfinite().all() for tensor in run.tokenizer().state_dict().values())


@pytest.mark.parametrize("method", ["fsq", "vq with restarts"])
@pytest.mark.parametrize(
    ("settings", "bad", "saved"),
    [
        ({"log_steps": 100, "snapshot_steps": 100}, 7, 4),  # the checkpoint of step 8 is not written
        ({"log_steps": 100, "snapshot_steps": 6, "checkpoint_steps": 5}, 6, 5),
        ({"log_steps": 6, "snapshot_steps": 100, "checkpoint_steps": 5}, 6, 5),
        ({"log_steps": 100, "snapshot_steps": 100, "checkpoint_steps": 100, "window_steps": 3}, 2, 0),
    ],
)
def test_nothing_is_written_of_steps_after_one_that_diverged(
    settings: dict[str, int], bad: int, saved: int, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are only looked at before something is written; a method may quantize NaN without a word."""
    seen = []

    def spoiling(losses, weights):
        seen.append(weighted_sum(losses, weights))
        return seen[-1] * (math.nan if len(seen) == bad else 1)

    weighted_sum = of_recipe.weighted_sum
    monkeypatch.setattr(of_recipe, "weighted_sum", spoiling)
    with pytest.raises(InputError, match=f"the loss is nan.* at step {bad}: lower learning_rate"):
        trained(recipe(METHODS[method], **settings), tmp_path / "run")
    run = Run(tmp_path / "run")
    assert run.finished_steps == saved
    assert run.history()["loss"].notna().all()
    assert max(run.codebook_snapshots(), default=0) < bad
    assert len(seen) <= bad + 3


def test_a_stop_after_a_step_that_diverged_saves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weighted_sum = of_recipe.weighted_sum
    monkeypatch.setattr(
        of_recipe,
        "weighted_sum",
        lambda *terms: weighted_sum(*terms) * (math.nan if calls.append(0) or len(calls) == 3 else 1),
    )
    calls: list[int] = []
    with pytest.raises(InputError, match="at step 3: lower"):
        trained(recipe(METHODS["fsq"], log_steps=100), tmp_path / "run", StopsBefore(3))
    assert Run(tmp_path / "run").finished_steps == 0


def test_a_gradient_that_is_no_number_stops_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiling(losses, weights):
        zero = losses["l1"] - losses["l1"].detach()
        return weighted_sum(losses, weights) + zero.abs().sqrt()  # finite, of infinite slope

    weighted_sum = of_recipe.weighted_sum
    monkeypatch.setattr(of_recipe, "weighted_sum", spoiling)
    with pytest.raises(InputError, match="norm of its gradient"):
        trained(recipe(), tmp_path / "run")


def test_a_folder_that_is_there_is_refused_and_left_as_it_is(finished: Run) -> None:
    before = files(finished.path)
    with pytest.raises(InputError, match="exists already"):
        trained(recipe(), finished.path)
    assert files(finished.path) == before


def test_two_trainers_in_one_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    refused: list[str] = []

    def train_there_too(event: LogEvent) -> None:
        with pytest.raises(InputError, match="is being trained already") as error:
            resumed(path)
        refused.append(str(error.value))

    run = train(recipe(steps=2), path, device="cpu", on_log=train_there_too, progress=False)
    assert len(refused) == 2
    assert run.is_finished


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("another", r"as many as then \(\d to train, \d held out\), but some were replaced, edited or renamed"),
        ("more", r"\d to train and \d held out now, \d and \d then"),
    ],
)
def test_a_run_whose_pictures_changed_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, told: str
) -> None:
    monkeypatch.setattr(loop, "open_source", open_source)  # not those that it gave before
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = ["birch", "elm", "fir", "hazel", "larch", "oak"]
    for name in names:
        Image.effect_noise((40, 40), 60).save(folder / f"{name}.png")
    stopped = trained(recipe(data=f"folder:{folder}"), tmp_path / "run", StopsBefore(2))
    for name in {"another": names[:1], "more": ["pine", "rowan"]}[change]:
        Image.effect_noise((40, 40), 90).save(folder / f"{name}.png")
    with pytest.raises(InputError, match=f"no longer those that .*run was trained on: {told}"):
        resumed(stopped.path)


def test_a_run_that_took_the_place_of_another_before_it_is_resumed_is_left_alone(finished: Run, tmp_path: Path) -> None:
    path = trained(recipe(seed=5), tmp_path / "run", StopsBefore(2)).path
    opened = RunWriter(path)
    shutil.rmtree(path)
    shutil.copytree(finished.path, path)
    (path / ".lock").unlink(missing_ok=True)
    before = files(path)
    with pytest.raises(InputError, match="holds another run now"), opened.claimed():
        pass
    assert {name: when for name, when in files(path).items() if name != ".lock"} == before


def test_another_runs_checkpoint_is_not_gone_on_from(finished: Run, tmp_path: Path) -> None:
    stopped = trained(recipe(seed=5), tmp_path / "run", StopsBefore(4))
    shutil.rmtree(stopped.path / "checkpoints")
    shutil.copytree(finished.path / "checkpoints", stopped.path / "checkpoints")
    with pytest.raises(InputError, match=r"step-00000008.weights\.safetensors is of another run .*: seed 0, not 5"):
        resumed(stopped.path)


def test_what_cannot_be_trained_on_is_told_before_a_folder_is_made(tmp_path: Path) -> None:
    for config, device, complaint in (
        (recipe(data="folder:/nowhere"), "cpu", "/nowhere"),
        (recipe(data="nonsense"), "cpu", "nonsense"),
        (recipe(), "tpu", "unknown device 'tpu'"),
    ):
        with pytest.raises(InputError, match=complaint):
            train(config, tmp_path / "run", device=device, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_the_run_goes_under_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    config = recipe(steps=1)
    runs = [train(config, device="cpu", progress=False) for _ in range(2)]
    assert [run.path.parent for run in runs] == [tmp_path / "runs"] * 2
    assert runs[0].path != runs[1].path
    assert_same_weights(*runs)


def test_without_a_precision_a_cpu_trains_in_float32(finished: Run) -> None:
    assert finished.config.precision == "auto"
    assert finished.environment.precision == "32-true"


@pytest.mark.parametrize("name", METHODS)
def test_in_bfloat16_only_encoder_and_decoder_are(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, torch.dtype] = {}
    quantizer = type(METHODS[name].build(4))
    with monkeypatch.context() as patched:
        whole_forward, whole_convolution = quantizer.forward, torch.nn.Conv2d.forward

        def forward(self, latents: Tensor) -> QuantizerOutput:
            assert not torch.is_autocast_enabled("cpu")
            output = whole_forward(self, latents)
            kinds["latents"], kinds["quantized"] = latents.dtype, output.quantized.dtype
            kinds.update({name: loss.dtype for name, loss in output.losses.items()})
            return output

        def convolution(self, x: Tensor) -> Tensor:
            made = whole_convolution(self, x)
            if torch.is_grad_enabled():  # not while the codebook is initialised
                assert made.dtype == torch.bfloat16
            return made

        patched.setattr(quantizer, "forward", forward)
        patched.setattr(torch.nn.Conv2d, "forward", convolution)
        config = recipe(METHODS[name], precision="bf16-mixed")
        run = trained(config, tmp_path / "run")
    assert set(kinds.values()) == {torch.float32}
    assert run.environment.precision == "bf16-mixed"
    assert all(weight.dtype == torch.float32 for weight in run.tokenizer().parameters())
    state = torch.load(run.newest_checkpoint() / "state.pt", weights_only=True)
    assert all(moments["exp_avg"].dtype == torch.float32 for moments in state["optimizer"]["state"].values())
    in_float32 = trained(recipe(METHODS[name], precision="32-true"), tmp_path / "float32")
    losses, others = (each.history()["loss"].tolist() for each in (run, in_float32))
    assert losses[0] == pytest.approx(others[0], rel=0.01)
    assert losses == pytest.approx(others, rel=0.15)  # weights part from step to step
    assert losses != others
    resumed_run = resumed(trained(config, tmp_path / "stopped", StopsBefore(3)).path)
    assert_same_weights(run, resumed_run)


def test_a_compiled_run_is_resumed_and_opened_like_another(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced and not generated, which takes a minute; what is generated is tested on a GPU."""
    monkeypatch.setattr(training_step, "compiled", functools.partial(compiled, backend="eager"))
    run = trained(recipe(compile=True), tmp_path / "run")
    assert_same_weights(run, finished)
    assert_same_weights(run, resumed(trained(recipe(compile=True), tmp_path / "stopped", StopsBefore(3)).path))


@pytest.mark.gpu
def test_a_compiled_run_is_nearly_another(tmp_path: Path) -> None:
    runs = [
        train(recipe(compile=compile, precision="32-true"), tmp_path / str(compile), device="cuda", progress=False)
        for compile in (False, True)
    ]
    plain, generated = (run.tokenizer().state_dict() for run in runs)
    assert plain.keys() == generated.keys()
    assert all(torch.allclose(plain[name], generated[name], atol=1e-2) for name in plain)


def test_where_nothing_can_be_compiled_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InvalidCxxCompiler(RuntimeError):
        pass

    def fail(*_: object) -> NoReturn:
        raise InvalidCxxCompiler("No working C++ compiler found in the environment\nand so on")

    InvalidCxxCompiler.__module__ = "torch._inductor.exc"
    monkeypatch.setattr(training_step, "compiled", lambda tokenizer: replace_forward(tokenizer, fail))
    with pytest.raises(
        InputError, match=r"^torch.compile fails here \(No working C.*\): set compile to false"
    ) as error:
        trained(recipe(compile=True), tmp_path / "run")
    assert "and so on" not in str(error.value)


def replace_forward(tokenizer: Tokenizer, forward: Callable[..., object]) -> Tokenizer:
    other = Tokenizer(tokenizer.encoder, tokenizer.quantizer, tokenizer.decoder)
    other.forward = forward  # type: ignore[method-assign]
    return other


@pytest.mark.gpu
def test_trains_and_resumes_on_a_gpu_in_bfloat16(tmp_path: Path) -> None:
    run = train(recipe(), tmp_path / "run", device="auto", controls=StopsBefore(4), progress=False)
    assert run.environment.precision == "bf16-mixed"
    assert resume(run.path, device="cuda", progress=False).is_finished
    assert run.history()["loss"].notna().all()
    shutil.rmtree(run.path)


@pytest.mark.gpu
@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_weights_on_a_gpu(name: str, tmp_path: Path) -> None:
    config = recipe(METHODS[name])
    first, second = (train(config, tmp_path / each, device="cuda", progress=False) for each in ("first", "second"))
    assert_same_weights(first, second)
    stopped = train(config, tmp_path / "stopped", device="cuda", controls=StopsBefore(4), progress=False)
    assert_same_weights(resume(stopped.path, device="cuda", progress=False), first)


def test_an_ablation_is_one_replaced_field(finished: Run) -> None:
    assert replace(finished.config, quantizer=LGQConfig(64)).recipe_hash != finished.config.recipe_hash
