"""Tests of files of benchmark results."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from lgq_explore import InputError
from lgq_explore.bench.results import device_name, read_result, results_folder, save_result, today
from lgq_explore.files import whole_file

RESULT = {"benchmark": "quantizers", "date": "2020-02-29", "device": "a machine", "results": [{"psnr_db": 21.0}]}


def test_results_are_dated_and_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    first = save_result(RESULT, folder)
    kept = first.read_bytes()
    second = save_result({**RESULT, "device": "another"}, folder)
    third = save_result(RESULT, folder)
    names = ["2020-02-29-quantizers.json", "2020-02-29-quantizers-2.json", "2020-02-29-quantizers-3.json"]
    assert [path.name for path in (first, second, third)] == names
    assert first.read_bytes() == kept
    assert json.loads(kept) == RESULT
    assert json.loads(second.read_bytes())["device"] == "another"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_two_results_of_one_moment_are_both_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another benchmark takes the free name after this one has written its result, before it has its name."""

    @contextmanager
    def first_another(path: Path) -> Iterator[BinaryIO]:
        with whole_file(path) as target:
            yield target
        if not (tmp_path / "2020-02-29-quantizers.json").exists():
            (tmp_path / "2020-02-29-quantizers.json").write_text("another's")

    monkeypatch.setattr("lgq_explore.bench.results.whole_file", first_another)
    assert save_result(RESULT, tmp_path).name == "2020-02-29-quantizers-2.json"
    assert (tmp_path / "2020-02-29-quantizers.json").read_text() == "another's"
    assert len(list(tmp_path.iterdir())) == 2


def test_results_find_no_room_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lgq_explore.files.os.fsync", full)
    with pytest.raises(InputError, match="can't hold results: No space left on device"):
        save_result(RESULT, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_result_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = save_result(RESULT, tmp_path)
    assert read_result(path, "quantizers") == RESULT
    with pytest.raises(InputError, match=r"quantizers\.json is not a result of lgq-explore bench training"):
        read_result(path, "training")
    with pytest.raises(InputError, match="can't be read"):
        read_result(tmp_path / "lost.json", "quantizers")


def test_a_folder_that_can_not_hold_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("not mine")
    with pytest.raises(InputError, match="a-file can't hold results"):
        results_folder(tmp_path / "a-file")
    assert (tmp_path / "a-file").read_text() == "not mine"
    assert list(results_folder(tmp_path / "new").iterdir()) == []


def test_a_cpu_is_told_with_the_threads_that_were_used_and_a_gpu_by_its_name() -> None:
    assert device_name("cpu", 1).endswith(", 1 thread")
    assert device_name("cpu", 3).endswith(", 3 threads")
    assert device_name("NVIDIA H200", 1) == "NVIDIA H200"


def test_the_date_is_that_of_utc() -> None:
    before = datetime.now(UTC).date()
    assert before <= date.fromisoformat(today()) <= datetime.now(UTC).date()
