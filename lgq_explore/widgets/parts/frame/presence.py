"""What a notebook's page is told of a panel: which picture is its own, and what is said once its kernel is gone."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import traitlets

from ..page_part import PagePart, script

FOLDER = Path(__file__).parent
HOW_TO_MAKE_IT_LIVE = "run this cell to make it live"


def in_words(name: str, line: str = "", how: str = HOW_TO_MAKE_IT_LIVE) -> str:
    """What stands in the place of a panel that is not live: what its picture shows, and how to make it live."""
    shown = ": ".join(part for part in (name, line) if part)
    return f"{shown} · {how}"


def saved_model(words: str) -> dict[str, Any]:
    """A widget's saved state by Jupyter's format: one line of text.

    Front ends show it in the place of a view whose model is gone, where `metadata.widgets` of the notebook has it under
    that model's id.
    """
    return {
        "model_name": "HTMLModel",
        "model_module": "@jupyter-widgets/controls",
        "model_module_version": "2.0.0",
        "state": {"value": f'<div class="lgq-saved">{html.escape(words)}</div>'},
    }


class Presence(PagePart):
    """An invisible part of a panel, whose script runs wherever the panel is live.

    There it hides the picture in the output before the panel's own, and replaces it by newer ones. It keeps `saved` in
    the notebook under the panel's id, and marks the panel when its kernel is gone. For a panel in a box or in tabs of
    others, it keeps line and picture under the id of that box. Where the front end has no such things, nothing happens.
    """

    _esm = script(FOLDER / "presence.js")
    _css = FOLDER / "presence.css"

    panel = traitlets.Unicode().tag(sync=True)
    """The id of the panel's model."""

    name = traitlets.Unicode().tag(sync=True)
    """The title that the panel's picture bears."""

    how = traitlets.Unicode(HOW_TO_MAKE_IT_LIVE).tag(sync=True)
    """How to make the panel live again."""

    saved = traitlets.Dict().tag(sync=True)
    """The state to be kept, by `saved_model`; none for a panel that was never displayed on its own."""

    is_in_a_box = traitlets.Bool().tag(sync=True)
    """Whether the page has found the panel in a box or in tabs of others, which have no picture of their own."""

    def send_still(self, still: Mapping[str, Any]) -> None:
        """Have the page replace the panel's picture, given by MIME types, where it does not hear of that otherwise."""
        written = {kind: b64encode(data).decode() if isinstance(data, bytes) else data for kind, data in still.items()}
        self.send({"still": written})

    def __repr__(self) -> str:
        return "Presence()"
