"""Is the page of a comparison whole, true, and safe from markup in names? As text, JSON and tables, too."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from lgq_explore.analysis.comparison import Comparison
from lgq_explore.analysis.comparison.given import GivenRuns
from lgq_explore.errors import InputError, printable
from lgq_explore.plots.geometry.cells import PANELS
from lgq_explore.report.comparison.figures import file_name, save_figures
from lgq_explore.report.comparison.page import ReportParts, comparison_page, report_parts, write_page
from lgq_explore.report.comparison.published import PUBLISHED
from lgq_explore.report.comparison.tables import Table, as_csv, as_latex, as_markdown, comparison_tables, save_tables
from lgq_explore.report.comparison.terms import OF_ENERGY, OF_FIGURES, terms
from lgq_explore.report.comparison.text import comparison_json, comparison_text
from tests.report.comparison.planted_comparison import IMAGE, QUOTE, SCRIPT, plant_comparison

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

VOID = {"meta", "link", "img", "input", "br"}
LARGEST_PAGE = 3_000_000


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)


class Reader(HTMLParser):
    """The elements of a page, in order; every one that is opened has to be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


@pytest.fixture(scope="module")
def planted(
    tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None
) -> tuple[GivenRuns, Comparison, ReportParts]:
    given, comparison = plant_comparison(tmp_path_factory.mktemp("planted"))
    return given, comparison, report_parts(comparison)


@pytest.fixture(scope="module")
def comparison(planted: tuple[GivenRuns, Comparison, ReportParts]) -> Comparison:
    return planted[1]


@pytest.fixture(scope="module")
def parts(planted: tuple[GivenRuns, Comparison, ReportParts]) -> ReportParts:
    return planted[2]


@pytest.fixture(scope="module")
def page(planted: tuple[GivenRuns, Comparison, ReportParts]) -> Reader:
    given, comparison, parts = planted
    content = comparison_page(comparison, parts, given.sweeps)
    assert len(content) < LARGEST_PAGE
    return Reader(content)


def test_names_are_text_and_no_markup(page: Reader) -> None:
    assert len(page.all("script")) == 1
    assert "alert" not in page.all("script")[0].text
    for element in page.elements:
        assert not any(name.startswith("on") for name in element.attributes)
    assert all(image.attributes["src"].startswith("data:image/") for image in page.all("img"))
    text = page.all("body")[0].text
    assert SCRIPT in text
    assert IMAGE in text
    assert f"{QUOTE}.png, crop 1:" in text


