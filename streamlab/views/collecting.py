"""How often Python's garbage collector looks at everything, while windows hold a hundred thousand messages.

Such a full pass takes 0.2 s where a window is full of nested values, and nothing else runs meanwhile, no cell either; by itself
it comes again after some 40,000 of them. What it alone can find are old objects that hold each other, and messages are hardly
ever such.
"""

from __future__ import annotations

import gc
from typing import Any

__all__ = ["RarePasses"]

MOST = 128
"""Full passes become rarer by this factor at most: then there is one after some ten million objects more."""
MUCH = 0.02
"""A pass that finds more than this part of the objects that came since the last one finds much."""


class RarePasses:
    """While it is entered, full passes that find next to nothing become rarer, twice each time; one that finds much brings them back.

    ``gc.collect()`` does what it always does, and so do the passes over what is young. Thresholds that somebody else sets
    meanwhile are left alone. Of one thread; harmless where there are several in a process.
    """

    def __init__(self) -> None:
        self._factor = 1
        self._usual = self._set = gc.get_threshold()

    def __enter__(self) -> None:
        self._factor = 1
        self._usual = self._set = gc.get_threshold()
        gc.callbacks.append(self._passed)

    def __exit__(self, *_error: object) -> None:
        gc.callbacks.remove(self._passed)
        self._apply(1)

    def _passed(self, phase: str, info: dict[str, Any]) -> None:
        """See what a pass found; in the middle of anything, on any thread."""
        if phase == "stop" and info["generation"] == len(self._usual) - 1:
            young, middle, old = self._set
            came = max(young, 1) * max(middle, 1) * max(old, 1)
            self._apply(1 if info["collected"] > came * MUCH else min(self._factor * 2, MOST))

    def _apply(self, factor: int) -> None:
        if gc.get_threshold() == self._set:
            self._factor = factor
            self._set = (*self._usual[:2], self._usual[2] * factor)
            gc.set_threshold(*self._set)
