"""Codes that are initialised from, or fitted to, the encoder's latents of training pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from lgq_explore.images.source import Source, initialization_step
from lgq_explore.models import Tokenizer
from lgq_explore.progress import Progress
from lgq_explore.quantizers import FitsAfterTraining, StartsFromData, to_tokens
from lgq_explore.quantizers.initialization import OnRound

QUICK_SECONDS = 1.0
"""Seconds that work between steps may take before it shows a progress bar."""


@dataclass(frozen=True)
class CodesFromData:
    """What the codes of a tokenizer take from its data, between steps; nothing for a method that takes nothing.

    rows: of a batch. on_device: takes a batch to what the encoder takes. raise_if_stopped: called time and again, and
    ends the work by an exception. progress: whether long work shows a bar.
    """

    tokenizer: Tokenizer
    source: Source
    rows: range
    seed: int
    on_device: Callable[[Tensor], Tensor]
    raise_if_stopped: Callable[[], None]
    progress: bool

    @torch.no_grad()
    def start(self) -> None:
        """Initialise the codes of a method that starts from data."""
        quantizer = self.tokenizer.quantizer
        if isinstance(quantizer, StartsFromData):
            tokens = self._tokens(quantizer.init_tokens)
            with self._rounds("spreading the codes") as on_round:
                quantizer.initialize(tokens, self._generator(), on_round)

    @torch.no_grad()
    def fit(self) -> None:
        """Fit the codes of a method that does so once the encoder is trained."""
        quantizer = self.tokenizer.quantizer
        if isinstance(quantizer, FitsAfterTraining):
            tokens = self._tokens(quantizer.fit_tokens)
            with self._rounds("fitting the codes") as on_round:
                quantizer.fit(tokens, self._generator(), on_round)

    def _tokens(self, wanted: int) -> Tensor:
        """At least so many raw latents [N, D], those of whole batches that no step takes."""
        collected: list[Tensor] = []
        gathered = 0
        with Progress("gathering tokens", wanted, "tokens", shown=self.progress, delay=QUICK_SECONDS) as bar:
            while gathered < wanted:
                self.raise_if_stopped()
                batch = self.on_device(self.source.batch(initialization_step(len(collected)), self.rows))
                collected.append(to_tokens(self.tokenizer.encode(batch)).float())
                gathered += len(collected[-1])
                bar.advance(len(collected[-1]))
        return torch.cat(collected)

    @contextmanager
    def _rounds(self, description: str) -> Iterator[OnRound]:
        with Progress(description, None, "rounds", shown=self.progress, delay=QUICK_SECONDS) as bar:

            def on_round(finished: int, rounds: int) -> None:
                bar.move_to(finished, rounds)
                self.raise_if_stopped()

            yield on_round

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)
