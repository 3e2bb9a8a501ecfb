"""How many messages there are over event time, for what is in the window.

A few messages with wild times (year 9999, or before 1970) do not flatten the rest: the range shown leaves out up to half a percent at
either end when that makes it ten times shorter, and says how many those are.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.views.window import Window

__all__ = ["MAX_BINS", "STEPS_MS", "Histogram"]

MAX_BINS = 130
MAX_COUNTED = 2_000
"""So many different times are told apart before they are counted more coarsely."""
_S, _MIN, _H, _D = 1_000, 60_000, 3_600_000, 86_400_000
STEPS_MS = (
    *(1, 5, 10, 50, 100, 500),
    *(_S, 5 * _S, 15 * _S, 30 * _S),
    *(_MIN, 5 * _MIN, 15 * _MIN, 30 * _MIN),
    *(_H, 6 * _H, 12 * _H, _D, 7 * _D, 28 * _D, 364 * _D, 3640 * _D, 36400 * _D, 364000 * _D),
)
"""Widths of bars; each is a multiple of the one before, so that counts can be added up."""
CUT = 0.005
SHORTER = 10


class Histogram:
    """Counts of the window's messages by time, kept by basket so that what slides out leaves them too."""

    def __init__(self) -> None:
        self._step = 0
        self._chunks: deque[tuple[int, Counter[int]]] = deque()
        """The number after the last message of each basket, and its counts."""
        self._counts: Counter[int] = Counter()
        self._seen = 0
        self._revision = -1
        self._bars: tuple[int, int, list[int], int] | None = None
        self._span = 0, 0

    def clear(self) -> None:
        """Forget the counts; what comes from now on is counted."""
        self._chunks.clear()
        self._counts.clear()
        self._bars = None
        self._step = 0

    def sync(self, window: Window) -> None:
        """Count what has come into the window, and take out what has left it. Baskets leave as a whole."""
        if window.revision == self._revision:
            return
        self._revision = window.revision
        self._bars = None
        while self._chunks and self._chunks[0][0] <= window.first:
            self._counts.subtract(self._chunks.popleft()[1])
        for chunk, begin in window.chunks(self._seen):
            self.add(chunk.stamps(begin), chunk.first + len(chunk))
        self._counts += Counter()  # without what has come to nothing

    def add(self, stamps_ms: Iterable[int], end: int) -> None:
        """Count times; ``end`` is the number after their last message."""
        width = STEPS_MS[self._step]
        counts = Counter([stamp // width for stamp in stamps_ms])
        self._chunks.append((end, counts))
        self._counts.update(counts)
        self._seen = end
        while len(self._counts) > MAX_COUNTED and self._step + 1 < len(STEPS_MS):
            self._coarsen()

    def _coarsen(self) -> None:
        factor = STEPS_MS[self._step + 1] // STEPS_MS[self._step]
        self._step += 1
        self._chunks = deque((end, _added_up(counts, factor)) for end, counts in self._chunks)
        self._counts = _added_up(self._counts, factor)

    @property
    def span(self) -> tuple[int, int] | None:
        """Times of the first and the last message in the bars, in milliseconds; None without any."""
        return None if self._laid_out() is None else self._span

    def section(self, brush: list[float] | None) -> dict[str, Any]:
        """Return where the bars begin, their width, their counts, how many messages lie outside, and what is selected."""
        bars = self._laid_out()
        if bars is None:
            return {"from": 0, "step": 1, "counts": [], "outside": 0, "selected": brush}
        begin, step, counts, outside = bars
        return {"from": begin, "step": step, "counts": counts, "outside": outside, "selected": brush}

    def _laid_out(self) -> tuple[int, int, list[int], int] | None:
        if self._bars is None and self._counts:
            self._bars = self._lay_out()
        return self._bars

    def _lay_out(self) -> tuple[int, int, list[int], int]:
        width = STEPS_MS[self._step]
        places = sorted(place for place, count in self._counts.items() if count > 0)
        low, high = _range(places, self._counts)
        self._span = low * width, high * width
        step = next(
            (step for step in STEPS_MS[self._step :] if high * width // step - low * width // step < MAX_BINS), STEPS_MS[-1]
        )
        first = low * width // step
        counts = [0] * min(high * width // step - first + 1, MAX_BINS)
        outside = 0
        for place in places:
            index = place * width // step - first
            if 0 <= index < len(counts):
                counts[index] += self._counts[place]
            else:
                outside += self._counts[place]
        return first * step, step, counts, outside


def _added_up(counts: Counter[int], factor: int) -> Counter[int]:
    coarse: Counter[int] = Counter()
    for place, count in counts.items():
        coarse[place // factor] += count
    return coarse


def _range(places: list[int], counts: Counter[int]) -> tuple[int, int]:
    """Return the range to be shown: all of it, or without a few at the ends when that makes it much shorter."""
    allowed = sum(counts[place] for place in places) * CUT
    low, high = _inner(places, counts, allowed), _inner(places[::-1], counts, allowed)
    whole = places[-1] - places[0] + 1
    return (low, high) if (high - low + 1) * SHORTER <= whole else (places[0], places[-1])


def _inner(places: list[int], counts: Counter[int], allowed: float) -> int:
    passed = 0
    for place in places:
        passed += counts[place]
        if passed > allowed:
            return place
    return places[-1]
