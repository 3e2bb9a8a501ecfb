"""The memory that the windows of all explorers take together, as far as nobody set their sizes.

Each gets an equal share of it, and never more than one window has by itself: what is opened makes the others smaller, and what
is closed makes them larger again. Those that nobody looks at any more share a small part of it, for who comes back. A window
whose size was set is left alone, and not counted.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from streamlab.views.window import MAX_BYTES

__all__ = ["TOTAL_BYTES", "Shares", "shares"]

TOTAL_BYTES = 4 * MAX_BYTES
PART = 4
"""They take no more than one part of so many of the machine's memory, or the container's."""
REST = 8
"""And those that nobody looks at any more no more than one part of so many of that."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Sharer(Protocol):
    """Who has a window: a shown stream."""

    def have(self, size_bytes: int) -> None:
        """Make the window so large."""


class Shares:
    """Who shares the memory.

    Parameters
    ----------
    total_bytes : int
        What all may take together.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._lock = threading.RLock()
        self._sharers: weakref.WeakSet[Sharer] = weakref.WeakSet()
        self._resting: weakref.WeakSet[Sharer] = weakref.WeakSet()

    def join(self, sharer: Sharer) -> None:
        """Give one a share too, or again."""
        self._move(sharer, self._sharers)

    def rest(self, sharer: Sharer) -> None:
        """Give one that nobody looks at any more a share of the small part."""
        self._move(sharer, self._resting)

    def leave(self, sharer: Sharer) -> None:
        """Share what one had among the others."""
        self._move(sharer, None)

    def _move(self, sharer: Sharer, members: weakref.WeakSet[Sharer] | None) -> None:
        with self._lock:
            self._sharers.discard(sharer)
            self._resting.discard(sharer)
            if members is not None:
                members.add(sharer)
            self._arrange()

    def count(self, sharer: Sharer) -> int:
        """Return how many share, this one among them; 0 if it does not."""
        with self._lock:
            return len(self._sharers) if sharer in self._sharers else 0

    def _arrange(self) -> None:
        sharers, resting = list(self._sharers), list(self._resting)
        small = self.total_bytes // REST if resting else 0
        for members, size_bytes in ((resting, small), (sharers, self.total_bytes - small)):
            for sharer in members:
                sharer.have(min(MAX_BYTES, size_bytes // len(members)))


def _memory_bytes() -> int:
    """Return how much memory the machine has, or the container that this runs in."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # none, or none that is a number
            found.append(int(Path(limit).read_text("ascii")))
    return min(found)


shares = Shares(min(TOTAL_BYTES, _memory_bytes() // PART))
