"""Training of a quantizer on plain points, without an encoder and a decoder.

Tokens [N, D] are treated as latents [N, D, 1, 1]. The loss is that of a tokenizer with the identity as encoder and
decoder: the mean squared error of the reconstruction over N and D, plus the method's own losses. Any method can thus
learn a mixture in the plane, or the latents of an encoder that was trained with another method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from lgq_explore.errors import InputError, near_matches
from lgq_explore.metrics import GroupedCodeCounts
from lgq_explore.progress import Progress
from lgq_explore.quantizers import (
    FitsAfterTraining,
    HasTemperature,
    Quantizer,
    QuantizerConfig,
    StartsFromData,
    to_tokens,
)
from lgq_explore.quantizers.plain_tokens import TOKENS_AT_ONCE, as_latents, code_vectors
from lgq_explore.runs.config import progress_at

from .controls import Controls
from .objectives.base import weighted_sum
from .optimizer import AdamOfFew, half_cosine
from .presets import quantizer_config

RECONSTRUCTION = "reconstruction"
LOGGED_ROWS = 50


@dataclass(frozen=True)
class FitRecipe:
    """How a quantizer was fitted; one recipe for all methods. loss_weights: those that were used, by name."""

    quantizer: QuantizerConfig
    steps: int  # optimiser steps
    batch_size: int  # tokens per step, drawn with replacement
    learning_rate: float  # Adam's at the first step, in the tokens' units; it falls to 0 along half a cosine
    loss_weights: dict[str, float]
    seed: int


@dataclass(frozen=True, eq=False)
class FittedQuantizer:
    """A quantizer in eval mode, fitted to N tokens [N, D], with the history of the fit.

    history: one row per logged step. On the step's tokens: step, learning_rate, loss, the unweighted loss_NAME of each
    loss, the method's diagnostics. On all N tokens, quantized hard after the step: distortion (mean |z − q|², summed
    over D), active_codes, tokens. Row 0 is the quantizer before its first step.
    snapshots: finished steps → the decoded codes [K, D], float32, at the logged steps, if requested.
    """

    quantizer: Quantizer
    history: pd.DataFrame
    snapshots: dict[int, NDArray[np.float32]]
    recipe: FitRecipe
    tokens: int  # N

    @property
    def codebook(self) -> Tensor:
        """`code_vectors` of the quantizer: [K, D]."""
        return code_vectors(self.quantizer)

    @property
    def finished_steps(self) -> int:
        """Optimiser steps made; fewer than in the recipe if fitting was stopped."""
        return int(self.history["step"].iloc[-1])


@dataclass(frozen=True)
class FitEvent:
    """A logged step: its row of the history, and the quantizer in eval mode, for use inside the callback only."""

    row: dict[str, float]
    quantizer: Quantizer


def fit_quantizer(
    config: QuantizerConfig,
    tokens: ArrayLike | Tensor,
    *,
    steps: int = 1000,
    batch_size: int = 512,
    learning_rate: float = 0.02,
    seed: int = 0,
    loss_weights: Mapping[str, float] | None = None,
    log_steps: int | None = None,
    snapshots: bool = False,
    on_log: Callable[[FitEvent], None] | None = None,
    controls: Controls | None = None,
    progress: bool = False,
) -> FittedQuantizer:
    """Fit a method to tokens [N, D]; the same on every call with the same arguments, on one kind of processor.

    config: of any method of QUANTIZERS that does not normalise tokens, see `without_encoder`. A temperature schedule
    runs over the steps. The codebook is initialised from the tokens if the method does so.
    steps: optimiser steps, 0 or more. learning_rate: in the tokens' units per step; the default suits tokens with a
    variance of about 1. loss_weights: by name, overriding the published ones and 1 for `reconstruction`. log_steps:
    steps between rows of the history; a fiftieth of all steps by default. on_log: called in this thread at every row.
    controls: lets another thread hold a temperature, or stop the fit, which keeps what was learned so far.

    Raises:
        InputError: tokens that are not finite, not [N, D], or too few to initialise the codebook; a number out of
            range; an unknown loss; a config with a norm or without codes; or a loss that becomes NaN or infinite.
    """
    points = _checked_tokens(tokens)
    if not config.has_codes:
        raise InputError(f"{config.method} has no codes to fit: give a method that has")
    _require_unnormalized(config)
    if log_steps is None:
        log_steps = max(1, steps // LOGGED_ROWS)
    for name, value, least in (("steps", steps, 0), ("batch_size", batch_size, 1), ("log_steps", log_steps, 1)):
        if value < least:
            raise InputError(f"{name} is {value}: give at least {least}")
    if not 0 < learning_rate < math.inf:
        raise InputError(f"learning_rate is {learning_rate}: give a positive number")
    recipe = FitRecipe(config, steps, batch_size, learning_rate, _weights(config, loss_weights), seed)
    fitting = _Fitting(recipe, points, controls or Controls(), snapshots, on_log)
    return fitting.run(log_steps, progress)


def without_encoder(method: str, codes: int, dim: int) -> QuantizerConfig:
    """The named method's defaults with K = `codes`, for tokens [N, D] that do not come from an encoder.

    Two settings differ from the published ones. Nothing is normalised, since a LayerNorm over few dimensions leaves
    hardly any (over D = 2, two points). A grid has at least min(D, 2) levels, since a single one would project a plane
    to a line; its K is the nearest product of levels.

    Raises:
        InputError: an unknown method, or a size it cannot have.
    """
    return quantizer_config(method, codes).for_raw_tokens(dim)


class _Fitting:
    """The state of one fit: quantizer, optimiser, tokens, and the rows logged so far."""

    def __init__(
        self,
        recipe: FitRecipe,
        tokens: Tensor,
        controls: Controls,
        snapshots: bool,
        on_log: Callable[[FitEvent], None] | None,
    ) -> None:
        self.recipe, self.tokens, self.controls, self.on_log = recipe, tokens, controls, on_log
        self.quantizer = _started(recipe, tokens)
        self.optimizer = AdamOfFew(self.quantizer.parameters())
        self.draws = torch.Generator().manual_seed(recipe.seed)
        self.rows: list[dict[str, float]] = []
        self.snapshots: dict[int, NDArray[np.float32]] | None = {} if snapshots else None

    def run(self, log_steps: int, progress: bool) -> FittedQuantizer:
        recipe, step, of_step = self.recipe, 0, dict[str, float | Tensor]()
        self._log(step, of_step)
        description = f"{recipe.quantizer.method}, {recipe.quantizer.size} codes"
        with Progress(description, recipe.steps, "steps", shown=progress) as bar:
            while step < recipe.steps:
                reading = self.controls.read(step)
                if reading.stop:
                    break
                of_step = self._make_step(step, reading.held_temperature)
                step += 1
                bar.advance()
                if step % log_steps == 0 or step == recipe.steps:
                    self._log(step, of_step)
        if self.rows[-1]["step"] < step:  # stopped between two rows
            self._log(step, of_step)
        return FittedQuantizer(
            quantizer=self.quantizer.eval(),
            history=pd.DataFrame(self.rows),
            snapshots=self.snapshots or {},
            recipe=recipe,
            tokens=len(self.tokens),
        )

    def _make_step(self, step: int, held_temperature: float | None) -> dict[str, float | Tensor]:
        """One optimiser step. Returns its columns of a history row, as tensors that are read if it is logged."""
        quantizer, recipe = self.quantizer.train(), self.recipe
        quantizer.anneal(progress_at(step, recipe.steps))
        if isinstance(quantizer, HasTemperature):
            quantizer.temperature = held_temperature
        chosen = torch.randint(len(self.tokens), (recipe.batch_size,), generator=self.draws)
        latents = as_latents(self.tokens[chosen])
        output = quantizer(latents)
        losses = {RECONSTRUCTION: functional.mse_loss(output.quantized, latents), **output.losses}
        config, weights = recipe.quantizer, recipe.loss_weights
        loss = weighted_sum(losses, {name: weights[name] * config.loss_factor(name, step) for name in weights})
        if not math.isfinite(loss.item()):
            raise InputError(
                f"the loss is {loss.item():g} at step {step + 1}: lower learning_rate ({recipe.learning_rate:g}), or "
                "the weights of losses"
            )
        rate = half_cosine(recipe.learning_rate, 0.0, math.pi * step / recipe.steps)
        self.optimizer.step(loss, rate)
        return {
            "learning_rate": rate,
            "loss": loss.detach(),
            **{f"loss_{name}": value.detach() for name, value in losses.items()},
            **{name: value.detach() for name, value in output.diagnostics.items()},
        }

    @torch.no_grad()
    def _log(self, step: int, of_step: Mapping[str, float | Tensor]) -> None:
        quantizer = self.quantizer.eval()
        counts, squared_distance = GroupedCodeCounts(quantizer.levels), 0.0
        for part in self.tokens.split(TOKENS_AT_ONCE):
            output = quantizer(as_latents(part))
            counts.update(output.codes)
            squared_distance += (to_tokens(output.quantized) - part).double().square().sum().item()
        row = {
            "step": step,
            **{name: float(value) for name, value in of_step.items()},
            "distortion": squared_distance / len(self.tokens),
            "active_codes": counts.usage().active_codes,
            "tokens": len(self.tokens),
        }
        self.rows.append(row)
        if self.snapshots is not None:
            self.snapshots[step] = code_vectors(quantizer).numpy()
        if self.on_log is not None:
            self.on_log(FitEvent(row, quantizer))


def _started(recipe: FitRecipe, tokens: Tensor) -> Quantizer:
    """A new quantizer before its first step, initialised from the tokens or fitted to them if the method does so."""
    generator = torch.Generator().manual_seed(recipe.seed)
    quantizer = recipe.quantizer.build(tokens.shape[1], generator)
    if isinstance(quantizer, StartsFromData):
        if len(tokens) < quantizer.init_tokens:
            raise InputError(
                f"{len(tokens)} tokens are too few to start {quantizer.codebook_size} codes from: "
                f"give at least {quantizer.init_tokens}"
            )
        quantizer.initialize(tokens, generator)
    if isinstance(quantizer, FitsAfterTraining):  # at once, as there is no encoder to be trained first
        quantizer.fit(tokens, generator)
    quantizer.anneal(0.0)
    return quantizer


def _weights(config: QuantizerConfig, given: Mapping[str, float] | None) -> dict[str, float]:
    weights = {RECONSTRUCTION: 1.0, **config.default_loss_weights}
    for name, weight in (given or {}).items():
        if name not in weights:
            raise InputError(
                f"loss_weights: {name!r} is unknown to {config.method}{near_matches(name, weights)}; "
                f"it has {', '.join(weights)}"
            )
        if not 0 <= weight < math.inf:
            raise InputError(f"loss_weights: {name} is {weight}: give a number of at least 0")
        weights[name] = weight
    return weights


def _checked_tokens(tokens: ArrayLike | Tensor) -> Tensor:
    """A float32 copy of tokens [N, D] on the CPU. Raises InputError for anything else."""
    points = tokens.detach().cpu() if isinstance(tokens, Tensor) else torch.as_tensor(np.array(tokens))
    if points.ndim != 2 or 0 in points.shape:
        raise InputError(f"tokens have shape {list(points.shape)}: give [N, D] with at least one token")
    points = points.float().clone()
    if not points.isfinite().all():
        raise InputError("tokens contain NaN or infinity: leave those rows out")
    return points


def _require_unnormalized(config: QuantizerConfig) -> None:
    if config.normalizes:
        raise InputError(
            f"{config.method} normalises tokens: codes would be fitted to normalised ones, and compared with these.\n"
            "Give it norm='none', as without_encoder does."
        )
