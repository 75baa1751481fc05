"""The base of all panels: widgets that leave a picture in a notebook that nobody runs."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure

from lgq_explore.errors import printable

from .parts.frame.presence import HOW_TO_MAKE_IT_LIVE, Presence, in_words, saved_model
from .parts.frame.renewal import Renewal
from .parts.frame.stacked import Words, figure_of_sentence, stacked_png

ERROR_COLOUR = "var(--jp-error-color1, #b00020)"
QUIET_COLOUR = "var(--jp-ui-font-color2, #666)"
"""Of words, in JupyterLab's light and dark themes."""


def spoken(sentence: str, colour: str) -> str:
    """HTML of a message that a screen reader is told when it changes; empty for an empty one."""
    lines = "\n".join(map(printable, sentence.split("\n")))
    said = f'<span role="status" style="color: {colour}; white-space: pre-line">{html.escape(lines)}</span>'
    return said if sentence else ""


class Panel(ipywidgets.VBox):
    """Widgets in a column that leave a picture of themselves in the notebook.

    A panel is displayed as two outputs: a picture, and below it the live view. Where the view is alive, its page hides
    the picture (`parts.frame.presence`). A notebook that is opened again without the panel's kernel shows the picture
    and a line that says how to make it live. The picture is drawn again a few seconds after the panel has changed.
    A box or tabs of ipywidgets with panels in them show the pictures, too, a few seconds after they were displayed.

    A panel says how it is drawn for print (`figures`) and when it has changed (`picture_changed`). `__repr__` must not
    change from run to run: notebooks are compared by it.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget]) -> None:
        self._presence = Presence()
        super().__init__([*children, self._presence])
        self.add_class("lgq-panel")
        self._presence.panel = self.model_id
        self._handles: list[DisplayHandle] = []
        self._renewal = Renewal(self._prepare_picture, self._put_picture)
        self._presence.observe(lambda change: self.picture_changed(), "is_in_a_box")
        self._presence.on_msg(lambda part, content, buffers: self.picture_changed())  # the page has none yet

    def figures(self) -> list[Figure]:
        """What the panel shows now as static figures, from top to bottom; none where there is nothing to see."""
        raise NotImplementedError("abstract: a panel knows its figures")

    def drawing(self) -> Callable[[], list[Figure]]:
        """What makes the figures of the present state, in any thread: here they are made before it is returned.

        A panel overrides this where figures take long beside what else runs, and need nothing of it that may change.
        """
        figures = self.figures()
        return lambda: figures

    def line(self) -> str:
        """The most important numbers of what the panel shows now, in one line; empty where there are none."""
        return ""

    def nothing_to_see(self) -> str:
        """What the picture says where there are no figures; empty for no picture at all."""
        return "Nothing to see yet: run this cell."

    def how_to_make_it_live(self) -> str:
        """What a reader is to do who finds the panel without its kernel."""
        return HOW_TO_MAKE_IT_LIVE

    def still(self) -> dict[str, Any]:
        """The picture of the panel as it is now, by MIME types."""
        return self.still_of(self._prepare_picture()())

    def still_of(self, picture: bytes | None) -> dict[str, Any]:
        """The output that holds a picture, a PNG, by MIME types."""
        return {"text/plain": repr(self)} | ({} if picture is None else {"image/png": picture})

    def picture_changed(self) -> None:
        """Called when the panel shows something else: its picture is drawn again in a few seconds."""
        if self._leaves_pictures:
            self._renewal.changed()

    def renew_pictures(self) -> None:
        """Replace the picture beside each live view by one of the current state, before this returns."""
        if self._leaves_pictures:
            self._renewal.drawn()
            self._put_picture(self._prepare_picture()())

    async def pictures_renewed(self) -> None:
        """Replace the pictures as `renew_pictures` does, while the kernel's loop stays free."""
        if self._leaves_pictures:
            await self._renewal.now()

    @property
    def _leaves_pictures(self) -> bool:
        """Whether there is a place in a notebook for them: beside a live view, or in that of a box around it."""
        return bool(self._handles) or self._presence.is_in_a_box

    def _prepare_picture(self) -> Callable[[], bytes | None]:
        """What draws the picture of the present state; any thread may call it."""
        drawn, sentence, words = self.drawing(), self.nothing_to_see(), Words(repr(self), self.line())

        def draw() -> bytes | None:
            figures = drawn() or ([figure_of_sentence(sentence)] if sentence else [])
            return stacked_png(figures, words) if figures else None

        return draw

    def _put_picture(self, picture: bytes | None) -> None:
        self._introduce()
        still = self.still_of(picture)
        for handle in self._handles:
            handle.update(still, raw=True)
        self._presence.send_still(still)

    def _introduce(self) -> None:
        """Let the page know the panel by the name that its picture bears."""
        self._presence.name = printable(repr(self))
        self._presence.how = how = printable(self.how_to_make_it_live())
        self._presence.saved = saved_model(in_words(printable(repr(self)), self.line(), how))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        # Words for front ends that show no widgets, and for notebooks that JupyterLab does not trust.
        return {"text/plain": in_words(repr(self)), "application/vnd.jupyter.widget-view+json": view}

    def _ipython_display_(self, **kwargs: Any) -> None:
        self._introduce()
        self._renewal.drawn()
        self._handles.append(display(self.still(), raw=True, display_id=True))
        display(self._repr_mimebundle_(), raw=True)
