"""The partitions that a join is assigned in a group: of which it has all sides, and up to where their rows are done."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.events import TP
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed

__all__ = ["Assignment"]


class Assignment:
    """What the members of a group that one join is are assigned.

    Attributes
    ----------
    stores : set of AckStore
        Of the partitions that it knows.
    """

    def __init__(self) -> None:
        self.stores: set[AckStore] = set()
        self._whole: set[AckStore] = set()
        """Those among them of whose partitions all sides are ours."""
        self._done_up_to: dict[int, float] = {}
        self._feeds: list[Feed] = []
        self._note = ""

    def begin(self, feeds: Iterable[Feed], note: str) -> None:
        """Take in what the sides are read by, and the name of the note that is committed with their offsets."""
        self._feeds, self._note = list(feeds), note

    def is_settled(self) -> bool:
        """Tell whether the members of the group that this is have come to the same generation."""
        return len({feed.generation for feed in self._feeds if feed.group is not None}) <= 1

    def with_partners(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Leave out what is of partitions of which not all sides are ours, while members come and go.

        It is not acked, so that it is read again when the partition is given to somebody with all its sides.
        """
        ours = self._ours()
        whole = set.intersection(*ours)
        if all(numbers == whole for numbers in ours):
            return arrivals
        return [one for one in arrivals if one.store is None or one.store.tp.partition in whole]

    def _ours(self) -> list[set[int]]:
        """Return the partition numbers that are assigned, for each member of the group that this is."""
        return [{tp.partition for tp in tuple(feed.stores)} for feed in self._feeds if feed.group is not None]

    def meet(self, stores: set[AckStore], done: dict[int, float]) -> None:
        """Take in what was noted about partitions that are new here, in ``done`` too: by number, the stream time."""
        for feed in self._feeds:
            for tp in tuple(feed.notes):
                noted = _time_in(feed.noted(tp, self._note))
                done[tp.partition] = max(done.get(tp.partition, -math.inf), noted)
        numbers = set.intersection(*self._ours())
        self.stores, self._whole = stores, {store for store in stores if store.tp.partition in numbers}

    def note(self, feed: Feed, tp: TP, done_at: float) -> str:
        """Return what whoever reads a partition next has to know: up to which stream time its rows have been done."""
        time_s = max(_time_in(feed.noted(tp, self._note)), self._done_up_to.get(tp.partition, -math.inf))
        if feed.stores.get(tp) in self._whole:
            time_s = max(time_s, done_at)
        return repr(time_s) if math.isfinite(time_s) else ""

    def leave(self, done_at: float) -> None:
        """Remember how far the partitions were done that may go now: that stays true whoever has them."""
        for store in self._whole:
            number = store.tp.partition
            self._done_up_to[number] = max(self._done_up_to.get(number, -math.inf), done_at)
        self.stores, self._whole = set(), set()


def _time_in(note: str) -> float:
    """Return the time that a note tells; -inf where there is none."""
    try:
        return float(note)
    except ValueError:
        return -math.inf
