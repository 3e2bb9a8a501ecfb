"""The latest value by key of a topic, kept by a thread of its own.

Decoding is user code, so it is not done on the I/O thread; nor on the background runner's, where a processor that looks a key up
would wait for the thread that it is on.
"""

from __future__ import annotations

import threading
from itertools import islice
from typing import TYPE_CHECKING, Any

from streamlab.errors import DecodeError, InvalidType, KeyDecodeError, MemoryLimitExceeded, StreamClosed
from streamlab.failures import ErrorLog
from streamlab.opened import OpenedBatch
from streamlab.outcomes import failure
from streamlab.queues import Bell
from streamlab.runtime.walking import batches_of
from streamlab.texts import clean, text_of
from streamlab.tracebacks import forget_frames

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.broker.base import RecordBatch
    from streamlab.codecs import Schema
    from streamlab.events import TP
    from streamlab.failures import OnError
    from streamlab.runtime.feed import Feed

__all__ = ["Materialising"]

TICK_S = 0.02
"""How often it is looked whether the end is reached, while nothing comes."""
KEY_BYTES = 250
"""What an entry takes, about, whatever is in it."""
OBJECT_FACTOR = 5
"""Bytes that Python objects take, about, for each byte that they were in the topic."""
Change = tuple[Any, Any, int]
"""Key, value, and its bytes in the topic; none of a tombstone."""
TOMBSTONE = -1


