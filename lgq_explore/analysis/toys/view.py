"""A toy at a temperature: its codebook, hard and soft, and the annealed codebook with the same number of codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.frames.toys import CURVE, VIEW
from lgq_explore.quantizers import Quantizer
from lgq_explore.quantizers.plain_tokens import code_vectors

from ..geometry.fsq_grid import lattice_edges
from ..temperature.annealing import AnnealingPath, split_temperatures
from .fits import ToySetting, hard_numbers, held_out_tokens
from .plane import (
    Plane,
    effective_codes,
    hard_codes,
    plane_around,
    plane_codes,
    plane_responsibilities,
    regularizer_numbers,
    soft_codes,
)
from .references import Optimum, toy_optimum, toy_optimum_is_known, toy_path, toy_path_is_known

PIXELS = 200
EXTENT_TOKENS = 4000


@dataclass(frozen=True, eq=False)
class HardView:
    """cells: [rows, columns], the code of every pixel. codes: `hard_codes` of held-out points.

    edges: `lattice_edges` of codes that form a grid, or started as one.
    """

    cells: NDArray[np.int64]
    codes: pd.DataFrame
    edges: pd.DataFrame


@dataclass(frozen=True, eq=False)
class SoftView:
    """shared: [rows, columns, K], the responsibilities at every pixel. codes: `soft_codes` of held-out points."""

    shared: NDArray[np.float32]
    codes: pd.DataFrame


class ToyView:
    """One quantizer on the mixture of a setting, at any temperature.

    `optimum` and `path` may take seconds where they are not known yet; `knows_optimum` and `knows_path` tell. What
    needs neither is quick.
    """

    def __init__(self, setting: ToySetting, quantizer: Quantizer) -> None:
        self.setting, self.quantizer = setting, quantizer
        self.tokens: Tensor = held_out_tokens(setting)
        self.plane: Plane = plane_around(self.tokens[:EXTENT_TOKENS], PIXELS)
        self.codebook = code_vectors(quantizer)
        self.hard = HardView(
            plane_codes(quantizer, self.plane), hard_codes(quantizer, self.tokens), lattice_edges(quantizer.lattice)
        )
        self._soft_numbers: dict[float, dict[str, float]] = {}

    @property
    def optimum(self) -> Optimum:
        """The least distortion of as many codes."""
        return toy_optimum(self.setting.data, len(self.codebook))

    @property
    def knows_optimum(self) -> bool:
        return toy_optimum_is_known(self.setting.data, len(self.codebook))

    @property
    def path(self) -> AnnealingPath:
        """The annealed codebook of as many codes, from hot to cold."""
        return toy_path(self.setting.data, len(self.codebook), self.setting.seed)

    @property
    def knows_path(self) -> bool:
        return toy_path_is_known(self.setting.data, len(self.codebook), self.setting.seed)

    def soft(self, temperature: float) -> SoftView:
        """The quantizer's codes, shared at a temperature."""
        return self._soft(self.codebook, temperature)

    def equilibrium(self, temperature: float) -> SoftView:
        """The codes that annealing gives at a temperature, shared at it."""
        return self._soft(self.path.codebook(temperature), temperature)

    def frame(self, temperature: float) -> pd.DataFrame:
        """The codes at a temperature, one row per code: `frames.toys.VIEW`."""
        split = split_temperatures(self.tokens, self.codebook, temperature)
        soft = split.rename(columns={"mass": "responsibility"}).drop(columns="code")
        return VIEW.frame(pd.concat([self.hard.codes, soft], axis=1))

    def numbers(
        self, temperature: float, with_optimum: bool = True, with_equilibrium: bool = True
    ) -> dict[str, float | int | str]:
        """Distortion over the optimum, active and dead codes, effective codes, and LGQ's regularizers at `temperature`.

        The regularizers are taken over one batch of held-out points, as in a step of training: the published usage
        depends on how many these are. Without the optimum or the equilibrium, the numbers that need them are left out.
        """
        return {
            **self.hard_numbers,
            **(self.optimum_numbers() if with_optimum else {}),
            **self.soft_numbers(temperature),
            **(self.equilibrium_numbers(temperature) if with_equilibrium else {}),
        }

    @cached_property
    def curve(self) -> pd.DataFrame:
        """The one row of a curve of training that is known before it: how near this quantizer is to the best."""
        start = {**self.hard_numbers, **self.optimum_numbers()}
        return CURVE.frame([{"step": 0, **{name: start[name] for name in CURVE.needed if name != "step"}}])

    @cached_property
    def hard_numbers(self) -> dict[str, float | int]:
        """codes, distortion, active_codes, dead_codes, tokens, seed."""
        hard, size = hard_numbers(self.quantizer, self.tokens), len(self.codebook)
        active = int(hard["active_codes"])
        return {
            "codes": size,
            "distortion": hard["distortion"],
            "active_codes": active,
            "dead_codes": size - active,
            "tokens": int(hard["tokens"]),
            "seed": self.setting.seed,
        }

    def optimum_numbers(self) -> dict[str, float | str]:
        """optimum, optimum_how, and ratio: the distortion over the optimum."""
        optimum = self.optimum
        ratio = self.hard_numbers["distortion"] / optimum.distortion
        return {"optimum": optimum.distortion, "optimum_how": optimum.how, "ratio": ratio}

    def soft_numbers(self, temperature: float) -> dict[str, float]:
        """temperature, effective_codes; and of the first batch_tokens points peakedness, and usage in its forms."""
        if temperature not in self._soft_numbers:
            batch = self.tokens[: self.setting.batch_size]
            self._soft_numbers[temperature] = {
                "temperature": temperature,
                "effective_codes": effective_codes(self.codebook, self.tokens, temperature),
                **regularizer_numbers(self.codebook, batch, temperature),
                "batch_tokens": len(batch),
            }
        return self._soft_numbers[temperature]

    def equilibrium_numbers(self, temperature: float) -> dict[str, float | int]:
        """critical_temperature, distinct_centres, and settled: whether the centres came to rest."""
        state = self.path.state(temperature)
        return {
            "critical_temperature": self.path.critical_temperature,
            "distinct_centres": int(state["distinct_centres"]),
            "settled": int(state["converged"]),
        }

    @torch.no_grad()
    def _soft(self, codebook: Tensor, temperature: float) -> SoftView:
        shared = plane_responsibilities(codebook, self.plane, temperature)
        return SoftView(shared, soft_codes(codebook, self.tokens, temperature))
