"""Tests of the processes of a sweep: failures, other sweeps on the same folder, interrupts and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lgq_explore.cli import main
from lgq_explore.errors import InputError
from lgq_explore.runs.run import open_run
from lgq_explore.sweeps import Plan, Workers, frame, processes, run_sweep, running, summaries
from lgq_explore.sweeps.folder import FORMAT, SweepFolder
from lgq_explore.sweeps.processes import TAKEN, cores
from lgq_explore.sweeps.work import work_on
from tests.sweeps.toy import TOY, UNTUNED, planned

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

STUB = """
import json, os, sys, time
key, path, times, status = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
with open(times, "a") as log:
    log.write(f"{key} {os.environ['OMP_NUM_THREADS']}\\n")
print("a line before", "the last line", sep="\\n", file=sys.stderr)
if status == 1000:
    os.kill(os.getpid(), 9)
if status == 2000:
    sys.stdin.buffer.read()
    time.sleep(0.05)
    open(times, "a").write("stopped\\n")
    sys.exit(130)
if status:
    sys.exit(status)
json.dump({"format": %d, "numbers": {"psnr_db": float(len(key))}, "portable_hash": key[:12]}, open(path, "w"))
"""

STOPS_WITH_STDIN, KILLS_ITSELF = 2000, 1000


class Stubs:
    """Processes that train nothing: each writes its summary, or ends with a status."""

    def __init__(self, plan: Plan, times: Path) -> None:
        self.plan, self.times = plan, times
        self.status: dict[int, int] = {}
        times.touch()

    def command(self, file: Path, out: Path, number: int, device: str, data: str | None) -> list[str]:
        key = self.plan.decided(self.plan.cells[number]).key
        path, status = self.plan.folder.summaries / f"{key}.json", self.status.get(number, 0)
        return [sys.executable, "-c", STUB % FORMAT, key, str(path), str(self.times), str(status)]

    def started(self) -> list[str]:
        return self.times.read_text().splitlines()


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stubs:
    made = Stubs(planned(tmp_path, UNTUNED), tmp_path / "times")
    monkeypatch.setattr(running, "command", made.command)
    return made


def test_all_cells_are_worked_on_once_each_with_its_share_of_the_cores(stubs: Stubs) -> None:
    outcome = run_sweep(stubs.plan, Workers(jobs=3, threads=2))
    assert sorted(outcome.done) == [cell.number for cell in stubs.plan.cells]
    assert sorted(stubs.started()) == sorted(f"{stubs.plan.decided(cell).key} 2" for cell in stubs.plan.cells)
    again = run_sweep(stubs.plan, Workers())
    assert (again.done, len(again.done_before)) == ([], 10)
    assert len(stubs.started()) == 10


def test_the_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    assert (cores(), Workers.sharing(2).threads, Workers.sharing(20).threads, Workers.sharing(2, 3).threads) == (
        9,
        4,
        1,
        3,
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert Workers.sharing(2).threads == 2
    for jobs, threads in ((0, None), (1, 0)):
        with pytest.raises(InputError, match="give 1 or more"):
            Workers.sharing(jobs, threads)


@pytest.mark.parametrize(
    ("status", "told"),
    [(2, "a line before\nthe last line"), (KILLS_ITSELF, "the last line\nits process was ended by signal 9")],
)
def test_a_cell_that_fails_does_not_end_the_others_and_is_tried_again(stubs: Stubs, status: int, told: str) -> None:
    stubs.status[3] = status
    outcome = run_sweep(stubs.plan, Workers(jobs=2), on_failure=lambda *_: None)
    assert list(outcome.failed) == [3]
    assert outcome.failed[3].endswith(told)
    assert len(outcome.done) == 9
    assert frame(stubs.plan.folder.path)["state"].tolist().index("failed") == 3
    stubs.status.clear()
    assert run_sweep(stubs.plan, Workers()).done == [3]


def test_final_cells_whose_trials_failed_fail_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubs = Stubs(planned(tmp_path, TOY), tmp_path / "times")
    monkeypatch.setattr(running, "command", stubs.command)
    stubs.status[0] = 2
    outcome = run_sweep(stubs.plan, Workers(jobs=2), on_failure=lambda *_: None)
    failed = {stubs.plan.cells[number].method.name for number in outcome.failed}
    assert failed == {"lgq"}
    assert outcome.failed[4] == "it needs trials that failed: cells 0"
    assert len(outcome.done) == 3 + 4 + 2


def when(condition: Callable[[], object], action: Callable[[], object]) -> None:
    """Do it in a thread as soon as the condition holds."""

    def watch() -> None:
        while not condition():
            time.sleep(0.02)
        action()

    threading.Thread(target=watch, daemon=True).start()


def test_cells_of_another_sweep_are_left_to_it_and_taken_over_when_it_ends(
    stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SECONDS_UNTIL_ANOTHER_TRY", 0.05)
    key = stubs.plan.decided(stubs.plan.cells[1]).key
    let_go = threading.Event()

    def hold() -> None:
        with SweepFolder(stubs.plan.folder.path).claimed(key):
            held.set()
            let_go.wait()

    held = threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    when(lambda: len(list(stubs.plan.folder.summaries.glob("*.json"))) == 9, let_go.set)
    outcome = run_sweep(stubs.plan, Workers(jobs=2))
    other.join()
    assert outcome.done[-1] == 1
    assert len(outcome.done) == 10


def test_a_process_that_finds_its_cell_taken_is_no_failure(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS_UNTIL_ANOTHER_TRY", 0.05)
    stubs.status[0] = TAKEN
    when(stubs.started, stubs.status.clear)  # the first cell's process has begun, and ends with its status
    outcome = run_sweep(stubs.plan, Workers())
    assert not outcome.failed
    assert len(stubs.started()) > 10


def test_an_interrupt_stops_all_processes(stubs: Stubs) -> None:
    """Processes that are asked to stop end; none is left."""
    stubs.status = {0: STOPS_WITH_STDIN, 1: STOPS_WITH_STDIN}

    ended = threading.Event()

    def interrupt() -> None:
        while len(stubs.started()) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        while not ended.wait(20):  # Python drops an exception that a signal raises while it collects garbage
            os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_sweep(stubs.plan, Workers(jobs=2))
    finally:
        ended.set()
        interrupting.join()
    assert len(stubs.started()) == 2  # SIGTERM ended them before their input did


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None
        time.sleep(0.02)


PARENT = """
import sys
from pathlib import Path
from lgq_explore.sweeps import Plan, Workers, run_sweep
plan = Plan.read(Path(sys.argv[1]), Path(sys.argv[2]))
run_sweep(plan, Workers())
"""


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9 of the parent in the second cell: its process saves and ends, the first cell is not repeated, and the
    second one gets the numbers of an uninterrupted sweep."""
    smaller: Sequence[tuple[str, str]] = (
        ("codebook_sizes = [16, 64]", "codebook_sizes = [16]"),
        ("seeds = 2", "seeds = 1"),
        ("[methods.none]\nreference = true\n", ""),
        ("steps = 4", "steps = 60"),
    )
    (tmp_path / "whole").mkdir()
    plan = planned(tmp_path, UNTUNED, *smaller)
    first = work_on(plan, plan.cells[0], "cpu")
    run = plan.folder.run(plan.decided(plan.cells[1]).key)
    command = [sys.executable, "-c", PARENT, str(plan.file), str(plan.folder.path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(processes.__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as parent:
        wait_for(lambda: list((run / "checkpoints").glob("step-*")), parent)
        parent.kill()
    folder, key = plan.folder, plan.decided(plan.cells[1]).key
    until = time.monotonic() + 60
    while folder.is_claimed(key):
        assert time.monotonic() < until
        time.sleep(0.05)
    stopped_at, began = open_run(run).finished_steps, (run / "config.json").stat().st_mtime_ns
    assert 0 < stopped_at < 60
    assert len(summaries(folder.path)) == 1

    outcome = run_sweep(Plan.read(plan.file, folder.path), Workers())
    assert (outcome.done_before, outcome.done, outcome.failed) == ([0], [1], {})
    assert (run / "config.json").stat().st_mtime_ns == began
    assert folder.summary(plan.decided(plan.cells[0]).key) == first
    uninterrupted = planned(tmp_path / "whole", UNTUNED, *smaller)
    whole = work_on(uninterrupted, uninterrupted.cells[1], "cpu")
    resumed = folder.summary(key)
    assert resumed is not None
    assert resumed["numbers"] == whole["numbers"]
    assert resumed["photographs"] == whole["photographs"]


def test_the_command_checks_prints_its_plan_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = planned(tmp_path, UNTUNED, ("codebook_sizes = [16, 64]", "codebook_sizes = [16]")).file
    assert main(["sweep", str(file), "--out", str(tmp_path / "new"), "--jobs", "2", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "6 cells, 0 of them done" in told
    assert "with 2 jobs of" in told
    assert "split.held_out is 0" not in told
    assert {line.split("|")[1].strip() for line in told.splitlines() if "|" in line} >= {"lgq", "fsq", "none"}
    assert not (tmp_path / "new").exists()


def test_the_command_works_on_one_cell_and_says_what_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(tmp_path, TOY)
    arguments = ["sweep", str(plan.file), "--out", str(plan.folder.path)]
    assert main([*arguments, "--cell", "1", "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "fsq"
    assert main([*arguments, "--cell", "5"]) == TAKEN
    assert "needs trials that are not done: work on cells 3 first" in capsys.readouterr().err
    assert main([*arguments, "--cell", "99"]) == 2
    assert "there is no cell 99" in capsys.readouterr().err
    assert main([*arguments, "--status", "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["state"] for cell in cells[:3]] == ["waiting", "done", "waiting"]
    assert main([*arguments, "--status", "--dry-run"]) == 2
    assert "--dry-run and --status: give one of them" in capsys.readouterr().err


def test_the_command_ends_with_1_if_a_cell_failed(
    stubs: Stubs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lgq_explore.sweeps.forecast.forecast", lambda *_, **__: "a plan")
    monkeypatch.setattr(Plan, "check", lambda *_: "")
    stubs.status[0] = 2
    arguments = ["sweep", str(stubs.plan.file), "--out", str(stubs.plan.folder.path)]
    assert main(arguments) == 1
    assert "failed: cell 0 (lgq, K = 16, seed 0): the last line" in capsys.readouterr().err
    stubs.status.clear()
    assert main(arguments) == 0


@pytest.mark.slow
def test_a_cell_is_a_job_of_submitit(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    from lgq_explore.sweeps.cluster import submit, submittable

    plan = planned(tmp_path, UNTUNED, ("[evaluation]", '[cluster]\ncluster = "local"\ntimeout_min = 5\n\n[evaluation]'))
    cells = submittable(plan)
    assert [cell.number for cell in cells] == list(range(10))
    (job,) = submit(plan, cells[1:2], Workers(devices=("cpu",)))
    job.result()
    assert plan.is_done(cells[1])
    assert [cell.number for cell in submittable(plan)] == [0, *range(2, 10)]


def test_options_that_a_cluster_does_not_have_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    from lgq_explore.sweeps.cluster import submit

    plan = planned(tmp_path, UNTUNED, ("[evaluation]", '[cluster]\ncluster = "local"\nminutes = 5\n\n[evaluation]'))
    with pytest.raises(InputError, match=r"\[cluster\] can't be used"):
        submit(plan, plan.cells[:1], Workers())
