"""The background runner: streams that run on a thread of their own, so that no cell is busy with them."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from concurrent.futures import Future
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from streamlab.baskets import Basket
from streamlab.errors import InvalidState, StreamClosed
from streamlab.failures import StreamError
from streamlab.iteration import FULL, LATE
from streamlab.lifecycle import hold, stop_draining
from streamlab.retrying import can_retry, put_back
from streamlab.runtime.alarm import Alarm
from streamlab.runtime.io import LoopThread
from streamlab.runtime.running import Running
from streamlab.runtime.subscriptions import Subscription
from streamlab.tracebacks import forget_frames

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["Drive", "drive", "running", "submit"]

T = TypeVar("T")

NAME = "streamlab-run"
SUBSCRIPTION_MAXSIZE = 1000
BASKET = 1000
"""So many values are handed over together, unless that takes longer than ``HAND_OVER_S``."""
HAND_OVER_S = 0.05
Tap = Callable[[Basket], object]

_lock = threading.Lock()
_thread: LoopThread | None = None
_drives: list[Drive] = []


class Drive:
    """One stream on the runner's loop: what comes out of it goes to the taps, then to the subscriptions, then it is acked.

    Attributes
    ----------
    kept : bool
        Whether the user had it run; else it runs for those who look at it.
    """

    def __init__(self, stream: Stream[Any]) -> None:
        self.stream = stream
        self.ended = self.kept = False
        self._stops = stream._stops
        self._alarm = Alarm(self._late)
        self._basket = Basket(first_s=HAND_OVER_S)
        self._given = 0
        self._lock = threading.Lock()  # for what is in the basket, and who gets it
        self._subscriptions: tuple[Subscription, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: Future[None] | None = None
        self._fit()
        self.waits_for_reader = stream._waits_for_reader
        if self.waits_for_reader:
            self.pause()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start on the runner's loop, unless that was done before."""
        with _lock:
            if self._done is None:
                self._loop = loop
                self._done = asyncio.run_coroutine_threadsafe(self._run(), loop)

    def add_tap(self, tap: Tap) -> None:
        """Give a function each basket of values, on the runner's thread: it must not block, nor change the basket.

        From any thread. It stays with the stream, also when that is stopped and run again. One that raises is removed, and
        its error is kept in ``stream.errors``.
        """
        with _lock:
            if tap not in self.stream._taps:
                self.stream._taps = (*self.stream._taps, tap)
        self._fit()

    def remove_tap(self, tap: Tap) -> None:
        """Undo ``add_tap``; harmless when it is not there."""
        with _lock:
            self.stream._taps = tuple(other for other in self.stream._taps if other != tap)
        self._fit()

    @property
    def paused(self) -> bool:
        """Whether it was paused."""
        return self.stream._paused

    def pause(self) -> None:
        """Take no more values; from any thread. See ``Stream.pause``."""
        hold(self.stream, paused=not self.ended)

    def resume(self) -> None:
        """Go on; from any thread."""
        hold(self.stream, paused=False)

    def reader_is_there(self) -> None:
        """Go on, if the drive waited for the first loop over its stream, which is to miss nothing."""
        if self.waits_for_reader:
            self.waits_for_reader = False
            self.resume()

    def retry(self, errors: Iterable[StreamError]) -> int:
        """Put what failed through the stream again; from any thread. See ``Stream.retry``."""
        source = self.stream._source
        taken = self.stream.errors.take_out(entry for entry in list(errors) if can_retry(entry, source))
        assert self._loop is not None
        self._loop.call_soon_threadsafe(put_back, taken, source)
        return len(taken)

    async def _run(self) -> None:
        stream = self.stream
        try:
            for other in stream.get_root_stream()._iter_ll_forwards():
                await stop_draining(other)  # it goes on here, on this loop
            signs = stream._iterate(timer=self._alarm, basket=self._basket, keep_going=True, stops=self._stops)
            async with contextlib.aclosing(signs):
                await self._hand_out(signs)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - nobody awaits this: the stream keeps what ended it
            stream._failure = error
            stream.errors.add(StreamError.of(error))
            forget_frames(error)
        finally:
            self._basket.give_back(stream._source)
            self._end()

    async def _hand_out(self, signs: AsyncGenerator[Any, None]) -> None:
        try:
            async for sign in signs:
                if sign is FULL or sign is LATE:
                    self._hand_over()
                    await self._room()
        except Exception:
            self._hand_over()  # what was before the error
            raise
        self._hand_over()

    def _late(self) -> None:
        """Hand over while the loop waits for a processor."""
        self._hand_over()
        if self._subscriptions:
            self._alarm.deadline = perf_counter()  # the loop comes by as soon as it can, and waits for them

    def _hand_over(self) -> None:
        self._alarm.deadline = None
        with self._lock:
            self._basket.let_go()  # while a processor works, the loop does not look
            if not self._basket.gathered:
                return
            number, full = self._given, self._basket.hand_over()
            self._given += len(full.gathered)
            subscriptions = self._subscriptions
        for tap in self.stream._taps:
            self._tap(tap, full)
        for subscription in subscriptions:
            subscription.give(full, number)
            subscription.start = min(subscription.start, number + len(full.gathered))  # what was let go is not waited for
        if self.stream.enable_acks:
            full.settle()

    def _tap(self, tap: Tap, full: Basket) -> None:
        try:
            tap(full)
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream goes on without it
            self.remove_tap(tap)
            self.stream.errors.add(StreamError.of(error))
            forget_frames(error)

    async def _room(self) -> None:
        """Wait for the slowest subscription."""
        for subscription in self._subscriptions:
            await subscription.wait_until_ready(self)
        self._fit()

    def _fit(self) -> None:
        """Gather as many values as there is room for; none where nobody gets them: then they pass, and are acked, one by one."""
        with self._lock:
            heard = self.stream._taps or self._subscriptions
            rooms = [subscription.room for subscription in self._subscriptions]
            self._basket.wanted = max(min([BASKET, *rooms]), 1) if heard else 0

    @property
    def stopping(self) -> bool:
        """Whether its stream was stopped."""
        return self.stream._halted or self.stream._stops != self._stops

    def look_up(self) -> None:
        """See that the stream was stopped, also while it waits for a subscription."""
        for subscription in self._subscriptions:
            subscription.queue.drained.ring()

    def _end(self) -> None:
        self.ended = True
        self.resume()
        self._alarm.end()
        if self.stream._drive is self:
            self.stream._drive = None
        with _lock, contextlib.suppress(ValueError):
            _drives.remove(self)
        for subscription in self._subscriptions:
            subscription.queue.filled.ring()

    async def finished(self, timeout_s: float) -> None:
        """Wait until it is over, at most so long."""
        if self._done is not None:
            await asyncio.wait((asyncio.wrap_future(self._done),), timeout=timeout_s)

    def cancel_soon(self) -> None:
        """End it from any thread, without waiting."""
        if self._done is not None:
            self._done.cancel()

    def subscribe(self) -> Subscription:
        """Return what gets all values from now on; the runner waits for it."""
        with self._lock:
            subscription = Subscription(self._given + len(self._basket.gathered), SUBSCRIPTION_MAXSIZE)
            self._subscriptions = (*self._subscriptions, subscription)
        self._fit()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Undo ``subscribe``."""
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)
        self._fit()


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on the runner's loop; returns at once."""
    with _lock:
        return asyncio.run_coroutine_threadsafe(coroutine, _running_thread().loop)


