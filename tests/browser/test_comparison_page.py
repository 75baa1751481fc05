"""The page of a comparison in a real browser: no request, no error, no alert, accessible, and usable by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from lgq_explore.report.comparison.page import comparison_page, report_parts, write_page
from tests.report.comparison.planted_comparison import plant_comparison

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("own_data_and_no_network")]

WIDE, NARROW = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    given, comparison = plant_comparison(tmp_path_factory.mktemp("planted"))
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_page(path, comparison_page(comparison, report_parts(comparison), given.sweeps))
    return path


@dataclass
class Opened:
    """A page with all that it said, asked for and popped up."""

    page: Page
    told: list[str] = field(default_factory=list)


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Opened]:
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    found = Opened(page)
    page.on("console", lambda message: found.told.append(message.text))
    page.on("pageerror", lambda error: found.told.append(str(error)))
    page.on("dialog", lambda dialog: (found.told.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: None if asked.url.startswith("data:") else found.told.append(asked.url))
    page.goto(report.as_uri())
    found.told.remove(report.as_uri())
    yield found
    page.close()


def test_nothing_is_asked_for_and_nothing_goes_wrong(opened: Opened) -> None:
    page = opened.page
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.told == []


def test_figures_fit_and_a_table_that_goes_on_shows_it(opened: Opened) -> None:
    page = opened.page
    assert page.evaluate(
        "[...document.querySelectorAll('.chart')].every((chart) => "
        "chart.getBoundingClientRect().width <= chart.parentElement.getBoundingClientRect().width "
        "&& chart.parentElement.scrollWidth <= chart.parentElement.clientWidth)"
    )
    numbers = page.locator(".scroll:has(.numbers)")
    assert "gradient" in numbers.evaluate("(box) => getComputedStyle(box).backgroundImage")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(opened: Opened, scheme: str) -> None:
    opened.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    violations = Axe().run(opened.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in violations] == []


def test_pictures_are_sorted_enlarged_and_passed_by_keys(opened: Opened) -> None:
    page = opened.page
    gains = "[...document.querySelectorAll('.gallery li')].map((item) => Number(item.dataset.difference))"
    forth = page.evaluate(gains)
    page.locator("#order").select_option("second")
    assert page.evaluate(gains) == sorted(forth)
    page.locator("#order").select_option("alike")
    assert page.evaluate(gains) == sorted(forth, key=abs)
    page.locator("#zoom").select_option("large")
    page.locator("#maps").uncheck()
    assert page.locator(".gallery .map").first.is_hidden()
    page.locator(".open").first.focus()
    page.keyboard.press("Enter")
    headings = page.locator(".gallery h3").all_inner_texts()
    assert page.locator("#large-heading").inner_text() == headings[0]
    assert page.locator("#before").is_disabled()
    page.keyboard.press("ArrowRight")
    assert page.locator("#large-heading").inner_text() == headings[1]
    assert page.locator("#large figure").count() == 5
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.getElementById('large').open")
    assert page.evaluate("document.activeElement.closest('li') === document.querySelector('.gallery li')")
    assert opened.told == []


def test_it_is_printed_with_all_that_was_folded_away(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open], .long)").count() == 0
    assert page.locator("nav").is_hidden()
    assert page.locator(".open").first.is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open], .long)").count() > 0
    assert opened.told == []
