"""Where a run's history goes besides its folder, when asked: one file a kind of service.

`LOGGERS` lists them by name. What they import is imported only when one is asked for.
"""

from __future__ import annotations

from .base import LoggedRun, Logger, LoggerKind
from .tensorboard import TensorBoard
from .wandb_like import trackio, wandb

LOGGERS: dict[str, LoggerKind] = {
    "tensorboard": LoggerKind(TensorBoard, package="tensorboardX"),
    "wandb": LoggerKind(wandb, package="wandb"),
    "trackio": LoggerKind(trackio, package="trackio"),
}

__all__ = ["LOGGERS", "LoggedRun", "Logger", "LoggerKind"]
