"""What is read of a planted powercap folder and of a library with NVML's functions, and nothing where there is none."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from lgq_explore.training.energy import GPU, PROCESSORS, EnergyMeter
from lgq_explore.training.energy.gpu import counters_of, gpu_counters
from lgq_explore.training.energy.processors import processor_counters
from tests.training.energy.powercap import count, plant

RANGE = 262_143_328_850
"""Microjoules after which a package of a usual server begins anew: 2³² units of 2⁻¹⁴ J."""


def test_packages_are_added_up_and_what_lies_in_them_or_above_is_not(tmp_path: Path) -> None:
    plant(tmp_path, "intel-rapl:0", "package-0", 5_000_000, RANGE)
    plant(tmp_path, "intel-rapl:0:0", "core", 3_000_000, RANGE)
    plant(tmp_path, "intel-rapl:1", "package-1", 1_000_000, RANGE)
    plant(tmp_path, "intel-rapl:2", "psys", 9_000_000, RANGE)
    plant(tmp_path, "intel-rapl-mmio:0", "package-0", 5_000_000, RANGE)
    counters = processor_counters(tmp_path)
    assert [(each.part, each.read(), each.begins_anew_at) for each in counters] == [
        (PROCESSORS, 5.0, RANGE / 1e6),
        (PROCESSORS, 1.0, RANGE / 1e6),
    ]


def test_joules_are_those_between_two_readings(tmp_path: Path) -> None:
    plant(tmp_path, "intel-rapl:0", "package-0", RANGE - 2_000_000, RANGE)
    meter = EnergyMeter(processor_counters(tmp_path))
    meter.start()
    count(tmp_path, "intel-rapl:0", 3_000_000)
    meter.read()
    assert meter.joules == {PROCESSORS: pytest.approx(5.0)}


def test_where_packages_can_t_be_read_there_is_nothing(tmp_path: Path) -> None:
    assert processor_counters(tmp_path / "nowhere") == processor_counters(tmp_path) == []
    plant(tmp_path, "intel-rapl:0", "package-0", 5_000_000, RANGE)
    assert len(processor_counters(tmp_path)) == 1
    plant(tmp_path, "intel-rapl:1", "package-1", 5_000_000, RANGE)
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    (tmp_path / "intel-rapl:1" / "energy_uj").mkdir()  # as unreadable as a file of root's, for root as well
    assert processor_counters(tmp_path) == []


NVML = """
#include <string.h>
static unsigned long long spent = 4000;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    if (strcmp(uuid, "GPU-1b-2c")) return 6;
    *device = &spent;
    return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
    if (device != &spent) return 2;
    spent += 1500;
    *energy = spent;
    return 0;
}
"""


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A library with the functions of NVML that are called, which counts 1500 mJ between two calls."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    (folder / "nvml.c").write_text(NVML)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "nvml.so", folder / "nvml.c"], check=True)
    return ctypes.CDLL(str(folder / "nvml.so"))


def test_a_gpu_is_found_by_its_uuid_and_counts_joules(nvml: ctypes.CDLL) -> None:
    (counter,) = counters_of("1b-2c", nvml)
    first, second = counter.read(), counter.read()
    assert (counter.part, second - first) == (GPU, 1.5)
    assert counters_of("another", nvml) == []


def test_a_library_without_these_functions_and_a_processor_have_none() -> None:
    assert counters_of("1b-2c", object()) == []
    assert gpu_counters(torch.device("cpu")) == []
