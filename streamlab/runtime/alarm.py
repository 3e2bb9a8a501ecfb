"""The deadline of a basket that is filled in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamlab.iteration import Timer

__all__ = ["Alarm"]


class Alarm(Timer):
    """The deadline of a basket, counted from the beginning of the work on its first value, so that one that took long is late.

    While the loop works it looks itself. While it waits for a processor, the alarm rings on the runner's loop.
    """

    __slots__ = ("_bell", "_ring")
    rings = True

    def __init__(self, ring: Callable[[], object]) -> None:
        super().__init__()
        self._ring = ring
        self._bell: asyncio.TimerHandle | None = None

    def begin(self, began: float, first_s: float) -> None:
        """Set the deadline."""
        self.deadline = began + first_s
        if self._bell is None:
            self._set()

    def _set(self) -> None:
        self._bell = asyncio.get_running_loop().call_later(max(self.left() or 0.0, 0.0), self._look)

    def _look(self) -> None:
        self._bell = None
        if self.passed():
            self._ring()
        elif self.deadline is not None:
            self._set()

    def end(self) -> None:
        """Ring no more."""
        if self._bell is not None:
            self._bell.cancel()
