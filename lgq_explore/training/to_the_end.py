"""A run that is there in the end, whatever is there at first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run

from .loop import resume, train
from .session import LogEvent


def train_to_the_end(
    recipe: TrainConfig, path: Path, *, device: str = "auto", on_log: Callable[[LogEvent], None] | None = None
) -> Run:
    """The finished run of a recipe at a path: it is trained, or resumed if it was begun; a finished one is as it is.

    Raises KeyboardInterrupt if training was asked to stop, which has saved by then, and InputError as `train` and
    `resume` do. Whether the run that is there is of this recipe is not looked at.
    """
    if path.exists():
        run = resume(path, device=device, on_log=on_log)
    else:
        run = train(recipe, path, device=device, on_log=on_log)
    if not run.is_finished:
        raise KeyboardInterrupt  # training took it as a request to stop
    return run
