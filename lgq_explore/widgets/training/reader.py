"""A run that rests, or that others train: what its folder holds now."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.runs.encoding import source_of
from lgq_explore.runs.frozen_run import FileStamp, Stamp, file_stamp, stamp_of
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_files import step_of
from lgq_explore.runs.training_lock import is_held
from lgq_explore.training.checkpoint_summary import newest_checkpoint_summary

from ..parts.work.background import Abandoned
from .latest_step import CodesAndPictures, LatestStep

NOT_READ = (
    "Codes and pictures of its newest checkpoint are not shown: reading was stopped. Make the panel again to see them."
)


class RunReader:
    """What the folder of a run held when it was last looked at; `look` is quick, `read_checkpoint` may take long.

    The two may be called in any threads, also at once; what they find can be read meanwhile.

    pictures: how many held-out crops are reconstructed. trouble: why the folder can't be read, in a line; what was read
    before stays. missing: why there are no pictures. checkpoint_step: where training continues from. shown: codes and
    pictures of the newest weights that were read, or of newer ones that the panel has itself.
    """

    def __init__(self, run: Run, pictures: int) -> None:
        self.run = run
        self.history = pd.DataFrame({"step": []})
        self.trouble = self.missing = ""
        self.is_trained_elsewhere = self.is_finished = False
        self.checkpoint_step = 0
        self.held_temperature: float | None = None
        self._pictures = pictures
        self._crops: NDArray[np.uint8] | None = None
        self.shown: CodesAndPictures | None = None
        self._rows: FileStamp = None
        self._weights = _Weights((), ())
        self._given_up: Stamp | None = None

    def look(self, is_known: bool = False) -> bool:
        """Read what was logged, and whether somebody trains. Returns whether anything is new.

        is_known: whether the weights that the folder holds now are known already, and need not be read.
        """
        before = self._state()
        try:
            self.is_trained_elsewhere = is_held(self.run.path)
            self.run.require_unchanged()
            self._read_rows()
            self._read_steps(is_known)
            self.trouble = ""
        except InputError as error:
            self.is_trained_elsewhere, self.trouble = False, _in_a_line(error)
        return self._state() != before

    @property
    def is_behind(self) -> bool:
        """Whether there are newer weights than those that `read_checkpoint` has read."""
        weights = self._weights
        return not self.trouble and weights.newest != weights.read

    def read_checkpoint(self) -> None:
        """Reconstruct pictures by the newest weights, and read which codes were used.

        Raises Abandoned after `give_up`; what was read before stays.
        """
        weights = self._weights.newest
        self.missing = ""
        try:
            found = self._codes_and_pictures(weights)
            self._require_wanted(weights)
            self.shown = found
        except InputError as error:
            if weights == stamp_of(self.run.path):  # otherwise a trainer has replaced what was being read
                self.missing = _in_a_line(error)
        finally:
            self._weights = replace(self._weights, read=weights)
            if weights == self._given_up:
                self.missing = NOT_READ

    def give_up(self) -> None:
        """Read no more of the newest weights; newer ones are read again. Any thread may call this."""
        self._given_up = self._weights.newest
        self._weights = _Weights(self._given_up, self._given_up)
        self.missing = NOT_READ

    def _require_wanted(self, weights: Stamp) -> None:
        if weights == self._given_up:
            raise Abandoned

    def latest(self) -> LatestStep | None:
        """The newest logged row, with codes and pictures of the weights that were read; None before the first row."""
        if self.history.empty:
            return None
        row = self.history.iloc[-1].to_dict()
        return LatestStep(
            {name: None if math.isnan(value) else float(value) for name, value in row.items()}, self.shown
        )

    def _read_rows(self) -> None:
        rows = file_stamp(self.run.path / "history.csv")
        if rows != self._rows:
            self.history, self._rows = self.run.history(), rows

    def _read_steps(self, is_known: bool) -> None:
        weights = stamp_of(self.run.path)
        read = weights if is_known else self._weights.read
        if weights != self._weights.newest:
            self.is_finished = self.run.is_finished
            checkpoint = self.run.newest_checkpoint()
            self.checkpoint_step = 0 if checkpoint is None else step_of(checkpoint) or 0
        self._weights = _Weights(weights, read)

    def _codes_and_pictures(self, weights: Stamp) -> CodesAndPictures | None:
        """None before the first weights. Raises InputError."""
        if not self.run.finished_steps:
            return None
        tokenizer = self.run.tokenizer()
        self._require_wanted(weights)
        summary = newest_checkpoint_summary(self.run, tokenizer.quantizer.levels)
        self.held_temperature = None if summary is None else summary.held_temperature
        crops, held = self._held_out(), self.held_temperature
        self._require_wanted(weights)
        pictures = None if crops is None else analysis.pictures.reconstruct(tokenizer, crops, held)
        if summary is None or summary.counts is None:
            return CodesAndPictures(None, 1, pictures)
        usage = analysis.usage.of_groups(summary.counts)
        return CodesAndPictures(usage, analysis.usage.codes_per_token(summary.counts), pictures)

    def _held_out(self) -> NDArray[np.uint8] | None:
        if self._crops is None:
            try:
                self._crops = source_of(self.run).held_out(self._pictures).images.numpy()
            except InputError as error:  # they were moved, or changed: what needs none is shown
                self.missing = f"No pictures: {_in_a_line(error)}"
        return self._crops

    def _state(self) -> tuple[object, ...]:
        return self.is_trained_elsewhere, self._rows, self._weights.newest, self.trouble


@dataclass(frozen=True)
class _Weights:
    """Stamps of the newest weights of the folder, and of those that were read; one value, for two threads."""

    newest: Stamp
    read: Stamp


def _in_a_line(error: InputError) -> str:
    return str(error).splitlines()[0]
