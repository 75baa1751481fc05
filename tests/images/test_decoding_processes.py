"""Tests of the processes that decode pictures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.images import decoding_processes, decoding_worker
from lgq_explore.images.cutting import Draw
from lgq_explore.images.decoding import UnusablePicture, read_picture
from lgq_explore.images.decoding_processes import DecodingProcesses
from lgq_explore.images.decoding_processes import decoding_processes as number_of_processes
from lgq_explore.images.decoding_worker import Cut, Wanted
from tests.images.planted import decoding_children, noise

PLAIN = Draw(0.0, 0.0, 0.0, 0.9)
"""The top left corner, not flipped."""


@pytest.fixture
def picture(folder: Path) -> Path:
    noise(1).save(folder / "picture.png")
    return folder / "picture.png"


def wanted(path: Path, draw: Draw | None = PLAIN) -> Wanted:
    return Wanted(str(path), 16, draw)


def crop(answer: Cut | UnusablePicture) -> np.ndarray:
    assert isinstance(answer, Cut)
    return answer.crops[0]


def ended_soon(process: int) -> bool:
    return any(not Path(f"/proc/{process}").exists() or time.sleep(0.1) for _ in range(100))


def test_crops_are_those_of_the_decoded_picture(picture: Path) -> None:
    pixels = read_picture(picture, 128, 16)
    with DecodingProcesses(2) as decoding:
        corner, flipped, grid = decoding.cuts(
            [wanted(picture), wanted(picture, Draw(0, 0.999, 0.999, 0.1)), wanted(picture, None)]
        )
    np.testing.assert_array_equal(crop(corner), pixels[:16, :16].transpose(2, 0, 1))
    np.testing.assert_array_equal(crop(flipped), pixels[-16:, -16:].transpose(2, 0, 1)[:, :, ::-1])
    assert isinstance(grid, Cut)
    assert (grid.height, grid.width, grid.crops.shape) == (40, 48, (1, 3, 16, 16))


def test_a_file_without_a_picture_is_answered_with_the_reason(folder: Path, picture: Path) -> None:
    (folder / "text.png").write_text("no picture")
    with DecodingProcesses(1) as decoding:
        answers = decoding.cuts([wanted(folder / "text.png"), wanted(folder / "gone.png"), wanted(picture)])
    assert [(str(answer), answer.passing) for answer in answers if isinstance(answer, UnusablePicture)] == [
        ("it is not an image", False),
        ("it cannot be read (No such file or directory)", True),
    ]
    assert isinstance(answers[2], Cut)


@pytest.mark.parametrize(
    "name", ["with space.png", "new\nline.png", "湖.png", os.fsdecode(b"latin \xe9.png"), '"quoted".png']
)
def test_names_may_be_odd(folder: Path, picture: Path, name: str) -> None:
    picture.rename(folder / name)
    with DecodingProcesses(1) as decoding:
        assert isinstance(*decoding.cuts([wanted(folder / name)]), Cut)


def test_no_process_is_left_after_the_block(picture: Path) -> None:
    before = set(decoding_children())
    with pytest.raises(KeyboardInterrupt), DecodingProcesses(2) as decoding:  # noqa: PT012
        decoding.cuts([wanted(picture)] * 8)
        assert set(decoding_children()) - before
        raise KeyboardInterrupt
    assert set(decoding_children()) == before
    with pytest.raises(RuntimeError, match="were closed"):
        decoding.cuts([wanted(picture)])


def test_no_process_is_left_of_one_that_is_forgotten(picture: Path) -> None:
    decoding = DecodingProcesses(1)
    decoding.cuts([wanted(picture)])
    (process,) = decoding_children()
    del decoding
    assert ended_soon(process)


def test_a_process_that_was_killed_is_started_again(picture: Path) -> None:
    with DecodingProcesses(1) as decoding:
        before = decoding.cuts([wanted(picture)])
        (process,) = decoding_children()
        os.kill(process, signal.SIGKILL)
        after = decoding.cuts([wanted(picture)])
        assert decoding_children() != [process]
    np.testing.assert_array_equal(crop(*before), crop(*after))


def test_a_picture_that_ends_its_process_is_unusable_and_the_next_one_is_read(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a fault of a decoder's own does. The program is replaced by one that ends at pictures of one name."""
    program = (
        "import os, sys; sys.path[:] = {path!r}; from lgq_explore.images import decoding_worker as worker\n"
        "cut = worker.cut\n"
        "worker.cut = lambda wanted: os.kill(os.getpid(), 11) if 'evil' in wanted.path else cut(wanted)\n"
        "worker.main()"
    )
    monkeypatch.setattr(decoding_processes, "_PROGRAM", program)
    with DecodingProcesses(1) as decoding:
        evil, good = decoding.cuts([wanted(picture.with_name("evil.png")), wanted(picture)])
    assert str(evil) == "the process that decodes it ended by signal 11"
    assert isinstance(evil, UnusablePicture)
    assert evil.passing
    assert isinstance(good, Cut)


