"""Tests of training on a machine that kills processes, runs out of disk space or loses folders."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lgq_explore import files
from lgq_explore.errors import InputError
from lgq_explore.files import SECONDS_OF_A_DAY, whole_file
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs import run_writer, training_lock
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.loop import LogEvent, resume, train

CONFIG = TrainConfig(
    data="fake",
    image_size=16,
    backbone=BackboneConfig((8, 8, 8), dim=4),
    quantizer=LGQConfig(16),
    steps=8,
    batch_size=3,
    warmup_steps=2,
    log_steps=1,
    checkpoint_steps=2,
    snapshot_steps=2,
)
LAST = "step-00000008"


class Killed(BaseException):
    """Ends the process as far as anything in it can tell."""


@pytest.fixture(scope="module", autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        yield


def trained(path: Path, on_log: object = None) -> Run:
    return train(CONFIG, path, device="cpu", progress=False, on_log=on_log)  # type: ignore[arg-type]


def resumed(path: Path) -> Run:
    return resume(path, device="cpu", progress=False)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("whole") / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_as_uninterrupted(found: Run, expected: Run) -> None:
    """The same weights, byte for byte, the same steps logged, and the same files: nothing is left over or missing."""
    assert contents(found.path).keys() == contents(expected.path).keys()
    assert found.trained().digest == expected.trained().digest
    assert found.history()["loss"].tolist() == expected.history()["loss"].tolist()


# Kills


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose trainer was killed between its last checkpoint and its weights; not to be changed."""
    path = tmp_path_factory.mktemp("killed") / "run"

    def killed(file: Path):
        if file.name == "weights.safetensors" and (file.parent / "checkpoints" / LAST).exists():
            raise Killed
        return whole_file(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_writer, "whole_file", killed)
        with pytest.raises(Killed):
            trained(path)
    return path


@pytest.fixture
def killed_run(killed_once: Path, tmp_path: Path) -> Path:
    """The same, to be resumed."""
    return Path(shutil.copytree(killed_once, tmp_path / "run"))


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file each name stands for, and when it was written."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_whole_checkpoint_is_not_saved_anew(
    uninterrupted: Run, killed_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = killed_run / "checkpoints" / LAST
    before = written(checkpoint)
    assert Run(killed_run).finished_steps == 6
    found = resumed(killed_run)
    assert written(checkpoint) == before
    assert_as_uninterrupted(found, uninterrupted)


def test_a_kill_while_an_old_checkpoint_is_removed_leaves_none_of_it(uninterrupted: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"

    def killed(folder: Path, ignore_errors: bool = False) -> None:
        if ".step-00000004" in str(folder) and not ignore_errors:
            (folder / "state.pt").unlink()
            raise Killed
        real(folder, ignore_errors)

    real = shutil.rmtree
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            trained(path)
    assert sorted(name for name in os.listdir(path / "checkpoints") if name[0] != ".") == ["step-00000006", LAST]
    assert_as_uninterrupted(resumed(path), uninterrupted)


def test_half_of_a_checkpoint_is_not_taken_for_one(uninterrupted: Run, killed_run: Path) -> None:
    (killed_run / "checkpoints" / LAST / "state.pt").unlink()
    newest = RunWriter(killed_run).newest_checkpoint()
    assert newest is not None
    assert newest.name == "step-00000006"
    assert_as_uninterrupted(resumed(killed_run), uninterrupted)


def test_what_killed_writers_left_is_removed_by_the_next_who_trains(uninterrupted: Run, killed_run: Path) -> None:
    left = [".weights.safetensors", "checkpoints/.step-00000008", "codebooks/.step-00000008.npy", "maps/.0a1b.npz"]
    (killed_run / "maps").mkdir()
    for number, name in enumerate(left):
        (killed_run / f"{name}.0123abc{number}").write_bytes(b"half")
    long_ago = time.time() - 2 * SECONDS_OF_A_DAY
    os.utime(killed_run / "maps" / ".0a1b.npz.0123abc3", (long_ago, long_ago))
    (killed_run / "maps" / ".0a1b.npz.0123abcf").write_bytes(b"a panel is writing this")
    found = resumed(killed_run)
    assert os.listdir(killed_run / "maps") == [".0a1b.npz.0123abcf"]
    shutil.rmtree(killed_run / "maps")
    assert_as_uninterrupted(found, uninterrupted)


def test_weights_that_are_not_the_checkpoints_are_brought_up_to_it(uninterrupted: Run, killed_run: Path) -> None:
    (killed_run / "weights.safetensors").unlink()
    assert_as_uninterrupted(resumed(killed_run), uninterrupted)


# Disks and folders


@pytest.mark.parametrize("synced", [5, 12, 20])
def test_a_full_disk_is_told_and_costs_nothing_that_was_kept(
    uninterrupted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: int
) -> None:
    path, room = tmp_path / "run", iter(range(synced))

    def fsync(descriptor: int) -> None:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", fsync)
        with pytest.raises(InputError, match="No space left on device") as told:
            trained(path)
    assert len(str(told.value).splitlines()) == 2
    assert f"lgq-explore resume {path}" in str(told.value)
    assert not [name for name in contents(path) if "/." in name]
    assert_as_uninterrupted(resumed(path), uninterrupted)


def test_a_folder_that_cannot_be_written_is_told(killed_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(killed_run)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(training_lock.FileLock, "acquire", refuse)
    with pytest.raises(InputError, match=r"can't be written: Permission denied") as told:
        resumed(killed_run)
    assert len(str(told.value).splitlines()) == 2
    assert contents(killed_run) == before


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_folder_that_is_deleted_does_not_come_back_in_half(tmp_path: Path, step: int) -> None:
    def delete(event: LogEvent) -> None:
        if event.row["step"] == step:
            shutil.rmtree(tmp_path / "run")

    with pytest.raises(InputError, match="was deleted or replaced while it was trained") as told:
        trained(tmp_path / "run", delete)
    assert len(str(told.value).splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


def test_another_run_that_took_the_place_of_this_one_is_left_alone(uninterrupted: Run, tmp_path: Path) -> None:
    def replace_run(event: LogEvent) -> None:
        if event.row["step"] == 3:
            shutil.rmtree(tmp_path / "run")
            shutil.copytree(uninterrupted.path, tmp_path / "run")

    with pytest.raises(InputError, match="was deleted or replaced"):
        trained(tmp_path / "run", replace_run)
    assert contents(tmp_path / "run") == contents(uninterrupted.path)


def test_a_name_that_is_no_utf8_trains_and_opens(uninterrupted: Run, killed_once: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xe4uft"))
    shutil.copytree(killed_once, path)
    found = resumed(path)
    assert found.is_finished
    assert found.trained().digest == uninterrupted.trained().digest


# Damage


@pytest.mark.parametrize("part", ["state.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"half", b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_named(killed_run: Path, part: str, content: bytes) -> None:
    (killed_run / "checkpoints" / LAST / part).write_bytes(content)
    before = contents(killed_run)
    with pytest.raises(InputError, match=rf"{LAST} can't be read.*\nDelete it and resume the run") as told:
        resumed(killed_run)
    assert len(str(told.value).splitlines()) == 2
    assert contents(killed_run) == before
