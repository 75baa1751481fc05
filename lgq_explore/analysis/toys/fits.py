"""Fits of each method to points in the plane whose best codebook is known.

Distortion is mean |z − q|², summed over both dimensions. Everything is computed in one thread: no array is so large
that a second one would help.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.toys import CURVE, TABLE
from lgq_explore.kept import Kept
from lgq_explore.quantizers import (
    QUANTIZERS,
    Quantizer,
    QuantizerConfig,
    TemperatureSchedule,
    joint_codes,
    methods_with_codes,
    to_tokens,
)
from lgq_explore.quantizers.plain_tokens import as_latents
from lgq_explore.threads import one_thread
from lgq_explore.training.controls import Controls
from lgq_explore.training.fit import (
    FitEvent,
    FittedQuantizer,
    fit_quantizer,
    without_encoder,
)

from .mixtures import HELD_OUT_SEED, HELD_OUT_TOKENS, TOYS, toy_named, toy_tokens
from .references import Optimum, toy_optimum

LOGGED_ROWS = 25

_fits: Kept[tuple[ToySetting, QuantizerConfig, int], ToyFit] = Kept(most=64)


def can_start_otherwise(method: str) -> bool:
    """Whether a method of QUANTIZERS has a setting for where its codes start."""
    return any(setting.name == "initialization" for setting in fields(QUANTIZERS[method]))


@dataclass(frozen=True)
class ToySetting:
    """The mixture, the method that learns it, and the recipe, which is the same for all methods.

    peakedness, usage: weights of LGQ's regularizers. usage_form: one of `USAGE_FORMS`. temperature: LGQ's schedule.
    initialization: one of `INITIALIZATIONS` in lgq_explore.quantizers.initialization; empty for the method's own.
    Methods without one of these settings ignore it.
    """

    data: str = "ring"
    method: str = "lgq"
    codes: int = 8
    seed: int = 0  # of the points, the start and the order
    steps: int = 500
    batch_size: int = 512
    peakedness: float = 0.005
    usage: float = 0.005
    usage_form: str = "published"
    temperature: TemperatureSchedule = field(default_factory=TemperatureSchedule)
    initialization: str = ""

    def quantizer(self) -> QuantizerConfig:
        """The method's settings: the published ones but for what `without_encoder` says. Raises InputError."""
        config = without_encoder(self.method, self.codes, dim=2)
        try:
            if self.initialization and can_start_otherwise(self.method):
                config = replace(config, initialization=self.initialization)  # type: ignore[call-arg]
            given = {"usage_form": self.usage_form, "temperature": self.temperature}
            # A constant temperature is another setting, of the same name.
            known = {name for name, value in given.items() if isinstance(getattr(config, name, None), type(value))}
            config = replace(config, **{name: given[name] for name in known})
        except ValueError as error:
            raise InputError(str(error)) from error
        return config

    @property
    def loss_weights(self) -> dict[str, float]:
        given = {"peakedness": self.peakedness, "usage": self.usage}
        return {name: given[name] for name in given if name in self.quantizer().default_loss_weights}


@dataclass(frozen=True, eq=False)
class ToyFit:
    """A method that has learned a mixture: the fitted quantizer and its curve.

    curve: one row per logged step, on held-out tokens, `frames.toys.CURVE`.
    """

    setting: ToySetting
    fitted: FittedQuantizer
    optimum: Optimum
    curve: pd.DataFrame

    @property
    def quantizer(self) -> Quantizer:
        return self.fitted.quantizer


@dataclass(frozen=True)
class ToyEvent:
    """A logged step of `fit_toy`: its row of the curve, and the quantizer, to be used in the callback only."""

    row: dict[str, float]
    quantizer: Quantizer


def fit_toy(
    setting: ToySetting,
    *,
    log_steps: int | None = None,
    on_log: Callable[[ToyEvent], None] | None = None,
    controls: Controls | None = None,
) -> ToyFit:
    """Fit a setting's method to its mixture; deterministic. log_steps: between rows of the curve, by default a 25th of
    the steps; on_log and controls are as in `fit_quantizer`.

    What nobody watches or steers is learned once: the newest fits are kept, and each caller gets a copy.

    Raises:
        InputError: an unknown name or out-of-range number in the setting.
    """
    if on_log is None and controls is None:
        kept = _fits.get(_key(setting, log_steps), lambda: _learned(setting, log_steps, None, None))
        return copy.deepcopy(kept)
    return _learned(setting, log_steps, on_log, controls)


