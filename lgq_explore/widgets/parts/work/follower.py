"""How a panel follows training in a thread, from the kernel's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any, Generic

from lgq_explore.errors import InputError

from ...panel import Panel
from .kernel_loop import KernelLoop, log_defect, running_loop
from .trainer_thread import Result, State, TrainerThread

POLL_SECONDS = 0.1
DRAWING_SHARE = 0.25
"""Largest share of time spent drawing, which holds the GIL."""


class Follower(Generic[Result]):
    """Starts trainers for a panel, and has the panel draw what is new until they end.

    panel: its saved pictures are renewed at the end. name: what messages call it. in_a_script: what messages recommend
    where no event loop runs. show: draws what is new. report: shows why a click could not start anything, or what could
    not be drawn.
    """

    def __init__(
        self,
        panel: Panel,
        name: str,
        in_a_script: str,
        show: Callable[[], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._panel, self._name, self._in_a_script = panel, name, in_a_script
        self._show, self._report = show, report
        self._kernel_loop = KernelLoop()
        self._trainer: TrainerThread[Any, Result] | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def is_training(self) -> bool:
        return self._trainer is not None and self._trainer.state is State.TRAINING

    def require_idle(self) -> None:
        """Raises InputError where this panel trains already."""
        if self.is_training:
            raise InputError(f"this {self._name} is training already: press Stop, or await {self._name}.finished()")

    def begin(self, trainer: TrainerThread[Any, Result], start: Callable[[], None]) -> None:
        """Start a trainer, and follow it in the event loop that runs here. Raises InputError, also that of `start`."""
        loop = running_loop()
        if loop is None:
            raise InputError(
                f"{self._name}.start() needs an event loop, as in a notebook; in a script use {self._in_a_script}"
            )
        self.require_idle()
        start()
        self._trainer = trainer
        self._following = loop.create_task(self._follow(trainer))

    def clicked(self, begin: Callable[[], None]) -> None:
        """Begin where the cells run: a click may arrive in another thread. What is wrong is shown in the panel."""
        self._kernel_loop.soon(lambda: self._begin_and_report(begin))

    def stop(self) -> None:
        """Ask the trainer to end after its step."""
        if self._trainer is not None:
            self._trainer.stop()

    async def finished(self) -> Result:
        """Wait for the trainer's end and the last drawing; return its result, or raise what ended it.

        An interrupt of the kernel stops the trainer after its step, and is raised when that is saved and drawn.
        """
        trainer, following = self._trainer, self._following
        if trainer is None or following is None:
            raise InputError(f"nothing is training here: call {self._name}.start() first")
        try:
            await asyncio.shield(following)
        except asyncio.CancelledError:  # the kernel was interrupted
            trainer.stop()
            await asyncio.shield(following)
            raise
        if trainer.error is not None:
            raise trainer.error
        assert trainer.result is not None
        return trainer.result

    async def _follow(self, trainer: TrainerThread[Any, Result]) -> None:
        """Draw what is new until the trainer's thread ends, and once more then."""
        draw_again = perf_counter()
        try:
            while trainer.state is State.TRAINING:
                started = perf_counter()
                if started >= draw_again:
                    self._show_or_report()
                    drawn = perf_counter()
                    draw_again = drawn + (drawn - started) * (1 / DRAWING_SHARE - 1)
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            trainer.stop()  # nobody watches any more
            raise
        self._show_or_report()
        await self._panel.pictures_renewed()

    def _show_or_report(self) -> None:
        """Training goes on where it can't be drawn."""
        try:
            self._show()
        except Exception as error:
            self._report(error)
            log_defect(f"the {self._name} can't be drawn", error)

    def _begin_and_report(self, begin: Callable[[], None]) -> None:
        try:
            begin()
        except InputError as error:
            self._report(error)
