"""Planted folders of zones, as Linux has them under /sys/class/powercap."""

from __future__ import annotations

from pathlib import Path


def plant(powercap: Path, zone: str, name: str, microjoules: int, most: int) -> None:
    (powercap / zone).mkdir(parents=True)
    (powercap / zone / "name").write_text(f"{name}\n")
    (powercap / zone / "max_energy_range_uj").write_text(f"{most}\n")
    count(powercap, zone, microjoules)


def count(powercap: Path, zone: str, microjoules: int) -> None:
    (powercap / zone / "energy_uj").write_text(f"{microjoules}\n")
