"""Items from any thread for a loop: what comes while the loop is busy is taken in one go."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Relay"]

T = TypeVar("T")


class Relay(Generic[T]):
    """Gives items to a function on a loop, many at a time, in the order in which they were put.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Kept alive by others; what is put after it was closed is dropped.
    take : callable
        Gets the list of what has come; runs on the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[list[T]], object]) -> None:
        self._loop = weakref.ref(loop)
        self._take = take
        self._items: deque[T] = deque()
        self._called = False

    def put(self, item: T) -> None:
        """Hand an item over, from any thread, without waiting."""
        self._items.append(item)
        if self._called:  # by whoever put an item that is not taken yet; this one is taken with it
            return
        self._called = True
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._run)
        except RuntimeError:  # the loop is closed: nobody is there any more
            return

    def _run(self) -> None:
        self._called = False  # before anything is taken: what comes from now on calls again
        items = [self._items.popleft() for _ in range(len(self._items))]
        if items:
            self._take(items)
