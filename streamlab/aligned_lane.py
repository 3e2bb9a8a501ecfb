"""Tumbling and hopping windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streamlab.lanes import FOREVER_MS, Lane, State

if TYPE_CHECKING:
    from streamlab.windowing import WindowEngine

__all__ = ["AlignedLane"]


class AlignedLane(Lane):
    """Tumbling and hopping windows: their starts are multiples of the step, counted from 1970."""

    def __init__(self, engine: WindowEngine, done_ms: int) -> None:
        super().__init__(engine, done_ms)
        self._windows: dict[int, dict[Any, State]] = {}
        self._from_ms = self._to_ms = 0
        """Records of these times are in the same windows."""
        self._here: list[tuple[int, dict[Any, State]]] = []
        """These, by their starts, as far as they are open."""

    def place(self, ms: int, key: Any) -> list[State]:
        """Return the open windows that a record is in."""
        if not self._from_ms <= ms < self._to_ms:
            self._look(ms)
        states = []
        for start, windows in self._here:
            state = windows.get(key)
            if state is None:
                state = windows[key] = self.engine.recipe.begin(key, start, start + self.shape.size_ms)
                self._count(1)
            states.append(state)
        return states

    def _look(self, ms: int) -> None:
        size, step, grace = self.shape
        first, last = ((ms - size) // step + 1) * step, ms // step * step
        self._from_ms, self._to_ms = max(last, first - step + size), min(last + step, first + size)
        starts = [start for start in range(first, last + 1, step) if start + size + grace > self.time_ms]
        self.missed = first + size + grace <= self.time_ms
        self._here = [(start, self._windows.setdefault(start, {})) for start in starts]
        if starts:
            self.closes_ms = min(self.closes_ms, starts[0] + size + grace)

    def lacks(self, ms: int, key: Any) -> bool:
        """Tell whether a record would open a window."""
        if not self._from_ms <= ms < self._to_ms:
            self._look(ms)
        return any(key not in windows for _, windows in self._here)

    def over(self) -> Iterator[State]:
        """Yield the windows whose time is over, the earliest end first, and forget them."""
        size, _, grace = self.shape
        self._from_ms = self._to_ms = 0
        for start in sorted(start for start in self._windows if start + size + grace <= self.time_ms):
            yield from self._windows.pop(start).values()
        self.closes_ms = min(self._windows, default=FOREVER_MS) + size + grace

    def last_ms(self) -> int:
        """Return the stream time at which all windows are over."""
        size, _, grace = self.shape
        return max(self._windows, default=-FOREVER_MS) + size + grace
