"""Are the joules of a run in its history, over all its sessions, and absent where a machine can't count?"""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.training.controls import Controls
from lgq_explore.training.energy import PARTS, PROCESSORS, EnergyMeter, joules_of
from lgq_explore.training.energy.processors import processor_counters
from lgq_explore.training.loop import LogEvent, resume, train
from tests.analysis.runs_folder import SOFT
from tests.training.energy.powercap import count, plant

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

JOULES_A_STEP = 2.5


class Machine:
    """A machine with one package, which counts after each logged step; the last of a session comes too late."""

    def __init__(self, powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.powercap, self.spent = powercap, 0
        plant(powercap, "intel-rapl:0", "package-0", 0, 10**9)
        monkeypatch.setattr(
            "lgq_explore.training.loop.energy_meter", lambda _: EnergyMeter(processor_counters(powercap))
        )

    def on_log(self, event: LogEvent) -> None:
        self.spent += int(JOULES_A_STEP * 1e6)
        count(self.powercap, "intel-rapl:0", self.spent)


def test_joules_of_all_sessions_are_in_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, controls = Machine(tmp_path / "powercap", monkeypatch), Controls()

    def stop_at_two(event: LogEvent) -> None:
        machine.on_log(event)
        if event.row["step"] == 2:
            controls.stop()

    run = train(SOFT, tmp_path / "run", device="cpu", on_log=stop_at_two, controls=controls, progress=False)
    assert run.history()[PROCESSORS].tolist() == [0.0, JOULES_A_STEP]
    run = resume(run.path, device="cpu", on_log=machine.on_log, progress=False)
    # What was counted after the second step, while it was saved, belongs to the first session.
    assert run.history()[PROCESSORS].tolist() == [JOULES_A_STEP * number for number in (0, 1, 2, 3)]
    assert joules_of(run) == {PROCESSORS: 3 * JOULES_A_STEP}


def test_a_session_that_can_t_count_makes_the_sum_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, controls = Machine(tmp_path / "powercap", monkeypatch), Controls()

    def stop(event: LogEvent) -> None:
        machine.on_log(event)
        controls.stop()

    run = train(SOFT, tmp_path / "run", device="cpu", on_log=stop, controls=controls, progress=False)
    assert joules_of(run) == {PROCESSORS: 0.0}
    monkeypatch.setattr("lgq_explore.training.loop.energy_meter", lambda _: EnergyMeter())
    assert joules_of(resume(run.path, device="cpu", progress=False)) == {}


def test_where_nothing_is_counted_there_is_no_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lgq_explore.training.loop.energy_meter", lambda _: EnergyMeter())
    run = train(SOFT, tmp_path / "run", device="cpu", progress=False)
    assert not set(PARTS) & set(run.history())
    assert joules_of(run) == {}
