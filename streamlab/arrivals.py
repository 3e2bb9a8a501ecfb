"""What a stream that reads other streams gets and hands out: values of its nodes, and what is made of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import msgspec

from streamlab.baskets import KeptRecord
from streamlab.errors import KeyDecodeError
from streamlab.events import Carrier, Event
from streamlab.joined import Joined

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.opened import OpenedBatch
    from streamlab.runtime.acks import AckStore
    from streamlab.sources import Source

__all__ = ["Arrival", "Heard", "Output", "Result"]


class Arrival(Carrier, msgspec.Struct, eq=False, weakref=False):
    """One value of a node, after the node's own processors. A Struct, since that is made without running Python code.

    Attributes
    ----------
    timestamp : float
        Of its message, in seconds; of a plain value, when it was read.
    side : int
        Which node it comes from.
    value : Any
    item, opened : Any, OpenedBatch or None
        What it was made from, as a Basket has it.
    made : Event or None
        Its event, once somebody asked for it.
    join_key, met : Any, bool
        Where it is joined: by what, and whether it has found a partner. Kept here, since an object for each would cost more.
    """

    timestamp: float
    side: int
    value: Any
    item: Any
    opened: OpenedBatch | None
    made: Event | None = None
    join_key: Any = None
    met: bool = False

    @property
    def timed(self) -> bool:
        """Whether its time is that of a message."""
        return self.opened is not None or (isinstance(self.item, Carrier) and getattr(self.item, "timed", True))

    @property
    def event(self) -> Event | None:
        """Its event, with the value that the node decoded; made once, when it is asked for. None for a plain value."""
        return self.as_event()

    def as_event(self) -> Event | None:
        """Return ``event``."""
        if self.made is None:
            if self.opened is not None:
                record = KeptRecord._make(self.item)
                self.made = self.opened.build(record, self.opened.decode_again(record, self.value))
            elif isinstance(self.item, Carrier):
                self.made = self.item.as_event()
        return self.made

    def made_event(self) -> Event | None:
        """Return its event if there is one already."""
        return self.item.made_event() if self.made is None and isinstance(self.item, Carrier) else self.made

    @property
    def key(self) -> Any:
        """The message key, decoded; None for a plain value."""
        if self.opened is not None:
            try:
                return self.opened.key(KeptRecord._make(self.item))
            except KeyDecodeError:  # the value is ``on_error``'s then
                return self.item[3]
        return getattr(self.item, "key", None) if isinstance(self.item, Carrier) else None

    @property
    def tp(self) -> TP | None:
        """Where it comes from; None for a plain value."""
        if self.opened is not None:
            return self.opened.batch.tp
        if isinstance(self.item, Arrival):
            return self.item.tp
        return self.item.message.tp if isinstance(self.item, Event) else None

    @property
    def store(self) -> AckStore | None:
        """Where it is acked in group mode; None elsewhere."""
        if self.opened is not None:
            return self.opened.store
        return self.item.store if isinstance(self.item, Arrival) else None

    @property
    def revoked(self) -> bool:
        """Whether its partition is another consumer's now."""
        store = self.store
        return store is not None and store.closed

    def is_lost(self) -> bool:
        """Tell whether its partition was revoked before it was acked; then it is not committed."""
        if isinstance(self.item, Arrival):
            return self.item.is_lost()
        store = self.store
        if store is None or not store.closed:
            return False
        return store.withdraw(self.offset)

    @property
    def offset(self) -> int:
        """Its record's offset; -1 for what never was in a log."""
        if self.opened is not None:
            offset: int = self.item[0]
            return offset
        if isinstance(self.item, Arrival):
            return self.item.offset
        return self.item.message.offset if isinstance(self.item, Event) else -1

    def ack(self) -> bool:
        """Ack its record or event on the node; True when that was news to it."""
        if self.made is not None:
            return self.made.ack()
        if self.opened is not None:
            if self.opened.store is not None:
                self.opened.store.ack(self.item[0])
            return True
        return self.item.ack() if isinstance(self.item, Carrier) else False

    def give_back_to(self, source: Source) -> None:
        """Make its item the next one of its node's source."""
        source.give_back(self.item if self.opened is None else KeptRecord._make(self.item), self.opened)

    def light(self, openers: Callable[[OpenedBatch], OpenedBatch]) -> Arrival:
        """Return one to look at later, which nobody acks and which holds no batch."""
        item = self.item.light(openers) if isinstance(self.item, Arrival) else self.item
        value = self.value.light(openers) if isinstance(self.value, Joined) else self.value
        return Arrival(self.timestamp, self.side, value, item, None if self.opened is None else openers(self.opened))

    def source(self) -> tuple[Any, OpenedBatch | None]:
        """Return what the first of its nodes had: an item as a Basket has it, and what opens it."""
        return self.item.source() if isinstance(self.item, Arrival) else (self.item, self.opened)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: side {self.side} at {self.timestamp} {self.value!r}>"


class Heard(Arrival):
    """A value of a node that runs in the background: the runner acks it."""

    def ack(self) -> bool:
        """Do nothing."""
        return False

    def give_back_to(self, source: Source) -> None:
        """Do nothing."""


class Output(Arrival):
    """A value that was made of arrivals, in a run of a source.

    Attributes
    ----------
    cause : Arrival
        What brought it about: its time, event, key and partition are this one's.
    on_ack : callable, optional
        Called with the output, once, when whoever got it is done with it.
    """

    cause: Any = None
    on_ack: Callable[[Any], object] | None = None

    @classmethod
    def of(cls, value: Any, cause: Arrival, on_ack: Callable[[Any], object] | None = None) -> Self:
        """Return one."""
        return cls(cause.timestamp, cause.side, value, cause.item, cause.opened, None, None, False, cause, on_ack)  # noqa: FBT003

    def as_event(self) -> Event | None:
        """Return the event of its cause."""
        event: Event | None = self.cause.as_event()
        return event

    def made_event(self) -> Event | None:
        """Return the event of its cause if there is one already."""
        event: Event | None = self.cause.made_event()
        return event

    def ack(self) -> bool:
        """Tell whoever made it, once."""
        on_ack, self.on_ack = self.on_ack, None
        if on_ack is not None:
            on_ack(self)
        return on_ack is not None

    def is_lost(self) -> bool:
        """Tell whether the partition of its cause was revoked."""
        return self.revoked


class Result(Output):
    """An output whose records wait for it: acking it, or its event, says that it is done, and no more than that."""

    def as_event(self) -> Event | None:
        """Return its cause's event, the ack of which is this one's."""
        if self.made is None:
            event = self.cause.as_event()
            if event is not None:
                self.made = copy.copy(event)
                self.made.ack = self.ack  # type: ignore[method-assign] # as whoever replaces it
        return self.made

    def made_event(self) -> Event | None:
        """Return its event if there is one already."""
        return self.made
