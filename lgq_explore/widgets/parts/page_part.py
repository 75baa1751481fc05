"""What the parts of a panel that have a script of their own in the page share."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import anywidget
import traitlets

BEGINNING = Path(__file__).with_suffix(".js")


def script(*parts: Path) -> str:
    """One script of several files, in which `render` can call `keepHearing(model)`."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (BEGINNING, *parts))


class PagePart(anywidget.AnyWidget):
    """A widget that hears its kernel also where the page took long to load it.

    `_esm` is made by `script`, and its `render` calls `keepHearing(model)`. A page that heard nothing so far asks for
    the state, and gets it whole.
    """

    own_id = traitlets.Unicode().tag(sync=True)
    """The id of this widget's model, which the page asks for by it."""

    def __init__(self, **state: Any) -> None:
        own_id = uuid.uuid4().hex
        super().__init__(model_id=own_id, own_id=own_id, **state)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if content == {"ask": "state"}:  # no concern of those who listen by `on_msg`
            self.send_state()
        else:
            super()._handle_custom_msg(content, buffers)
