"""Fits of each method to points in the plane whose best codebook is known.

Every mixture has mean 0 and a total variance of 2, that of tokens of width 2 after a LayerNorm without its mean, so
that the published temperatures, from 1.0 to 0.1, are in a sensible range. Distortion is mean |z − q|², summed over both
dimensions.

The least distortion of K codes is known for K separate Gaussians of deviation σ, one code on each, as their own
variance 2σ²; and for a thin line of length L with deviation s across it as (L/K)²/12 + s². Elsewhere it is taken from
k-means, the best of 20 restarts, measured on points held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

import pandas as pd
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.toys import CURVE, TABLE
from lgq_explore.quantizers import (
    QUANTIZERS,
    Quantizer,
    QuantizerConfig,
    TemperatureSchedule,
    joint_codes,
    nearest_codes,
    to_tokens,
)
from lgq_explore.quantizers.plain_tokens import as_latents
from lgq_explore.runs.config import near_matches
from lgq_explore.training.controls import Controls
from lgq_explore.training.fit import (
    FitEvent,
    FittedQuantizer,
    fit_quantizer,
    without_encoder,
)

from ..geometry.efficiency import RESTARTS
from ..temperature.annealing import AnnealingPath, annealing_path, annealing_temperatures
from ..temperature.softness import critical_temperature, temperature_grid

VARIANCE = 2.0
"""Trace of the covariance of every mixture."""

TRAINING_TOKENS, HELD_OUT_TOKENS = 4096, 20_000
PATH_TOKENS = 500
"""Number of points that a codebook is annealed for: the path takes thousands of passes over them."""

PATH_ITERATIONS = 150
TEMPERATURES = tuple(temperature_grid(0.02, 10, per_decade=20))
"""Temperatures at which a toy is shown: codes of these mixtures go from hard to soft between them."""

HELD_OUT_SEED = 2**31
"""Added to a seed, so that held-out points are drawn independently."""

DEVIATION = 0.12
"""Standard deviation of the round Gaussians: a tenth of the distance between neighbours."""


@dataclass(frozen=True)
class Toy:
    """A mixture in the plane. codes: the K that suits it. draw: N points [N, 2] from a generator.

    exact: the least distortion of K codes where a formula has it, else None.
    """

    what: str
    codes: int
    draw: Callable[[int, torch.Generator], Tensor]
    exact: Callable[[int], float | None]


@dataclass(frozen=True)
class Optimum:
    """The least distortion of K codes, and how it is known. tokens: held-out N it was measured on; 0 for a formula."""

    distortion: float
    how: str
    codes: int
    tokens: int


def toy_tokens(data: str, tokens: int = TRAINING_TOKENS, seed: int = 0) -> Tensor:
    """N points [N, 2] of a mixture of TOYS, float32, the same for the same seed.

    Raises:
        InputError: an unknown name, or fewer than one token.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")
    return toy_named(data).draw(tokens, torch.Generator().manual_seed(seed)).float()


def toy_optimum(data: str, codes: int) -> Optimum:
    """The least distortion that `codes` codes can have on a mixture of TOYS, by formula or by k-means.

    Raises:
        InputError: an unknown name, or no code.
    """
    if codes < 1:
        raise InputError(f"codes is {codes}: give at least 1")
    exact = toy_named(data).exact(codes)
    return _by_kmeans(data, codes) if exact is None else Optimum(exact, "by formula", codes, 0)


def toy_named(data: str) -> Toy:
    """The mixture of that name. Raises InputError for another."""
    if data not in TOYS:
        raise InputError(f"unknown data {data!r}{near_matches(data, TOYS)}; choose one of {', '.join(TOYS)}")
    return TOYS[data]


def can_start_otherwise(method: str) -> bool:
    """Whether a method of QUANTIZERS has a setting for where its codes start."""
    return any(setting.name == "initialization" for setting in fields(QUANTIZERS[method]))


