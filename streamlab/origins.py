"""Where values came from, as columns: what a frame's index and its first columns are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from streamlab.arrivals import Arrival
from streamlab.baskets import KeptRecord
from streamlab.events import Event

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.broker.base import BrokerRecord
    from streamlab.opened import OpenedBatch

__all__ = ["NO_TIMESTAMP_MS", "Origins", "Run"]

LATEST_MS = 2**63 - 1
NO_TIMESTAMP_MS = -1
"""What a record says that has no timestamp."""
_OFFSET, _TIMESTAMP, _KEY, _HEADERS = (
    itemgetter(KeptRecord._fields.index(name)) for name in ("offset", "timestamp", "key", "headers")
)


class Run(NamedTuple):
    """So many rows from one partition; None for what is not known."""

    topic: str | None
    partition: int | None
    rows: int


@dataclass(slots=True)
class Origins:
    """Parallel lists, None where it is not known: values that are no events come from nowhere."""

    runs: list[Run] = field(default_factory=list)
    """Topics and partitions."""
    offsets: list[int | None] = field(default_factory=list)
    timestamps_ms: list[int | None] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)
    headers: list[Any] | None = None
    """Pairs as received; None when nobody asked for them."""

    @classmethod
    def of_events(cls, events: Iterable[Event | None], *, headers: bool = False) -> Self:
        """Collect from events; their keys are decoded already."""
        origins = cls(headers=[] if headers else None)
        for event in events:
            origins.add_event(event)
        return origins

    @classmethod
    def of_basket(cls, basket: Basket, *, headers: bool = False) -> Self:
        """Collect from what a batch was made from, without making events."""
        origins = cls(headers=[] if headers else None)
        for opened, items in basket.runs():
            if opened is not None:
                origins.add_kept(opened, items)
            else:
                for item in items:
                    origins.add_item(item)
        return origins

    def add_records(self, opened: OpenedBatch, records: Sequence[BrokerRecord]) -> None:
        """Add records of one batch; a key that is not what its type says stays bytes."""
        self.runs.append(Run(*opened.batch.tp, len(records)))
        self.offsets += [record.offset for record in records]
        self.timestamps_ms += [record.timestamp for record in records]
        self.keys += _keys(opened, [record.key for record in records])
        if self.headers is not None:
            self.headers += [list(record.headers) for record in records]

    def add_kept(self, opened: OpenedBatch, items: Sequence[tuple[Any, ...]]) -> None:
        """Add what a basket keeps of records of one batch."""
        self.runs.append(Run(*opened.batch.tp, len(items)))
        self.offsets += map(_OFFSET, items)
        self.timestamps_ms += map(_TIMESTAMP, items)
        self.keys += _keys(opened, map(_KEY, items))
        if self.headers is not None:
            self.headers += map(list, map(_HEADERS, items))

    def add_item(self, item: Any) -> None:
        """Add one item that no batch opens: where an arrival, an event or a plain value comes from."""
        source, opened = item.source() if isinstance(item, Arrival) else (item, None)
        if opened is None:
            self.add_event(source if isinstance(source, Event) else None)
        else:
            self.add_kept(opened, (source,))

    def add_event(self, event: Event | None) -> None:
        """Add one event; None adds a row from nowhere."""
        message = None if event is None else event.message
        in_log = message is not None and message.offset is not None and message.offset >= 0
        topic = None if message is None else message.topic
        partition, offset = (message.partition, message.offset) if message is not None and in_log else (None, None)
        if self.runs and self.runs[-1][:2] == (topic, partition):
            self.runs[-1] = Run(topic, partition, self.runs[-1].rows + 1)
        else:
            self.runs.append(Run(topic, partition, 1))
        self.offsets.append(offset)
        self.timestamps_ms.append(None if message is None else _milliseconds(message.timestamp))
        self.keys.append(None if event is None else event.key)
        if self.headers is not None:
            self.headers.append(None if message is None else _pairs(message.headers))

    @property
    def topics(self) -> list[str | None]:
        """A topic a row."""
        return [run.topic for run in self.runs for _ in range(run.rows)]

    @property
    def partitions(self) -> list[int | None]:
        """A partition a row."""
        return [run.partition for run in self.runs for _ in range(run.rows)]


def _keys(opened: OpenedBatch, keys: Iterable[bytes | None]) -> list[Any]:
    decode, keys = opened.key_fast, list(keys)
    try:
        return [None if key is None else decode(key) for key in keys]
    except Exception:  # noqa: BLE001 - whatever a codec raises
        return [None if key is None else _key(opened, key) for key in keys]


def _key(opened: OpenedBatch, key: bytes) -> Any:
    """Return the key; its bytes where they are not what its type says, which who handed the value out has dealt with."""
    try:
        return opened.key_fast(key)
    except Exception as error:  # noqa: BLE001 - whatever a codec raises
        try:
            return opened.key_slow(key, error)
        except Exception:  # noqa: BLE001 - and the other one
            return key


def _milliseconds(seconds: float | None) -> int | None:
    """Return a message's time as records have it; None for what no log could hold."""
    try:
        stamp = None if seconds is None else round(seconds * 1000)
    except (OverflowError, ValueError):  # infinite, or not a number
        return None
    return stamp if stamp is not None and abs(stamp) <= LATEST_MS else None


def _pairs(headers: Any) -> list[tuple[str, Any]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers or ())
