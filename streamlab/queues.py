"""A bounded queue that any thread and any loop may use, and the bell that wakes its readers."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Bell", "FlowControlEvent", "FlowControlQueue"]

T = TypeVar("T")
PULSE_S = 0.25


class Bell:
    """Wakes coroutines that wait, each on its own loop, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may ring while its thread is in here
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def ring(self) -> None:
        """Wake everyone who waits now."""
        if not self._waiters:
            return
        with self._lock:
            waiters, self._waiters = self._waiters, []
        here = _running_loop()
        for loop, future in waiters:
            if loop is here:
                _wake(future)
                continue
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # that loop is closed, nobody waits there any more
                continue

    async def wait(self, ready: Callable[[], object], *, timeout_s: float | None = None) -> None:
        """Return when ``ready()`` is true at once, at the next ring, or after ``timeout_s``."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        waiter = (loop, future)
        with self._lock:
            self._waiters.append(waiter)
        timer = pulse = None
        try:
            if ready():
                return
            if timeout_s is not None:
                timer = loop.call_later(max(timeout_s, 0.0), _wake, future)
            pulse = _Pulse(loop) if _in_cell() else None
            await future
        finally:
            for running in (timer, pulse):
                if running is not None:
                    running.cancel()
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)


class _Pulse:
    """Gives a loop that waits a turn now and then: ipykernel 7.4 leaves an interrupt to the loop's next turn and wakes it not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._beat()

    def _beat(self) -> None:
        self._next = self._loop.call_later(PULSE_S, self._beat)

    def cancel(self) -> None:
        """End it."""
        self._next.cancel()


def _in_cell() -> bool:
    return "ipykernel" in sys.modules and threading.current_thread() is threading.main_thread()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class FlowControlEvent:
    """Holds back whoever puts into the queues of an app, from ``suspend()`` to ``resume()``."""

    def __init__(self) -> None:
        self.active = True
        """Whether queues take items."""
        self._resumed = Bell()

    def is_active(self) -> bool:
        """Tell whether queues take items."""
        return self.active

    def suspend(self) -> None:
        """Make ``put`` wait."""
        self.active = False

    def resume(self) -> None:
        """Let ``put`` go on."""
        self.active = True
        self._resumed.ring()

    async def acquire(self) -> None:
        """Wait until queues take items."""
        while not self.active:
            await self._resumed.wait(self.is_active)


def _tell_nobody() -> None:
    pass


class FlowControlQueue(Generic[T]):
    """asyncio.Queue's interface, safe from any thread and loop, with errors that overtake the items.

    Parameters
    ----------
    maxsize : int
        Bound on the number of items; 0 or less is no bound. ``put`` waits while it is full.
    flow_control : FlowControlEvent, optional
        ``put`` waits while it is suspended too.
    """

    def __init__(self, maxsize: int = 0, *, flow_control: FlowControlEvent | None = None, loop: object = None) -> None:
        self.maxsize = maxsize
        self.flow_control = flow_control
        self.loop = loop
        self.items: deque[T] = deque()
        self.errors: deque[BaseException] = deque()
        self.filled = Bell()
        self.drained = Bell()
        self.retired = False
        """A queue that nobody will read again takes items and forgets them, so that nobody waits for it."""
        self.on_throw: Callable[[], object] = _tell_nobody
        """Called when an error was thrown in."""
        self._unfinished = 0

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def empty(self) -> bool:
        """Tell whether a ``get`` would wait."""
        return not self.items

    def full(self) -> bool:
        """Tell whether a ``put`` would wait."""
        return 0 < self.maxsize <= len(self.items)

    def offer(self, item: T) -> bool:
        """Put the item in if there is room for it."""
        if 0 < self.maxsize <= len(self.items):
            return self.retired
        if not self.retired:
            self.items.append(item)
            self._unfinished += 1
            if self.filled._waiters:
                self.filled.ring()
        return True

    def put_nowait(self, item: T) -> None:
        """Put without waiting; asyncio.QueueFull when there is no room."""
        if not self.offer(item):
            raise asyncio.QueueFull

    async def put(self, item: T) -> None:
        """Put, waiting for room and for flow control."""
        if self.flow_control is not None and not self.flow_control.active:
            await self.flow_control.acquire()
        while not self.offer(item):
            await self.drained.wait(self._has_room)

    def get_nowait(self) -> T:
        """Get without waiting; asyncio.QueueEmpty when there is nothing. Raises what was thrown in."""
        if self.errors:
            raise self.errors.popleft()
        try:
            item = self.items.popleft()
        except IndexError:
            raise asyncio.QueueEmpty from None
        if self.drained._waiters:
            self.drained.ring()
        return item

    async def get(self) -> T:
        """Get the next item, waiting for one. Raises what was thrown in."""
        while True:
            try:
                return self.get_nowait()
            except asyncio.QueueEmpty:
                await self.filled.wait(self._has_something)

    def drain(self) -> Iterator[T]:
        """Yield the items that are there, taking each out as it is asked for."""
        items, drained = self.items, self.drained
        while items:
            try:
                item = items.popleft()
            except IndexError:  # a reader on another thread was quicker
                return
            if drained._waiters:
                drained.ring()
            yield item

    def throw(self, error: BaseException) -> None:
        """Let one reader raise this, ahead of the items."""
        self.errors.append(error)
        self.on_throw()
        self.filled.ring()

    def clear(self) -> None:
        """Forget the items."""
        self.items.clear()
        self.drained.ring()

    def retire(self) -> None:
        """Forget what is put in from now on."""
        self.retired = True
        self.drained.ring()

    def revive(self) -> None:
        """Take items again."""
        self.retired = False

    def task_done(self) -> None:
        """Say that an item that was got is dealt with; ValueError when called too often."""
        if self._unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        self.drained.ring()

    async def join(self) -> None:
        """Wait until ``task_done`` was called for every item."""
        while self._unfinished:
            await self.drained.wait(lambda: not self._unfinished)

    def _has_room(self) -> bool:
        return self.retired or not self.full()

    def _has_something(self) -> bool:
        return bool(self.items or self.errors)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} maxsize={self.maxsize} size={len(self.items)}>"
