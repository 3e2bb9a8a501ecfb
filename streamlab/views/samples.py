"""The last value before and after the processors that are selected, now and then."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidValue, Skip
from streamlab.texts import clean, said
from streamlab.views.trees import Tree, differences, tree

if TYPE_CHECKING:
    from streamlab.processors import Processor
    from streamlab.sampling import Sample
    from streamlab.streams import Stream
    from streamlab.views.session import ShownStream

__all__ = ["Sampler"]

EVERY_S = 0.25
FORGET_S = 2.0
"""Whoever selects a processor anew after so long sees its next value, not an old one."""
LARGEST = 4_000
"""Texts above so many characters are withheld in a sample."""


@dataclass
class Seen:
    """One sample, rendered at once: processors may change values in place."""

    before: Tree | None = None
    after: Tree | None = None
    error: str | None = None
    skipped: bool = False
    at_ms: int | None = None


class _Watched:
    """A processor that somebody has selected."""

    def __init__(self, entry: Processor) -> None:
        self.entry = entry
        self.looked_s = self.asked_s = float("-inf")
        self.seen = Seen()


class Sampler:
    """Asks for samples of the processors that are selected in any explorer of a stream, and keeps the last one of each."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def watch(self, stream: Stream[Any], name: str, now_s: float) -> None:
        """Ask for the next value that goes through, if the last one is some time ago."""
        self._watched = {other: each for other, each in self._watched.items() if now_s - each.looked_s < FORGET_S}
        with suppress(InvalidValue):
            self._watch(stream.processors[name], now_s)

    def _watch(self, entry: Processor, now_s: float) -> None:
        watched = self._watched.get(entry.name)
        if watched is None or watched.entry is not entry:
            watched = self._watched[entry.name] = _Watched(entry)
        watched.looked_s = now_s
        if now_s - watched.asked_s < EVERY_S:
            return
        watched.asked_s = now_s
        pending = Seen()

        def before(value: Any) -> None:
            pending.before = tree(value, withhold=LARGEST)

        def after(sample: Sample) -> None:
            _finish(pending, sample)
            watched.seen = pending

        entry.watch(before, after)

    def section(self, shown: ShownStream, name: str | None) -> dict[str, Any] | None:
        """Return the last sample of a processor; None when it is not there, or none is selected."""
        watched = self._watched.get(name or "")
        if watched is None or watched.entry not in shown.stream.processors:
            return None
        seen = watched.seen
        diff = [] if seen.before is None or seen.after is None else differences(seen.before, seen.after)
        return {
            "name": name,
            "before": seen.before,
            "after": seen.after,
            "error": seen.error,
            "skipped": seen.skipped,
            "at": seen.at_ms,
            "diff": diff,
        }


def _finish(pending: Seen, sample: Sample) -> None:
    error = sample.error
    if isinstance(error, Skip):
        pending.skipped = True
    elif error is not None:
        pending.error = clean(said(error), 1_000, lines=True)
    else:
        pending.after = tree(sample.after, withhold=LARGEST)
    pending.at_ms = time.time_ns() // 1_000_000
