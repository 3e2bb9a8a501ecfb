"""What ``take`` gathers for a batch: values, and what they were made from; events are made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.events import Carrier, Event, event_of, made_event
from streamlab.loops import FOREVER
from streamlab.outcomes import ack_cell, cell_item

if TYPE_CHECKING:
    from streamlab.events import Cell
    from streamlab.loops import Loop
    from streamlab.opened import OpenedBatch
    from streamlab.runtime.acks import AckStore
    from streamlab.sources import Source

__all__ = ["Basket", "KeptRecord"]

STRETCH = 256
"""So many records are taken without looking up."""


class KeptRecord(NamedTuple):
    """What is kept of a record. Kept as a plain tuple of this order: the garbage collector soon lets go of such."""

    offset: int
    timestamp: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Basket:
    """Values, and parallel to them the items of the runs that they came from: events, plain values, or what is kept of records.

    Attributes
    ----------
    gathered, items : list
        The values, and what each was made from.
    wanted : int
        How many values make it full; 0 while it is to get none.
    first_s : float
        When not 0: the first value gives the timer so many seconds.
    loop : Loop
        The loop that fills it.
    """

    __slots__ = ("_cells", "_last", "_marks", "_stores", "first_s", "gathered", "items", "loop", "wanted")

    def __init__(self, wanted: int = 0, *, first_s: float = 0.0) -> None:
        self.wanted = wanted
        self.first_s = first_s
        self.gathered: list[Any] = []
        self.items: list[Any] = []
        self.loop: Loop = FOREVER
        self._marks: list[tuple[int, OpenedBatch | None]] = []
        self._stores: set[AckStore] = set()
        self._cells: list[Cell] | None = None
        self._last: Cell | None = None

    @classmethod
    def of_values(cls, values: Iterable[Any]) -> Basket:
        """Return a basket of plain values."""
        basket = cls()
        for value in values:
            basket.add(value, value, None)
        return basket

    @classmethod
    def of_cells(cls, values: list[Any], cells: list[Cell]) -> Basket:
        """Return a basket of values with their cells."""
        basket = cls()
        for value, cell in zip(values, cells, strict=True):
            basket.add(value, *cell_item(cell))
        basket._cells = cells
        return basket

    def add(self, value: Any, item: Any, opened: OpenedBatch | None) -> None:
        """Put one in."""
        self.put(value, item if opened is None else _kept(item), opened)

    def put(self, value: Any, item: Any, opened: OpenedBatch | None) -> None:
        """Put one in that comes from another basket."""
        self.mark(opened)
        self.gathered.append(value)
        self.items.append(item)

    def gather(self, records: Iterator[Any], decode: Callable[[bytes], Any]) -> tuple[int, Any]:
        """Take a stretch of records that no processor is to see, until it is full.

        Returns how many were taken, and the record that could not be decoded, or None.
        """
        put_value, put_item = self.gathered.append, self.items.append
        before = len(self.gathered)
        record = None
        try:
            for record in islice(records, min(STRETCH, self.wanted - before)):
                raw = record.value
                value = None if raw is None else decode(raw)
                # what _kept gives, without a call
                put_item((record.offset, record.timestamp, record.timestamp_type, record.key, raw, record.headers or ()))
                put_value(value)
        except Exception:  # noqa: BLE001 - whatever a codec raises, the loop tries again and says what it means
            return len(self.items) - before, record
        except BaseException:  # interrupted: the record in hand is given back with the others
            if record is not None and (len(self.items) == before or self.items[-1][0] != record.offset):
                put_item(_kept(record))
            raise
        return len(self.items) - before, None

    def gather_items(self, items: Iterator[Any]) -> None:
        """Take a stretch of items that are there already, and that no processor is to see, until it is full. A plain None is dropped."""
        before = len(self.items)
        try:
            self.items.extend(islice(items, min(STRETCH, self.wanted - before)))
        finally:  # also of what was there when it was interrupted
            taken = self.items[before:]
            if all(issubclass(kind, Carrier) for kind in set(map(type, taken))):
                self.gathered.extend([item.value for item in taken])
            else:
                self.items[before:] = taken = [item for item in taken if item is not None]
                self.gathered.extend([item.value if isinstance(item, Carrier) else item for item in taken])

    def watch(self, stores: Iterable[AckStore]) -> None:
        """Look out for partitions that are revoked, of which carriers come."""
        self._stores.update(stores)

    def mark(self, opened: OpenedBatch | None) -> None:
        """Say what opens the items that come from now on."""
        marks, here = self._marks, len(self.items)
        if marks and marks[-1][1] is opened:
            return
        if marks and marks[-1][0] == here:
            marks.pop()
        marks.append((here, opened))
        if opened is not None and opened.store is not None and not opened.store.closed:
            self._stores.add(opened.store)

    @property
    def stale(self) -> bool:
        """Whether a partition was revoked from which something is gathered."""
        return any(store.closed for store in self._stores)

    def let_go(self) -> bool:
        """Drop what was gathered from partitions that were revoked and is not acked: whoever has them now reads it again.

        Returns whether there was such.
        """
        if not self.stale:
            return False
        last = self._marks[-1][1]
        values = iter(self.gathered)
        kept = [
            (value, item, opened)
            for opened, run in self.runs()
            for item, value in zip(run, values, strict=False)
            if not _is_lost(item, opened)
        ]
        self._empty()
        for value, item, opened in kept:
            self.mark(opened)
            self.gathered.append(value)
            self.items.append(item)
        self.mark(last)
        return True

    def _empty(self) -> None:
        self.gathered.clear()  # who fills it holds on to the lists
        self.items.clear()
        self._marks, self._stores = [], set()

    def hand_over(self) -> Basket:
        """Return a basket with what was gathered, and begin anew."""
        full = Basket(self.wanted)
        full.gathered, full.items, full.loop, full._marks = self.gathered[:], self.items[:], self.loop, self._marks
        self._empty()
        if full._marks:
            self.mark(full._marks[-1][1])
        return full

    def runs(self) -> Iterator[tuple[OpenedBatch | None, list[Any]]]:
        """Yield what opens items, and the items that it opens."""
        ends = [*(start for start, _ in self._marks), len(self.items)][1:]
        for (start, opened), end in zip(self._marks, ends, strict=True):
            if end > start:
                yield opened, self.items[start:end]

    @property
    def cells(self) -> list[Cell]:
        """The cells of the items: lists, which keep their events."""
        if self._cells is None:
            pairs = [(opened, item) for opened, items in self.runs() for item in items][:-1]
            cells = [self._cell(opened, item, value) for (opened, item), value in zip(pairs, self.gathered[:-1], strict=True)]
            self._cells = [*cells, self.last_cell] if self.items else []
        return self._cells

    @property
    def last_cell(self) -> Cell:
        """The cell of the last item, made alone."""
        if self._cells:
            return self._cells[-1]
        if self._last is None:
            self._last = self._cell(self._marks[-1][1], self.items[-1], self.gathered[-1])
        return self._last

    def _cell(self, opened: OpenedBatch | None, item: Any, value: Any) -> Cell:
        if opened is not None:
            record = KeptRecord._make(item)
            return [None, record, opened.decode_again(record, value), opened, self.loop]
        return [item, None, None, None, self.loop] if isinstance(item, Carrier) else [None, None, item, None, self.loop]

    @property
    def events(self) -> list[Event | None]:
        """The events of the items."""
        return [event_of(cell) for cell in self.cells]

    def settle(self) -> None:
        """Ack everything."""
        if self._cells is not None:
            for cell in self._cells:
                ack_cell(cell)
            return
        if self._last is not None:
            ack_cell(self._last)
        for opened, items in self.runs():
            if opened is None:
                for item in items:
                    if isinstance(item, Carrier) and item is not (self._last and self._last[0]):
                        item.ack()
            elif opened.store is not None:
                for item in items:
                    opened.store.ack(item[0])

    def leave(self, source: Source, *, ack_on_error: bool) -> None:
        """Settle it when its loop was left: acked, as in Faust, or handed out again but for what is acked."""
        if ack_on_error:
            self.settle()
        else:
            self.give_back(source)

    def give_back(self, source: Source) -> None:
        """Have the items that are not acked handed out again, in order."""
        items = [(item, opened) for opened, run in self.runs() for item in run]
        for index in range(len(items) - 1, -1, -1):
            event = self._event_made(index)
            if event is None or not event.message.acked:
                item, opened = items[index]
                source.give_back(item if opened is None else KeptRecord._make(item), opened)

    def _event_made(self, index: int) -> Event | None:
        if self._cells is not None:
            return made_event(self._cells[index])
        if self._last is not None and index == len(self.items) - 1:
            return made_event(self._last)
        item = self.items[index]
        return item.made_event() if isinstance(item, Carrier) else None


def _is_lost(item: Any, opened: OpenedBatch | None) -> bool:
    if opened is None:
        return isinstance(item, Carrier) and item.is_lost()
    return opened.store is not None and opened.store.closed and opened.store.withdraw(item[0])


def _kept(record: Any) -> tuple[Any, ...]:
    return (record.offset, record.timestamp, record.timestamp_type, record.key, record.value, record.headers or ())
