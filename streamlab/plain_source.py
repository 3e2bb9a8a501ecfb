"""What a stream of any iterable reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from streamlab.sources import ReceivingSource

__all__ = ["PlainSource"]


class PlainSource(ReceivingSource, AsyncIterator[Any]):
    """Any iterable, sync or async; also the ``channel`` of a stream over one.

    An asynchronous one is read by one pending task, which a reader that goes away leaves for the next.
    """

    def __init__(self, iterable: Any) -> None:
        super().__init__()
        self.iterable = iterable
        self.is_async = hasattr(iterable, "__aiter__")
        if self.is_async:
            self._iterator: Any = aiter(iterable)
        else:
            self._iterator = iter(iterable)
            self.run = (self._iterator, None)
        self._read: asyncio.Task[Any] | None = None
        self._exhausted = False

    @classmethod
    def over(cls, iterable: Any) -> PlainSource:
        """Return the source of an iterable, which may be one itself."""
        return iterable if isinstance(iterable, PlainSource) else cls(iterable)

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run, of what was sent in first."""
        if self.take_what_is_here():
            return True
        if not self.is_async or self._exhausted:
            return False
        return await self._read_on(wanted, timeout_s)

    async def _read_on(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        if self._read is None:
            self._read = asyncio.ensure_future(_anext(self._iterator))
            self._read.add_done_callback(lambda _: self.bell.ring())
        read = self._read
        await self.bell.wait(lambda: not wanted() or read.done() or self._inbox or self.errors, timeout_s=timeout_s)
        if not read.done() or self._read is not read:
            return True
        self._read = None
        try:
            self.run = (iter((read.result(),)), None)
        except StopAsyncIteration:
            self._exhausted = True
            return False
        return True

    def close(self) -> None:
        """Give up the pending read."""
        if self._read is not None:
            self._read.cancel()
            self._read = None

    def __aiter__(self) -> PlainSource:
        return self

    async def __anext__(self) -> Any:
        while True:
            for item in self.run[0]:
                return item
            if not await self.fill(lambda: True, None):
                raise StopAsyncIteration

    def __str__(self) -> str:
        return f"<{type(self.iterable).__name__}>"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {type(self.iterable).__name__}>"


async def _anext(iterator: Any) -> Any:
    return await anext(iterator)
