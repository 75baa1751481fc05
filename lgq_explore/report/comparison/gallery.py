"""The pictures on which two runs disagree most, for a page: originals, reconstructions and maps of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lgq_explore.analysis.comparison import disagreement
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.disagreement import token_grid, who_gains
from lgq_explore.analysis.comparison.findings import difference_of_groups
from lgq_explore.errors import InputError, printable
from lgq_explore.frames.quantities import QUANTITIES, counted, interval_text
from lgq_explore.plots.pictures import token_map
from lgq_explore.runs.study import Study

from .pictures import picture_uri

AT_AN_END, IN_THE_MIDDLE = 9, 6
"""Crops shown where one run, where the other one, and where neither is better."""

PSNR = QUANTITIES["psnr_db"]


@dataclass(frozen=True)
class GalleryPicture:
    """A crop: texts, and pictures as data URIs. maps: of tokens; empty where they can't be shown. difference: dB."""

    photograph: str
    crop: int
    difference: float
    gap: str
    first_psnr: str
    second_psnr: str
    original: str
    reconstructions: tuple[str, str]
    maps: tuple[str, str]


@dataclass(frozen=True)
class Gallery:
    """The crops by their difference, the first run's greatest gain first. side: pixels. told: what they are, in words.

    first, second: names of the groups. why: there is none.
    """

    first: str = ""
    second: str = ""
    told: str = ""
    side: int = 0
    pictures: tuple[GalleryPicture, ...] = ()
    why: str = ""


def gallery(comparison: Comparison, pair: tuple[str, str], studies: Mapping[str, Study]) -> Gallery:
    """The gallery of two groups, by their names. studies: one of each group, by the group's name."""
    first, second = (studies[name] for name in pair)
    try:
        frame = disagreement(first, second)
    except InputError as error:
        return Gallery(why=str(error))
    shown = frame.iloc[_places(frame)]
    pictures = tuple(_picture(row, first, second) for row in shown.to_dict("records"))
    runs = comparison.runs_shown(pair)
    told = (
        f"{runs[0].upper()}{runs[1:]}: {who_gains(frame, first.name, second.name)} {_means(comparison, *pair)}"
        f"Shown are {counted(len(shown), 'crop')}: "
        "those where either gains most, and some where they are alike."
    )
    return Gallery(*pair, told, first.encoding.images.shape[-1], pictures)


def _means(comparison: Comparison, first: str, second: str) -> str:
    """By how much the groups differ over all their runs, in a sentence and a space; empty where it is not known."""
    gap = difference_of_groups(comparison, first, second, "psnr_db")
    if gap is None:
        return ""
    interval = interval_text(PSNR, gap["low"], gap["high"], signed=True)
    told = f"{PSNR.value(gap['difference'], signed=True)} dB {interval}".strip()
    return (
        f"Over all their seeds, the means of the groups differ by {told} ({printable(first)} − {printable(second)}), "
        "as the table says. "
    )


def _places(frame: pd.DataFrame) -> list[int]:
    """Rows at both ends and around no difference, ascending, each once."""
    number = len(frame)
    middle = frame["difference"].abs().to_numpy().argsort(kind="stable")[:IN_THE_MIDDLE]
    ends = [*range(min(AT_AN_END, number)), *range(max(0, number - AT_AN_END), number)]
    return sorted({*ends, *middle.tolist()})


def _picture(row: Mapping[Any, Any], first: Study, second: Study) -> GalleryPicture:
    image, difference = row["image"], row["difference"]
    return GalleryPicture(
        photograph=str(row["photograph"]),
        crop=row["crop"],
        difference=difference,
        gap=PSNR.value(difference, signed=True),
        first_psnr=PSNR.value(row["first_psnr_db"]),
        second_psnr=PSNR.value(row["second_psnr_db"]),
        original=picture_uri(first.encoding.images[image]),
        reconstructions=(_reconstruction(first, image), _reconstruction(second, image)),
        maps=(_map(first, image), _map(second, image)),
    )


def _reconstruction(study: Study, image: int) -> str:
    return picture_uri(study.encoding.reconstructions[image])


def _map(study: Study, image: int) -> str:
    codes = token_grid(study, image)
    return "" if codes is None else picture_uri(token_map(codes))
