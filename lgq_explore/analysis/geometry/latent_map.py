"""A codebook and the tokens that it rounds, on one plane."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.frames.geometry import CODE, GRID, LATENT_MAP, TOKEN
from lgq_explore.runs.arrays import DamagedArrays, read_arrays
from lgq_explore.runs.frozen_run import spread_over
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study

from .embedding import EPOCHS, METHODS, MIN_DIST, NEIGHBOURS, Embedding, Report, embed, say_nothing
from .fsq_grid import FittedGrid, decoded_points, fingerprint
from .projection_quality import ProjectionQuality, projection_quality

SPACES = ("rounding", "latents")
MOST_FITTED = 8192
"""Most points that a map is fitted on: UMAP takes 3 s for them, and its time grows faster than their number."""

SNAPSHOTS_SHOWN = 8
MOST_TOKENS = 20_000


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Codes of several snapshots and held-out tokens of one study, embedded together.

    points: one row per point, `frames.geometry.LATENT_MAP`. explained_variance: shares of both axes; None for UMAP.
    quality: over the tokens and the newest codes. space: `rounding`, where the method rounds, or `latents`, with raw
    latents and what codes are decoded to. width: number of dimensions of the space. tokens: N of the study, of which
    the map shows some. parameters: those that the method was called with.
    """

    points: pd.DataFrame
    method: str
    space: str
    width: int
    tokens: int
    seed: int
    parameters: dict[str, float | str]
    explained_variance: tuple[float, float] | None
    quality: ProjectionQuality

    @property
    def steps(self) -> list[int]:
        """Finished steps of the snapshots whose codes are on the map, ascending; the last is today's."""
        return sorted(self.points["step"].dropna().unique().astype(int).tolist())

    @property
    def fitted(self) -> int:
        """Points that the map was fitted on."""
        return int(self.points["fitted"].sum())

    @property
    def placed(self) -> int:
        """Points that were placed afterwards."""
        return len(self.points) - self.fitted

    def of(self, kind: str, step: int | None = None) -> pd.DataFrame:
        """The rows of one kind, codes of one snapshot (today's by default), numbered anew.

        Raises:
            InputError: a step whose codes are not on the map.
        """
        chosen = self.points["kind"] == kind
        if kind == CODE:
            step = self.steps[-1] if step is None else step
            if step not in self.steps:
                raise InputError(
                    f"there is no snapshot of step {step}: choose one of {', '.join(map(str, self.steps))}"
                )
            chosen &= self.points["step"] == step
        return self.points[chosen].reset_index(drop=True)

    @property
    def span(self) -> tuple[float, float, float, float]:
        """x from, x to, y from, y to of all points: of every snapshot, so that a replay does not change the axes."""
        places = self.points[["x", "y"]].to_numpy()
        (left, bottom), (right, top) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
        return left, right, bottom, top

    @property
    def sentence(self) -> str:
        """How the map was made: method, points fitted and placed, explained variance."""
        first, second = self.explained_variance or (0.0, 0.0)
        kept = f", {first + second:.0%} of the variance in {self.width} dimensions" if self.explained_variance else ""
        placed = f"{self.placed:,d} placed {'by projection' if self.method == 'pca' else 'among their neighbours'}"
        return f"{self.method.upper()}{kept}; fitted on {self.fitted:,d} points, {placed}; seed {self.seed}"


def latent_map(
    study: Study,
    method: str = "pca",
    *,
    space: str = "rounding",
    grid: FittedGrid | None = None,
    seed: int = 0,
    report: Report = say_nothing,
) -> LatentMap:
    """Embed a study's codes of up to 8 snapshots, evenly spread over training, and up to 20,000 of its tokens.

    method: `pca` or `umap`, see `embedding.embed`. At most 8,192 points are fitted: tokens, at least half of them and
    one of every used code among them where they suffice; today's codes, those of the grid, and of each code one older
    place. Tokens are those of today's encoder. A map by UMAP is kept in the run's folder, where there is a run, and
    found there again. grid: one fitted to these tokens by `fit_grid`, to be embedded with them, in the space
    `rounding`. report: receives a sentence for each step that takes long.

    Raises:
        InputError: another method or space, more codes than can be listed, codes without a geometry, or a grid that
            was fitted to other tokens.
    """
    study.require_geometry()
    if method not in METHODS:
        raise InputError(f"method is {method!r}: choose one of {', '.join(METHODS)}")
    if space not in SPACES:
        raise InputError(f"space is {space!r}: choose one of {', '.join(SPACES)}")
    tokens = (study.points if space == "rounding" else study.latents).numpy()
    _require_shared(tokens, grid, space)
    rng = np.random.default_rng(seed)
    ranked = _one_of_each_first(study.codes, rng)
    shown = np.sort(ranked[:MOST_TOKENS])
    books = _codebooks(study, space)
    parts = [*books.values(), tokens[shown], *([grid.points] if grid else [])]
    rows = _rows(books, shown, study.codes, len(grid.points) if grid else 0)
    rows["fitted"] = _fitted(rows, ranked, rng)
    points = np.concatenate(parts).astype(np.float32)
    parameters = _parameters(method)
    made = _embedded(study.run, points, rows["fitted"].to_numpy(), method, seed, parameters, report)
    rows["x"], rows["y"] = made.places.T
    looked_at = ((rows["kind"] != CODE) | (rows["step"] == max(books))).to_numpy(dtype=bool)
    return LatentMap(
        points=LATENT_MAP.frame(rows),
        method=method,
        space=space,
        width=points.shape[1],
        tokens=len(tokens),
        seed=seed,
        parameters=parameters,
        explained_variance=made.explained_variance,
        quality=projection_quality(points[looked_at], made.places[looked_at], seed=seed),
    )


