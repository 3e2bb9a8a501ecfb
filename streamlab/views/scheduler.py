"""One thread that shows everything: it decides which view gets a frame, and when.

At most ten frames a second for a view, two megabytes a second for all of them together. A view that has not drawn what is
under way to it gets no more. When a pass takes long, the next one waits longer: showing never takes more than a third of a core.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from time import monotonic, thread_time
from typing import Protocol

from streamlab.views.collecting import RarePasses

__all__ = ["BYTES_PER_S", "PERIOD_S", "Budget", "Scheduler", "Shower", "scheduler"]

PERIOD_S = 0.1
BYTES_PER_S = 2_000_000
REST = 2
"""After a pass that cost so many milliseconds there is none for this many times as long."""
NAME = "streamlab-view"
log = logging.getLogger(__name__)


class Shower(Protocol):
    """What has views to feed: an explorer."""

    def prepare(self, now_s: float) -> None:
        """Do what is to be done once for all its views."""

    def due(self, now_s: float) -> Iterable[str]:
        """Return its views that may get a frame."""

    def show(self, view: str, now_s: float) -> int:
        """Send a frame to a view; how many bytes that were."""


class Budget:
    """Bytes that may still be sent: refilled all the time, never more than half a second's worth."""

    def __init__(self, bytes_per_s: float = BYTES_PER_S, now_s: float = 0.0) -> None:
        self._rate = bytes_per_s
        self._left = bytes_per_s / 2
        self._at = now_s

    def refill(self, now_s: float) -> None:
        """Add what has come since the last call."""
        self._left = min(self._left + (now_s - self._at) * self._rate, self._rate / 2)
        self._at = now_s

    def spend(self, size: int) -> None:
        """Take bytes out; a large frame may overdraw it, and is waited for by those that follow."""
        self._left -= size

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be sent now."""
        return self._left <= 0


class Scheduler:
    """The thread and whom it serves. It starts with the first one and ends with the last."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()  # the garbage collector may call remove while add has it
        self._showers: tuple[weakref.ref[Shower], ...] = ()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._ended = False
        self._budget = Budget(now_s=clock())
        self._turn = 0
        self._failed: weakref.WeakKeyDictionary[Shower, set[type[Exception]]] = weakref.WeakKeyDictionary()

    def add(self, shower: Shower) -> None:
        """Serve this one from now on."""
        with self._lock:
            self._showers = (*self._showers, weakref.ref(shower))
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
                self._thread.start()

    def remove(self, shower: Shower) -> None:
        """Serve it no more."""
        with self._lock:
            self._showers = tuple(ref for ref in self._showers if ref() not in (None, shower))
        self._wake.set()

    def end(self) -> None:
        """Stop the thread, for good."""
        self._ended = True
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _run(self) -> None:
        with RarePasses():
            self._serve_all()

    def _serve_all(self) -> None:
        while True:
            with self._lock:
                showers = [shower for ref in self._showers if (shower := ref()) is not None]
                if self._ended or not showers:
                    self._thread = None
                    return
            began, worked = self._clock(), thread_time()
            self.serve(showers)
            del showers
            busy = thread_time() - worked
            self._wake.wait(max(PERIOD_S - (self._clock() - began), REST * busy, 0.01))
            self._wake.clear()

    def serve(self, showers: list[Shower]) -> None:
        """Make one pass: a frame for every view that is due, as far as the budget goes; who got none is the next one's first."""
        for shower in showers:
            with self._survives(shower):
                shower.prepare(self._clock())
        waiting = [(shower, view) for shower in showers for view in shower.due(self._clock())]
        if not waiting:
            return
        self._turn %= len(waiting)
        waiting = waiting[self._turn :] + waiting[: self._turn]
        for number, (shower, view) in enumerate(waiting):
            now = self._clock()
            self._budget.refill(now)
            if self._budget.is_spent:
                self._turn += number
                return
            with self._survives(shower):
                self._budget.spend(shower.show(view, now))
        self._turn = 0

    @contextlib.contextmanager
    def _survives(self, shower: Shower) -> Iterator[None]:
        """One that fails does not take the others along; what failed is logged, once, since nobody awaits this thread."""
        try:
            yield
        except Exception as error:
            known = self._failed.setdefault(shower, set())
            if type(error) not in known:
                known.add(type(error))
                log.exception("showing %r failed", shower)


scheduler = Scheduler()
atexit.register(scheduler.end)
