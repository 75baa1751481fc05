"""A button that copies one line of Python, such as the one that makes a panel again."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

FOLDER = Path(__file__).parent


class CopyCode(anywidget.AnyWidget):
    """A button that puts `code` into the browser's clipboard, and the line beside it. label, title: the button's."""

    _esm = FOLDER / "copy_code.js"
    _css = FOLDER / "copy_code.css"

    code = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("copy as code").tag(sync=True)
    title = traitlets.Unicode("put the panel's state into the clipboard as one line of Python").tag(sync=True)

    def __repr__(self) -> str:
        return "CopyCode()"
