"""What one loop over a stream remembers and counts, so that an item costs it next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.events import Event
    from streamlab.processors import Processor, Processors

__all__ = ["FOREVER", "Loop"]


class Loop:
    """One running loop.

    Attributes
    ----------
    alive : bool
        False when the loop is over: whoever still holds one of its cells sees no event any more.
    done : int
        Values handed out.
    active : tuple of Processor
        What values go through; they count for these until ``follow`` changes them.
    event_cell, event
        The cell whose event was asked for last, and that event.
    """

    __slots__ = ("__weakref__", "_counted", "_live", "active", "alive", "done", "event", "event_cell")

    def __init__(self, live: Processors | None = None) -> None:
        self.alive = True
        self.done = 0
        self.active: tuple[Processor, ...] = ()
        self.event_cell: Any = None
        self.event: Event | None = None
        self._counted = 0
        self._live = live
        if live is not None:
            live.loops = (*live.loops, self)

    @property
    def uncounted(self) -> int:
        """Values that went through ``active`` and were not added to their counters yet."""
        return self.done - self._counted

    def follow(self, active: tuple[Processor, ...]) -> None:
        """Go on with these processors."""
        self._count()
        self.active = active

    def _count(self) -> None:
        passed, self._counted = self.uncounted, self.done
        for processor in self.active:
            processor.add_passed(passed)

    def end(self) -> None:
        """Be over."""
        self.alive = False
        self._count()
        if self._live is not None:
            self._live.retire(self)


FOREVER = Loop()
"""The loop of cells that are nobody's."""
