"""What to do when no broker answers: say so, try on, and give up in time.

Clients raise nothing when a broker dies or hangs. So silence of more than 3 s is looked into, and everything that
asks goes on asking until somebody answers or the time is over.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from streamlab.broker.base import Reader
from streamlab.errors import BrokerUnavailable

if TYPE_CHECKING:
    from streamlab.runtime.feed import Feed

__all__ = ["Outages"]

T = TypeVar("T")
SILENCE_S = 3.0
PROBE_S = 2.0
FIRST_CONNECT_S = 5.0
RETRY_S = 0.5
LOOK_S = 0.25


class Outages:
    """Watches one feed's connection and keeps the feed's state up to date.

    Parameters
    ----------
    feed : Feed
        Gives the broker and ``broker_timeout_s``; its state is "retrying" during an outage.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.since: float | None = None
        """When the outage began; None while all is well."""
        self._blocked = False
        self._asking_since = 0.0  # silence before this moment is our own: nothing was asked
        self._failing = False
        self._turn = 0

    @property
    def _limit_s(self) -> float:
        return math.inf if self.feed.broker_timeout_s is None else self.feed.broker_timeout_s

    async def first(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until answered, for a few seconds: a first connection that fails is more often a mistake than an outage."""
        return await self._insist(ask, min(self._limit_s, FIRST_CONNECT_S))

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until answered, for as long as an outage may last."""
        return await self._insist(ask, self._limit_s)

    async def _insist(self, ask: Callable[[], Awaitable[T]], limit_s: float) -> T:
        deadline = time.monotonic() + limit_s
        error: BrokerUnavailable | None = None
        while True:
            try:
                async with asyncio.timeout(None if limit_s == math.inf else max(deadline - time.monotonic(), 0)):
                    answer = await ask()
            except TimeoutError:
                raise error or BrokerUnavailable(
                    f"no answer from {self.feed.broker.url} within {limit_s:g} s; is it running, and is the address right?"
                ) from None
            except BrokerUnavailable as unavailable:
                error = unavailable
                self._begin(error, time.monotonic())
            else:
                self._end()
                return answer
            if time.monotonic() + RETRY_S >= deadline:
                raise error
            await asyncio.sleep(RETRY_S)

    async def fetch_failed(self, error: BrokerUnavailable) -> None:
        """Wait a moment before the next fetch; raises the error when the outage has lasted too long."""
        self._failing = True
        self._begin(error, time.monotonic())
        self._raise_if_too_long(error)
        await asyncio.sleep(RETRY_S)

    def fetched(self) -> None:
        """Say that a fetch went through, with records or without."""
        self._failing = False

    @contextmanager
    def not_asking(self) -> Iterator[None]:
        """While it lasts, silence is our own."""
        self._blocked = True
        try:
            yield
        finally:
            self._blocked = False
            self._asking_since = time.monotonic()

    async def watch(self, reader: Reader) -> None:
        """Look into silence, for ever; raises what a probe finds, BrokerUnavailable when it has lasted too long."""
        while True:
            await asyncio.sleep(LOOK_S)
            last = max(reader.last_answer, self._asking_since)
            if time.monotonic() - last > SILENCE_S and not self._blocked:
                await self._look_into(last)
            elif not self._failing:
                self._end()

    async def _look_into(self, last_answer: float) -> None:
        try:
            await self.feed.broker.check(self._topic(), PROBE_S)
        except BrokerUnavailable as error:
            self._begin(error, last_answer)
            self._raise_if_too_long(error)
        await asyncio.sleep(RETRY_S)

    def _topic(self) -> str | None:
        topics = self.feed.topics
        if callable(topics) or not topics:
            return None
        self._turn += 1
        return topics[self._turn % len(topics)]

    def _raise_if_too_long(self, error: BrokerUnavailable) -> None:
        if self.since is not None and time.monotonic() - self.since >= self._limit_s:
            raise error

    def _begin(self, error: BrokerUnavailable, since: float) -> None:
        self.feed.set_state("retrying", f"{type(error).__name__} (retrying): {error}")
        if self.since is None:
            self.since = since
            began = time.localtime(time.time() - (time.monotonic() - since))
            self.feed.notice(f"no broker answers since {time.strftime('%H:%M:%S', began)}: retrying")

    def _end(self) -> None:
        if self.since is not None:
            lasted = f"the broker is back after {time.monotonic() - self.since:.0f} s"
            self.feed.notice(lasted, news=f"The stream goes on where it stood: {lasted}.")
            self.since = None
        self.feed.set_state("reading" if self.feed.reading else "connecting")
