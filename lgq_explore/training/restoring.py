"""Checks of a checkpoint's state before training continues from it.

Torch does not check it: moments of a wrong shape or a missing key would fail in a later step, or change the weights
silently. The functions here raise an exception for a state that does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

_SET_EVERY_STEP = {"lr", "params"}


@dataclass(frozen=True)
class RestoredProgress:
    """How far a checkpoint's training had come.

    step: finished optimiser steps. seconds: spent in them. held_temperature: the one held at the last step, or None.
    joules: by part of `energy`, as far as they are known; older checkpoints have none.
    """

    step: int
    seconds: float
    held_temperature: float | None
    joules: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, state: Mapping[str, Any], step: int | None) -> RestoredProgress:
        """From the state of the checkpoint of `step`. Raises KeyError, TypeError or ValueError."""
        progress = cls(state["step"], float(state["seconds"]), state["override"], dict(state.get("joules", {})))
        if type(progress.step) is not int or progress.step != step:
            raise ValueError(f"the state is of step {progress.step!r}, its folder of {step}")
        if not (math.isfinite(progress.seconds) and progress.seconds >= 0):
            raise ValueError(f"seconds is {progress.seconds}")
        if progress.held_temperature is not None and not progress.held_temperature > 0:
            raise ValueError(f"override is {progress.held_temperature}")
        for part, joules in progress.joules.items():
            if not (math.isfinite(joules) and joules >= 0):
                raise ValueError(f"{part} is {joules}")
        return progress


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's state after checking it. Raises KeyError, TypeError or ValueError.

    Parameters and settings must be the same. The moments of Adam and AdamW must be complete; those of other optimisers
    must be numbers, or have the shape of their parameter.
    """
    settings = [_settings(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    if [_settings(group) for group in optimizer.param_groups] != settings:
        raise ValueError("the optimiser has other settings")
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            moments = optimizer.state.get(parameter, {})
            if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
                _check_moments_of_adam(moments, parameter)
            else:
                _check_shapes(moments, parameter)


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name not in _SET_EVERY_STEP}


def _check_shapes(moments: Mapping[str, Any], parameter: torch.Tensor) -> None:
    for name, moment in moments.items():
        if isinstance(moment, torch.Tensor) and moment.shape not in ((), parameter.shape):
            raise ValueError(f"{name} has the shape {tuple(moment.shape)}, not {tuple(parameter.shape)}")


def _check_moments_of_adam(moments: Mapping[str, Any], parameter: torch.Tensor) -> None:
    if not moments:  # the parameter has had no gradient yet
        return
    shapes = {name: tuple(moment.shape) for name, moment in moments.items()}
    expected = {"step": (), "exp_avg": tuple(parameter.shape), "exp_avg_sq": tuple(parameter.shape)}
    if shapes != expected:
        raise ValueError(f"moments have the shapes {shapes}, not {expected}")
