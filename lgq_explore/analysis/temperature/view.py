"""Held-out tokens and pictures at any temperature, with the final codebook or that of a snapshot."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import to_grid
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.runs.study import Study

from ..pictures.reconstructions import Reconstructions, decoded_pictures
from .probe import Curves, TemperatureProbe, token_map
from .softness import TOKENS, require_soft, sample_latents, temperature_grid

SWEEP_TOKENS = 512
"""Number of tokens used for curves over all temperatures and for previews: their means are accurate to 2 %."""

SWEEP_PAIRS, LEAST_TOKENS = 2**23, 64
"""With many codes there are fewer of these tokens: at most so many pairs with codes, and at least so many tokens.
At K = 65,536 there are 128, whose means are accurate to 4 %."""

PICTURES = 6

LOWEST_SHARE, HIGHEST_SHARE = 0.01, 10.0
"""Ends of the temperature axis, relative to the temperatures of training."""


@dataclass(frozen=True, eq=False)
class TemperatureView:
    """One temperature: tokens of the sample (`TemperatureProbe.at`), those of the pictures on their grids
    (`token_map`), and the pictures themselves, reconstructed softly and hard when they are first asked for."""

    tokens: pd.DataFrame
    placed: pd.DataFrame
    reconstruct: Callable[[], Reconstructions]

    @property
    def reconstructions(self) -> Reconstructions:
        return self.reconstruct()


class TemperatureViews:
    """Held-out tokens and pictures of a study at any temperature; results are kept.

    With many codes `at` takes a while; `preview` is quick because it uses fewer tokens. Both may be called from
    different threads.

    step: snapshot whose codebook is used, by default the newest; encoder and decoder are always those of today. tokens:
    size of the sample. pictures: number of pictures, evenly spread over the study's.

    Raises:
        InputError: a quantizer without temperature, or a step without snapshot.
    """

    def __init__(
        self,
        study: Study,
        step: int | None = None,
        tokens: int = TOKENS,
        pictures: int = PICTURES,
    ) -> None:
        quantizer = require_soft(study.quantizer)
        if step is not None:
            quantizer = require_soft(study.quantizer_at(step))
        encoding, own = study.encoding, study.tokenizer
        self.quantizer = quantizer
        self.tokenizer = Tokenizer(own.encoder, quantizer, own.decoder).eval()
        chosen = np.linspace(0, len(encoding) - 1, min(pictures, len(encoding))).round().astype(int)
        self.images = encoding.images[chosen]
        self.sample = TemperatureProbe(quantizer, sample_latents(study.latents, tokens))
        self.pictured = TemperatureProbe(quantizer, torch.from_numpy(encoding.latents[chosen]))
        few = min(tokens, SWEEP_TOKENS, max(LEAST_TOKENS, SWEEP_PAIRS // quantizer.codebook_size))
        self._few = TemperatureProbe(quantizer, sample_latents(study.latents, few))
        self._views: dict[float, TemperatureView] = {}
        self._previews: dict[float, TemperatureView] = {}
        self._reconstructions: dict[float, Reconstructions] = {}
        self._curves: Curves | None = None

    def at(self, temperature: float) -> TemperatureView:
        """Everything at this temperature. Raises InputError for one that is not positive."""
        if temperature not in self._views:
            self._views[temperature] = replace(self.preview(temperature), tokens=self.sample.at(temperature))
        return self._views[temperature]

    def preview(self, temperature: float) -> TemperatureView:
        """The same for at most SWEEP_TOKENS tokens of the sample; the pictures are those of `at`."""
        if temperature not in self._previews:
            self._previews[temperature] = TemperatureView(
                tokens=self._few.at(temperature),
                placed=token_map(self.pictured.at(temperature), self.pictured.latents.shape),
                reconstruct=partial(self.reconstructions, temperature),
            )
        return self._previews[temperature]

    def reconstructions(self, temperature: float) -> Reconstructions:
        """The pictures at this temperature. Raises InputError for one that is not positive."""
        if temperature not in self._reconstructions:
            softness = self.pictured.softness(temperature)
            with torch.no_grad():
                vectors = self.quantizer.decoder_input(to_grid(softness.soft, self.pictured.latents))
            soft = decoded_pictures(self.tokenizer, vectors)
            self._reconstructions[temperature] = Reconstructions(self.images, soft, self._hard_pictures, temperature)
        return self._reconstructions[temperature]

    def is_previewed(self, temperature: float) -> bool:
        """Whether the result of `preview` is kept already."""
        return temperature in self._previews

    def is_known(self, temperature: float) -> bool:
        """Whether the result of `at` is kept already."""
        return temperature in self._views

    def is_reconstructed(self, temperature: float) -> bool:
        """Whether the result of `reconstructions` is kept already."""
        return temperature in self._reconstructions

    @cached_property
    def _hard_pictures(self) -> NDArray[np.uint8]:
        """Hard reconstructions, which are the same at every temperature."""
        with torch.no_grad():
            return decoded_pictures(self.tokenizer, self.quantizer(self.pictured.latents).quantized)

    @cached_property
    def temperatures(self) -> list[float]:
        """The grid of the curves, from far below the temperatures of training to far above."""
        schedule = copy.deepcopy(self.quantizer)
        ends = []
        for progress in (0.0, 1.0):
            schedule.anneal(progress)
            ends.append(schedule.scheduled_temperature)
        return temperature_grid(LOWEST_SHARE * min(ends), HIGHEST_SHARE * max(ends))

    @property
    def sweep(self) -> pd.DataFrame:
        """`TemperatureProbe.sweep` over the grid, of SWEEP_TOKENS tokens."""
        return self.prepare().sweep

    @property
    def flips(self) -> pd.DataFrame:
        """`TemperatureProbe.flips` over the grid, of the same tokens."""
        return self.prepare().flips

    @property
    def is_prepared(self) -> bool:
        """Whether `sweep` and `flips` are known, which take a while with many codes."""
        return self._curves is not None

    def prepare(self, on_round: OnRound = unheard) -> Curves:
        """Compute `sweep` and `flips` where they are not known. on_round: as in `TemperatureProbe.curves`."""
        if self._curves is None:
            self._curves = self._few.curves(self.temperatures, on_round)
        return self._curves

    def top(self, token: int, temperature: float) -> pd.DataFrame:
        """`TemperatureProbe.top` of a token of the pictures, numbered by (b h w). Raises InputError for another."""
        self.require_token(token)
        return self.pictured.top(token, temperature)

    def require_token(self, token: int) -> None:
        """Raise InputError for a number that is no token of the pictures."""
        if not 0 <= token < len(self.pictured):
            raise InputError(f"token is {token}: the {len(self.images)} pictures have 0 … {len(self.pictured) - 1}")
