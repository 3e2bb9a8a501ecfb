"""The background runner: streams that run on a thread of their own, so that no cell is busy with them."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidState, StreamClosed
from streamlab.events import Cell, current_cell
from streamlab.failures import StreamError
from streamlab.iteration import FULL, LATE, Timer
from streamlab.lifecycle import stop_draining
from streamlab.loops import Loop
from streamlab.outcomes import cell_item
from streamlab.queues import FlowControlQueue
from streamlab.runtime.io import LoopThread

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.streams import Stream

__all__ = ["Drive", "drive", "running"]

NAME = "streamlab-run"
SUBSCRIPTION_MAXSIZE = 1000
Tapped = tuple[Any, Cell]

_lock = threading.Lock()
_thread: LoopThread | None = None
_drives: list[Drive] = []


class Drive:
    """One stream on the runner's loop, with the subscriptions to what comes out of it."""

    def __init__(self, stream: Stream[Any]) -> None:
        self.stream = stream
        self.ended = False
        self._queues: tuple[FlowControlQueue[Tapped], ...] = ()
        self._done: Future[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start on the runner's loop."""
        self._done = asyncio.run_coroutine_threadsafe(self._run(), loop)

    async def _run(self) -> None:
        stream = self.stream
        try:
            for other in stream.get_root_stream()._iter_ll_forwards():
                await stop_draining(other)  # it goes on here, on this loop
            async with contextlib.aclosing(stream._iterate(keep_going=True)) as values:
                async for value in values:
                    tapped = (value, stream._cell or ())
                    for queue in self._queues:
                        if not queue.offer(tapped):
                            await queue.put(tapped)
        except Exception as error:  # noqa: BLE001 - nobody awaits this: the stream keeps what ended it
            stream.errors.add(StreamError(None, None, None, None, None, None, error))
        finally:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self.stream._drive = None
        with _lock, contextlib.suppress(ValueError):
            _drives.remove(self)
        for queue in self._queues:
            queue.filled.ring()

    async def finished(self, timeout_s: float) -> None:
        """Wait until it is over, at most so long."""
        if self._done is not None:
            await asyncio.wait((asyncio.wrap_future(self._done),), timeout=timeout_s)

    def cancel_soon(self) -> None:
        """End it from any thread, without waiting."""
        if self._done is not None:
            self._done.cancel()

    async def subscription(
        self, *, timer: Timer | None = None, basket: Basket | None = None, **_: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield what comes out of the stream from now on; the runner acks. It waits for the slowest subscription."""
        queue: FlowControlQueue[Tapped] = FlowControlQueue(SUBSCRIPTION_MAXSIZE)
        self._queues = (*self._queues, queue)
        loop = Loop()
        if basket is not None:
            basket.loop = loop
        try:
            while True:
                for value, cell in queue.drain():
                    if basket is None:
                        current_cell.set((*cell[:4], loop))
                        yield value
                        continue
                    basket.add(value, *cell_item(cell))
                    if len(basket.gathered) >= basket.wanted:
                        yield FULL
                if self.ended and not queue.items:
                    return
                await queue.filled.wait(lambda: queue.items or self.ended, timeout_s=None if timer is None else timer.left())
                if timer is not None and timer.passed() and not queue.items:
                    yield LATE
        finally:
            self._queues = tuple(other for other in self._queues if other is not queue)
            queue.retire()
            loop.end()
            current_cell.set(None)


def drive(stream: Stream[Any]) -> Drive:
    """Run a stream on the runner's loop; one that runs there already goes on."""
    global _thread  # noqa: PLW0603 - one a process is what this module is for
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    with _lock:
        if stream._drive is not None:
            return stream._drive
        if stream._loops:
            raise InvalidState(
                "this stream is being iterated: leave that loop first, or make another stream to run (a loop that was left in "
                "this cell is over in the next one)"
            )
        if stream.should_stop:
            raise InvalidState("this stream was stopped, and stays so: make another stream to run")
        if _thread is None or not _thread.thread.is_alive():
            _thread = LoopThread(NAME)
        started = stream._drive = Drive(stream)
        _drives.append(started)
        if stream.feed is not None:
            stream.feed.broker_timeout_s = None
    started.begin(_thread.loop)
    return started


def running() -> list[Stream[Any]]:
    """Return the streams that the background runner drives now."""
    with _lock:
        return [started.stream for started in _drives]


def _end() -> None:
    if _thread is not None and _thread.thread.is_alive():
        _thread.end()


atexit.register(_end)
