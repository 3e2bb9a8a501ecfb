"""Which views of an explorer are there, and what follows when none is.

A browser says hello when it draws a view, bye when it takes it away, and asks whether the kernel is there every ten seconds in
between. A page that is loaded again or closed says "away" at most, so neither that nor silence stops anything: it pauses,
after minutes, and only minutes in which the kernel could hear are counted.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

__all__ = ["ACK_S", "GRACE_S", "STALE_S", "UNSEEN_S", "Presence", "Verdict", "View"]

Verdict = Literal["stay", "stop", "pause"]
GRACE_S = 5.0
"""So long after the last view said bye a stream that showing had started is stopped: a cell that is moved says hello again."""
STALE_S = 300.0
"""After so much silence of all views a stream is paused."""
UNSEEN_S = 60.0
"""After so long without any hello a stream that showing had started is stopped: nobody draws it."""
ACK_S = 5.0
"""An acknowledgement that takes longer is lost: the next frame is sent, with all that it can say."""

REMEMBERED = 1_000
"""So many views that said bye are remembered."""


@dataclass
class View:
    """One drawn view.

    Attributes
    ----------
    first, count : int
        The rows that its table shows: from which place on, and how many.
    base, era : int
        Those of the rows when that place was told; see ``Page``.
    follow : bool
        It shows the latest rows, whichever they are.
    seen : bool
        Whether it is on the screen.
    heard_s : float
        When it gave a sign of life, on the clock of hearing.
    inflight : int or None
        Number of the frame that it has not acknowledged.
    sent_s : float
        When that was sent, on the wall's clock.
    keeps : bool
        Its page keeps a live view when the snapshot beside it changes.
    columns : tuple of str
        The fields that its table has in sight; empty for the first ones.
    """

    first: int = 0
    base: int = 0
    era: int = 0
    count: int = 30
    follow: bool = True
    seen: bool = True
    heard_s: float = 0.0
    inflight: int | None = None
    sent_s: float = 0.0
    keeps: bool = False
    columns: tuple[str, ...] = ()

    def is_due(self, now_s: float) -> bool:
        """Tell whether it may get a frame: it is on the screen, and drew the last one or lost it."""
        return self.seen and (self.inflight is None or now_s - self.sent_s > ACK_S)

    def lost(self, now_s: float) -> bool:
        """Tell whether the last frame was never acknowledged."""
        return self.inflight is not None and now_s - self.sent_s > ACK_S


class Presence:
    """The views of one explorer. All methods may be called from any thread.

    Times are given by the caller, in seconds of *hearing*: a clock that stands still while the kernel hears nothing.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        self._lock = threading.Lock()
        self.views: dict[str, View] = {}
        self._quiet_since_s = now_s
        self._greeted = False
        self._away = False
        self._gone: deque[str] = deque(maxlen=REMEMBERED)

    def hello(self, name: str, now_s: float, *, keeps: bool = False) -> View:
        """Take a view in; one that is drawn again begins anew."""
        with self._lock:
            self._greeted = True
            view = View(heard_s=now_s, keeps=keeps)
            self.views = {**self.views, name: view}
            return view

    def bye(self, name: str, now_s: float) -> None:
        """Let a view go."""
        self._let_go(name, now_s, away=False)

    def away(self, name: str, now_s: float) -> None:
        """Let a view go whose page goes: a page that is loaded again draws another, and a closed one stops nothing."""
        self._let_go(name, now_s, away=True)

    def _let_go(self, name: str, now_s: float, *, away: bool) -> None:
        with self._lock:
            self.views = {other: view for other, view in self.views.items() if other != name}
            self._gone.append(name)
            if not self.views:
                self._quiet_since_s, self._away = now_s, away

    def taken_away(self, now_s: float) -> None:
        """Expect no view any more: a cell shows something else in its place. Views that are there say bye themselves."""
        with self._lock:
            if not self._greeted:
                self._greeted, self._quiet_since_s = True, now_s

    def heard(self, name: str, now_s: float) -> View:
        """Note a sign of life; who is not known is taken in, but not who said bye: what comes later was said before."""
        view = self.views.get(name)
        if view is None:
            return View() if name in self._gone else self.hello(name, now_s)
        view.heard_s = now_s
        return view

    def acked(self, name: str, number: int) -> None:
        """Note that a view drew a frame."""
        view = self.views.get(name)
        if view is not None and view.inflight is not None and number >= view.inflight:
            view.inflight = None

    def verdict(self, now_s: float) -> Verdict:
        """Tell what is to become of a stream that showing had started."""
        with self._lock:
            if self.views:
                latest = max(view.heard_s for view in self.views.values())
                return "pause" if now_s - latest > STALE_S else "stay"
            if self._away:
                return "pause" if now_s - self._quiet_since_s > STALE_S else "stay"
            patience = GRACE_S if self._greeted else UNSEEN_S
            return "stop" if now_s - self._quiet_since_s > patience else "stay"
