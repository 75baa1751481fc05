"""Two runs of two groups, crop by crop: how they differ, and what they made of each crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from lgq_explore.analysis.comparison import disagreement
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.disagreement import token_grid, who_gains
from lgq_explore.errors import InputError
from lgq_explore.frames.quantities import QUANTITIES
from lgq_explore.plots.comparison import PairPicture
from lgq_explore.plots.pictures import token_map
from lgq_explore.plots.style import Title
from lgq_explore.runs.study import Study

PSNR = QUANTITIES["psnr_db"]

ALONE = "There is one group: give runs of another method to see where they disagree."


@dataclass(frozen=True, eq=False)
class PicturePair:
    """The crops of two groups' runs, by the gain of the first. names: of the groups. why: there are none."""

    names: tuple[str, str]
    studies: tuple[Study, ...] = ()
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    why: str = ""

    @property
    def crops(self) -> int:
        """How many there are."""
        return len(self.frame)

    @property
    def runs(self) -> str:
        """Whose pictures they are, and who gains how often, in words."""
        first, second = self.studies
        return who_gains(self.frame, first.name, second.name)

    def ordered(self, first_gains: bool) -> pd.DataFrame:
        """The crops where the first, or the second, gains most first."""
        return self.frame if first_gains else self.frame.iloc[::-1].reset_index(drop=True)

    def said(self, row: pd.Series) -> str:
        """A crop and the difference there, in words."""
        gap = PSNR.value(row["difference"], signed=True)
        return f"{row['photograph']}, crop {row['crop']}: {self.names[0]} minus {self.names[1]} is {gap} dB"

    def title(self, row: pd.Series, rank: int) -> Title:
        """Of the pictures of a crop."""
        return Title(f"Rank {rank:,d} of {self.crops:,d} crops", self.said(row))

    def pictures(self, row: pd.Series) -> list[PairPicture]:
        """The crop, both reconstructions, and both maps of tokens where a method has some."""
        image = int(row["image"])
        found = [PairPicture("original", self.studies[0].encoding.images[image])]
        for name, study, psnr in zip(self.names, self.studies, ("first_psnr_db", "second_psnr_db"), strict=True):
            said = f"{name}, {PSNR.with_unit(row[psnr])}"
            found.append(PairPicture(said, study.encoding.reconstructions[image]))
        for name, study in zip(self.names, self.studies, strict=True):
            codes = token_grid(study, image)
            if codes is not None:
                found.append(PairPicture(f"tokens, {name}", token_map(codes)))
        return found


def picture_pair(comparison: Comparison, names: Sequence[str], seeds: Sequence[int]) -> PicturePair:
    """The crops of the runs of the lowest of these seeds of two groups; `why` says where there are none."""
    first, second = names
    if not second:
        return PicturePair((first, second), why=ALONE)
    try:
        studies = (comparison.study_of(first, seeds), comparison.study_of(second, seeds))
        return PicturePair((first, second), studies, disagreement(*studies))
    except InputError as error:
        return PicturePair((first, second), why=str(error).replace("\n", " "))
