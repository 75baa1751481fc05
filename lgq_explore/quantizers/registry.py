"""Methods that other packages register by entry points."""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points

from .base import QuantizerConfig

ENTRY_POINTS = "lgq_explore.quantizers"
"""Group of entry points, each the config of a method: `name = "package.module:Config"` in a pyproject.toml."""


def methods_of_other_packages() -> dict[str, type[QuantizerConfig]]:
    """Name → config of each method that an installed package registers; warns about those that can't be loaded."""
    methods = {}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            config = entry.load()
            is_config = isinstance(config, type) and issubclass(config, QuantizerConfig)
            if not is_config:
                raise TypeError(f"{entry.value} is not a QuantizerConfig")
            methods[config.method] = config
        except Exception as error:  # an error in another package must not break this one
            warnings.warn(f"the quantizer {entry.name!r} can't be loaded: {error}", RuntimeWarning, stacklevel=2)
    return methods
