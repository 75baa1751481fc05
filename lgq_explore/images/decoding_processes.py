"""Processes that decode pictures while others compute.

They are programs of their own and no copies of the calling process: it may have threads, a GPU and a main module that
must not run a second time. They share nothing with it but two pipes, and end with these.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from ..errors import InputError, printable
from .decoding import LargePicture, UnusablePicture
from .decoding_worker import Answer, Cut, Wanted, read_answer

VARIABLE = "LGQ_EXPLORE_DECODERS"
"""The variable of the environment that says how many processes decode."""
MOST = 8
"""The most processes unless the variable says otherwise; each takes some 50 MB."""
TIMES = 2
"""How often a picture is given to a process that ends over it by itself, before it counts as unusable."""
TIMES_KILLED = 20
"""How often a picture is given to a process that others end, before training ends. Which pictures are used must not
depend on who kills what, such as a system that is short of memory."""
KILLED = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT)
"""The exit status of a process that was ended by others."""

LONGEST_WAIT_SECONDS = 0.2
"""The longest wait before an exception set by another thread can be raised in the waiting one."""

# The modules are found where this process finds them, whatever folder it works in.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from lgq_explore.images.decoding_worker import main; main()"
# NumPy's own threads would have nothing to do there.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def decoding_processes() -> int:
    """How many processes to decode with: $LGQ_EXPLORE_DECODERS, or all but one of the CPUs, at least 1 and at most 8.

    Raises InputError if the variable is no number from 1.
    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return max(1, min(MOST, _cpus() - 1))
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise InputError(f"{VARIABLE} is {given!r}: give a number of processes from 1, or unset it")
    return int(given)


def _cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Job:
    place: int
    wanted: Wanted
    answers: queue.SimpleQueue[tuple[int, Answer | BaseException]]


class DecodingProcesses:
    """`count` processes, each started when it is first needed. `cuts` is for one thread at a time.

    No process is left behind after `close`, nor after this process, however it ends.
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        one_large = threading.Lock()
        self._decoders = [_Decoder(one_large) for _ in range(count)]
        # Not a pool, which takes no work once the main thread has ended, while a notebook's trainer may still save.
        self._threads = [
            threading.Thread(target=_serve, args=(decoder, self._jobs), name="lgq decoding", daemon=True)
            for decoder in self._decoders
        ]
        self._end = weakref.finalize(self, _end, self._jobs, self._decoders)
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, also within a picture."""
        self._end()
        for thread in self._threads:
            thread.join()

    def cuts(self, wanted: Sequence[Wanted]) -> list[Cut | UnusablePicture]:
        """The crops of each picture, or why there are none, in the order of `wanted`.

        Raises InputError if no process can be started.
        """
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for place, one in enumerate(wanted):
            self._jobs.put(_Job(place, one, answers))
        found: dict[int, Cut | UnusablePicture] = {}
        while len(found) < len(wanted):
            if not self._end.alive:
                raise RuntimeError("the processes that decode pictures were closed")
            try:
                place, answer = answers.get(timeout=LONGEST_WAIT_SECONDS)
            except queue.Empty:
                continue
            if not isinstance(answer, Cut | UnusablePicture):
                raise answer
            found[place] = answer
        return [found[place] for place in range(len(wanted))]


def _serve(decoder: _Decoder, jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        try:
            answer: Answer | BaseException = decoder.answer(job.wanted)
        except BaseException as error:  # raised by `cuts`
            answer = error
        job.answers.put((job.place, answer))


def _end(jobs: queue.SimpleQueue[_Job | None], decoders: Sequence[_Decoder]) -> None:
    for _ in decoders:
        jobs.put(None)
    for decoder in decoders:
        decoder.end()


class _Decoder:
    """One process: started when it is first asked, and again where it was ended. one_large: held by all of them."""

    def __init__(self, one_large: threading.Lock) -> None:
        self._one_large = one_large
        self._changing = threading.RLock()  # also taken by a finalizer, at any point of any thread
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def answer(self, wanted: Wanted) -> Answer:
        answer = self._tried(wanted)
        if isinstance(answer, LargePicture):
            with self._one_large:
                return self._tried(replace(wanted, may_be_large=True))
        return answer

    def end(self) -> None:
        """End the process for good."""
        self._ended = True
        with self._changing:
            self._kill()

    def _tried(self, wanted: Wanted) -> Answer:
        endings: list[int] = []
        while sum(status not in KILLED for status in endings) < TIMES:
            if len(endings) >= TIMES_KILLED:
                raise InputError(
                    f"the process that decodes {printable(wanted.path)} was killed {TIMES_KILLED} times: "
                    f"free memory, or set {VARIABLE} to fewer processes"
                )
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(wanted.to_line())
                process.stdin.flush()
                return read_answer(process.stdout)
            except (OSError, EOFError):
                with self._changing:
                    self._kill()
                endings.append(process.returncode)
        status = endings[-1]
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return UnusablePicture(f"the process that decodes it ended {how}", passing=True)

    def _running(self) -> subprocess.Popen[bytes]:
        with self._changing:
            if self._ended:
                raise RuntimeError("the processes that decode pictures were closed")
            if self._process is None:
                self._process = _started()
            return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what was written last has no reader
                if pipe is not None:
                    pipe.close()


def _started() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=list(map(str, sys.path)))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders write warnings there
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # a terminal's Ctrl-C is for the trainer, which still needs the batch
        )
    except OSError as error:
        raise InputError(
            f"no process can be started to decode pictures: {printable(error.strerror or error)}.\n"
            f"Free memory or processes, or set {VARIABLE} to fewer."
        ) from error