class Materialising:
    """Reads a feed to its end as it is at the beginning, and on from there.

    It holds no table: one that nobody has any more closes the feed, and so ends the thread.

    Parameters
    ----------
    feed : Feed
        Read by nobody else.
    app : App
    schema : Schema
        How keys and values are decoded.
    decide : "raise", "skip" or callable
        A callable gives a value for what cannot be decoded, or None; the others pass it over.
    max_keys : int, optional
    max_bytes : int
        How many keys there may be, and about how much memory they may take.

    Attributes
    ----------
    entries : dict
        What lookups see: changed by the thread alone, under ``lock``.
    revision : int
        Another one after every change.
    records, tombstones, keyless : int
        What was read; deletions among it; records without a key, which were passed over.
    is_open : bool
        Whether lookups may see ``entries``: they were read to the end once, and nothing has failed.
    error : Exception or None
        What ended it.
    """

    def __init__(
        self, feed: Feed, *, app: App, schema: Schema, decide: OnError, max_keys: int | None = None, max_bytes: int
    ) -> None:
        self.feed = feed
        self.entries: dict[Any, Any] = {}
        self.lock = threading.Lock()
        self.errors = ErrorLog()
        self.revision = self.records = self.tombstones = self.keyless = 0
        self.is_open = self.stopped = False
        self.error: Exception | None = None
        self.settled = threading.Event()
        """Set when waiting makes sense no more: it is open, has failed, or was stopped."""
        self.bell = Bell()
        self.thread = threading.Thread(target=self._run, name="streamlab-table", daemon=True)
        self._begun = False
        self._begin_lock = threading.Lock()
        self._app = app
        self._schema = schema
        self._decide = decide
        self._max_keys = max_keys
        self._max_bytes = max_bytes
        self._sizes: dict[Any, int] = {}
        self._raw_bytes = 0
        self._ends: dict[TP, int] | None = None

    @property
    def name(self) -> str:
        """The topic's."""
        topics = self.feed.topics
        return "" if callable(topics) else ",".join(topics)

    @property
    def size_bytes(self) -> int:
        """About how much memory the entries take."""
        return OBJECT_FACTOR * self._raw_bytes + KEY_BYTES * len(self.entries)

    @property
    def state(self) -> str:
        """idle, connecting, loading, current, retrying, stopped or failed."""
        if self.error is not None:
            return "failed"
        if self.stopped:
            return "stopped"
        if self.feed.state in ("idle", "connecting", "retrying"):
            return self.feed.state
        return "current" if self.is_open else "loading"

    def begin(self) -> None:
        """Start reading, unless that was done before; returns at once."""
        if self._begun:
            return
        with self._begin_lock:
            if not self._begun and not self.stopped:
                self._begun = True
                self.thread.start()

    def check(self) -> None:
        """Raise why lookups cannot be answered, if they cannot."""
        if self.error is not None:
            raise self.error.with_traceback(None)
        if not self.is_open and self.stopped:
            raise StreamClosed(f"table {self.name} was stopped before it was read to its end: make it again with app.table()")

    def snapshot(self) -> dict[Any, Any]:
        """Return a copy, as it is between two batches."""
        with self.lock:
            return self.entries.copy()

    def first(self, n: int) -> dict[Any, Any]:
        """Return the first entries."""
        with self.lock:
            return dict(islice(self.entries.items(), n))

    # On the thread

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - whoever looks something up gets it
            self._fail(error)
        finally:
            self.stopped = True
            self.settled.set()
            self.bell.ring()

    def _read(self) -> None:
        for batches in batches_of(self.feed, lambda: None if self.is_open else TICK_S):
            for batch in batches:
                self._apply(batch)
            self._look_at_the_end()

    def _look_at_the_end(self) -> None:
        """Open it, once everything was read that was there when reading began."""
        if self.is_open:
            return
        if self._ends is None and self.feed.ends_known:
            self._ends = dict(self.feed.ends_known)
        if self._ends is not None and self.feed.has_passed(self._ends):
            self.feed.broker_timeout_s = None  # from now on an outage is a state
            self.is_open = True
            self.settled.set()
            self.bell.ring()

    def _fail(self, error: Exception) -> None:
        self.error, self.is_open = error, False
        self.feed.close_soon()
        forget_frames(error)
        with self.lock:
            self.entries, self._sizes, self._raw_bytes = {}, {}, 0
            self.revision += 1

    def _apply(self, batch: RecordBatch) -> None:
        changes = self._decoded(OpenedBatch(self._app, self._schema, batch, None))
        if not changes:
            return
        with self.lock:
            try:
                for key, value, size in changes:
                    self._change(key, value, size)
            except TypeError as error:
                raise InvalidType(
                    f"a key of {self.name} cannot be looked up by: {clean(text_of(error))}. Give app.table() a key_type whose objects "
                    "can be keys of a dict: str, bytes, int, a Record, a frozen dataclass"
                ) from error
            self.revision += 1
        self._check_memory()

    def _change(self, key: Any, value: Any, size: int) -> None:
        if size == TOMBSTONE:
            self.tombstones += 1
            self.entries.pop(key, None)
            self._raw_bytes -= self._sizes.pop(key, 0)
        else:
            self.entries[key] = value
            self._raw_bytes += size - self._sizes.get(key, 0)
            self._sizes[key] = size

    def _decoded(self, opened: OpenedBatch) -> list[Change]:
        changes: list[Change] = []
        add, key_fast, fast = changes.append, opened.key_fast, opened.fast
        for record in opened.records:
            self.records += 1
            raw_key, raw = record.key, record.value
            if raw_key is None:
                self.keyless += 1
                continue
            try:
                if raw is None:
                    add((key_fast(raw_key), None, TOMBSTONE))
                else:
                    add((key_fast(raw_key), fast(raw), len(raw_key) + len(raw)))
            except Exception:  # noqa: BLE001 - whatever a codec raises, the slow path says what it means
                changes += self._decoded_slowly(opened, record)
        return changes

    def _decoded_slowly(self, opened: OpenedBatch, record: Any) -> list[Change]:
        raw = record.value
        size = TOMBSTONE if raw is None else len(record.key) + len(raw)
        try:
            return [(opened.key(record), opened.decode(record), size)]
        except DecodeError as error:
            self._note(opened, record, error)
            value = self._made(opened, record, error)
            if value is None:
                return []
            key = record.key if isinstance(error, KeyDecodeError) else opened.key(record)
            return [(key, value, len(record.key) + len(raw or b""))]

    def _made(self, opened: OpenedBatch, record: Any, error: DecodeError) -> Any:
        """Return what ``on_error`` makes of a record that cannot be decoded; None when nothing."""
        if not callable(self._decide):
            return None
        try:
            return self._decide(error)
        except Exception as failed:  # noqa: BLE001 - a user's function
            if failed is not error:
                self._note(opened, record, failed)
            return None

    def _note(self, opened: OpenedBatch, record: Any, error: Exception) -> None:
        self.errors.add(failure((None, record, None, opened, None), None, error))
        forget_frames(error)

    def _check_memory(self) -> None:
        keys = len(self.entries)
        if self._max_keys is not None and keys > self._max_keys:
            raise MemoryLimitExceeded(
                f"table {self.name} has {keys:,} keys, and max_keys is {self._max_keys:,}: allow more with app.table(max_keys=...)"
            )
        if self.size_bytes > self._max_bytes:
            raise MemoryLimitExceeded(
                f"table {self.name} takes about {self.size_bytes / 1e6:,.1f} MB with {keys:,} keys, and max_bytes is "
                f"{self._max_bytes / 1e6:,.1f} MB: allow more with app.table(max_bytes=...), or decode less with a value_type that "
                "has only the fields you need"
            )
