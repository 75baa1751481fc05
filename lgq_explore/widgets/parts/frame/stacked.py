"""One picture of several figures, which says in its file what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lgq_explore.errors import printable
from lgq_explore.plots.printing import new_figure, png_bytes, publish_sentence

PICTURE_DPI = 80
SOFTWARE = "lgq_explore"


@dataclass(frozen=True)
class Words:
    """What a picture's file says of it. title: whose picture it is. description: what can be seen."""

    title: str
    description: str = ""

    def as_chunks(self) -> PngInfo:
        """The PNG's text chunks, by the keywords of its standard."""
        chunks = PngInfo()
        for keyword, text in (("Software", SOFTWARE), ("Title", self.title), ("Description", self.description)):
            if text:
                chunks.add_itxt(keyword, printable(text))
        return chunks


def stacked_png(figures: Sequence[Figure], words: Words | None = None) -> bytes:
    """The figures under each other as one PNG, on white; those that fit beside the one before share its row."""
    pictures = [_picture(figure) for figure in figures]
    rows = _rows(pictures)
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new("RGB", (max(picture.width for picture in pictures), sum(heights)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            sheet.paste(picture, (left, top))
            left += picture.width
        top += height
    palettes = {getattr(figure, "palette", None) for figure in figures}
    return png_bytes(
        sheet, palettes.pop() if len(palettes) == 1 else None, about=None if words is None else words.as_chunks()
    )


def figure_of_sentence(sentence: str) -> Figure:
    """A small figure that holds nothing but a sentence."""
    return publish_sentence(new_figure(8, 0.6), printable(sentence))


def _rows(pictures: Sequence[Image.Image]) -> list[list[Image.Image]]:
    """Rows no wider than the widest picture."""
    widest = max(picture.width for picture in pictures)
    rows: list[list[Image.Image]] = []
    for picture in pictures:
        if rows and sum(other.width for other in rows[-1]) + picture.width <= widest:
            rows[-1].append(picture)
        else:
            rows.append([picture])
    return rows


def _picture(figure: Figure) -> Image.Image:
    target = BytesIO()
    figure.savefig(target, format="png", dpi=PICTURE_DPI, bbox_inches="tight", facecolor="white")
    return Image.open(target).convert("RGB")
