"""History to services with the interface of wandb: `init`, which returns a run with `log` and `finish`.

Weights & Biases (https://docs.wandb.ai/ref/python/sdk/functions/init) and trackio (https://github.com/gradio-app/trackio).
Where they send it is set as they say: by logging in, and by their environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from .base import LoggedRun

PROJECT = "lgq-explore"


class WandbLike:
    """A run of the service, in the project lgq-explore, with the recipe as its configuration."""

    def __init__(self, module: str, run: LoggedRun, **names: str) -> None:
        service: Any = import_module(module)
        self._run = service.init(project=PROJECT, config=dict(run.recipe), resume="allow", **names)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        self._run.finish()


def wandb(run: LoggedRun) -> WandbLike:
    """A run is continued by its `id`; steps that Weights & Biases has already are not taken again."""
    return WandbLike("wandb", run, name=run.path.name, id=run.key)


def trackio(run: LoggedRun) -> WandbLike:
    """A run is continued by its `name`."""
    return WandbLike("trackio", run, name=f"{run.path.name}-{run.key}")
