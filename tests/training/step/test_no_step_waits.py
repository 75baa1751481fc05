"""Tests that a step which logs nothing reads no number of a tensor, for which a GPU would have to be waited."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import lgq_explore
from lgq_explore.contract.training import fitted_to_few
from lgq_explore.quantizers import (
    QUANTIZERS,
    FSQConfig,
    LGQConfig,
    QuantizerConfig,
    SimVQConfig,
    TemperatureSchedule,
    VQConfig,
)
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.loop import train
from lgq_explore.training.session import TrainingSession
from tests.training.objectives.planted import PLAIN
from tests.training.objectives.test_gan import PENALTIES, SETTINGS

STEPS = 4
WITH_TERMS: dict[str, QuantizerConfig] = {
    "lgq": LGQConfig(32),
    "lgq, effective codes": LGQConfig(32, TemperatureSchedule(8.0, 1.5, "exponential", "effective_codes")),
    "lgq, unbiased, batch norm": LGQConfig(32, norm="batch", usage_form="unbiased"),
    "vq": VQConfig(32, decay=0.5, restart_below=0.5),
    "fsq": FSQConfig((5, 5)),
    "simvq": SimVQConfig(32),
}
"""Settings that are tried with all terms; those of the other methods are tried with none."""
OPENED: dict[str, QuantizerConfig] = {
    "lgq, split, prior": LGQConfig(32, estimator="split", learned_prior=True, usage_form="kl", revival=1.0),
    "lgq, mixture, widths, cosine": LGQConfig(32, estimator="mixture", learned_widths=True, distance="cosine"),
    "lgq, likelihood": LGQConfig(32, TemperatureSchedule(1.0, 1.0, "constant", "likelihood"), gain_floor=0.1),
}
METHODS = (
    WITH_TERMS | OPENED | {name: config().resized(32) for name, config in QUANTIZERS.items() if name not in WITH_TERMS}
)
TERMS: dict[str, dict[str, Any]] = {
    "no gan": {},
    "gan": {**SETTINGS, "start_step": 0, "adaptive": False},
    "gan, adaptive": {**SETTINGS, "start_step": 0, "adaptive": True},
    "gan, adaptive, penalties": {**SETTINGS, **PENALTIES, "start_step": 0, "r1_interval": 2},
}
CASES = [(method, terms) for method in METHODS for terms in TERMS if method in WITH_TERMS or not TERMS[terms]]
READING = (
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.bincount.default,
    torch.ops.aten.equal.default,
    torch.ops.aten.masked_select.default,
    torch.ops.aten.nonzero.default,
)
"""Operations that wait for a GPU, since a number on the host follows from their input."""
METHODS_THAT_READ = (Tensor.tolist, Tensor.numpy, Tensor.cpu)
"""Those that dispatch none of these operations on a CPU."""
ANSWERED_ON_A_CPU = "_logits_need_float64"
"""A question of the backends that plain torch has; the kernels of a GPU do not ask it."""


def reading_line() -> str | None:
    """The innermost line of the package that is running; None for what is read on the CPU on every machine."""
    frames = traceback.extract_stack()
    in_optimizer = any("/torch/optim/" in frame.filename for frame in frames)  # whose counts of steps are there
    if in_optimizer or any(frame.name == ANSWERED_ON_A_CPU for frame in frames):
        return None
    package = str(Path(lgq_explore.__file__).parent)
    of_package = [frame for frame in frames if frame.filename.startswith(package)]
    return f"{Path(of_package[-1].filename).name}: {of_package[-1].line}" if of_package else "outside of the package"


class ReadByOperations(TorchDispatchMode):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READING and (line := reading_line()):
            self.lines.append(line)
        return func(*args, **(kwargs or {}))


class ReadByMethods(TorchFunctionMode):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in METHODS_THAT_READ and (line := reading_line()):
            self.lines.append(line)
        return func(*args, **(kwargs or {}))


@contextmanager
def reading(lines: list[str]) -> Iterator[None]:
    """A context that collects where numbers of tensors are read in this thread."""
    with ReadByMethods(lines), ReadByOperations(lines):
        yield


def recipe(method: str, terms: str, **settings: object) -> TrainConfig:
    gan = TERMS[terms]
    weights = METHODS[method].default_loss_weights
    config = replace(
        PLAIN,
        quantizer=METHODS[method],
        loss_weights={"l1": 1.0, **weights, **({"gan": 0.1} if gan else {})},
        objectives={"gan": gan} if gan else {},
        steps=STEPS,
        log_steps=100,
        checkpoint_steps=100,
        snapshot_steps=100,
        window_steps=100,
        **settings,
    )
    return fitted_to_few(config)


def train_within(
    config: TrainConfig,
    path: Path,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
    context: Callable[[], AbstractContextManager[None]],
) -> None:
    """Train with all steps but the first and the last, which log, inside of a context of the thread that trains."""
    make_step = TrainingSession._make_step

    def within(training: Any, *arguments: Any) -> None:
        if training.step in (0, STEPS - 1):
            make_step(training, *arguments)
            return
        with context():
            make_step(training, *arguments)

    monkeypatch.setattr(TrainingSession, "_make_step", within)
    train(config, path, device=device, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "terms"), CASES)
def test_a_step_that_logs_nothing_reads_no_number(
    method: str, terms: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    train_within(recipe(method, terms), tmp_path / "run", "cpu", monkeypatch, lambda: reading(lines))
    assert lines == []


def test_nor_does_one_of_micro_batches_an_average_and_clipping_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    config = recipe("lgq", "gan, adaptive", accumulation=3, ema_decay=0.9, gradient_clip_by_part=True)
    train_within(config, tmp_path / "run", "cpu", monkeypatch, lambda: reading(lines))
    assert lines == []


@pytest.mark.parametrize("method", ["lgq", "vq", "kmeans"])
@pytest.mark.slow
def test_nor_does_one_of_the_decoder_alone(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    config = recipe(method, "gan, adaptive", decoder_finish=0.5, ema_decay=0.9)
    train_within(config, tmp_path / "run", "cpu", monkeypatch, lambda: reading(lines))
    assert config.finish_step == 2
    assert lines == []


def test_what_is_read_is_seen_with_its_line() -> None:
    lines: list[str] = []
    with reading(lines):
        tensor = torch.ones(3)
        assert tensor.sum() > 0
        tensor.tolist()
        tensor[tensor > 0].sum().item()
        torch.bincount(tensor.long())
    assert len(lines) >= 4


@pytest.mark.gpu
@pytest.mark.parametrize(("method", "terms"), CASES)
def test_a_gpu_is_not_waited_for(method: str, terms: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refusing_to_wait() -> Iterator[None]:
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    train_within(recipe(method, terms), tmp_path / "run", "cuda", monkeypatch, refusing_to_wait)
