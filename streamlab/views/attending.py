"""What becomes of an explorer, and of its stream, when nobody looks any more.

A stream that showing had started is paused after long silence, and stopped when it was taken off the screen. An explorer that
nobody looks at keeps what it shows, for who comes back; of too many, the oldest lets go.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from streamlab.views.session import AT_REST

if TYPE_CHECKING:
    from streamlab.views.explorer import Explorer
    from streamlab.views.presence import Verdict

__all__ = ["KEPT", "Attendance"]

KEPT = 20
"""So many explorers that nobody looks at keep what they show."""
_unseen: list[weakref.ref[Explorer]] = []


class Attendance:
    """Acts once for each time that people leave. For the scheduler's thread.

    Attributes
    ----------
    verdict : str
        "stay" while somebody looks; see ``Presence.verdict``.
    """

    def __init__(self) -> None:
        self.verdict: Verdict = "stay"

    def look(self, explorer: Explorer, heard_s: float) -> None:
        """See whether anybody is there, and act when nobody is there any more."""
        before, self.verdict = self.verdict, explorer.presence.verdict(heard_s)
        if self.verdict != "stop" and explorer.batches is not None:
            explorer.batches.keep_taking()
        if self.verdict != before and "stop" in (before, self.verdict):
            explorer.shown.rest(rests=not explorer.shown.is_watched())
        if self.verdict in ("stay", before):
            return
        if self.verdict == "pause":
            _pause(explorer)
        else:
            _leave(explorer)


def _pause(explorer: Explorer) -> None:
    shown = explorer.shown
    if shown.started_here and shown.state not in (*AT_REST, "paused") and not shown.is_watched():
        shown.stream.pause()
        shown.say("Paused: no browser has shown this stream for minutes. Run goes on.")


def _leave(explorer: Explorer) -> None:
    shown = explorer.shown
    if explorer.batches is not None:
        explorer.batches.stop_soon()
    if shown.started_here and shown.state not in AT_REST and not shown.has_views():
        shown.stop_soon("Stopped: nobody looked at it any more. Restart goes on where it stood.")
    _unseen[:] = [other for other in _unseen if other() not in (None, explorer)]
    _unseen.append(weakref.ref(explorer))
    while len(_unseen) > KEPT:
        oldest = _unseen.pop(0)()
        if oldest is not None and not oldest.presence.views:
            oldest.close()
