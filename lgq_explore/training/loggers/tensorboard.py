"""History to TensorBoard: event files in the run's folder, which `tensorboard --logdir data/runs` shows.

They are written by tensorboardX, which needs neither TensorFlow nor TensorBoard where a run is trained.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import LoggedRun

FOLDER = "tensorboard"
"""In the run's folder."""


class TensorBoard:
    """A scalar for each column. A run that continues hides what it had logged after its checkpoint."""

    def __init__(self, run: LoggedRun) -> None:
        from tensorboardX import SummaryWriter

        folder = run.path / FOLDER
        sessions = len(list(folder.glob("*")))
        # tensorboardX names files by the second, and empties a file of the same name.
        self._writer = SummaryWriter(
            logdir=str(folder),
            purge_step=run.step + 1 if sessions else None,
            filename_suffix=f".{sessions}",
        )

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()  # so that TensorBoard shows a step when it is made, and a killed run loses none

    def close(self) -> None:
        self._writer.close()
