"""Two runs of two groups, crop by crop: how they differ, and what they made of each crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from lgq_explore.analysis.comparison import disagreement
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.disagreement import token_grid
from lgq_explore.errors import InputError
from lgq_explore.frames.quantities import QUANTITIES, interval_text
from lgq_explore.plots.comparison import PairPicture
from lgq_explore.plots.pictures import token_map
from lgq_explore.plots.style import Title
from lgq_explore.runs.study import Study

PSNR = QUANTITIES["psnr_db"]

ALONE = "There is one group: give runs of another method to see where they disagree."


@dataclass(frozen=True, eq=False)
class PicturePair:
    """The crops of one run of each of two groups, by the gain of the first.

    names: of the groups. seeds: of each group, how many it was compared with. means: how far the groups' means over
    seeds differ, in words; empty where these are not known. why: there are no pictures.
    """

    names: tuple[str, str]
    studies: tuple[Study, ...] = ()
    seeds: tuple[int, ...] = ()
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    means: str = ""
    why: str = ""

    @property
    def crops(self) -> int:
        """How many there are."""
        return len(self.frame)

    def ordered(self, first_gains: bool) -> pd.DataFrame:
        """The crops where the first, or the second, gains most first."""
        return self.frame if first_gains else self.frame.iloc[::-1].reset_index(drop=True)

    def said(self, row: pd.Series) -> str:
        """A crop and the difference there, in words."""
        gap = PSNR.value(row["difference"], signed=True)
        first, second = self.runs_named
        return f"{row['photograph']}, crop {row['crop']}: {first} minus {second} is {gap} dB"

    @property
    def runs_named(self) -> tuple[str, str]:
        """The groups, each with the seed of its run and how many seeds it has."""
        first, second = (
            f"{name} (seed {_seed(study)} of {seeds})"
            for name, study, seeds in zip(self.names, self.studies, self.seeds, strict=True)
        )
        return first, second

    @property
    def warning(self) -> str:
        """That these are single runs, and what the groups' means say."""
        first, second = self.runs_named
        gap = PSNR.value(float(self.frame["difference"].mean()), signed=True)
        told = f"The pictures are those of one run of each group: {first} minus {second} is {gap} dB on average."
        return f"{told} {self.means}".strip()

    def title(self, row: pd.Series, rank: int) -> Title:
        """Of the pictures of a crop."""
        return Title(f"Rank {rank:,d} of {self.crops:,d} crops", self.said(row))

    def pictures(self, row: pd.Series) -> list[PairPicture]:
        """The crop, both reconstructions, and both maps of tokens where a method has some."""
        image = int(row["image"])
        found = [PairPicture("original", self.studies[0].encoding.images[image])]
        for name, study, psnr in zip(self.names, self.studies, ("first_psnr_db", "second_psnr_db"), strict=True):
            said = f"{name}, seed {_seed(study)}: {PSNR.with_unit(row[psnr])}"
            found.append(PairPicture(said, study.encoding.reconstructions[image]))
        for name, study in zip(self.names, self.studies, strict=True):
            codes = token_grid(study, image)
            if codes is not None:
                found.append(PairPicture(f"tokens, {name}", token_map(codes)))
        return found


def picture_pair(comparison: Comparison, names: Sequence[str]) -> PicturePair:
    """The crops of the runs of the lowest seeds of two groups; `why` says where there are none."""
    first, second = names
    if not second:
        return PicturePair((first, second), why=ALONE)
    try:
        studies = (comparison.study_of(first), comparison.study_of(second))
        seeds = {group.name: len(group.seeds) for group in comparison.grouped.groups}
        frame, means = disagreement(*studies), _means(comparison, first, second)
        return PicturePair((first, second), studies, (seeds[first], seeds[second]), frame, means)
    except InputError as error:
        return PicturePair((first, second), why=str(error).replace("\n", " "))


def _means(comparison: Comparison, first: str, second: str) -> str:
    """How far the means of the groups differ in PSNR, with the interval, in a sentence."""
    frame = comparison.differences[comparison.differences["number"] == "psnr_db"]
    for _, row in frame.iterrows():
        if {row["first"], row["second"]} == {first, second}:
            sign = 1 if row["first"] == first else -1
            low, high = sorted((sign * row["low"], sign * row["high"]))
            interval = interval_text(PSNR, low, high, signed=True)
            gap = f"{PSNR.value(sign * row['difference'], signed=True)} dB {interval}".strip()
            return f"Over all chosen seeds, {first} minus {second} is {gap}."
    return ""


def _seed(study: Study) -> int:
    return study.require_run().config.seed
