"""A sweep that is to be trained in a folder: its cells, their recipes, and what is done of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lgq_explore.devices import device_named, require_known_device
from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.images.division import VALIDATION
from lgq_explore.images.opening import open_source
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.sweep_paths import sweep_folder
from lgq_explore.training.machine import require_trainable

from .cells import FINAL, Cell, cells_of, key_of
from .description import Evaluation, Sweep, require_alike
from .folder import SweepFolder
from .reading import read_sweep
from .summary import plain
from .tuning import UNTUNED, TrialsMissing, chosen_trial, recipe_of


@dataclass(frozen=True)
class Decided:
    """A cell whose settings are known. chosen: the trials that decided them, for a final cell that is tuned."""

    cell: Cell
    recipe: TrainConfig
    key: str
    chosen: dict[str, Any] | None = None


@dataclass
class Plan:
    """A sweep in its folder. file: the path of its file, and content what it held when it was read."""

    file: Path
    content: bytes
    sweep: Sweep
    folder: SweepFolder
    cells: list[Cell]
    _decided: dict[int, Decided] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, out: Path | None = None, data: str | None = None) -> Plan:
        """The plan of a file. out: its folder, by default of the file's name under data/sweeps.

        data: SPEC of the pictures, where they lie elsewhere than the file says. Raises InputError.
        """
        path = given_path_from_home(file)
        sweep = read_sweep(path, data)
        folder = SweepFolder(sweep_folder(path) if out is None else given_path_from_home(out))
        return cls(path, path.read_bytes(), sweep, folder, cells_of(sweep))

    def cell(self, number: int) -> Cell:
        """The cell of a number. Raises InputError for one that is none."""
        if not 0 <= number < len(self.cells):
            raise InputError(f"there is no cell {number}: {printable(self.file)} has cells 0 to {len(self.cells) - 1}")
        return self.cells[number]

    def decided(self, cell: Cell) -> Decided:
        """The cell with its recipe. Raises TrialsMissing for a final cell whose trials are not done."""
        if cell.number not in self._decided:
            chosen = chosen_trial(self.cells, cell, self.sweep, self.folder) if cell.kind == FINAL else None
            tuned = UNTUNED if chosen is None else chosen["trials"][chosen["chosen"]]["settings"]
            recipe = recipe_of(cell, self.sweep, tuned)
            self._decided[cell.number] = Decided(cell, recipe, key_of(cell, recipe), chosen)
        return self._decided[cell.number]

    def summary(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's summary; None while it, or trials that decide its settings, are not done."""
        try:
            return self.folder.summary(self.decided(cell).key)
        except TrialsMissing:
            return None

    def is_done(self, cell: Cell) -> bool:
        """Whether the cell's summary is there."""
        return self.summary(cell) is not None

    def likely_recipe(self, cell: Cell) -> TrainConfig:
        """A recipe that costs what the cell does: where trials choose the settings, it has those of the first trial."""
        is_tuned = cell.kind == FINAL and cell.method.trials
        return recipe_of(cell, self.sweep, cell.method.trials[0] if is_tuned else UNTUNED)

    def recipes(self) -> list[tuple[Cell, TrainConfig]]:
        """A recipe of every cell; of final ones that are still to be tuned, one with each of their trials' settings."""
        found = []
        try:
            for cell in self.cells:
                tried = cell.method.trials if cell.trial is None and cell.method.trials else (UNTUNED,)
                found += [(cell, recipe_of(cell, self.sweep, settings)) for settings in tried]
        except InputError as error:
            raise InputError(f"{printable(self.file)}: {error}") from error
        return found

    def check(self, device: str) -> str:
        """Try all that can be tried before the first step, and return the fingerprint of the pictures.

        Every recipe is made, memory is compared with what it needs at least, the pictures are opened and divided, and
        the folder and what lies there are looked at. Raises InputError with the wrong value and its remedy.
        """
        require_known_device(device)
        recipes = self.recipes()
        require_alike([(cell.method.name, recipe) for cell, recipe in recipes])
        for recipe in {_at_one_seed(recipe).recipe_hash: recipe for _, recipe in recipes}.values():
            require_trainable(recipe, device_named(device))
        fingerprint = self.fingerprint(recipes[0][1])
        self.folder.require_usable()
        self.require_same_protocol(fingerprint)
        return fingerprint

    def fingerprint(self, recipe: TrainConfig) -> str:
        """The identity of a recipe's pictures, each part of which is looked at. Raises InputError."""
        source = open_source(recipe.data, recipe.image_size, seed=recipe.seed, division=recipe.split)
        with closing(source):
            source.batch(0, range(1))
            source.held_out(1)
            if self.sweep.tuning is not None or self.sweep.evaluation.split == VALIDATION:
                source.validation_crops(1)
            return source.identity

    def require_same_protocol(self, fingerprint: str) -> None:
        """Raise InputError for summaries in the folder of other pictures, or of another evaluation."""
        evaluation = plain(vars(self.sweep.evaluation))
        for summary in self.folder.all_summaries():
            if summary["data_fingerprint"] != fingerprint:
                raise InputError(
                    f"the pictures are not those of the summaries in {printable(self.folder.path)} (fingerprint "
                    f"{fingerprint[:12]}, there {summary['data_fingerprint'][:12]}).\n"
                    "Give the same pictures (--data SPEC), or another folder (--out DIR)."
                )
            recorded = {**plain(vars(Evaluation())), **summary["evaluation"]}  # an older one lacks later options
            for name, value in evaluation.items():
                if recorded[name] != value:
                    raise InputError(
                        f"evaluation.{name} is {value!r}, and {recorded[name]!r} in the summaries in "
                        f"{printable(self.folder.path)}: cells are evaluated once.\n"
                        "Put it back, or give another folder (--out DIR)."
                    )


def _at_one_seed(recipe: TrainConfig) -> TrainConfig:
    return replace(recipe, seed=0, rounding_replicate=0)