def codebook_at(study: Study, step: int | None = None) -> NDArray[np.float32]:
    """The codes' points [K, P] where tokens are rounded, of a snapshot, or of the newest weights (the default).

    Raises:
        InputError: a step of which there is no snapshot.
    """
    return study.quantizer_at(study.trained.finished_steps if step is None else step).code_points().float().numpy()


def _require_shared(tokens: NDArray[np.float32], grid: FittedGrid | None, space: str) -> None:
    if grid is None:
        return
    if space != "rounding":
        raise InputError(f"space is {space!r}: a fitted grid lies where the method rounds, in the space 'rounding'")
    if grid.fitted_to != fingerprint(tokens):
        raise InputError(
            "the grid was fitted to other tokens: two runs have axes of their own, and places say nothing about each "
            "other.\nFit a grid to these tokens with analysis.geometry.fit_grid, or show both maps side by side."
        )


def steps_on_the_map(study: Study) -> list[int]:
    """Finished steps whose codebooks are on a map, ascending, evenly spread; the last is today's."""
    return spread_over(sorted({*study.snapshots, study.trained.finished_steps}), SNAPSHOTS_SHOWN)


def _codebooks(study: Study, space: str) -> dict[int, NDArray[np.float32]]:
    """Step → codes' points, ascending. The space `latents` has today's only: past output projections are not kept."""
    if space == "latents":
        return {study.trained.finished_steps: decoded_points(study.quantizer)}
    return {step: codebook_at(study, step) for step in steps_on_the_map(study)}


def _rows(
    books: dict[int, NDArray[np.float32]], shown: NDArray[np.int64], held: NDArray[np.int64], grid: int
) -> pd.DataFrame:
    """kind, step, code, token of each point, in the order in which points are stacked."""
    codes = [pd.DataFrame({"kind": CODE, "step": step, "code": np.arange(len(book))}) for step, book in books.items()]
    tokens = pd.DataFrame({"kind": TOKEN, "code": held[shown], "token": shown})
    rows = pd.concat([*codes, tokens, pd.DataFrame({"kind": GRID, "code": np.arange(grid)})], ignore_index=True)
    return rows.astype({"step": "Int64", "token": "Int64", "code": np.int64})


def _one_of_each_first(held: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """All tokens in random order, but one of every used code before the others."""
    order = rng.permutation(len(held))
    _, first = np.unique(held[order], return_index=True)
    return np.concatenate([order[rng.permutation(first)], np.delete(order, first)])


def _fitted(rows: pd.DataFrame, ranked: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which points are fitted. Fitting every snapshot would make slow codes their own nearest neighbours."""
    step, code = rows["step"].to_numpy(dtype=np.int64, na_value=-1), rows["code"].to_numpy()
    past = np.unique(step[step >= 0])[:-1]
    # Each code has one older place among the fitted points, taken from the snapshots in turn.
    is_its_turn = (step == past[code % len(past)]) if len(past) else np.zeros(len(rows), dtype=bool)
    order = np.select([step == step.max(), rows["kind"] == GRID, is_its_turn], [0, 1, 2], default=3)
    candidates = np.lexsort([rng.random(len(rows)), order])[: int((order < 3).sum())]
    chosen = candidates[: MOST_FITTED // 2]
    place = {token: row for row, token in rows["token"].dropna().items()}
    tokens = [place[token] for token in ranked[: MOST_FITTED - len(chosen)] if token in place]
    fitted = np.zeros(len(rows), dtype=bool)
    fitted[chosen] = fitted[tokens] = True
    return fitted


def _parameters(method: str) -> dict[str, float | str]:
    if method == "pca":
        return {}
    return {"n_neighbors": NEIGHBOURS, "min_dist": MIN_DIST, "n_epochs": EPOCHS, "init": "pca", "metric": "euclidean"}


def _embedded(
    run: Run | None,
    points: NDArray[np.float32],
    fitted: NDArray[np.bool_],
    method: str,
    seed: int,
    parameters: dict[str, float | str],
    report: Report,
) -> Embedding:
    """An embedding made now, or read from the run's folder if it was made from the same points before."""
    if method == "pca" or run is None:
        return embed(points, fitted, method, seed=seed, report=report)
    digest = hashlib.sha256(json.dumps([method, seed, parameters, points.shape], sort_keys=True).encode())
    digest.update(points.tobytes())
    digest.update(fitted.tobytes())
    path = run.cached_map(digest.hexdigest()[:16])
    places = _read(path, len(points))
    if places is not None:
        return Embedding(places)
    made = embed(points, fitted, method, seed=seed, report=report)
    _keep(path, made.places)
    return made


def _read(path: Path, points: int) -> NDArray[np.float32] | None:
    """The places that `_keep` wrote; None if there are none, or they are damaged."""
    try:
        places = read_arrays(path, ["places"])["places"]
    except (OSError, KeyError, DamagedArrays):
        return None
    is_whole = places.shape == (points, 2) and places.dtype == np.float32 and np.isfinite(places).all()
    return places if is_whole else None


def _keep(path: Path, places: NDArray[np.float32]) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as target:
            np.savez(target, places=places)
    except OSError:
        pass  # in a folder that cannot be written, the next panel computes the map again
