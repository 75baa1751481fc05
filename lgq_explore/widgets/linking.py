"""Panels that share what is picked in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from .explorer import Explorer

SHARED = ("selection", "patch")
"""Traits that hold what is picked: codes, and a patch."""


class Link:
    """Panels that share what is picked in one of them, until `unlink`; `link` makes it."""

    def __init__(self, panels: Sequence[Explorer]) -> None:
        self._panels = panels
        for panel in panels:
            panel.observe(self._follow, _picking(panel))
        for name in SHARED:
            already = next((panel for panel in panels if panel.has_trait(name) and getattr(panel, name)), None)
            if already is not None:
                self._share(already, name)

    def __repr__(self) -> str:
        return f"Link({', '.join(map(repr, self._panels))})"

    def unlink(self) -> None:
        """From now on each panel keeps what is picked in it."""
        for panel in self._panels:
            panel.unobserve(self._follow, _picking(panel))

    def _follow(self, change: Any) -> None:
        self._share(change["owner"], change["name"])

    def _share(self, source: Explorer, name: str) -> None:
        """Give what is picked in `source` to all that show the same run at the moment."""
        for panel in self._panels:
            if panel.has_trait(name) and _identities(panel)[0] == _identities(source)[0]:
                try:
                    panel.set_trait(name, getattr(source, name))
                except InputError as error:  # such as a patch of a picture that this panel doesn't look at
                    panel.refuse(error)


def link(*panels: Explorer) -> Link:
    """Let panels share what is picked: codes, and the patch where they have one. What is picked already stays.

        link(usage, codes, patches)

    A code of one run says nothing of another's, so only panels of one run share. A panel of several runs shares with
    those of the run that it shows at the moment. A patch is numbered among the held-out crops that a panel looks at:
    panels that share one are made with the same `crops`.

    Raises:
        InputError: fewer than two panels, or one that has nothing to share with any other.
    """
    if len(panels) < 2:
        raise InputError(f"{len(panels)} panels to link: give at least 2")
    for panel in panels:
        if not any(_can_share(panel, other) for other in panels if other is not panel):
            raise InputError(
                f"{panel!r} has nothing to share with the others: link panels of one run in which codes or patches "
                "are picked"
            )
    return Link(panels)


def _can_share(one: Explorer, other: Explorer) -> bool:
    return bool({*_picking(one)} & {*_picking(other)} and {*_identities(one)} & {*_identities(other)})


def _picking(panel: Explorer) -> list[str]:
    return [name for name in SHARED if panel.has_trait(name)]


def _identities(panel: Explorer) -> list[tuple[str, str]]:
    """Place and training of each run: another one may have been trained at the same place between two panels."""
    return [_identity(study) for study in panel.studies()]


def _identity(study: Study) -> tuple[str, str]:
    if study.run is None:
        return "", study.trained.digest
    return str(study.run.path.resolve()), study.run.identity
