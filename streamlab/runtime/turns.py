"""Turns: how often all streams of a process together take what little has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["PER_S", "Turns", "turns"]

PER_S = 120.0
"""With twenty streams in turn, cells in between answer as they do when nothing is read."""


class Turns:
    """Gives out moments, so many a second at most. For one loop.

    Whoever comes seldom goes on at once. Where many come all the time each waits for the others, and what comes for it meanwhile is
    taken together: a request to a broker, and the two threads that wake for its answer, cost as much for one message as for a
    hundred, and whatever else wants Python's lock, such as a cell, waits behind each of them.

    Parameters
    ----------
    per_s : float
    clock : callable
        Seconds, for tests.
    """

    def __init__(self, per_s: float = PER_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._apart_s = 1 / per_s
        self._clock = clock
        self._next_s = float("-inf")

    def take(self) -> float:
        """Take the next free moment; in how many seconds it is."""
        now = self._clock()
        at = max(self._next_s, now)
        self._next_s = at + self._apart_s
        return at - now

    async def wait(self) -> None:
        """Return at the next free moment, after others of the loop had their turn."""
        await asyncio.sleep(self.take())


turns = Turns()
"""Those of the I/O loop."""
