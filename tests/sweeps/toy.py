"""A sweep of toy size, and changes of its file."""

from __future__ import annotations

from pathlib import Path

from lgq_explore.sweeps import Plan

TOY = """
preset = "tiny"
codebook_sizes = [16, 64]
seeds = 2

[set]
data = "fake"
image_size = 16
steps = 4
batch_size = 8
log_steps = 1
checkpoint_steps = 2
split = { validation = 0.2, held_out = 0.3 }

[trials]
metric = "psnr_db"
best = "highest"
codebook_size = "smallest"
grid.learning_rate = [1e-3, 1e-9]

[methods.lgq]

[methods.fsq]

[methods.none]
reference = true

[evaluation]
crops = 64
without = ["lpips", "fd"]
metrics = ["quality"]
"""

UNTUNED = TOY.replace('metric = "psnr_db"\nbest = "highest"\ncodebook_size = "smallest"\n', "").replace(
    "[trials]\ngrid.learning_rate = [1e-3, 1e-9]\n", ""
)
"""The same without trials."""


def written(folder: Path, text: str = TOY, *changes: tuple[str, str]) -> Path:
    """The file of the toy sweep, with replacements."""
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path = folder / "toy.toml"
    path.write_text(text)
    return path


def planned(folder: Path, text: str = TOY, *changes: tuple[str, str]) -> Plan:
    """The plan of the toy sweep, whose folder is made beside its file."""
    plan = Plan.read(written(folder, text, *changes), folder / "sweep")
    plan.folder.make(plan.content)
    return plan