def test_the_page_can_load_nothing(page: Reader) -> None:
    (policy,) = (meta for meta in page.all("meta") if meta.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy.attributes["content"]
    loading = [e.attributes[name] for e in page.elements for name in ("src", "href") if name in e.attributes]
    assert all(address.startswith(("data:", "#")) for address in loading)
    assert not any("style" in element.attributes for element in page.elements)


def test_it_can_be_read_without_seeing_it(page: Reader) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("h1", "main", "title")] == [1, 1, 1]
    assert all(image.attributes["alt"] for image in page.all("img"))
    assert all(cell.attributes["scope"] in ("row", "col") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 4
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for name in ("for", "aria-labelledby"):
            assert element.attributes.get(name, ids[0]) in ids
    for control in ("select", "input"):
        labelled = {label.attributes["for"] for label in page.all("label")}
        assert all(element.attributes["id"] in labelled for element in page.all(control))
    levels = [int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_sections_have_what_they_are_for(page: Reader, comparison: Comparison, parts: ReportParts) -> None:
    sections = {element.attributes["id"]: element.text for element in page.all("section")}
    assert list(sections) == [
        "found",
        "ledger",
        "numbers",
        "figures",
        "pictures",
        "codes",
        "published",
        "definitions",
        "again",
    ]
    (lede,) = (element.text for element in page.all("p") if element.attributes.get("class") == "lede")
    assert f"{SCRIPT} (2 seeds)" in lede
    assert "measured on 12 held-out photographs (12 crops)" in lede
    assert "an interval takes 5 seeds and 8 photographs" in sections["found"]
    assert "This is no fair comparison: tuning trials differs between the runs" in sections["found"]
    assert "Tuning trials: 1 for" in sections["ledger"]
    assert all(each.figure is not None for each in parts.figures[:3]), [each.why for each in parts.figures]
    few = parts.figures[4]
    assert few.figure is None
    assert few.why == "2 cells have 5 tokens or more: a power of the density takes 8; encode more crops"
    assert few.why in sections["figures"]
    assert [each.name.partition("-")[0] for each in parts.figures] == ["rate", "pruning", "usage", "cells", "cells"]
    assert len(page.all("li")) > len(parts.gallery.pictures) == 12
    assert "psnr_db, ssim, l1" in sections["definitions"]
    assert "10 log10(1 / mean (x − x̂)²)" in sections["definitions"]
    assert 'methods = ["lgq", "fsq"]' in sections["again"]
    assert "lgq-explore train --config" in sections["again"]
    assert all(each.source in sections["published"] for each in PUBLISHED)
    assert not any(f"{each.rfid:.2f} " in sections["numbers"] for each in PUBLISHED)


def test_a_figure_of_other_photographs_than_the_tables_says_so(
    planted: tuple[GivenRuns, Comparison, ReportParts], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, comparison, parts = planted
    assert [each.other_photographs for each in parts.figures] == [""] * 5
    monkeypatch.setattr("lgq_explore.report.comparison.figures.PRUNED_CROPS", 7)
    few = report_parts(comparison)
    told = "Drawn on 7 photographs; the numbers of the tables are of 12 photographs."
    assert [each.other_photographs for each in few.figures] == ["", told, "", "", ""]
    page = Reader(comparison_page(comparison, few, given.sweeps))
    (loud,) = (each.text for each in page.all("p") if each.attributes.get("class") == "attention")
    assert loud == told


def test_terms_of_figures_are_defined(page: Reader, comparison: Comparison, parts: ReportParts) -> None:
    of_cells = OF_FIGURES["cells"]
    assert {"m", "log density"} <= of_cells.keys()
    for panel in PANELS:
        assert any(panel.title.startswith(name) for name in of_cells), panel.title
    shown = terms(comparison, parts.figures)
    assert {"≥, Chao2", "codes kept"} <= shown.keys()
    assert "m" in shown
    assert "m" not in terms(comparison, parts.figures[:3])  # without the cells
    (section,) = (each.text for each in page.all("section") if each.attributes["id"] == "definitions")
    assert all(name in section for name in shown)


def test_energy_is_defined_where_a_run_has_it(comparison: Comparison, parts: ReportParts) -> None:
    is_energy = comparison.ledger["field"] == "training, joules of the GPU"
    none = comparison.ledger.assign(**dict.fromkeys(comparison.runs, "not recorded"))
    assert not OF_ENERGY.keys() & terms(replace(comparison, ledger=none), parts.figures).keys()
    first = next(iter(comparison.runs))
    some = none.assign(**{first: none[first].where(~is_energy, "700")})
    assert OF_ENERGY.keys() <= terms(replace(comparison, ledger=some), parts.figures).keys()


def test_patches_at_the_edge_of_a_crop_say_so(page: Reader, parts: ReportParts) -> None:
    """Of 64 tokens of a crop, 28 lie at its edge: some of the 8 patches of the most used code do."""
    cards = [card for of_group in parts.codes for card in of_group.cards]
    beyond = sum(card.beyond_edge for card in cards)
    assert parts.codes[0].cards[0].beyond_edge
    captions = [each.text for each in page.all("figcaption")]
    assert sum("white beyond the edge of a crop" in told for told in captions) == beyond


def test_codes_have_patches_neighbours_and_a_history(parts: ReportParts) -> None:
    learned, grid = parts.codes
    most = learned.cards[0]
    assert [card.rank for card in learned.cards] == sorted({card.rank for card in learned.cards})
    assert most.rank == 1
    assert most.count == max(card.count for card in learned.cards)
    assert most.shown == min(most.count, 8)
    assert most.neighbours.count("(") == 5
    assert [step for step, _ in most.counts] == [0, 2, 4]
    assert most.counts[-1][1] == most.count
    assert len(most.line.split()) == 3
    assert grid.cards[0].counts == ()
    assert grid.cards[0].neighbours


def test_pictures_are_those_where_either_gains_most(parts: ReportParts) -> None:
    gaps = [picture.difference for picture in parts.gallery.pictures]
    assert gaps == sorted(gaps, reverse=True)
    for picture in parts.gallery.pictures:
        assert float(picture.first_psnr) - float(picture.second_psnr) == pytest.approx(picture.difference, abs=0.011)


def test_what_is_of_one_run_says_so_and_the_gallery_has_the_means(
    page: Reader, comparison: Comparison, parts: ReportParts
) -> None:
    first, second = parts.gallery.first, parts.gallery.second
    of_pair = comparison.differences.set_index(["first", "second", "number"])["difference"]
    gap = of_pair.get((first, second, "psnr_db"), -of_pair.get((second, first, "psnr_db"), 0))
    told = parts.gallery.told
    assert told.startswith("One run of each group, seed 0 of 2: ")
    gap_in_words = f"{gap:+.2f}".replace("-", "−")
    assert f"the means of the groups differ by {gap_in_words} dB ({first} − {second}), as the table says" in told
    sections = {element.attributes["id"]: element.text for element in page.all("section")}
    for name in ("figures", "pictures", "codes"):
        assert "ne run of each group, seed 0 of 2" in sections[name], name
    subtitles = {each.name: [text.get_text() for text in each.figure.texts] for each in parts.figures[1:3]}
    assert all(any("one run of each group, seed 0 of 2" in text for text in texts) for texts in subtitles.values())
    assert comparison.runs_shown([first, "none"]) == "one run of each group, its lowest seed of 1 or 2"


def test_a_pair_of_other_groups_can_be_asked_for(comparison: Comparison) -> None:
    names = [group.name for group in comparison.grouped.groups]
    chosen = report_parts(comparison, [names[2], names[0]]).gallery
    assert (chosen.first, chosen.second) == (names[2], names[0])
    assert all(picture.maps[0] == "" for picture in chosen.pictures) is (names[2] == "none")
    with pytest.raises(InputError, match=r"there is no group 'nothing': choose two of .*none"):
        report_parts(comparison, ["nothing", "none"])


def test_the_text_has_the_table_and_the_sentences(comparison: Comparison) -> None:
    text = comparison_text(comparison, 80)
    head, *rows = text.splitlines()
    assert head.split()[:3] == ["group", "K", "seeds"]
    assert [row.partition("  ")[0] for row in rows[:3]] == [g.name for g in comparison.grouped.groups]
    assert "What makes the comparison unfair:\n– Tuning trials: 1 for" in text
    assert all(len(line) <= 80 for line in text.partition("\n\n")[2].splitlines() if IMAGE not in line)


def test_json_holds_what_the_page_says(planted: tuple[GivenRuns, Comparison, ReportParts]) -> None:
    given, comparison, _ = planted
    told = json.loads(json.dumps(comparison_json(comparison, given.sweeps), allow_nan=False))
    assert [group["name"] for group in told["groups"]] == [group.name for group in comparison.grouped.groups]
    first = told["groups"][0]
    assert first["seeds"] == [0, 1]
    assert first["numbers"]["psnr_db"]["low"] is None
    assert first["numbers"]["psnr_db"]["why"] == "An interval takes 5 seeds at least: here are 2."
    assert len(told["found"]) >= 4
    assert told["unfair"] == [s for s in told["unfair"] if s.startswith("Tuning trials")] != []
    assert {row["field"] for row in told["ledger"]} == set(comparison.ledger["field"])
    assert told["sweeps"] == given.sweeps


def test_tables_are_written_in_three_forms(comparison: Comparison, tmp_path: Path) -> None:
    tables = comparison_tables(comparison)
    written = save_tables(tables, tmp_path / "tables")
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{k}" for name, table in tables.items() if table.rows for k in ("csv", "md", "tex")
    )
    with (tmp_path / "tables" / "numbers.csv").open(newline="") as source:
        head, *rows = csv.reader(source)
    assert tuple(head) == tables["numbers"].head
    assert tuple(map(tuple, rows)) == tables["numbers"].rows
    latex = (tmp_path / "tables" / "numbers.tex").read_text()
    assert r"\textless{}/script\textgreater{}" in latex
    assert r"$\pm$" in latex
    assert r"\<img src=x" in (tmp_path / "tables" / "numbers.md").read_text()


def test_cells_are_harmless_in_each_form() -> None:
    table = Table("t", "T", ("a|b", "_x_"), (("=1+1", r"50 % \input{x} & $y$"), ("−0.5", "+0.2")), numeric=False)
    assert as_csv(table).splitlines()[1:] == [r"'=1+1,50 % \input{x} & $y$", "−0.5,+0.2"]
    assert as_markdown(table).splitlines()[0] == r"| a\|b | \_x\_ |"
    assert r"50 \% \textbackslash{}input\{x\} \& \$y\$ \\" in as_latex(table)


def test_figures_are_written_as_pdf_and_svg(parts: ReportParts, tmp_path: Path) -> None:
    written = save_figures(parts.figures[:1], tmp_path / "figures")
    assert [path.name for path in written] == ["rate-distortion.pdf", "rate-distortion.svg"]
    assert written[0].read_bytes().startswith(b"%PDF")
    assert file_name("cells-fsq, K = 240") == "cells-fsq-K-240"
    assert file_name(f"cells-{SCRIPT}/../x") == "cells-script-script-alert-2-script-..-x"


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", "<p>\udcff</p>")
    assert (tmp_path / "page.html").read_bytes() == rb"<p>\udcff</p>"
    with pytest.raises(InputError, match="can't be written"):
        write_page(tmp_path / "nowhere" / "page.html", "")
    assert printable(SCRIPT) == SCRIPT