@pytest.mark.parametrize("kills", [4, 1000])
def test_a_picture_whose_process_others_kill_is_read_all_the_same_or_training_ends(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """The program is replaced by one that is killed at its first `kills` pictures."""
    killed = tmp_path / "killed"
    program = (
        "import os, sys; sys.path[:] = {path!r}; from lgq_explore.images import decoding_worker as worker\n"
        f"open({str(killed)!r}, 'a').write('x')\n"
        f"if len(open({str(killed)!r}).read()) <= {kills}: os.kill(os.getpid(), 9)\n"
        "worker.main()"
    )
    monkeypatch.setattr(decoding_processes, "_PROGRAM", program)
    with DecodingProcesses(1) as decoding:
        if kills > decoding_processes.TIMES_KILLED:
            with pytest.raises(InputError, match=r"was killed 20 times: free memory, or set LGQ_EXPLORE_DECODERS"):
                decoding.cuts([wanted(picture)])
        else:
            assert isinstance(*decoding.cuts([wanted(picture)]), Cut)
            assert len(killed.read_text()) == kills + 1


def test_no_process_outlives_the_one_that_started_it(picture: Path) -> None:
    """Neither where that one is killed within a picture, nor where it just ends."""
    program = (
        "import sys, time; from lgq_explore.images.decoding_processes import DecodingProcesses, Wanted\n"
        f"decoding = DecodingProcesses(2); decoding.cuts([Wanted({str(picture)!r}, 16)] * 4)\n"
        "print('ready', flush=True); sys.stdin.readline()"
    )
    for end in (subprocess.Popen.kill, lambda process: process.communicate("\n")):
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            children = decoding_children(process.pid)
            assert children
            end(process)
            process.wait()
        assert all(map(ended_soon, children))


def test_a_worker_imports_no_torch(picture: Path) -> None:
    """It would take seconds to start, and a quarter of a gigabyte."""
    program = "import sys; import lgq_explore.images.decoding_worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_large_pictures_are_decoded_one_at_a_time(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_worker, "LARGE", 40 * 48 - 1)
    assert decoding_worker.cut(wanted(picture)).__class__.__name__ == "LargePicture"
    asked = []
    answer = decoding_worker.cut

    def in_this_process(self: object, one: Wanted) -> object:
        asked.append((one.may_be_large, self._one_large.locked()))  # type: ignore[attr-defined]
        return answer(one)

    monkeypatch.setattr(decoding_processes._Decoder, "_tried", in_this_process)
    with DecodingProcesses(2) as decoding:
        assert all(isinstance(answer, Cut) for answer in decoding.cuts([wanted(picture)] * 6))
    assert asked.count((True, True)) == 6
    assert (True, False) not in asked


def test_a_process_that_cannot_be_started_is_an_error_of_two_lines(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    with (
        DecodingProcesses(1) as decoding,
        pytest.raises(InputError, match=r"no process .* No such file or directory\.\n.*LGQ_EXPLORE_DECODERS"),
    ):
        decoding.cuts([wanted(picture)])


def test_their_number_is_that_of_the_variable_or_of_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LGQ_EXPLORE_DECODERS", raising=False)
    for cpus, processes in ((1, 1), (2, 1), (4, 3), (64, 8)):
        monkeypatch.setattr(decoding_processes, "_cpus", lambda cpus=cpus: cpus)
        assert number_of_processes() == processes
    monkeypatch.setenv("LGQ_EXPLORE_DECODERS", "20")
    assert number_of_processes() == 20
    for wrong in ("0", "-1", "many", "²"):
        monkeypatch.setenv("LGQ_EXPLORE_DECODERS", wrong)
        with pytest.raises(InputError, match=f"LGQ_EXPLORE_DECODERS is '{wrong}'"):
            number_of_processes()
