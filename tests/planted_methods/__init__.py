"""Methods that live in the tests only: each is one file, and a line here registers it."""

from __future__ import annotations

from lgq_explore.quantizers import QuantizerConfig

from .cosine import CosineConfig
from .dot_product import DotProductConfig
from .residual import ResidualConfig
from .signs import SignsConfig

PLANTED: dict[str, type[QuantizerConfig]] = {
    config.method: config for config in (DotProductConfig, CosineConfig, ResidualConfig, SignsConfig)
}
