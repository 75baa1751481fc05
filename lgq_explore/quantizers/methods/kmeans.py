"""k-means after training: codes fitted to the latents of an autoencoder, to which its decoder is then tuned.

This is a point of reference. While the encoder is trained there are no codes, as with `none`. When the decoder-only
finish of the recipe begins, the codes are fitted to latents z of many training batches, and the decoder learns to read
them:

    minimise mean_n min_k |z_n − c_k|²

by rounds of Lloyd (1982, "Least squares quantization in PCM") from centres of k-means++ (Arthur & Vassilvitskii 2007),
the best of several starts. A method that learns its codebook together with the encoder should do better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..initialization import OnRound, lloyd, spread_seeds
from ..nearest import nearest
from ..post_hoc import PostHocConfig, PostHocQuantizer


@dataclass(frozen=True)
class KMeansConfig(PostHocConfig):
    """k-means on the latents of a trained encoder, with the decoder tuned, as a point of reference."""

    method: ClassVar[str] = "kmeans"

    starts: int = 2  # of which the one with the least distortion is kept
    rounds: int = 30  # of Lloyd, from each start

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("starts", self.starts >= 1, "give at least 1")
        self._require("rounds", self.rounds >= 1, "give at least 1")

    def build(self, dim: int, generator: torch.Generator | None = None) -> KMeans:
        return KMeans(dim, self, generator)


class KMeans(PostHocQuantizer):
    """The nearest of K centres of k-means."""

    def __init__(self, dim: int, config: KMeansConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config, generator)
        self.config = config

    def fitted_codes(self, tokens: Tensor, generator: torch.Generator | None, on_round: OnRound) -> Tensor:
        return kmeans(tokens, self.codebook_size, self.config.starts, self.config.rounds, generator, on_round)


def kmeans(
    tokens: Tensor, size: int, starts: int, rounds: int, generator: torch.Generator | None, on_round: OnRound
) -> Tensor:
    """The centres [K = `size`, D] of tokens [N, D], N ≥ K, with the least mean squared distance among the starts."""
    found = []
    for _ in range(starts):
        centres = lloyd(tokens, spread_seeds(tokens, size, generator, on_round), rounds, on_round)
        found.append((nearest(tokens, centres).squared_distances.double().mean().item(), centres))
    return min(found, key=lambda each: each[0])[1]
