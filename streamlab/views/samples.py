"""The last value before and after the processor that is selected, now and then."""

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
LARGEST = 4_000
"""Texts above so many characters are withheld in a sample."""


@dataclass
class Seen:
    """One sample, rendered at once: processors may change values in place."""

    before: Tree | None = None
    after: Tree | None = None
    error: str | None = None
    skipped: bool = False
    at_ms: int = 0


class Sampler:
    """Asks for samples of one processor at a time, and keeps the last one."""

    def __init__(self) -> None:
        self._entry: Processor | None = None
        self._asked_s = float("-inf")
        self._seen: Seen | None = None

    def watch(self, stream: Stream[Any], name: str, now_s: float) -> None:
        """Ask for the next value that goes through, if the last one is some time ago."""
        entry: Processor | None = None
        with suppress(InvalidValue):
            entry = stream.processors[name]
        if entry is not self._entry:
            self._entry, self._seen, self._asked_s = entry, None, float("-inf")
        if entry is None or now_s - self._asked_s < EVERY_S:
            return
        self._asked_s = now_s
        pending = Seen()

        def before(value: Any) -> None:
            pending.before = tree(value, withhold=LARGEST)

        def after(sample: Sample) -> None:
            _finish(pending, sample)
            if entry is self._entry:
                self._seen = pending

        entry.watch(before, after)

    def section(self, shown: ShownStream, name: str | None) -> dict[str, Any] | None:
        """Return the last sample of a processor; None when another one, or none, is selected."""
        if name is None or self._entry is None or self._entry.name != name:
            return None
        seen = self._seen
        if seen is None:
            return {"name": name, "before": None, "after": None, "error": None, "skipped": False, "at": None, "diff": []}
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
