"""A clock that counts only the time in which the kernel could hear its front ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Hearing", "running_loop"]

DEAF_S = 1.0
"""A loop that does not answer for so long is busy: what browsers say waits."""
ASK_S = DEAF_S / 2
"""It is asked so often, of each explorer: cells run on its thread."""


class Hearing:
    """Seconds in which the kernel's own loop had turns.

    Parameters
    ----------
    loop : asyncio loop, optional
        The kernel's; without one, all time counts.
    clock : callable
        Seconds, for tests.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._ticked = self._answered = clock()
        self._asked = False
        self.now_s = 0.0

    def tick(self) -> float:
        """Count the time since the last call, if the kernel heard in it; the clock's new reading. For one thread."""
        now = self._clock()
        passed, self._ticked = now - self._ticked, now
        if self._loop is None or self._loop.is_closed():
            self.now_s += passed
        else:
            if not self._asked and now - self._answered >= ASK_S:
                self._asked = True
                self._loop.call_soon_threadsafe(self._answer)
            if now - self._answered < DEAF_S:
                self.now_s += passed
        return self.now_s

    def _answer(self) -> None:
        self._answered = self._clock()
        self._asked = False


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
