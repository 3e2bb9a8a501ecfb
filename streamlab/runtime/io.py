"""The I/O thread: one daemon thread a process, with one event loop that owns every broker client.

User code never runs on it, so that a processor that blocks costs no heartbeat. It starts at first use, is left
behind by a fork (the child starts its own) and ends with the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from streamlab.errors import InvalidState

__all__ = ["LoopThread", "io_loop", "on_io", "submit", "wait"]

T = TypeVar("T")
NAME = "streamlab-io"
GOODBYE_S = 3.0


class LoopThread:
    """A daemon thread of this name with a running event loop."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self._cancel_what_is_left()
        finally:
            self.loop.close()

    def _cancel_what_is_left(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=GOODBYE_S / 2))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())

    def end(self) -> None:
        """Cancel its tasks and end the thread, waiting for seconds at most."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(GOODBYE_S)


_lock = threading.Lock()
_current: LoopThread | None = None
_of_parents: list[LoopThread] = []  # kept: collecting a forked loop would close file descriptors that the parent polls


def io_loop() -> asyncio.AbstractEventLoop:
    """Return the I/O thread's event loop, started if it is not running."""
    global _current  # noqa: PLW0603 - one a process is what this module is for
    with _lock:
        if _current is None:
            _current = LoopThread(NAME)
        return _current.loop


def submit(coro: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on the I/O loop; returns at once. Cancelling the future cancels the coroutine."""
    return asyncio.run_coroutine_threadsafe(coro, io_loop())


def wait(coro: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
    """Run a coroutine on the I/O loop and wait for its result, blocking this thread.

    Parameters
    ----------
    coro : coroutine
        Cancelled when the wait is interrupted or runs out of time.
    timeout_s : float, optional
        Seconds; None waits for as long as it takes.

    Raises
    ------
    TimeoutError
        After ``timeout_s``.
    InvalidState
        When called on the I/O thread, which would wait for itself.
    """
    if _current is not None and threading.current_thread() is _current.thread:
        coro.close()
        msg = "a plain call was made on the I/O thread, where it would wait for itself; await the coroutine instead"
        raise InvalidState(msg)
    future = submit(coro)
    try:
        return future.result(timeout_s)
    finally:
        future.cancel()


async def on_io(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the I/O loop, awaited from any loop. Cancelling the awaiter cancels the coroutine."""
    if asyncio.get_running_loop() is io_loop():
        return await coro
    return await asyncio.wrap_future(submit(coro))


def _forget_in_child() -> None:
    global _current, _lock  # noqa: PLW0603
    _lock = threading.Lock()
    if _current is not None:
        _of_parents.append(_current)
        _current = None


def _end() -> None:
    global _current
    with _lock:
        thread, _current = _current, None
    if thread is not None:
        thread.end()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
