"""The controls of a panel in a browser's page, and what moves each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Gesture = Callable[[], None]

CODES = ("3, 5", "3-9")
"""What is typed into boxes for codes."""


@dataclass(frozen=True)
class Control:
    """A control by its label. move: changes it, and with the next call changes it back."""

    label: str
    move: Gesture


def controls(page: Page) -> Iterator[Control]:
    """The controls in sight that have something to choose from, without tabs."""
    panel = page.locator(".lgq-panel")
    for menu in _visible(panel.locator(".widget-dropdown")):
        keys = _arrows(menu.locator("select"), "list => [0, list.selectedIndex, list.length - 1]", "Down", "Up")
        yield from _control(menu, [_key(menu.locator("select"), key) for key in keys])
    for slider in _visible(panel.locator(".widget-hslider")):
        handle = slider.locator(".noUi-handle")
        place = "slider => ['min', 'now', 'max'].map(end => Number(slider.getAttribute(`aria-value${end}`)))"
        yield from _control(slider, [_key(handle, key) for key in _arrows(handle, place, "Right", "Left")])
    for box in _visible(panel.locator(".widget-text:has(input[placeholder*='dead'])")):
        yield from _control(box, [_typing(box, text) for text in CODES])
    for box in _visible(panel.locator(".widget-text:has(input[type=number])")):
        before = int(box.locator("input").input_value())
        yield from _control(box, [_typing(box, str(number)) for number in (before + 1, before)])
    if buttons := _visible(panel.locator(".lgq-row > .widget-button")):
        yield Control(", ".join(button.inner_text().strip() for button in buttons), _pressing(buttons))


def tabs(page: Page) -> list[Control]:
    """Each tab in sight, the one that is open last."""
    found = _visible(page.locator(".lgq-panel .widget-toggle-buttons button"))
    pressed = [tab for tab in found if "mod-active" in (tab.get_attribute("class") or "")]
    closed = [tab for tab in found if tab not in pressed]
    return [Control(f"tab {tab.inner_text().strip()}", tab.click) for tab in [*closed, *pressed]]


def _control(control: Locator, moves: Sequence[Gesture]) -> Iterator[Control]:
    """None where there are no moves."""
    if moves:
        label = control.locator(".widget-label").first.inner_text().strip().rstrip(":")
        turns = cycle(moves)
        yield Control(label or "menu", lambda: next(turns)())


def _visible(found: Locator) -> list[Locator]:
    return [each for each in found.all() if each.is_visible()]


def _arrows(control: Locator, place: str, up: str, down: str) -> list[str]:
    """Keys that move a control on and back. place: JavaScript that gives its first, present and last place."""
    first, now, last = control.evaluate(place)
    if first == last or control.is_disabled():
        return []
    keys = [f"Arrow{up}", f"Arrow{down}"]
    return keys if now < last else keys[::-1]


def _key(control: Locator, key: str) -> Gesture:
    return lambda: control.press(key)


def _typing(box: Locator, text: str) -> Gesture:
    def type_in() -> None:
        box.locator("input").fill(text)
        box.locator("input").press("Enter")

    return type_in


def _pressing(buttons: Sequence[Locator]) -> Gesture:
    """Presses one after the other, each time one that can be pressed."""
    turns = cycle(buttons)

    def press() -> None:
        found = next((button for button, _ in zip(turns, buttons, strict=False) if button.is_enabled()), None)
        if found is not None:
            found.click()

    return press