def _running_thread() -> LoopThread:
    global _thread  # noqa: PLW0603 - one a process is what this module is for
    if _thread is None or not _thread.thread.is_alive():
        _thread = LoopThread(NAME)
    return _thread


def drive(stream: Stream[Any], *, tap: Tap | None = None) -> Drive:
    """Run a stream on the runner's loop; one that runs there already goes on. A tap is there before the first value."""
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    with _lock:
        running = stream._drive
        if running is None:
            if stream._loops:
                raise InvalidState(
                    "this stream is being iterated: leave that loop first, or make another stream to run (a loop that was left "
                    "in this cell is over in the next one)"
                )
            if stream.should_stop:
                raise InvalidState("this stream was stopped, and stays so: `await stream.restart()` goes on where it stood")
            running = stream._drive = Drive(stream)
            stream._failure = None
            _drives.append(running)
            if stream.feed is not None:
                stream.feed.broker_timeout_s = None
        loop = _running_thread().loop
    if tap is not None:
        running.add_tap(tap)
    running.begin(loop)
    return running


def running() -> Running:
    """Return the streams that run in the background now; ``running().stop()`` stops them all."""
    with _lock:
        return Running(started.stream for started in _drives)


def _end() -> None:
    if _thread is not None and _thread.thread.is_alive():
        _thread.end()


atexit.register(_end)
