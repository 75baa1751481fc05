"""Panes of a map of latents, with the words below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from lgq_explore import analysis, plots
from lgq_explore.analysis.geometry.embedding import Report, say_nothing
from lgq_explore.frames.geometry import CODE, GRID, TOKEN
from lgq_explore.kept import Kept
from lgq_explore.runs.study import Study

PRINCIPAL_AXES = ("first principal axis", "second principal axis")
PANES_KEPT = 16
MAPS_KEPT = 8
"""All that can be asked for of one study: by two methods, in two spaces, or with a grid."""


@dataclass(frozen=True)
class MapRequest:
    """A map that is asked for: by `method`, in `space`, together with a fitted grid or alone."""

    method: str
    space: str = "rounding"
    with_grid: bool = False


@dataclass(frozen=True)
class PaneRequest:
    """Codes on a map, coloured by one of CODE_COLOURS: those of a step (today's by default), or of the fitted grid."""

    map: MapRequest
    colour: str
    step: int | None = None
    of_grid: bool = False


@dataclass(eq=False)
class StudyMaps:
    """A study whose codebook is looked at, and the maps that were made of it so far. Any thread may ask for one."""

    study: Study
    levels: tuple[int, ...] | None = None  # of the grid that is fitted; by default those nearest to the study's K

    def __post_init__(self) -> None:
        self.quantizer = self.study.quantizer
        self._maps = Kept[MapRequest, analysis.geometry.LatentMap](most=MAPS_KEPT)
        self._grids = Kept[tuple[int, ...] | None, analysis.geometry.FittedGrid](most=1)
        self._regularity = Kept[tuple[str, int], analysis.geometry.LatticeRegularity](most=PANES_KEPT)
        self._panes = Kept[PaneRequest, plots.geometry.MapPane](most=PANES_KEPT)

    def map(self, request: MapRequest, report: Report = say_nothing) -> analysis.geometry.LatentMap:
        """The map, made now if `has` it not."""
        return self._maps.get(request, lambda: self._map(request, report))

    def has(self, request: MapRequest) -> bool:
        """Whether the map was made before."""
        return self._maps.is_known(request)

    def pane(self, pane: PaneRequest) -> plots.geometry.MapPane:
        """A pane of a map that was made already; it takes a while where it isn't `at_hand`."""
        make = self._grid_pane if pane.of_grid else self._pane
        return self._panes.get(pane, lambda: make(pane))

    def at_hand(self, pane: PaneRequest) -> bool:
        """Whether the pane is kept, or what takes long of it is: then it is made at once."""
        if pane.of_grid or _costly(pane.colour):
            return self._panes.is_known(pane)
        return self._regularity.is_known((pane.map.space, self._step_of(pane)))

    def _map(self, request: MapRequest, report: Report) -> analysis.geometry.LatentMap:
        grid = None
        if request.with_grid:
            report("fitting the grid to the tokens")
            grid = self._grid()
        return analysis.geometry.latent_map(self.study, request.method, space=request.space, grid=grid, report=report)

    def _grid(self) -> analysis.geometry.FittedGrid:
        return self._grids.get(self.levels, lambda: analysis.geometry.fit_grid(self.study, self.levels))

    def _step_of(self, pane: PaneRequest) -> int:
        return self.study.trained.finished_steps if pane.step is None else pane.step

    def _pane(self, pane: PaneRequest) -> plots.geometry.MapPane:
        """A map that was made already, with the codes of `step` (today's by default) on it."""
        request, colour, mapped = pane.map, pane.colour, self.map(pane.map)
        step = self._step_of(pane)
        method, size = self.study.method, f"{self.quantizer.codebook_size:,d}"
        if not self.quantizer.codebook_is_fixed:
            heading = f"{method}: {size} learned codes, step {step:,d}"
        elif request.space == "latents":
            heading = f"{method}: {_levels(self.quantizer.levels)} grid, projected out, among its raw latents"
        else:
            heading = f"{method}: {_levels(self.quantizer.levels)} grid, in its own space"
        colours = analysis.geometry.map_colours(self.study, step, _costly(colour))
        # It comes last of what takes long: where it is known, so are the tokens' codes (`at_hand`).
        regularity = self._regularity.get((request.space, step), lambda: self._regularity_of(request.space, step))
        made = _pane(mapped, mapped.of(CODE, step), colours, regularity, heading, self.quantizer.lattice)
        if self.quantizer.codebook_is_fixed or not self.quantizer.lattice:
            return made
        joined = "" if made.edges.empty else ": lines join those that were neighbours"
        began = f"Codes began as a grid of {_levels(self.quantizer.lattice)}{joined}. "
        return replace(made, under=(began + made.under[0], *made.under[1:]))

    def _grid_pane(self, pane: PaneRequest) -> plots.geometry.MapPane:
        """The fitted grid on the same map."""
        mapped, grid = self.map(pane.map), self._grid()
        colours = analysis.geometry.grid_colours(self.study, grid, _costly(pane.colour))
        heading = f"{_levels(grid.levels)} grid, fitted to the same tokens"
        regularity = analysis.geometry.lattice_regularity(grid.points)
        made = _pane(mapped, mapped.of(GRID), colours, regularity, heading, grid.levels)
        return replace(of_the_same_map(made), selectable=False)

    def _regularity_of(self, space: str, step: int) -> analysis.geometry.LatticeRegularity:
        """Of the codes of a snapshot: apart from the pane, for no colour changes it."""
        if space == "latents":
            return analysis.geometry.lattice_regularity(analysis.geometry.decoded_points(self.quantizer))
        return analysis.geometry.lattice_regularity(analysis.geometry.codebook_at(self.study, step))


def of_the_same_map(pane: plots.geometry.MapPane) -> plots.geometry.MapPane:
    """Second pane of the same map; notes on the map are not repeated."""
    return replace(pane, under=pane.under[:1], warning="")


def numbers_of(
    pane: plots.geometry.MapPane, mapped: analysis.geometry.LatentMap, prefix: str = ""
) -> Mapping[str, int | float | str]:
    """What is said of a pane, by name."""
    quality = mapped.quality
    return {
        f"{prefix}codes": len(pane.codes),
        f"{prefix}unused_codes": int((pane.codes["count"] == 0).sum()),
        f"{prefix}tokens": mapped.tokens,
        f"{prefix}trustworthiness": quality.trustworthiness,
        f"{prefix}continuity": quality.continuity,
        f"{prefix}neighbour_overlap": quality.neighbour_overlap,
        f"{prefix}chance_overlap": quality.chance_overlap,
        f"{prefix}neighbours": quality.neighbours,
        f"{prefix}quality_points": quality.points,
        f"{prefix}fitted_points": mapped.fitted,
        f"{prefix}placed_points": mapped.placed,
    }


def _pane(
    mapped: analysis.geometry.LatentMap,
    codes: pd.DataFrame,
    colours: pd.DataFrame,
    regularity: analysis.geometry.LatticeRegularity,
    heading: str,
    levels: tuple[int, ...],
) -> plots.geometry.MapPane:
    codes = codes[["code", "x", "y", "fitted"]].merge(colours, on="code")
    unused = int((codes["count"] == 0).sum())
    return plots.geometry.MapPane(
        heading=heading,
        codes=codes,
        tokens=mapped.of(TOKEN),
        # Only a linear map leaves straight what is straight.
        edges=analysis.geometry.lattice_edges(levels if mapped.method == "pca" else ()),
        axes=_axes(mapped),
        span=mapped.span,
        under=(
            f"{unused:,d} of {len(codes):,d} codes unused by {mapped.tokens:,d} tokens. Lattice regularity "
            f"{_signed(regularity.value)} (1 lattice, 0 random; N = {regularity.points:,d} codes).",
            f"{mapped.sentence}.",
            f"{mapped.quality.sentence}.",
        ),
        warning=mapped.quality.warning,
        tokens_in_all=mapped.tokens,
    )


def _costly(colour: str) -> list[str]:
    """The columns that are made for this colour alone."""
    return [
        column for column in analysis.geometry.COSTLY_COLOURS if column == plots.geometry.CODE_COLOURS[colour].column
    ]


def _axes(mapped: analysis.geometry.LatentMap) -> tuple[str, str]:
    if mapped.explained_variance is None:
        return "UMAP 1 (no unit)", "UMAP 2 (no unit)"
    first, second = (
        f"{name}, {share:.0%} of the variance"
        for name, share in zip(PRINCIPAL_AXES, mapped.explained_variance, strict=True)
    )
    return first, second


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _levels(levels: tuple[int, ...]) -> str:
    return " × ".join(map(str, levels))
