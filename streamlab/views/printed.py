"""What is printed while something is tried, kept apart from what others print meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from streamlab.texts import clean

__all__ = ["KEPT", "Printed", "caught"]

KEPT = 10_000
"""So many characters are kept: the last ones."""
NAMES = ("stdout", "stderr")


class Printed:
    """The end of what was printed, as it came, and how much there was before it."""

    def __init__(self) -> None:
        self._end = ""
        self._total = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Keep the end of it; from any thread."""
        with self._lock:
            self._end = (self._end + text)[-KEPT:]
            self._total += len(text)
        return len(text)

    def told(self) -> dict[str, Any]:
        """Return the end of it, with everything in it visible, and how many characters before that are left out."""
        return {"text": clean(self._end, KEPT, lines=True), "leftOut": max(self._total - KEPT, 0)}


_into: ContextVar[Printed | None] = ContextVar("streamlab_printed", default=None)


class _StandIn:
    """Stands where ``sys.stdout`` does, and is it, but for what is printed where it is to be caught."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> Any:
        return (_into.get() or self.stream).write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_lock = threading.Lock()
_catching = 0


@contextmanager
def caught() -> Iterator[Printed]:
    """Catch what is printed in the body's context, and in threads that get a copy of it; everything else goes where it went.

    Notes
    -----
    Only while somebody catches something another object stands in the place of ``sys.stdout`` and ``sys.stderr``: the same one for
    all who do. Where somebody else puts something in its place meanwhile, that stays, and is printed to.
    """
    printed = Printed()
    token = _into.set(printed)
    _stand_in(1)
    try:
        yield printed
    finally:
        _stand_in(-1)
        _into.reset(token)


def _stand_in(more: int) -> None:
    """Count who catches, and have something stand in as long as anybody does."""
    global _catching  # noqa: PLW0603 - sys.stdout is one for all, too
    with _lock:
        _catching += more
        for name in NAMES:
            now = getattr(sys, name)
            if isinstance(now, _StandIn) != bool(_catching) and now is not None:
                setattr(sys, name, _StandIn(now) if _catching else now.stream)
