"""What went wrong on a stream: bounded, countable, to be looked at later."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from streamlab.errors import SHOWN_BYTES, InvalidValue, KeyDecodeError
from streamlab.texts import clean, text_of

if TYPE_CHECKING:
    import pandas as pd

    from streamlab.errors import DecodeError

__all__ = ["ErrorLog", "OnError", "StreamError"]

OnError = Literal["raise", "skip"] | Callable[["DecodeError"], Any]


@dataclass(frozen=True, slots=True, repr=False)
class StreamError:
    """One record that could not be decoded, or that a processor failed on.

    Attributes
    ----------
    topic, partition, offset, timestamp
        The record's place, and its time in float seconds; None for values that came from no topic.
    key, data : bytes or None
        The raw record.
    error : Exception
        A DecodeError with its cause, or what the processor raised.
    processor : str or None
        Its name; None for a record that could not be decoded.
    """

    topic: str | None
    partition: int | None
    offset: int | None
    timestamp: float | None
    key: Any
    data: Any
    error: BaseException
    processor: str | None = None

    @property
    def first_bytes(self) -> bytes | str | None:
        """The first 64 bytes of the value, or of the key that could not be decoded; of what never was bytes, of its repr."""
        data = self.key if isinstance(self.error, KeyDecodeError) else self.data
        if data is None or isinstance(data, bytes):
            return data and data[:SHOWN_BYTES]
        return text_of(data, repr)[:SHOWN_BYTES]

    def __repr__(self) -> str:
        where = "decoding" if self.processor is None else clean(self.processor)
        place = "" if self.topic is None else f" {clean(self.topic)}[{self.partition}] offset={self.offset}"
        return f"<{type(self).__name__}: {where}{place} {type(self.error).__name__}: {clean(text_of(self.error))}>"


class ErrorLog:
    """The latest errors of a stream, oldest first, and how many there were in all.

    Parameters
    ----------
    maxlen : int
        How many are kept; older ones are forgotten, and still counted in ``total``.
    """

    def __init__(self, maxlen: int = 1000) -> None:
        self._entries: deque[StreamError] = deque(maxlen=maxlen)
        self._lock = threading.Lock()
        self.total = 0

    def add(self, entry: StreamError) -> None:
        """Keep one, from any thread."""
        with self._lock:
            self._entries.append(entry)
            self.total += 1

    def clear(self) -> None:
        """Forget the entries; the total stays."""
        self._entries.clear()

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
        with self._lock:
            return iter(list(self._entries))

    def __getitem__(self, index: int) -> StreamError:
        return self._entries[index]

    def __repr__(self) -> str:
        return f"<ErrorLog: {self.total} in all, {len(self)} kept>"

    def _repr_html_(self) -> str:
        from streamlab.display import errors_html

        return errors_html(self)


_COLUMNS = ["topic", "partition", "offset", "timestamp", "error", "message", "cause", "processor", "first_bytes"]


def checked(on_error: OnError) -> OnError:
    """Return the policy if it is one."""
    if on_error in ("raise", "skip") or (callable(on_error) and not inspect.iscoroutinefunction(on_error)):
        return on_error
    raise InvalidValue(f'on_error is "raise", "skip" or a plain function of the DecodeError, not {on_error!r}')
