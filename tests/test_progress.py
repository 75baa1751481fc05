"""Tests of progress on streams of all kinds, and in a notebook."""

from __future__ import annotations

import errno
import io
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from lgq_explore import progress
from lgq_explore.progress import Progress, tell


class Broken(io.StringIO):
    """A stream whose every write fails, as a pipe without a reader or a full disk does."""

    encoding = "utf-8"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.attempts = 0

    def write(self, text: str) -> int:
        self.attempts += 1
        raise self.error


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def work(steps: int = 3) -> int:
    done = 0
    with Progress("lgq, 16 codes", total=steps, unit="images") as bar:
        for _ in range(steps):
            done += 1
            bar.advance()
            bar.note("loss 0.5")
    tell("finished")
    return done


FAILURES = {
    "reader gone": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "closed meanwhile": ValueError("I/O operation on closed file"),
}


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES.keys())
def test_work_goes_on_where_nothing_can_be_written(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Broken(error)
    monkeypatch.setattr(sys, "stderr", stream)
    assert work() == 3
    assert stream.attempts > 0


def test_work_goes_on_without_a_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert work() == 3
    assert capsys.readouterr().out == ""


def test_work_goes_on_where_stderr_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert work() == 3


def test_a_log_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    work()
    written = stream.getvalue()
    assert "\r" not in written
    lines = written.splitlines()
    assert all("lgq, 16 codes" in line for line in lines[:-1])
    assert ["0/3" in lines[0], "1/3" in lines[1], "3/3" in lines[-2], lines[-1]] == [True, True, True, "finished"]
    assert "loss 0.5" in lines[-2]


def test_a_log_gets_no_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 3600.0)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    work(steps=1000)
    assert [line.split("|")[-1].split()[0] for line in stream.getvalue().splitlines()] == [
        "0/1000",
        "1000/1000",
        "finished",
    ]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    work()
    assert stream.getvalue().startswith("\rlgq, 16 codes:")
    assert stream.getvalue().count("\n") == 2


def test_work_that_learns_on_its_way_how_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("spreading codes", total=None, unit="rounds") as bar:
        bar.move_to(2, 8)
        bar.move_to(8, 8)
        bar.move_to(1, 3)
    assert [line.split("|")[-1].split()[0] for line in stream.getvalue().splitlines()] == ["0/8", "8/8", "0/3", "1/3"]


def test_a_stream_of_another_encoding_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    tell("café: 3 files")
    assert raw.getvalue() == b"caf\\xe9: 3 files\n"


def test_nothing_is_written_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("quiet", total=2, unit="steps", shown=False) as bar:
        bar.move_to(1, 4)
        bar.note("nothing")
        bar.advance()
    assert stream.getvalue() == ""


def test_quick_work_may_leave_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("gathering tokens", total=2, unit="tokens", delay=3600.0) as bar:
        bar.advance(2)
    with Progress("spreading codes", total=None, unit="rounds", delay=3600.0) as bar:
        bar.move_to(1, 2)
    assert stream.getvalue() == ""


def test_a_cell_gets_one_line_of_text_that_stays_when_the_kernel_is_gone() -> None:
    bar = "from lgq_explore.progress import Progress\nwith Progress('lgq, 16 codes', 3, 'images') as bar:\n    "
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{bar}bar.advance(); bar.advance(2)")])
    NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data.keys() == {"text/plain"}
    assert output.data["text/plain"].startswith("lgq, 16 codes: 100%")
    assert "3/3" in output.data["text/plain"]


def left(bar: Progress, seconds: float, more: int) -> str:
    """What a bar says is left when `more` units were done in so many seconds."""
    told = bar._bar.format_dict
    line = bar._bar.format_meter(**told | {"elapsed": seconds, "n": told["n"] + more, "rate": None})
    return line.partition("<")[2].partition(",")[0]


def test_a_forecast_counts_only_what_was_done_since_it_began() -> None:
    """10 of 100 units a second apart: 90 s, whatever was done before."""
    with Progress("restarted", 1000, "units", done=900, delay=9) as bar:
        assert left(bar, 10.0, 10) == "01:30"
    with Progress("with others", 1000, "units", delay=9) as bar:
        bar.advance(10)
        bar.found_done(890)
        assert left(bar, 20.0, 10) == "01:30"


def test_what_others_did_counts_as_done_where_nothing_is_shown() -> None:
    with Progress("hidden", 10, "units", shown=False) as bar:
        bar.found_done(4)
        assert bar._bar.n == 4
