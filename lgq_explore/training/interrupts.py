"""Interrupts that stop training between two steps, never within one.

Python raises KeyboardInterrupt at any point of the main thread. Within a step it would leave some weights updated and
others not. A signal handler could delay it, but signal handlers belong to the program and not to a library. Training
therefore runs in a worker thread, where no interrupt is raised, while the main thread waits for it and can be
interrupted at any time, also during a long computation.
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
"""A signal ends a wait at once. Interrupts without a signal (Windows, `_thread.interrupt_main`) are raised after it."""

_Result = TypeVar("_Result")


def stopped_by_interrupts(work: Callable[[], _Result], controls: Controls) -> _Result:
    """Run `work` and return its result; the first interrupt meanwhile only requests a stop through `controls`.

    A second interrupt is raised in `work` as soon as its current computation ends, and then by this function, so that
    no work continues in the background. Outside of the main thread, where no interrupts occur, `work` is just called.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    # A copy of the context: what a notebook prints then belongs to the cell that waits.
    context = contextvars.copy_context()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="lgq training") as pool:
        try:
            worker = pool.submit(threading.get_ident).result()
            return _waited_for(pool.submit(context.run, work), worker, controls)
        except KeyboardInterrupt:  # perhaps as the wait began: the worker must still be asked to stop
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
            if working.done():  # raised by the work itself, or as it ended
                return working.result()
            if stop_asked_for:
                # Documented for just this: https://docs.python.org/3/c-api/threads.html
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), ctypes.py_object(KeyboardInterrupt))
            stop_asked_for = True
            controls.stop()
