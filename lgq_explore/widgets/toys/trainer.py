"""Training of a toy in a thread, which a panel follows."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pandas as pd

from lgq_explore.analysis.toys.fits import ToyEvent, ToyFit, ToySetting, fit_toy
from lgq_explore.quantizers import Quantizer

from ..parts.work.trainer_thread import TrainerThread


@dataclass(frozen=True, eq=False)
class ToyProgress:
    """The newest logged step: a copy of the quantizer, in eval mode, and the curve up to it."""

    quantizer: Quantizer
    curve: pd.DataFrame


class ToyTrainer(TrainerThread[ToyProgress, ToyFit]):
    """One setting and the thread that learns it."""

    def __init__(self, setting: ToySetting) -> None:
        super().__init__()
        self.setting = setting
        self._rows: list[dict[str, float]] = []

    def start(self) -> None:
        """Begin. Raises InputError where another panel trains in this process."""
        self.begin(lambda: fit_toy(self.setting, on_log=self._take, controls=self.controls))

    def is_whole(self, result: ToyFit) -> bool:
        return result.fitted.finished_steps >= self.setting.steps

    def _take(self, event: ToyEvent) -> None:
        self._rows.append(event.row)
        self.publish(ToyProgress(copy.deepcopy(event.quantizer), pd.DataFrame(self._rows)))
