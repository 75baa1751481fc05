"""Methods of other packages: registered by entry points, or by a call."""

from __future__ import annotations

import dataclasses
import warnings
from importlib.metadata import entry_points
from typing import Any

from lgq_explore.errors import BrokenPackage, InputError

from .base import QuantizerConfig

ENTRY_POINTS = "lgq_explore.quantizers"
"""Group of entry points, each the config of a method: `name = "package.module:Config"` in a pyproject.toml."""


def methods_of_other_packages() -> dict[str, type[QuantizerConfig]]:
    """Name → config of each method that an installed package registers; warns about those that can't be loaded."""
    methods: dict[str, type[QuantizerConfig]] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            add(methods, entry.load())
        except Exception as error:  # an error in another package must not break this one
            package = entry.dist.name if entry.dist else "a package"
            warnings.warn(
                f"the quantizer {entry.name!r} can't be loaded: {error}. Mend its entry point in {package}, or "
                "uninstall that.",
                BrokenPackage,
                stacklevel=2,
            )
    return methods


def required_config(config: Any) -> type[QuantizerConfig]:
    """The class of a method's settings. Raises InputError for anything else."""
    if not (isinstance(config, type) and issubclass(config, QuantizerConfig)):
        raise InputError(f"{config!r} is not a QuantizerConfig: give the class of a method's settings")
    return config


def add(methods: dict[str, type[QuantizerConfig]], config: Any) -> None:
    """Add a config to `methods` by the name of its method; the same one again changes nothing.

    Raises InputError if it is no config, or if another one has its name.
    """
    settings = required_config(config)
    name = getattr(settings, "method", None)
    if not isinstance(name, str) or not name:
        raise InputError(f"{settings.__name__}.method is {name!r}: give the name that recipes and tables have")
    if not dataclasses.is_dataclass(config):
        raise InputError(f"{settings.__name__} is no dataclass: decorate it with @dataclass(frozen=True)")
    if methods.setdefault(name, settings) is not settings:
        raise InputError(
            f"{settings.__name__}.method is {name!r}, as that of {methods[name].__name__}: give another name"
        )
