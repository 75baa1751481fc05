"""Interrupts that stop training between two steps, never within one.

Python raises KeyboardInterrupt in the main thread, wherever that is: within a step it would leave some weights moved
and others not. A signal handler could put it off, but signals belong to the whole process, and so to whoever started
it: a shell's command, a kernel. So what must not be torn works in a thread of its own, where no interrupt is raised,
and the main thread waits for it, which an interrupt ends at once, also in the midst of a long computation.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from .controls import Controls

LONGEST_WAIT_SECONDS = 0.2
"""A signal ends a wait at once; an interrupt that is none (Windows, `_thread.interrupt_main`) is raised after it."""

_Result = TypeVar("_Result")


def stopped_by_interrupts(work: Callable[[], _Result], controls: Controls) -> _Result:
    """What `work` gives or raises. The first interrupt meanwhile only asks it to stop, by `controls`.

    A second one is raised in `work`, as soon as its present computation ends, and then by this function: nothing works
    on when it returns. In another thread than the main one, which no interrupt reaches, `work` is simply called.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    # A copy of the context: what a notebook prints then belongs to the cell that waits.
    context = contextvars.copy_context()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="lgq training") as pool:
        try:
            worker = pool.submit(threading.get_ident).result()
            return _waited_for(pool.submit(context.run, work), worker, controls)
        except KeyboardInterrupt:  # as the wait began, perhaps: what was begun must still be asked to stop
            controls.stop()
            raise


def _waited_for(working: Future[_Result], worker: int, controls: Controls) -> _Result:
    stop_asked_for = False
    while True:
        try:
            while not working.done():
                wait([working], LONGEST_WAIT_SECONDS)
            return working.result()
        except KeyboardInterrupt:
            if working.done():  # its own interrupt, or one that came as it ended
                return working.result()
            if stop_asked_for:
                # Documented for just this: https://docs.python.org/3/c-api/threads.html
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), ctypes.py_object(KeyboardInterrupt))
            stop_asked_for = True
            controls.stop()
