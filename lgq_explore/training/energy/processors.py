"""What processors count of their energy by RAPL, as Linux gives it (Documentation/power/powercap/powercap.rst)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .meter import PROCESSORS, EnergyCounter

POWERCAP = Path("/sys/class/powercap")


def processor_counters(powercap: Path = POWERCAP) -> list[EnergyCounter]:
    """A counter of each processor package; none unless all of them can be read.

    powercap: the folder in which Linux has a folder for each zone. Zones inside a package, such as its cores, are
    counted in it, and `psys`, the whole platform, holds all packages; AMD's processors are named as Intel's are.
    """
    try:
        packages = [zone for zone in sorted(powercap.glob("intel-rapl:*")) if _is_package(zone)]
        counters = [
            EnergyCounter(PROCESSORS, partial(_joules, zone / "energy_uj"), _joules(zone / "max_energy_range_uj"))
            for zone in packages
        ]
        for counter in counters:
            counter.read()
    except (OSError, ValueError):
        return []
    return counters


def _is_package(zone: Path) -> bool:
    return (zone / "name").read_text(encoding="ascii").startswith("package")


def _joules(file: Path) -> float:
    """The number in a file, which is in microjoules."""
    return int(file.read_text(encoding="ascii")) / 1e6