@dataclass(frozen=True)
class ToySetting:
    """The mixture, the method that learns it, and the recipe, which is the same for all methods.

    peakedness, usage: weights of LGQ's regularizers. usage_form: published or unbiased. temperature: LGQ's schedule.
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
            known = {setting.name for setting in fields(config)}
            config = replace(config, **{name: value for name, value in given.items() if name in known})
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

    Raises:
        InputError: an unknown name or out-of-range number in the setting.
    """
    config = setting.quantizer()
    optimum = toy_optimum(setting.data, config.size)
    held_out = held_out_tokens(setting)
    rows: list[dict[str, float]] = []

    def take(event: FitEvent) -> None:
        measured = hard_numbers(event.quantizer, held_out)
        rows.append({"step": event.row["step"], **measured, "ratio": measured["distortion"] / optimum.distortion})
        if on_log is not None:
            on_log(ToyEvent(rows[-1], event.quantizer))

    fitted = fit_quantizer(
        config,
        toy_tokens(setting.data, seed=setting.seed),
        steps=setting.steps,
        batch_size=setting.batch_size,
        seed=setting.seed,
        loss_weights=setting.loss_weights,
        log_steps=log_steps or max(1, setting.steps // 25),
        on_log=take,
        controls=controls,
    )
    return ToyFit(setting, fitted, optimum, CURVE.frame(rows))


def held_out_tokens(setting: ToySetting) -> Tensor:
    """The points [N, 2] that a setting's numbers are measured on, and that nothing was fitted to."""
    return toy_tokens(setting.data, HELD_OUT_TOKENS, seed=setting.seed + HELD_OUT_SEED)


@lru_cache(maxsize=32)
def toy_path(data: str, codes: int, seed: int = 0) -> AnnealingPath:
    """`annealing_path` of PATH_TOKENS points of a mixture, from twice τ_c to a hundredth of it.

    TEMPERATURES in that range are among its own. Errors are those of `toy_tokens` and `annealing_path`.
    """
    tokens = toy_tokens(data, PATH_TOKENS, seed)
    critical = critical_temperature(tokens)
    own = annealing_temperatures(critical, 0.01 * critical, per_decade=20)
    given = [temperature for temperature in TEMPERATURES if own[-1] < temperature < own[0]]
    return annealing_path(tokens, codes, sorted({*own, *given}), seed=seed, iterations=PATH_ITERATIONS)


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

    Empty data or methods: all of them. setting: other fields of `ToySetting`, the same for all.

    Raises:
        InputError: an unknown name or out-of-range field.
    """
    rows = []
    for name in data or list(TOYS):
        for method in methods or list(QUANTIZERS):
            for seed in seeds:
                learned = ToySetting(name, method, toy_named(name).codes, seed, **setting)
                fit = fit_toy(learned, log_steps=learned.steps)
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


@lru_cache(maxsize=64)
def _by_kmeans(data: str, codes: int) -> Optimum:
    found = KMeans(codes, n_init=RESTARTS, random_state=0).fit(toy_tokens(data).double().numpy())
    centres = torch.from_numpy(found.cluster_centers_)
    held_out = toy_tokens(data, HELD_OUT_TOKENS, seed=HELD_OUT_SEED).double()
    nearest = centres[nearest_codes(held_out, centres)]
    distortion = (held_out - nearest).square().sum(1).mean().item()
    return Optimum(distortion, f"k-means, best of {RESTARTS}", codes, HELD_OUT_TOKENS)


def _gaussians(what: str, centres: Tensor, masses: Sequence[float] | None = None) -> Toy:
    """Round Gaussians of deviation DEVIATION, moved and scaled to mean 0 and the common variance."""
    share = torch.tensor(masses or [1.0] * len(centres), dtype=torch.float64)
    share = share / share.sum()
    centres = centres.double() - share @ centres.double()
    spread = (share @ centres.square().sum(1)).sqrt()
    centres = centres * (math.sqrt(VARIANCE - 2 * DEVIATION**2) / spread)

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(share, tokens, replacement=True, generator=generator)
        return centres[chosen] + DEVIATION * torch.randn(tokens, 2, generator=generator, dtype=torch.float64)

    return Toy(what, len(centres), draw, lambda codes: 2 * DEVIATION**2 if codes == len(centres) else None)


def _ring() -> Toy:
    angles = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    return _gaussians("8 equal Gaussians on a circle", torch.stack([angles.cos(), angles.sin()], dim=1))


def _grid() -> Toy:
    axis = torch.tensor([-1.0, 0.0, 1.0])
    return _gaussians("9 equal Gaussians on a square grid", torch.cartesian_prod(axis, axis))


def _uneven() -> Toy:
    """Centres on a spiral of golden angles, which keeps them apart; each mass is two thirds of the one before."""
    number = torch.arange(8, dtype=torch.float64)
    angle, radius = number * math.pi * (3 - math.sqrt(5)), (number + 0.5).sqrt()
    centres = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return _gaussians("8 Gaussians, each two thirds as heavy as the last", centres, [(2 / 3) ** k for k in range(8)])


def _line() -> Toy:
    across = 0.05
    length = math.sqrt(12 * (VARIANCE - across**2))

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        along = length * (torch.rand(tokens, generator=generator, dtype=torch.float64) - 0.5)
        return torch.stack([along, across * torch.randn(tokens, generator=generator, dtype=torch.float64)], dim=1)

    def exact(codes: int) -> float | None:
        # Where cells are narrower than the line is thick, codes along a line are no longer optimal.
        return (length / codes) ** 2 / 12 + across**2 if length / codes > 4 * across else None

    return Toy("a thin line, evenly filled", 8, draw, exact)


def _spiral() -> Toy:
    noise, turns = 0.05, 1.75

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        # The square root of an even draw fills the arm evenly along its length.
        way = torch.rand(tokens, generator=generator, dtype=torch.float64).sqrt()
        angle = 2 * math.pi * turns * way
        arm = way[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        # Of the whole spiral: mean and variance along the arm, by quadrature.
        even = ((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096).sqrt()
        whole = even[:, None] * torch.stack(
            [(2 * math.pi * turns * even).cos(), (2 * math.pi * turns * even).sin()], dim=1
        )
        scale = math.sqrt((VARIANCE - 2 * noise**2) / (whole - whole.mean(0)).square().sum(1).mean())
        return (arm - whole.mean(0)) * scale + noise * torch.randn(tokens, 2, generator=generator, dtype=torch.float64)

    return Toy("the arm of a spiral", 16, draw, lambda codes: None)


def _square() -> Toy:
    side = math.sqrt(6 * VARIANCE)

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        return side * (torch.rand(tokens, 2, generator=generator, dtype=torch.float64) - 0.5)

    return Toy("a square, evenly filled", 16, draw, lambda codes: VARIANCE if codes == 1 else None)


TOYS: Mapping[str, Toy] = {
    "ring": _ring(),
    "grid": _grid(),
    "uneven": _uneven(),
    "line": _line(),
    "spiral": _spiral(),
    "square": _square(),
}
"""Mixtures in the plane, by name."""
