"""Setting a widget without its listener being told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets


@contextmanager
def unheard(widget: ipywidgets.Widget, hear: Callable[[Any], None]) -> Iterator[None]:
    """Set the widget's `value` in this block without `hear`, which listens to it, being told."""
    widget.unobserve(hear, "value")
    try:
        yield
    finally:
        widget.observe(hear, "value")
