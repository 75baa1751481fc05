"""Is what another thread asks for done in the kernel's loop, and at once where there is none?"""

from __future__ import annotations

import asyncio
import threading

from lgq_explore.widgets.parts.work.kernel_loop import KernelLoop, running_loop


def test_without_a_loop_it_is_done_at_once() -> None:
    loop, done = KernelLoop(), []
    assert not loop.is_running
    loop.soon(lambda: done.append("soon"))
    loop.later(3600, lambda: done.append("later"))
    assert done == ["soon", "later"]


def test_what_another_thread_asks_for_is_done_in_the_loop() -> None:
    async def ask() -> list[tuple[str, threading.Thread, bool]]:
        loop, came = KernelLoop(), asyncio.Event()
        done: list[tuple[str, threading.Thread, bool]] = []

        def act(name: str) -> None:
            done.append((name, threading.current_thread(), running_loop() is not None))

        def both() -> None:
            act("soon")
            loop.later(0, lambda: (act("later"), came.set()))

        assert loop.is_running
        await asyncio.to_thread(loop.soon, both)
        await came.wait()
        return done

    here = threading.current_thread()
    assert asyncio.run(ask()) == [("soon", here, True), ("later", here, True)]


def test_what_is_asked_for_in_the_loops_thread_waits_until_the_loop_is_free() -> None:
    async def ask() -> list[str]:
        done = []
        KernelLoop().soon(lambda: done.append("soon"))
        assert not done
        await asyncio.sleep(0)
        return done

    assert asyncio.run(ask()) == ["soon"]


def test_after_its_end_a_loop_is_as_none() -> None:
    async def make() -> KernelLoop:
        return KernelLoop()

    loop, done = asyncio.run(make()), []
    assert not loop.is_running
    loop.soon(lambda: done.append("soon"))
    loop.later(3600, lambda: done.append("later"))
    assert done == ["soon", "later"]
