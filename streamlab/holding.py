"""Records that are acked later: when everything that was made of them has been consumed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from streamlab.arrivals import Heard
from streamlab.events import Carrier, Event

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival

__all__ = ["Hold", "hold_of"]


class Hold:
    """A record that is to be acked when everybody who shares it has let go of it."""

    __slots__ = ("_ack", "_sharers")

    def __init__(self, ack: Callable[[], object]) -> None:
        self._ack = ack
        self._sharers = 1

    def share(self) -> Hold:
        """One more has to let go of it."""
        self._sharers += 1
        return self

    def let_go(self) -> None:
        """Say that one is done."""
        self._sharers -= 1
        if not self._sharers:
            self._ack()

    @property
    def is_done(self) -> bool:
        """Whether all have let go of it."""
        return not self._sharers


def hold_of(arrival: Arrival) -> Hold | None:
    """Return how to ack a record later, keeping as little of it as can be."""
    opened = arrival.opened
    if opened is None:
        item = arrival.item
        if isinstance(item, Event) and item.message.on_final_ack is None:  # it is in no log, and nothing reads it again
            item.ack()
            return None
        return Hold(arrival.ack) if isinstance(item, Carrier) else None
    if opened.store is None or isinstance(arrival, Heard):
        return None
    return Hold(arrival.ack if arrival.made is not None else partial(opened.store.ack, arrival.item[0]))
