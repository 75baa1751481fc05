"""Small trained runs that the notebooks share."""

from __future__ import annotations

from dataclasses import replace

from lgq_explore.errors import InputError, near_matches
from lgq_explore.folders import runs_folder
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run

from .loop import resume, train
from .presets import preset

_METHODS = {name: preset("tiny", name, codebook_size=1024) for name in ("lgq", "fsq", "simvq", "vq")}
TUTORIAL_RUNS: dict[str, TrainConfig] = {
    **_METHODS,
    "lgq-grid": replace(_METHODS["lgq"], quantizer=LGQConfig(1024, initialization="grid")),
}
"""Each method with its default settings, and LGQ with codes that start as a grid."""


def tutorial_run(name: str, seed: int = 0) -> Run:
    """The named run of TUTORIAL_RUNS: trained on first use (about a minute), then kept under data/runs.

    The folder's name contains the hash of the recipe, so that a changed recipe is trained anew, and the seed.

    Raises:
        InputError: an unknown name or a negative seed.
        KeyboardInterrupt: training was interrupted; the next call continues it.
    """
    if name not in TUTORIAL_RUNS:
        raise InputError(
            f"unknown tutorial run {name!r}{near_matches(name, TUTORIAL_RUNS)}; "
            f"choose one of {', '.join(TUTORIAL_RUNS)}"
        )
    try:
        config = replace(TUTORIAL_RUNS[name], seed=seed)
    except ValueError as error:
        raise InputError(str(error)) from error
    path = runs_folder() / f"tutorial-{name}-{config.recipe_hash}-seed{config.seed}"
    run = resume(path) if path.exists() else train(config, path)
    if not run.is_finished:
        raise KeyboardInterrupt  # training took it as a request to stop
    return run
