"""The device that training runs on, its name, and checks made before a run folder is created."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lgq_explore import __version__
from lgq_explore.devices import device_named, model_of
from lgq_explore.errors import InputError, printable
from lgq_explore.images.source import Source
from lgq_explore.progress import tell
from lgq_explore.quantizers.soft_assignment.autograd import require_backend_for
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run_description import Environment

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BYTES = 4  # of a float32
COPIES = 4  # of a parameter: its value, its gradient, and AdamW's two moments


def precision_on(device: torch.device, asked: str) -> str:
    """The precision of a device for one of PRECISIONS: 32-true or bf16-mixed."""
    if asked != "auto":
        return asked
    return "bf16-mixed" if device.type == "cuda" else "32-true"


def fabric_on(device: str, precision: str = "auto") -> Fabric:
    """One process on one device, whatever the variables of a job scheduler say.

    device: of `devices.DEVICES`. precision: of PRECISIONS.
    Raises InputError for an unknown device, for one that this machine lacks, and for several processes.
    """
    # Imported here: with what it imports, it takes as long as torch, and only training needs it.
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    from .step.precision import precision_plugin

    chosen = device_named(device)
    world_size = os.environ.get("WORLD_SIZE", "1")
    if world_size != "1":
        raise InputError(f"WORLD_SIZE is {world_size}, but training uses one process: start it without torchrun")
    return Fabric(
        accelerator=chosen.type,
        devices=1 if chosen.index is None else [chosen.index],
        # Left to itself, Fabric takes Slurm's, LSF's, MPI's or torchelastic's variables for a launcher's.
        plugins=[LightningEnvironment(), precision_plugin(precision_on(chosen, precision), chosen.type)],
    )


def environment_of(fabric: Fabric, source: Source, config: TrainConfig) -> Environment:
    """Properties of the machine and the data that are not in the recipe but may affect a result."""
    import lightning_fabric  # as in `fabric_on`

    modules = (torch, lightning_fabric, np)
    return Environment(
        versions={
            "python": platform.python_version(),
            "lgq_explore": __version__,
            **{module.__name__: module.__version__ for module in modules},
        },
        device=model_of(fabric.device),
        precision=precision_on(fabric.device, config.precision),
        world_size=fabric.world_size,
        data_fingerprint=source.identity,
        training_photographs=source.counts.training,
        held_out_photographs=source.counts.held_out,
        skipped_files=source.counts.skipped_files,
        processor=processor_name(),
        threads=torch.get_num_threads(),
    )


def report_other_rounding(then: Environment, now: Environment) -> None:
    """Report on stderr which differences to the machine that the run began on change rounding."""
    if changes := then.rounding_changes(now):
        changed = printable(", ".join(changes))
        tell(f"resumed with {changed}: rounding differs, and the weights from those of an uninterrupted run")


def report_emulated_precision(environment: Environment) -> None:
    """Report on stderr that a CPU without bfloat16 emulates it, which takes many times as long as float32."""
    if environment.device == "cpu" and environment.precision == "bf16-mixed" and not _has_bfloat16():
        tell("this processor has no bfloat16 and emulates it slowly: precision=32-true is faster here")


def processor_name() -> str:
    """The CPU's model and the widest vector instructions that PyTorch uses on it, such as "AMD EPYC (AVX512)"."""
    return f"{_processor_model()} ({torch.backends.cpu.get_cpu_capability()})"


def require_trainable(config: TrainConfig, device: torch.device) -> None:
    """Raise InputError if the device lacks the memory for training, or cannot use the chosen backend."""
    if config.quantizer.temperatures(config.backbone.dim) is not None:
        require_backend_for(device.type)
    else:
        require_backend_for("any")
    needed, there = least_bytes(config), _memory_of(device)
    if there is not None and needed > there:
        raise InputError(
            f"training with image_size {config.image_size}, batch_size {config.batch_size}, channels "
            f"{list(config.backbone.channels)} and {config.quantizer.size} codes needs more than "
            f"{_in_gib(needed)} of memory.\n"
            f"This {'machine' if device.type == 'cpu' else 'device'} has {_in_gib(there)}: make one of them smaller."
        )


def least_bytes(config: TrainConfig) -> int:
    """A lower bound on the memory of a training step, in bytes, from its largest tensors.

    Parameters, COPIES times: the 3 × 3 convolutions of the residual blocks (two per block, in encoder and decoder, but
    for one per level that may have another width) and the codebook. Activations kept for the backward pass: the inputs
    of these convolutions.
    """
    backbone, levels = config.backbone, range(len(config.backbone.channels))
    of_other_width = 2 if backbone.width_change == "block" else 0
    counts = [2 * (2 * blocks + backbone.extra_decoder_blocks) - of_other_width for blocks in backbone.blocks_by_level]
    convolutions = [counts[level] * 9 * backbone.channels[level] ** 2 for level in levels]
    codebook = sum(codes * width for codes, width in config.quantizer.learned_shapes(backbone.dim))
    sides = [config.image_size // 2**level for level in levels]
    kept = [counts[level] * backbone.channels[level] * sides[level] ** 2 for level in levels]
    return BYTES * (COPIES * (sum(convolutions) + codebook) + config.micro_batch_size * sum(kept))


def _processor_model() -> str:
    return _stated_of_the_processor("model name") or platform.processor() or platform.machine()


def _has_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; True where the system does not say."""
    flags = _stated_of_the_processor("flags|Features").split()
    return not flags or not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def _stated_of_the_processor(name: str) -> str:
    """The first value of a line of /proc/cpuinfo; empty where there is none, as only Linux has it."""
    try:
        line = re.search(rf"^(?:{name})\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        line = None
    return line[1] if line else ""


def _memory_of(device: torch.device) -> int | None:
    """Total memory of a device in bytes, or None if the system does not report it."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _in_gib(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB"
