"""Plain calls that read topics: they wait for the I/O thread, never for a loop of this thread."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from streamlab.baskets import Basket
from streamlab.batch import Batch
from streamlab.channel_source import ChannelSource
from streamlab.errors import DecodeError, InvalidPosition, InvalidValue, MemoryLimitExceeded, TopicNotFound
from streamlab.events import TP
from streamlab.failures import OnError, checked
from streamlab.frame_builder import FrameBuilder
from streamlab.frames import records_frame
from streamlab.interrupts import Interrupt, noticed
from streamlab.opened import OpenedBatch
from streamlab.runtime.io import wait
from streamlab.runtime.walking import batches_of
from streamlab.subscribing import read_from

if TYPE_CHECKING:
    import pandas as pd

    from streamlab.app import App
    from streamlab.broker.base import Isolation, RecordBatch
    from streamlab.runtime.feed import Feed
    from streamlab.topics import Topic

__all__ = ["peek", "read", "topics_frame"]

MAX_BYTES = 1_000_000_000
PATIENCE_S = 1.0
"""Reading takes so long before there is a progress bar."""
TICK_S = 0.25
GUESS_FROM_ROWS = 100_000
GUESS_TOLERANCE = 1.5
"""A guess of what all will take stops the reading when it is so many times too much."""
TRIES = 3
NONE = Interrupt()


def read(  # noqa: PLR0913 - each of them is one question of the reader
    topic: Topic[Any],
    *,
    start: Any = "earliest",
    stop: Any = "end",
    limit: SupportsIndex | None = None,
    max_bytes: int = MAX_BYTES,
    on_error: OnError | None = None,
    isolation: Isolation = "read_uncommitted",
    headers: bool = False,
    depth: int = 3,
    progress: bool = True,
    broker_timeout: float | None = 60.0,
) -> pd.DataFrame:
    """Read a topic from ``start`` to ``stop`` into one DataFrame. Observes: no group, nothing committed.

    Records are decoded as they come and kept as columns, so a frame takes about what its arrays take. Interrupting it (the
    stop button) returns what was read so far, with a warning that says so.

    Parameters
    ----------
    topic : Topic
        Its types, and ``on_error`` unless given, say how to decode.
    start, stop : position
        As in ``Topic.stream``; "end" is the end as it is now, and so is a stop that lies beyond it.
    limit : int, optional
        Only so many messages, those that come first.
    max_bytes : int
        Estimated memory that the frame may take.
    on_error : "raise", "skip" or callable, optional
        What to do about a record that cannot be decoded.
    isolation : str
        "read_committed" passes over aborted transactions.
    headers : bool
        Add a column of the headers.
    depth : int
        How many levels of objects become columns.
    progress : bool
        Show a progress bar when it takes longer than a second.
    broker_timeout : float or None
        Seconds without a broker after which BrokerUnavailable is raised.

    Returns
    -------
    DataFrame
        As ``Batch.to_frame``; in the order of offsets within a partition, partitions as they came.

    Raises
    ------
    MemoryLimitExceeded
        It would need more than ``max_bytes``, or already does.
    DecodeError, InvalidPosition, BrokerError
    """
    if limit is not None and (not isinstance(limit, SupportsIndex) or index(limit) < 0):
        raise InvalidValue(f"limit is a number of messages, or None for all; not {limit!r}")
    limit = None if limit is None else index(limit)
    if stop is None and limit is None:
        raise InvalidPosition('reading needs an end: stop="end", a time, an offset, or limit=')
    decide = checked(topic.on_error if on_error is None else on_error)
    if not isinstance(max_bytes, int | float) or max_bytes <= 0:
        raise InvalidValue(f"max_bytes is a number of bytes, such as 2_000_000_000; not {max_bytes!r}")
    builder = FrameBuilder(several_topics=len(topic.topics) != 1, headers=headers, depth=depth)
    with noticed() as interrupt:
        with (
            _feed(topic, start=start, stop=stop, isolation=isolation, broker_timeout=broker_timeout) as feed,
            _Progress(feed, str(topic), shown=progress) as bar,
        ):
            for batch in _batches(feed, bar, interrupt) if limit != 0 else ():
                opened = OpenedBatch(topic.app, topic.schema, batch, None)
                left = None if limit is None else limit - builder.rows
                _add(builder, opened, decide, left)
                if limit is not None and builder.rows >= limit:
                    break
                _check_memory(builder, feed, limit, max_bytes, str(topic))
        frame = builder.frame()
    if interrupt.seen:
        warnings.warn(f"reading {topic} was interrupted: these are the first {len(frame):,} messages", UserWarning, stacklevel=3)
    return frame


def peek(topic: Topic[Any], n: SupportsIndex = 10) -> Batch[Any]:
    """Return the last ``n`` messages of a topic, the newest last, by their timestamps.

    Raises
    ------
    InvalidValue
        ``n`` is no positive number.
    DecodeError, BrokerError
    """
    if not isinstance(n, SupportsIndex) or index(n) < 1:
        raise InvalidValue(f"peek shows the last n messages, n at least 1; not {n!r}")
    n = index(n)
    latest: list[tuple[Any, OpenedBatch]] = []
    with _feed(topic, start=-n, stop="end") as feed:
        for batch in _batches(feed):
            opened = OpenedBatch(topic.app, topic.schema, batch, None)
            latest += [(record, opened) for record in opened.records]
            latest = sorted(latest, key=_age)[-n:]
    kept = [(record, value, opened) for record, opened in latest for value in _decoded(opened, record, topic.on_error)]
    basket = Basket()
    for record, value, opened in kept:
        basket.add(value, record, opened)
    return Batch(basket.gathered, basket, reason="full" if len(kept) == n else "end")


def topics_frame(app: App, *, internal: bool = False) -> pd.DataFrame:
    """Return a row a topic: topic, partitions, messages (by offsets: what was compacted away still counts)."""
    rows = wait(_topic_rows(app, internal=internal))
    return records_frame(rows, columns=["topic", "partitions", "messages"])


async def _topic_rows(app: App, *, internal: bool, tries: int = TRIES) -> list[dict[str, Any]]:
    infos = {name: info for name, info in sorted((await app._ask()).items()) if internal or not info.internal}
    try:
        marks = await app.client.watermarks([TP(name, p) for name, info in infos.items() for p in info.partitions])
    except TopicNotFound:  # deleted meanwhile
        if tries == 1:
            raise
        return await _topic_rows(app, internal=internal, tries=tries - 1)
    messages = dict.fromkeys(infos, 0)
    for tp, mark in marks.items():
        messages[tp.topic] += mark.high - mark.low
    return [{"topic": name, "partitions": len(info.partitions), "messages": messages[name]} for name, info in infos.items()]


@contextmanager
def _feed(topic: Topic[Any], **options: Any) -> Iterator[Feed]:
    """Read a topic; afterwards nothing of it is left."""
    wait(asyncio.sleep(0))  # on the I/O thread this would wait for itself for ever: InvalidState says so
    iterator = topic.clone(is_iterator=True)
    read_from(iterator, bounded=True, **options)
    source = iterator.source
    assert isinstance(source, ChannelSource)
    feed = source.feed
    assert feed is not None
    try:
        yield feed
    finally:
        source.close()
        wait(feed.stop())


def _batches(feed: Feed, bar: _Progress | None = None, interrupt: Interrupt = NONE) -> Iterator[RecordBatch]:
    """Yield what the feed brings until its end, or until an interrupt; its errors are raised."""
    for batches in batches_of(feed, lambda: TICK_S):
        for batch in batches:
            if interrupt.seen:
                return
            yield batch
        if interrupt.seen:
            return
        if bar is not None:
            bar.update()


def _age(entry: tuple[Any, OpenedBatch]) -> tuple[int, int]:
    return entry[0].timestamp, entry[0].offset


def _add(builder: FrameBuilder, opened: OpenedBatch, decide: OnError, left: int | None) -> None:
    """Decode a batch, at most ``left`` records of it, and add it."""
    records = list(opened.records)[:left]
    size_bytes = sum(len(record.value or b"") for record in records)
    decode = opened.fast
    try:
        values = [None if (raw := record.value) is None else decode(raw) for record in records]
        if opened.check_key:
            for record in records:
                opened.key(record)
    except Exception:  # noqa: BLE001 - whatever a codec raises: one by one, then
        kept = [(record, value) for record in records for value in _decoded(opened, record, decide)]
        records, values = [record for record, _ in kept], [value for _, value in kept]
    builder.add(opened, records, values, size_bytes)


def _decoded(opened: OpenedBatch, record: Any, decide: OnError) -> list[Any]:
    """Return the value alone in a list; [] when the policy passes the record over."""
    try:
        value = opened.decode(record)
        if opened.check_key:
            opened.key(record)
    except DecodeError as error:
        if not callable(decide):
            if decide == "skip":
                return []
            raise
        value = decide(error)
        return [] if value is None else [value]
    return [value]


def _check_memory(builder: FrameBuilder, feed: Feed, limit: int | None, max_bytes: int, name: str) -> None:
    used, share = builder.size_bytes, feed.progress() or 0.0
    if limit:
        share = max(share, builder.rows / limit)
    whole = used / share if share and builder.rows >= GUESS_FROM_ROWS else used
    if used <= max_bytes and whole <= GUESS_TOLERANCE * max_bytes:
        return
    raise MemoryLimitExceeded(
        f"reading {name} would need about {_size(whole)} or more: its first {builder.rows:,} messages take {_size(used)}, and "
        f'max_bytes is {_size(max_bytes)}. Read less (start="-10m", stop=, limit=), or allow more (max_bytes=).'
    )


def _size(size_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:  # noqa: PLR2004
            return f"{size_bytes:,.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} GB"


class _Progress:
    """A progress bar over the offsets to read, once reading has taken a second."""

    def __init__(self, feed: Feed, name: str, *, shown: bool) -> None:
        self._feed = feed
        self._name = name
        self._due_s = time.monotonic() + PATIENCE_S if shown else float("inf")
        self._bar: Any = None

    def update(self) -> None:
        """Show how far it is."""
        if self._bar is None:
            if time.monotonic() < self._due_s or self._feed.end_offsets is None:
                return
            self._bar = _bar(self._feed, self._name)
        done = round((self._feed.progress() or 0.0) * self._bar.total)
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self.update()
            self._bar.close()


def _bar(feed: Feed, name: str) -> Any:
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread of its own

    ends = feed.end_offsets or {}
    total = sum(max(end - feed.start_offsets.get(tp, 0), 0) for tp, end in ends.items())
    return Bar(total=total, desc=name, unit=" messages", leave=False)
