"""How much flows per second."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlab.stats import StreamStats

__all__ = ["Rates"]

RATE_S = 0.5
"""Rates are those of the last half second."""
SPARK = 60
"""Rates that the little curve shows, one a second."""


class Rates:
    """What flows per second, measured now and then.

    Attributes
    ----------
    events, size : float
        Messages that are read, and their bytes, per second.
    processors : dict of str to float
        What comes out of each, per second.
    spark : deque of float
        The rate of messages once a second, of the last minute.
    """

    def __init__(self) -> None:
        self.events = self.size = 0.0
        self.processors: dict[str, float] = {}
        self.spark: deque[float] = deque(maxlen=SPARK)
        self._measured_s = self._sparked_s = float("-inf")
        self._read = 0
        self._passed: dict[str, int] = {}

    def measure(self, stats: StreamStats, now_s: float) -> None:
        """Take the counters, once in half a second."""
        passed_s = now_s - self._measured_s
        if passed_s < RATE_S:
            return
        read = stats.events_total + sum(entry.skipped + entry.errors for entry in stats.processors)
        out = {entry.name: entry.passed for entry in stats.processors}
        if self._measured_s > float("-inf"):
            self.events = max(read - self._read, 0) / passed_s  # a processor that is removed takes its counters along
            self.processors = {name: max(count - self._passed.get(name, count), 0) / passed_s for name, count in out.items()}
        self.size, self._read, self._passed, self._measured_s = stats.bytes_per_s, read, out, now_s
        if now_s - self._sparked_s >= 1.0:
            self.spark.append(self.events)
            self._sparked_s = now_s
