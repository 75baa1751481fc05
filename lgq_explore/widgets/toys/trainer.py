"""Training of a toy in a thread, which a panel follows."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass

import pandas as pd

from lgq_explore.analysis.toys.fits import ToyEvent, ToyFit, ToySetting, fit_toy
from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer
from lgq_explore.training.controls import Controls

from ..training.trainer import State, one_at_a_time


@dataclass(frozen=True, eq=False)
class ToyProgress:
    """The newest logged step: a copy of the quantizer, in eval mode, and the curve up to it."""

    quantizer: Quantizer
    curve: pd.DataFrame


class ToyTrainer:
    """One setting and the thread that learns it. It touches no widget: who draws asks for the newest progress."""

    def __init__(self, setting: ToySetting) -> None:
        self.setting = setting
        self._controls = Controls()
        self._lock = threading.Lock()
        self._rows: list[dict[str, float]] = []
        self._newest: ToyProgress | None = None
        self._fit: ToyFit | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="toy trainer", daemon=True)

    @property
    def state(self) -> State:
        with self._lock:
            if self._error is not None:
                return State.FAILED
            if self._fit is not None:
                whole = self._fit.fitted.finished_steps >= self.setting.steps
                return State.FINISHED if whole else State.STOPPED
        return State.TRAINING if self._thread.ident is not None else State.NEW

    @property
    def fit(self) -> ToyFit | None:
        """What was learned, once the thread has ended."""
        with self._lock:
            return self._fit

    @property
    def error(self) -> BaseException | None:
        with self._lock:
            return self._error

    def newest(self) -> ToyProgress | None:
        with self._lock:
            return self._newest

    def start(self) -> None:
        """Begin. Raises InputError where another trainer is at work in this process."""
        if not one_at_a_time.acquire(blocking=False):
            raise InputError("something else is training in this kernel: wait for it, or press its Stop")
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after its step, and keep what it has learned."""
        self._controls.stop()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        fit, failed = None, None
        try:
            fit = fit_toy(self.setting, on_log=self._take, controls=self._controls)
        except BaseException as error:  # the thread's end: the panel says what went wrong
            failed = error
        finally:
            one_at_a_time.release()  # before the state says so: the next may start at once
        with self._lock:
            self._fit, self._error = fit, failed

    def _take(self, event: ToyEvent) -> None:
        self._rows.append(event.row)
        progress = ToyProgress(copy.deepcopy(event.quantizer), pd.DataFrame(self._rows))
        with self._lock:
            self._newest = progress
