"""Tests of devices, and of recipes that do not fit into memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run_description import Environment
from lgq_explore.training import machine
from lgq_explore.training.machine import fabric_on, least_bytes, require_trainable
from lgq_explore.training.presets import PRESETS

CPU = torch.device("cpu")


def test_the_bound_is_what_is_counted_by_hand() -> None:
    config = TrainConfig(
        image_size=16, batch_size=3, backbone=BackboneConfig((8, 16, 24), blocks=2, dim=4), quantizer=LGQConfig(32)
    )
    convolutions = 2 * 2 * 2 * 9 * (8**2 + 16**2 + 24**2)
    kept = 2 * 2 * 2 * (8 * 16**2 + 16 * 8**2 + 24 * 4**2)
    assert least_bytes(config) == 4 * (4 * (convolutions + 32 * 4) + 3 * kept)
    assert least_bytes(replace(config, quantizer=FSQConfig(), loss_weights={})) == 4 * (4 * convolutions + 3 * kept)


@pytest.mark.parametrize(
    "backbone",
    [
        PRESETS["tiny"].backbone,
        BackboneConfig((8, 16, 32), blocks=(1, 2, 1), extra_decoder_blocks=1, width_change="block"),
    ],
)
def test_a_step_takes_more_than_the_bound(backbone: BackboneConfig) -> None:
    """What autograd keeps of a step, counted, with parameters: a recipe that trains is never refused."""
    config = replace(PRESETS["tiny"], backbone=backbone)
    tokenizer = build_tokenizer(config.backbone, config.quantizer, 0)
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        tokenizer(torch.zeros(4, 3, 32, 32))
    parameters = 4 * 4 * sum(weight.numel() for weight in tokenizer.parameters())
    assert least_bytes(replace(config, batch_size=4)) < parameters + sum(kept.values())


def test_what_exceeds_the_machine_is_refused_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PRESETS["tiny"]
    monkeypatch.setattr(machine, "_memory_of", lambda device: least_bytes(config))
    require_trainable(config, CPU)
    with pytest.raises(InputError, match=r"batch_size 33.*\nThis machine has"):
        require_trainable(replace(config, batch_size=33), CPU)
    monkeypatch.setattr(machine, "_memory_of", lambda device: None)  # a system that does not say
    require_trainable(replace(config, batch_size=10**9), CPU)


def test_a_backend_matters_where_an_assignment_is_soft(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = replace(PRESETS["tiny"], quantizer=FSQConfig(), loss_weights={})
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("LGQ_EXPLORE_BACKEND", "triton")
    require_trainable(hard, CPU)
    with pytest.raises(InputError, match="needs a CUDA device"):
        require_trainable(PRESETS["tiny"], CPU)
    monkeypatch.setenv("LGQ_EXPLORE_BACKEND", "tile")
    with pytest.raises(InputError, match="'tile'"):
        require_trainable(hard, CPU)


@pytest.mark.parametrize(
    ("flags", "precision", "told"),
    [
        ("fpu avx2 avx512f", "bf16-mixed", True),
        ("fpu avx2 avx512f", "32-true", False),
        ("fpu avx512f avx512_bf16", "bf16-mixed", False),
        ("", "bf16-mixed", False),
    ],
)
def test_a_processor_that_emulates_bfloat16_is_told(
    flags: str, precision: str, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "_stated_of_the_processor", lambda name: flags)
    machine.report_emulated_precision(Environment({}, "cpu", precision, 1, "", 1, 1, 0))
    assert ("no bfloat16" in capsys.readouterr().err) == told


@pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"},
        {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"},
        {"KUBERNETES_PORT": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "WORLD_SIZE": "1", "RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
    ],
    ids=["slurm", "torchelastic", "kubeflow", "openmpi"],
)
def test_a_scheduler_s_variables_change_nothing(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fabric = fabric_on("cpu")
    assert (fabric.world_size, fabric.global_rank) == (1, 0)
