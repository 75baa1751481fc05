"""What is registered: the numbers of registered.toml and of the rules, as the rows of a table in words.

benchmarks/PREREGISTRATION.md holds this table, and a test holds it equal to the file.
"""

from __future__ import annotations

from pathlib import Path

from lgq_explore.sweeps.cells import FINAL, cells_of
from lgq_explore.sweeps.description import NO_CODES, Method, Sweep
from lgq_explore.sweeps.reading import read_sweep

from .verdict import REGISTERED

HERE = Path(__file__).parent
REGISTERED_FILE, PILOT_FILE = HERE / "registered.toml", HERE / "pilot.toml"
MOST_PILOT_DEVIATION_DB = 0.25
"""Of the difference of two methods over seeds; beyond it the registered comparison gets more seeds or steps."""


def registered_sweep() -> Sweep:
    """The sweep of registered.toml. Raises InputError for a file that is none."""
    return read_sweep(REGISTERED_FILE)


def exploratory_sweep(name: str) -> Sweep:
    """The sweep of ablations.toml or mechanism.toml. Raises InputError for a file that is none."""
    return read_sweep(HERE / f"{name}.toml")


def finals_by_kind(sweep: Sweep) -> dict[tuple[str, int], int]:
    """The number of final cells of each method and codebook size, rounding replicates included."""
    found: dict[tuple[str, int], int] = {}
    for cell in cells_of(sweep):
        if cell.kind == FINAL:
            key = (cell.method.name, cell.codebook_size)
            found[key] = found.get(key, 0) + 1
    return found


def trials_by_method(sweep: Sweep) -> dict[str, int]:
    """The number of trials of each method that is tuned."""
    return {method.name: len(method.trials) for method in sweep.methods.values() if method.trials}


def largest_size(sweep: Sweep) -> int:
    """The codebook size of the hypotheses."""
    return max(size for method in sweep.methods.values() for size in method.sizes)


def facts(sweep: Sweep) -> list[tuple[str, str]]:
    """The rows of the table: what, and its value."""
    base = sweep.recipe(next(iter(sweep.methods.values())), largest_size(sweep), {}, seed=0)
    tuned = [method for method in sweep.methods.values() if method.trials]
    references = [method for method in sweep.methods.values() if not method.trials]
    assert sweep.tuning is not None
    rates = [trial["learning_rate"] for method in tuned for trial in method.trials]
    return [
        ("image size", f"{base.image_size} px"),
        ("downsampling", f"f = {base.backbone.factor}"),
        ("channels", "-".join(map(str, base.backbone.channels))),
        ("latent width", f"D = {base.backbone.dim}"),
        ("batch", f"{base.batch_size} crops"),
        ("steps", f"{base.steps:,d}"),
        ("highest learning rate", f"{max(rates):g}"),
        ("learning rate at the last step", f"{base.final_learning_rate:g}"),
        ("split", f"{base.split.validation:g} validation, {base.split.held_out:g} held out, seed {base.split.seed}"),
        ("compared methods", ", ".join(method.name for method in tuned)),
        ("references", ", ".join(each.name for each in references)),
        ("codebook sizes and seeds of each compared method", _common({"; ".join(_seeds(each)) for each in tuned})),
        *((f"seeds of {each.name}", "; ".join(_seeds(each))) for each in references),
        ("trials of each compared method", _common({str(len(each.trials)) for each in tuned})),
        ("trials of all", f"{sum(len(each.trials) for each in tuned)}"),
        ("trials are judged by", f"{sweep.tuning.metric}, the {sweep.tuning.best}"),
        ("trials run with", f"K = {sweep.tuning.size_for(tuned[0], NO_CODES)}, seed {sweep.tuning.seed}"),
        ("crops of the evaluation", f"{sweep.evaluation.crops:,d}"),
        ("evaluated on", f"{sweep.evaluation.split} photographs"),
        ("features of FD", sweep.evaluation.fd_features),
        ("FD not worse", f"ratio below {REGISTERED.fd_ratio:g}"),
        ("PSNR not worse", f"difference above {REGISTERED.psnr_db:g} dB"),
        ("rate better", f"ratio of active codes below {REGISTERED.active_ratio:g}"),
        ("level after Holm", f"{REGISTERED.p_value:g}"),
        ("pilot", f"at most {MOST_PILOT_DEVIATION_DB:g} dB"),
    ]


def _seeds(method: Method) -> list[str]:
    replicates = f", with {method.rounding_replicates} rounding replicates" if method.rounding_replicates > 1 else ""
    return [
        f"{'no codes' if size == NO_CODES else f'K = {size}'}: {len(seeds)}{replicates}"
        for size, seeds in sorted(method.seeds.items())
    ]


def _common(values: set[str]) -> str:
    """What is the same for all, which the table has once."""
    assert len(values) == 1, values
    return values.pop()
