"""Table: the latest value of each key of a topic, as a mapping that is kept current."""

from __future__ import annotations

import threading
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_origin

from streamlab.channel_source import ChannelSource
from streamlab.errors import InvalidState, InvalidType, InvalidValue, NotSupported
from streamlab.failures import checked
from streamlab.materialising import Materialising
from streamlab.subscribing import BROKER_TIMEOUT_S, read_from
from streamlab.texts import clean

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

    from streamlab.broker.base import Isolation
    from streamlab.failures import ErrorLog
    from streamlab.topics import Topic

__all__ = ["MAX_BYTES", "Table"]

MAX_BYTES = 1_000_000_000
T = TypeVar("T")


class Table(Mapping[Any, Any]):
    """The latest value of each key of a topic: a read-only mapping, made by ``app.table()``.

    Making one reads nothing. The first lookup, ``ready()`` or a stream that is joined with it begins to read, and waits until
    everything was read that was in the topic at that moment; from then on the table is kept current by a thread of its own.
    It observes: no consumer group, nothing committed, nothing created.

    A record sets its key's value, a tombstone (no value) deletes the key. Within a partition that goes by offset; a key whose
    records stand in several partitions has the value that was read last. Records without a key are counted in ``keyless`` and passed
    over. What cannot be decoded goes to ``errors``, and the key keeps what it had. By default only committed records are read,
    up to the first transaction that is open.

    A lookup is a plain call, in any cell and thread, and sees the table as it is at that moment. ``items()``, ``keys()``,
    ``values()`` and iteration work on a copy made at the call, so that they are consistent while the table changes;
    ``dict(table.items())`` is one, ``dict(table)`` looks every key up anew.

    While no broker answers, lookups go on with what was read, and ``state`` says "retrying". When the topic is deleted, or the
    memory does not suffice, lookups raise. A stopped table stays as it was.

    Parameters
    ----------
    topic : Topic
        With one name, and its types.
    isolation : str
        "read_committed", or "read_uncommitted" to take records of transactions that are open or were aborted too.
    max_keys : int, optional
        How many keys there may be.
    max_bytes : int
        How much memory they may take, estimated.
    broker_timeout : float or None
        Seconds without a broker after which the first reading fails; later, outages are waited for.

    Raises
    ------
    InvalidType
        The topic has a pattern, or a key type whose objects cannot be keys.

    Examples
    --------
    >>> users = app.table("users", key_type=str)  # doctest: +SKIP
    >>> users["ada"]  # doctest: +SKIP
    {'city': 'London'}
    """

    def __init__(
        self,
        topic: Topic[Any],
        *,
        isolation: Isolation = "read_committed",
        max_keys: int | None = None,
        max_bytes: int = MAX_BYTES,
        broker_timeout: float | None = BROKER_TIMEOUT_S,
    ) -> None:
        try:
            self.name = topic.get_topic_name()
        except (InvalidType, InvalidValue) as error:
            raise type(error)(f"{error}; a table is made of one topic, with a table for each") from None
        self.topic = topic
        for limit, given in (("max_keys", max_keys), ("max_bytes", max_bytes)):
            if given is not None and (not isinstance(given, int | float) or given <= 0):
                raise InvalidValue(f"{limit} is a positive number, such as 2_000_000; not {given!r}")
        _check_key_type(topic.schema.key_type)
        self._iterator = topic.clone(is_iterator=True)  # held: when nobody has the table any more, this closes the feed
        read_from(self._iterator, start="earliest", isolation=isolation, broker_timeout=broker_timeout)
        self._source = self._iterator.source
        assert isinstance(self._source, ChannelSource)
        assert self._source.feed is not None
        self._reading = Materialising(
            self._source.feed,
            app=topic.app,
            schema=topic.schema,
            decide=checked(topic.on_error),
            max_keys=max_keys,
            max_bytes=int(max_bytes),
        )

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise NotSupported(
            f"a table shows what is in its topic: await app.topic({self.name!r}).send(key=..., value=...) changes it, "
            "and a value of None deletes the key"
        )

    def __delitem__(self, key: Any) -> NoReturn:
        self[key] = None

    # Waiting for it

    def begin(self) -> None:
        """Begin to read, unless that was done before; returns at once. Lookups and ``ready()`` do it by themselves."""
        self._reading.begin()

    async def ready(self) -> Self:
        """Wait until the table is read to its end, without blocking the loop; the table.

        Raises
        ------
        BrokerError
            The topic is not there, or no broker answers.
        MemoryLimitExceeded, StreamClosed
        """
        reading = self._reading
        reading.begin()
        while not self._settled:
            await reading.bell.wait(lambda: self._settled)
        reading.check()
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the table is read to its end, as every lookup does; a plain call. TimeoutError after ``timeout`` seconds."""
        reading = self._reading
        reading.begin()
        if not self._settled:
            if threading.current_thread() is reading.thread:
                raise InvalidState(
                    f"table {self.name} was asked for a key by what decodes its own records: it would wait for ever"
                )
            if not reading.settled.wait(timeout):
                raise TimeoutError(
                    f"table {self.name} was not read to its end within {timeout:g} s: {self.state}, {reading.records:,} records so far"
                )
        reading.check()
        return self

    @property
    def _settled(self) -> bool:
        return self._reading.stopped or self._reading.settled.is_set()

    @property
    def is_ready(self) -> bool:
        """Whether a lookup is answered at once."""
        return self._reading.is_open

    def stop(self) -> None:
        """Read no more; a plain call, harmless when repeated. What was read stays; a table that was not ready raises StreamClosed."""
        self._reading.stopped = True
        self._source.close()

    # A mapping

    def _now(self) -> dict[Any, Any]:
        if not self._reading.is_open:
            self.wait()
        return self._reading.entries

    def snapshot(self) -> dict[Any, Any]:
        """Return a copy of the table as it is now."""
        self._now()
        copy = self._reading.snapshot()
        self._reading.check()
        return copy

    def __getitem__(self, key: Any) -> Any:
        return self._now()[key]

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the key's value, else the default."""
        return self._now().get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._now()

    def __len__(self) -> int:
        return len(self._now())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.snapshot())

    def keys(self) -> KeysView[Any]:
        """Return the keys as they are now."""
        return self.snapshot().keys()

    def values(self) -> ValuesView[Any]:
        """Return the values as they are now."""
        return self.snapshot().values()

    def items(self) -> ItemsView[Any, Any]:
        """Return the pairs as they are now."""
        return self.snapshot().items()

    # What it is, without waiting

    @property
    def state(self) -> str:
        """idle, connecting, loading (its first reading), current, retrying (no broker answers), stopped or failed."""
        return self._reading.state

    @property
    def state_detail(self) -> str:
        """More about the state: what failed, how long no broker has answered."""
        error = self._reading.error
        return self._reading.feed.state_detail if error is None else f"{type(error).__name__}: {error}"

    @property
    def errors(self) -> ErrorLog:
        """What could not be decoded, the latest thousand."""
        return self._reading.errors

    @property
    def keyless(self) -> int:
        """Records without a key, which were passed over."""
        return self._reading.keyless

    @property
    def tombstones(self) -> int:
        """Records that deleted their key."""
        return self._reading.tombstones

    @property
    def records_total(self) -> int:
        """Records read, whatever they were."""
        return self._reading.records

    @property
    def size_bytes(self) -> int:
        """How much memory the entries take, estimated."""
        return self._reading.size_bytes

    @property
    def revision(self) -> int:
        """Another number after every change."""
        return self._reading.revision

    @property
    def shortlabel(self) -> str:
        """What it is called in a graph."""
        return f"{type(self).__name__}: {clean(self.name)}"

    @property
    def keys_total(self) -> int:
        """Keys there are in what was read until now, whether or not that is all."""
        return len(self._reading.entries)

    def first(self, n: int) -> dict[Any, Any]:
        """Return the first ``n`` entries of what was read until now, whether or not that is all."""
        return self._reading.first(n)

    def to_frame(self, *, depth: int = 3) -> pd.DataFrame:
        """Return a row a key, in the order in which keys came: the index is the key, the columns are the fields of the values.

        Parameters
        ----------
        depth : int
            How many levels of objects become columns.
        """
        from streamlab.frames import mapping_frame

        frame: pd.DataFrame = mapping_frame(self.snapshot(), depth=depth)
        return frame

    def __repr__(self) -> str:
        errors = f", {self.errors.total:,} errors" if self.errors.total else ""
        return f"<{type(self).__name__}: {clean(self.name)} {self.state}, {self.keys_total:,} keys{errors}>"

    def _repr_html_(self) -> str:
        from streamlab.display import table_html

        return table_html(self)

    def _ipython_display_(self) -> None:
        from streamlab.views.showing import display_table

        display_table(self)


def _check_key_type(kind: Any) -> None:
    kind = get_origin(kind) or kind
    if isinstance(kind, type) and kind.__hash__ is None:
        raise InvalidType(
            f"objects of {kind.__name__} cannot be keys of a table: give a key_type whose objects can: str, bytes, int, a Record, "
            "a frozen dataclass"
        )
