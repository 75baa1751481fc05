"""The last row of a panel: its most important number, what unfolds below it, and what can be taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from ..page_part import PagePart, script
from ..work.kernel_loop import KernelLoop
from .saving import SavedFile

FOLDER = Path(__file__).parent


class Foot(PagePart):
    """One line that unfolds, and buttons that copy a line of text, save a file, and let the panel fill the window.

    formats: what can be saved, as the menu says it. prepare: takes what a file of a format needs of the present state,
    and gives what makes the file, which runs in another thread where the kernel's loop runs. The browser puts the file
    where its downloads go.
    """

    _esm = script(FOLDER / "foot.js")
    _css = FOLDER / "foot.css"

    line = traitlets.Unicode().tag(sync=True)
    details = traitlets.Unicode().tag(sync=True)
    """HTML of what unfolds below the line."""

    is_open = traitlets.Bool(False).tag(sync=True)
    copied = traitlets.Dict(traitlets.Unicode()).tag(sync=True)
    """What the buttons copy, by their labels; there is no button for an empty text."""

    formats = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, formats: Sequence[str], prepare: Callable[[str], Callable[[], SavedFile]]) -> None:
        super().__init__(formats=list(formats))
        self._prepare = prepare
        self._loop = KernelLoop()
        self._saving: asyncio.Task[None] | None = None
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return "Foot()"

    def _hear(self, widget: Foot, content: Any, buffers: Any) -> None:
        match content:
            case {"save": str(kind)} if kind in self.formats:
                self._loop.soon(lambda: self._begin_to_save(kind))

    def _begin_to_save(self, kind: str) -> None:
        if self._loop.is_running:
            self._saving = asyncio.get_running_loop().create_task(self._save_in_a_thread(kind))
        else:
            self._send_file(lambda: self._prepare(kind)())

    async def _save_in_a_thread(self, kind: str) -> None:
        try:
            make = self._prepare(kind)
        except Exception as error:
            self._refuse(error)
            raise
        made = asyncio.create_task(asyncio.to_thread(make))
        await asyncio.wait([made])
        self._send_file(made.result)

    def _send_file(self, made: Callable[[], SavedFile]) -> None:
        try:
            file = made()
        except Exception as error:  # said where the button was pressed; a defect is in the kernel's log too
            self._refuse(error)
            raise
        self.send({"file": file.name, "media_type": file.media_type}, buffers=[file.data])

    def _refuse(self, error: Exception) -> None:
        self.send({"failed": str(error) or type(error).__name__})
