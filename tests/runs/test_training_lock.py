"""Is it seen who trains in a folder, without being in a trainer's way?"""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lgq_explore.runs import training_lock
from lgq_explore.runs.training_lock import AlreadyHeld, held, is_held

HOLDS = """
import sys
from pathlib import Path
from lgq_explore.runs.training_lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_of_another_process_is_seen_until_it_ends(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(tmp_path)
        holder.kill()
    assert not is_held(tmp_path)


def test_a_lock_of_this_process_is_seen_and_looking_does_not_take_it(tmp_path: Path) -> None:
    with held(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(AlreadyHeld), held(tmp_path):
            pass
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    with held(tmp_path):
        pass


def test_a_trainer_that_comes_while_somebody_looks_gets_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_lock, "LONGEST_LOOK_SECONDS", 60.0)  # however late the timer is
    (tmp_path / training_lock.LOCK).touch()
    looking = os.open(tmp_path / training_lock.LOCK, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    threading.Timer(0.05, os.close, [looking]).start()
    with held(tmp_path):
        assert is_held(tmp_path)


def test_a_folder_that_is_gone_or_without_a_lock_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "gone")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*flock")
def test_a_lock_is_seen_on_a_file_system_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", missing)
    with held(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_a_lock_that_can_not_be_asked_for_is_not_said_to_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / training_lock.LOCK).touch()

    def broken(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)
    assert not is_held(tmp_path)
