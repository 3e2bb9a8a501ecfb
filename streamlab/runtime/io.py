"""The I/O thread: one daemon thread a process, with one event loop that owns every broker client.

User code never runs on it, so that a processor that blocks costs no heartbeat. It starts at first use, is left
behind by a fork (the child starts its own) and ends with the process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from streamlab.errors import InvalidState

__all__ = ["LoopThread", "close_at_end", "close_now", "end_first", "io_loop", "on_io", "submit", "wait"]

T = TypeVar("T")
NAME = "streamlab-io"
GOODBYE_S = 3.0


end_first: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
"""Tasks of the I/O loop that close what they have opened when they are cancelled; at the end they get the time for it."""
_closers: set[Callable[[], Awaitable[None]]] = set()


def close_at_end(close: Callable[[], Awaitable[None]]) -> None:
    """Have this called on the I/O loop when the process ends, unless ``close_now`` was before."""
    _closers.add(close)


def close_now(close: Callable[[], Awaitable[None]]) -> None:
    """Call it on the I/O loop soon. From a finalizer, so: never waits, never raises, takes no lock."""
    _closers.discard(close)
    thread = _current
    if thread is not None:
        with contextlib.suppress(RuntimeError):  # the process ends
            thread.loop.call_soon_threadsafe(thread.keep, close)


async def _say_goodbye() -> None:
    """Close in order what nobody has closed: what reads, then the connections that it shares."""
    reading = list(end_first)
    for task in reading:
        if not task.cancelling():
            task.cancel()
    await _settled(reading)
    closers = [asyncio.ensure_future(close()) for close in _closers]
    _closers.clear()
    await _settled(closers)


async def _settled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    pending = [task for task in tasks if not task.done()]
    if pending:
        await asyncio.wait(pending, timeout=GOODBYE_S / 2)


class LoopThread:
    """A daemon thread of this name with a running event loop.

    Parameters
    ----------
    name : str
    goodbye : coroutine function, optional
        Awaited on the loop before it ends.
    """

    def __init__(self, name: str, goodbye: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self._goodbye = goodbye
        self._kept: set[asyncio.Future[None]] = set()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self._run_until_stopped()
            if self._goodbye is not None:
                self.loop.run_until_complete(self._goodbye())
            self._cancel_what_is_left()
        finally:
            self.loop.close()

    def _run_until_stopped(self) -> None:
        """Go on though a task calls ``exit()``: it is over, and the loop is everybody's."""
        stopped = False
        while not stopped:
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self.loop.run_forever()
                stopped = True

    def _cancel_what_is_left(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=GOODBYE_S / 2))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())

    def keep(self, start: Callable[[], Awaitable[None]]) -> None:
        """Run this on the loop to its end; called there."""
        task = asyncio.ensure_future(start())
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def end(self) -> None:
        """Cancel its tasks and end the thread, waiting for seconds at most."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(2 * GOODBYE_S)


_lock = threading.Lock()
_current: LoopThread | None = None
_of_parents: list[LoopThread] = []  # kept: collecting a forked loop would close file descriptors that the parent polls


def io_loop() -> asyncio.AbstractEventLoop:
    """Return the I/O thread's event loop, started if it is not running."""
    global _current  # noqa: PLW0603 - one a process is what this module is for
    with _lock:
        if _current is None:
            _current = LoopThread(NAME, _say_goodbye)
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
    _closers.clear()
    end_first.clear()
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
