"""LGQ with settings other than the published ones, several of which decide which code a token takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lgq_explore.quantizers import LGQConfig
from lgq_explore.quantizers.base import left_out_of_hash_at


@dataclass(frozen=True)
class OpenedLGQConfig(LGQConfig):
    """Directions, with components of learned weights and widths, and both paths to the encoder."""

    method: ClassVar[str] = "lgq-opened"

    estimator: str = left_out_of_hash_at("mixture")
    distance: str = left_out_of_hash_at("cosine")
    usage_form: str = "kl"
    cell_means: float = left_out_of_hash_at(0.5)
    revival: float = left_out_of_hash_at(0.7)
    learned_prior: bool = left_out_of_hash_at(True)
    learned_widths: bool = left_out_of_hash_at(True)
