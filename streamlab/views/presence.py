"""Which views of an explorer are there, and what follows when none is.

A browser says hello when it draws a view, bye when it takes it away, and asks whether the kernel is there every ten seconds in
between. A page that is loaded again or closed says "away" at most, so neither that nor silence stops anything: it pauses,
after minutes, and only minutes in which the kernel could hear are counted.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = [
    "ACK_S",
    "ASK_FROM",
    "GONE",
    "GRACE_S",
    "MAX_BYTES",
    "MAX_ROOM",
    "STALE_S",
    "UNSEEN_S",
    "Presence",
    "Sent",
    "Verdict",
    "View",
]

Verdict = Literal["stay", "stop", "pause"]
GRACE_S = 5.0
"""So long after the last view said bye a stream that showing had started is stopped: a cell that is moved says hello again."""
STALE_S = 300.0
"""After so much silence of all views a stream is paused."""
UNSEEN_S = 60.0
"""After so long without any hello a stream that showing had started is stopped: nobody draws it."""
ACK_S = 5.0
"""An acknowledgement that takes longer is lost: the next frame is sent, with all that it can say."""
MAX_ROOM = 24
"""So many frames may be under way to a view at most; it says itself for how many it has room."""
ASK_FROM = 20
"""When so many are under way, or as many as it has room for, it is asked to acknowledge them."""
MAX_BYTES = 400_000
"""While so many bytes are under way there is room for no more; it is asked from the half of it on."""

GONE = 50
"""So many views that could not say bye are told of in a hello."""
REMEMBERED = 1_000
"""So many views that said bye are remembered."""
_all: weakref.WeakSet[Presence] = weakref.WeakSet()
_all_lock = threading.Lock()


class Sent(NamedTuple):
    """A frame that is under way: its number, its bytes, and when it was sent, on the wall's clock."""

    number: int
    size: int
    at_s: float


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
    room : int
        How many frames may be under way to it. One that draws them at once says now and then that it did, since the kernel counts
        as busy with each message; one that is slow has room for one, and gets the next when it has drawn that.
    under_way : tuple of Sent
        The frames that it has not acknowledged, oldest first.
    latest : int
        Number of the last frame that was sent; 0 when the next one is to say everything.
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
    room: int = 1
    under_way: tuple[Sent, ...] = ()
    latest: int = 0
    keeps: bool = False
    columns: tuple[str, ...] = ()

    def is_due(self, now_s: float) -> bool:
        """Tell whether it may get a frame: it is on the screen, and has room for it or lost what was sent."""
        return self.seen and (not self.is_full or self.lost(now_s))

    @property
    def is_full(self) -> bool:
        """Whether enough is under way to it."""
        return len(self.under_way) >= self.room or self._bytes >= MAX_BYTES

    @property
    def is_asked(self) -> bool:
        """Whether it is to acknowledge what is under way to it."""
        return len(self.under_way) >= min(self.room, ASK_FROM) or self._bytes >= MAX_BYTES / 2

    @property
    def _bytes(self) -> int:
        return sum(sent.size for sent in self.under_way)

    def lost(self, now_s: float) -> bool:
        """Tell whether a frame was never acknowledged."""
        waiting = self.under_way
        return bool(waiting) and now_s - waiting[0].at_s > ACK_S


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
        self._replaced = False
        self._closed: frozenset[str] = frozenset()
        self._gone: dict[str, bool] = {}  # by name, whether it may come back
        with _all_lock:
            _all.add(self)

    def hello(self, name: str, now_s: float, *, keeps: bool = False, rows: int = View.count, gone: Iterable[str] = ()) -> View:
        """Take a view in, and say everything to it. What it told of itself before stays true: a hello may come late, or twice.

        One that comes after its bye was sent before it, and waited behind a cell. It brings the names of views, of any explorer,
        that could not say bye: their notebook was closed.
        """
        _note_closed(frozenset(gone))
        if not self._gone.get(name, True):
            return View()
        with self._lock:
            self._greeted = True
            view = self.views.get(name) or View(count=rows)
            view.heard_s, view.keeps = now_s, keeps
            self.views = {**self.views, name: view}
        self.begin_anew(view)
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
            self._gone[name] = away
            if len(self._gone) > REMEMBERED:
                del self._gone[next(iter(self._gone))]
            if not self.views:
                self._quiet_since_s, self._away = now_s, away and not self._replaced

    def taken_away(self, now_s: float) -> None:
        """Expect no view any more: a cell shows something else in its place. Views that are there say bye themselves."""
        with self._lock:
            self._replaced = True
            if not self._greeted or (self._away and not self.views):
                self._greeted, self._away, self._quiet_since_s = True, False, now_s

    def heard(self, name: str, now_s: float) -> View:
        """Note a sign of life; who is not known is taken in, but not who said bye: what comes later was said before."""
        view = self.views.get(name)
        if view is None:
            return View() if name in self._gone else self.hello(name, now_s)
        view.heard_s = now_s
        return view

    def sent(self, view: View, sent: Sent) -> None:
        """Note that a frame is under way."""
        with self._lock:
            view.under_way, view.latest = (*view.under_way, sent), sent.number

    def begin_anew(self, view: View) -> None:
        """Wait for no frame that is under way: the next one says everything."""
        with self._lock:
            view.under_way, view.latest, view.room = (), 0, 1

    def acked(self, name: str, number: int, room: int) -> None:
        """Note that a view drew a frame and those before it, and for how many more it has room."""
        with self._lock:
            view = self.views.get(name)
            if view is not None and view.latest:
                view.room = min(max(room, 1), MAX_ROOM)
                view.under_way = tuple(sent for sent in view.under_way if sent.number > number)

    def verdict(self, now_s: float) -> Verdict:
        """Tell what is to become of a stream that showing had started."""
        for name in self._closed:
            self.away(name, now_s)
        self._closed = frozenset()
        with self._lock:
            if self.views:
                latest = max(view.heard_s for view in self.views.values())
                return "pause" if now_s - latest > STALE_S else "stay"
            if self._away:
                return "pause" if now_s - self._quiet_since_s > STALE_S else "stay"
            patience = GRACE_S if self._greeted else UNSEEN_S
            return "stop" if now_s - self._quiet_since_s > patience else "stay"


def _note_closed(names: frozenset[str]) -> None:
    """Have each presence let go of its views of these names, in its own time."""
    if not names:
        return
    with _all_lock:
        for presence in list(_all):
            presence._closed = presence._closed | (names & presence.views.keys())
