"""What went wrong on a stream: bounded, countable, to be looked at later."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from streamlab.errors import SHOWN_BYTES, DecodeError, InvalidValue, KeyDecodeError
from streamlab.texts import clean, text_of
from streamlab.tracebacks import Places, places_of, trimmed

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

__all__ = ["ErrorLog", "OnError", "StreamError"]

NOTHING = object()
"""Stands for: it was no item that failed, or the record says all about it."""
MAX_BYTES = 64 << 20
OnError = Literal["raise", "skip"] | Callable[[DecodeError], Any]


@dataclass(slots=True, eq=False, repr=False)  # frozen, it would take three times as long to make, and a stream may make many
class StreamError:
    """One record that could not be decoded, or that a processor failed on; or what went wrong beside the records.

    Attributes
    ----------
    topic, partition, offset, timestamp
        The record's place, and its time in float seconds; None for values that came from no topic.
    key, data : bytes or None
        The raw record.
    error : Exception
        A DecodeError with its cause, or what the processor raised.
    processor : str or None
        Its name, or what else failed; None for a record that could not be decoded, and where the stream itself failed.
    headers : sequence of (str, bytes) pairs, or None
        The record's, in order, with duplicates.
    timestamp_type : int or None
        0 set by the producer, 1 by the broker.
    """

    topic: str | None
    partition: int | None
    offset: int | None
    timestamp: float | None
    key: Any
    data: Any
    error: BaseException
    processor: str | None = None
    headers: Any = None
    timestamp_type: int | None = None
    item: Any = field(default=NOTHING, repr=False)
    """What the stream worked on, if that was no record of a topic: an event, or a plain value."""
    _places: tuple[Places, ...] = field(init=False, repr=False)

    @classmethod
    def of(cls, error: BaseException, where: str | None = None) -> Self:
        """Return what went wrong with no value in hand: in an agent, a task, a tap, or at a stop."""
        return cls(None, None, None, None, None, None, error, where)

    def __post_init__(self) -> None:
        self._places = places_of(self.error)

    @property
    def traceback_text(self) -> str:
        """The traceback, trimmed to the user's code and to 20 lines; cells are named as in the notebook."""
        return trimmed(self.error, self._places)

    @property
    def where(self) -> str:
        """The processor's name, "decoding", or "the stream" where reading it failed."""
        return self.processor or ("decoding" if isinstance(self.error, DecodeError) else "the stream")

    @property
    def first_bytes(self) -> bytes | str | None:
        """The first 64 bytes of the value, or of the key that could not be decoded; of what never was bytes, of its repr."""
        data = self.key if isinstance(self.error, KeyDecodeError) else self.data
        if data is None or isinstance(data, bytes):
            return data and data[:SHOWN_BYTES]
        return text_of(data, repr)[:SHOWN_BYTES]

    def __repr__(self) -> str:
        place = "" if self.topic is None else f" {clean(self.topic)}[{self.partition}] offset={self.offset}"
        return f"<{type(self).__name__}: {clean(self.where)}{place} {type(self.error).__name__}: {clean(text_of(self.error))}>"


class ErrorLog:
    """The latest errors of a stream, oldest first, and how many there were in all.

    Parameters
    ----------
    maxlen : int
        How many are kept; older ones are forgotten, and still counted in ``total``.
    max_bytes : int
        How many bytes of raw values are kept with them; the latest error is kept always.
    """

    def __init__(self, maxlen: int = 1000, *, max_bytes: int = MAX_BYTES) -> None:
        self.maxlen = maxlen
        self.max_bytes = max_bytes
        self._entries: deque[tuple[int, StreamError]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._readers: tuple[ErrorLog, ...] = ()
        self.total = 0

    def tell(self, other: ErrorLog) -> None:
        """Add what comes from now on to the log of a stream that reads this one's too."""
        self._readers = (*self._readers, other)

    def tell_no_more(self, other: ErrorLog) -> None:
        """Undo ``tell``, once."""
        found = list(self._readers)
        found.remove(other)
        self._readers = tuple(found)

    def add(self, entry: StreamError) -> None:
        """Keep one, from any thread."""
        with self._lock:
            self._entries.append((self.total, entry))
            self._bytes += _size(entry)
            self.total += 1
            while len(self._entries) > self.maxlen or (self._bytes > self.max_bytes and len(self._entries) > 1):
                self._bytes -= _size(self._entries.popleft()[1])
        for reader in self._readers:
            reader.add(entry)

    def take_out(self, wanted: Iterable[StreamError]) -> list[StreamError]:
        """Take out those of the wanted entries that are kept, and return them, oldest first; from any thread."""
        these = {id(entry) for entry in wanted}
        with self._lock:
            taken = [entry for _, entry in self._entries if id(entry) in these]
            self._entries = deque(kept for kept in self._entries if id(kept[1]) not in these)
            self._bytes -= sum(map(_size, taken))
        return taken

    def numbered(self) -> list[tuple[int, StreamError]]:
        """Return the kept entries, oldest first, each with its number of all that there were: that stays, whichever others go."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Forget the entries; the total stays."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def to_frame(self) -> pd.DataFrame:
        """Return a row an error: topic, partition, offset, timestamp, error, message, cause, processor, first_bytes."""
        from streamlab.frames import records_frame

        return records_frame([self._row(entry) for entry in self], columns=_COLUMNS)

    @staticmethod
    def _row(entry: StreamError) -> dict[str, Any]:
        cause = entry.error.__cause__
        return {
            "topic": entry.topic,
            "partition": entry.partition,
            "offset": entry.offset,
            "timestamp": entry.timestamp,
            "error": type(entry.error).__name__,
            "message": text_of(entry.error),
            "cause": None if cause is None else text_of(cause, repr),
            "processor": entry.processor,
            "first_bytes": entry.first_bytes,
        }

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[StreamError]:
        return iter([entry for _, entry in self.numbered()])

    def __getitem__(self, index: int) -> StreamError:
        return self._entries[index][1]

    def __repr__(self) -> str:
        return f"<ErrorLog: {self.total} in all, {len(self)} kept>"

    def _repr_html_(self) -> str:
        from streamlab.display import errors_html

        return errors_html(self)


_COLUMNS = ["topic", "partition", "offset", "timestamp", "error", "message", "cause", "processor", "first_bytes"]


def _size(entry: StreamError) -> int:
    data = entry.data
    return len(data) if type(data) is bytes else 0


def checked(on_error: OnError) -> OnError:
    """Return the policy if it is one."""
    if inspect.iscoroutinefunction(on_error):
        raise InvalidValue(
            f"on_error is called while records are decoded and cannot be awaited: make {on_error!r} a plain function"
        )
    if on_error in ("raise", "skip") or callable(on_error):
        return on_error
    raise InvalidValue(f'on_error is "raise", "skip" or a plain function of the DecodeError, not {on_error!r}')
