"""Where a run stands, and what can be done with it now, in the words of the training monitor."""

from __future__ import annotations

from dataclasses import dataclass

from ..parts.work.trainer_thread import State
from .latest_step import LatestStep
from .reader import RunReader
from .trainer import Trainer

ERROR_LINES = 2
ELSEWHERE = "Another process or panel trains this run: what it logs appears here."
STOPPING = "Stopping: the step that is being made is finished and saved …"
BEFORE_THE_FIRST_STEP = (
    "Loading the pictures and spreading the first codebook over them: the charts come with the first step."
)
READING = "Reading codes and pictures of its newest checkpoint …"
"""Said while a run rests, when Stop ends that."""
CELLS_BELOW = "Cells below use the run as it was saved at step {:,d}: run them again after Resume."
"""Said where training was stopped here: the cell that waited for it is done, and Run All goes on."""
NOTHING_YET = "Nothing to see yet: press Start, or run a cell with run = await monitor.train()."


@dataclass(frozen=True)
class Situation:
    """What a monitor says and allows.

    label: in a word or two. is_training: whether steps are being made, here or elsewhere. told: one or two lines; empty
    where nothing is to be said. is_error: whether they tell what went wrong. why_not_steered: why the temperature can't
    be held now; empty where it can.
    """

    label: str
    is_training: bool = False
    told: str = ""
    is_error: bool = False
    can_start: bool = False
    can_stop: bool = False
    can_resume: bool = False
    why_not_steered: str = ""


def situation_of(trainer: Trainer, reader: RunReader | None, latest: LatestStep | None) -> Situation:
    """Of a run that this trainer trains, or has opened, and that `reader` reads while it doesn't train."""
    if trainer.state is State.TRAINING:
        return _training(trainer, latest)
    if reader is not None and reader.trouble:
        return Situation("not readable", told=reader.trouble, is_error=True, why_not_steered="the run can't be read")
    if reader is not None and reader.is_trained_elsewhere:
        return Situation(
            "training elsewhere", is_training=True, told=ELSEWHERE, why_not_steered="another process trains this run"
        )
    if trainer.error is not None:
        told = in_two_lines(trainer.error)
        return Situation(
            State.FAILED, told=told, is_error=True, can_start=trainer.can_start, can_resume=trainer.can_resume
        )
    reads = reader is not None and reader.is_behind
    missing = "" if reader is None else READING if reads else reader.missing
    if trainer.state is State.FINISHED or (reader is not None and reader.is_finished):
        return Situation(State.FINISHED, told=missing, can_stop=reads, why_not_steered="the run is finished")
    if trainer.run is None:
        return Situation(trainer.state, told=NOTHING_YET, can_start=trainer.can_start)
    told = "\n".join(said for said in (_where_it_goes_on(reader, latest), _of_cells(trainer, reader), missing) if said)
    return Situation(State.STOPPED, told=told, can_stop=reads, can_resume=trainer.can_resume)


def in_two_lines(error: BaseException) -> str:
    """What an error says, or its type; the cell that awaits shows the rest."""
    return "\n".join((str(error) or type(error).__name__).splitlines()[:ERROR_LINES])


def _training(trainer: Trainer, latest: LatestStep | None) -> Situation:
    told = STOPPING if trainer.is_stopping else BEFORE_THE_FIRST_STEP if latest is None else ""
    return Situation(State.TRAINING, is_training=True, told=told, can_stop=not trainer.is_stopping)


def _of_cells(trainer: Trainer, reader: RunReader | None) -> str:
    """What a stop means for the cells after one that waited for the end of training."""
    if trainer.state is not State.STOPPED or reader is None or not reader.checkpoint_step:
        return ""
    return CELLS_BELOW.format(reader.checkpoint_step)


def _where_it_goes_on(reader: RunReader | None, latest: LatestStep | None) -> str:
    if reader is None:
        return ""
    if not reader.checkpoint_step:
        return "It has no checkpoint yet: Resume begins with the first step."
    logged = 0 if latest is None else latest.row["step"] or 0
    if logged > reader.checkpoint_step:
        return (
            f"It was cut off at step {logged:.0f}: Resume goes on from the checkpoint of step "
            f"{reader.checkpoint_step}, whose codes and pictures are shown."
        )
    if logged == reader.checkpoint_step:
        return f"Resume goes on from step {reader.checkpoint_step}."
    return f"Resume goes on from step {reader.checkpoint_step}; step {logged:.0f} is the last one that was logged."