def _key(setting: ToySetting, log_steps: int | None) -> tuple[ToySetting, QuantizerConfig, int]:
    return setting, setting.quantizer(), log_steps or max(1, setting.steps // LOGGED_ROWS)


def _learned(
    setting: ToySetting,
    log_steps: int | None,
    on_log: Callable[[ToyEvent], None] | None,
    controls: Controls | None,
) -> ToyFit:
    _, config, log_steps = _key(setting, log_steps)
    optimum = toy_optimum(setting.data, config.size)
    held_out = held_out_tokens(setting)
    rows: list[dict[str, float]] = []

    def take(event: FitEvent) -> None:
        measured = hard_numbers(event.quantizer, held_out)
        rows.append({"step": event.row["step"], **measured, "ratio": measured["distortion"] / optimum.distortion})
        if on_log is not None:
            on_log(ToyEvent(rows[-1], event.quantizer))

    with one_thread():
        fitted = fit_quantizer(
            config,
            toy_tokens(setting.data, seed=setting.seed),
            steps=setting.steps,
            batch_size=setting.batch_size,
            seed=setting.seed,
            loss_weights=setting.loss_weights,
            log_steps=log_steps,
            on_log=take,
            controls=controls,
        )
    return ToyFit(setting, fitted, optimum, CURVE.frame(rows))


def toy_start(setting: ToySetting) -> Quantizer:
    """A setting's method before its first step, in eval mode. Errors are those of `fit_toy`."""
    tokens = toy_tokens(setting.data, seed=setting.seed)
    with one_thread():
        return fit_quantizer(setting.quantizer(), tokens, steps=0, seed=setting.seed).quantizer


def held_out_tokens(setting: ToySetting) -> Tensor:
    """The points [N, 2] that a setting's numbers are measured on, and that nothing was fitted to."""
    return toy_tokens(setting.data, HELD_OUT_TOKENS, seed=setting.seed + HELD_OUT_SEED)


@torch.no_grad()
def hard_numbers(quantizer: Quantizer, tokens: Tensor) -> dict[str, float]:
    """distortion (mean |z − q|²), active_codes and tokens of points [N, D] that a quantizer in eval mode decodes."""
    output = quantizer(as_latents(tokens))
    return {
        "distortion": (to_tokens(output.quantized) - tokens).double().square().sum(1).mean().item(),
        "active_codes": len(joint_codes(output.codes, quantizer.levels).unique()),
        "tokens": len(tokens),
    }


def toy_table(
    data: Sequence[str] = (), methods: Sequence[str] = (), seeds: Sequence[int] = (0,), **setting: Any
) -> pd.DataFrame:
    """Every method on every mixture, one row per fit: `frames.toys.TABLE`.

    K is the number of codes that suits the mixture, or the nearest that the method can have.

    Empty data: all mixtures. Empty methods: all that have codes. setting: other fields of `ToySetting`, the same for
    all.

    Raises:
        InputError: an unknown name or out-of-range field.
    """
    rows = []
    for name in data or list(TOYS):
        for method in methods or methods_with_codes():
            for seed in seeds:
                learned = ToySetting(name, method, toy_named(name).codes, seed, **setting)
                is_kept = _fits.is_known(_key(learned, None))
                fit = fit_toy(learned, log_steps=None if is_kept else learned.steps)
                last = fit.curve.iloc[-1]
                rows.append(
                    {
                        "data": name,
                        "method": method,
                        "codes": fit.quantizer.codebook_size,
                        "seed": seed,
                        "ratio": last["ratio"],
                        "distortion": last["distortion"],
                        "optimum": fit.optimum.distortion,
                        "how": fit.optimum.how,
                        "active_codes": int(last["active_codes"]),
                        "tokens": int(last["tokens"]),
                        "steps": fit.fitted.finished_steps,
                    }
                )
    return TABLE.frame(rows)
