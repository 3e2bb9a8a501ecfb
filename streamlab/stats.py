"""Counters of a stream, read as one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.describing import inputs

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.processors import Processor
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream

__all__ = ["Meter", "ProcessorStats", "StreamStats", "processor_counters"]


@dataclass(frozen=True, slots=True)
class ProcessorStats:
    """Counters of one processor; ``seconds`` is wall-clock time spent in it."""

    name: str
    kind: str
    enabled: bool
    seen: int
    passed: int
    skipped: int
    errors: int
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class StreamStats:
    """A stream's counters at one moment.

    Attributes
    ----------
    state : str
        The feed's where there is one ("reading", "retrying", ...), else the stream's; "paused" where it would only be reading. Of a
        stream that is made of others, what most of all has to be known of theirs.
    detail : str
        What the state means, such as why a broker is not available.
    events_total, bytes_total, errors_total : int
        Since the stream was made; bytes as they were fetched.
    events_per_s, bytes_per_s : float
        Since the snapshot before, 0.5 s ago or more.
    lag : dict of TP to int
        Records behind the end, as last known. What is in the batch of records that is being walked counts as taken.
    positions : dict of TP to int
        The offset that each partition was taken up to.
    buffered_bytes : int
        Fetched and not yet walked.
    progress : float or None
        0 to 1 within start and stop; None without an end.
    processors : tuple of ProcessorStats
    busy : str or None
        The processor that is in a call now; one that never returns is named here.
    counters : dict of str to int
        Of a join: buffered, matched, unmatched, late, and more; with a table: matched, unmatched. Of windows: open_windows, late,
        emitted.
    """

    state: str
    detail: str
    events_total: int
    bytes_total: int
    errors_total: int
    events_per_s: float
    bytes_per_s: float
    lag: dict[TP, int]
    positions: dict[TP, int]
    buffered_bytes: int
    progress: float | None
    processors: tuple[ProcessorStats, ...]
    busy: str | None
    counters: dict[str, int]

    @property
    def counted(self) -> list[tuple[str, str]]:
        """The counters that are not 0, for people: a number, and of what."""
        return [(f"{number:,}", _of_what(name, number)) for name, number in self.counters.items() if number]

    def __repr__(self) -> str:
        lag = f", lag {sum(self.lag.values()):,}" if self.lag else ""
        counted = "".join(f", {number} {name}" for number, name in self.counted)
        return (
            f"<StreamStats: {self.state}, {self.events_total:,} events ({self.events_per_s:,.0f}/s){lag}{counted}, "
            f"{self.errors_total:,} errors>"
        )

    def _repr_html_(self) -> str:
        from streamlab.display import stats_html

        return stats_html(self)


SHORTEST_S = 0.5
URGENT = ("failed", "retrying", "connecting", "reading", "idle", "ended", "stopped")
"""States of feeds: what one of several is in most of all has to be known."""


class Meter:
    """Turns totals into rates."""

    def __init__(self) -> None:
        self._at = perf_counter()
        self._events = self._bytes = 0
        self._rates = (0.0, 0.0)

    def read(self, stream: Stream[Any]) -> StreamStats:
        """Take a snapshot."""
        streams = inputs(stream)
        feeds = [(one.feed, _not_done(one)) for one in streams if one.feed is not None]
        events, size = stream.events_total, sum(one._source.bytes_total for one in streams)
        events_per_s, bytes_per_s = self._rate(events, size)
        progress = [share for feed, waiting in feeds if (share := feed.progress(waiting)) is not None]
        return StreamStats(
            state=_state(stream, feeds),
            detail="; ".join(dict.fromkeys(feed.state_detail for feed, _ in feeds if feed.state_detail)),
            events_total=events,
            bytes_total=size,
            errors_total=stream.errors.total,
            events_per_s=events_per_s,
            bytes_per_s=bytes_per_s,
            lag=_merged([feed.lag(waiting) for feed, waiting in feeds], max),
            positions=_merged([{**feed.start_offsets, **feed.handover.taken, **waiting} for feed, waiting in feeds], min),
            buffered_bytes=sum(feed.handover.buffered_bytes for feed, _ in feeds),
            progress=min(progress, default=None),
            processors=tuple(ProcessorStats(kind=entry.kind, **processor_counters(entry)) for entry in stream.processors),
            busy=_busy(stream),
            counters=stream._source.counters() if stream._lookup is None else stream._lookup.counters(),
        )

    def _rate(self, events: int, size: int) -> tuple[float, float]:
        now = perf_counter()
        elapsed = now - self._at
        if elapsed >= SHORTEST_S:
            self._rates = ((events - self._events) / elapsed, (size - self._bytes) / elapsed)
            self._at, self._events, self._bytes = now, events, size
        return self._rates


def _not_done(stream: Stream[Any]) -> dict[TP, int]:
    """Return the offsets from which records were brought and are not worked through: of batches that wait, and of the one in hand."""
    waiting, cell = stream._source.waiting(), stream._cell
    if cell is not None and cell[3] is not None and not cell[3].retried:
        waiting[cell[3].batch.tp] = cell[1].offset
    return waiting


def _merged(found: list[dict[TP, int]], choose: Callable[[int, int], int]) -> dict[TP, int]:
    """Return the numbers of all partitions; two streams may read the same."""
    merged: dict[TP, int] = {}
    for numbers in found:
        for tp, number in numbers.items():
            merged[tp] = choose(merged.get(tp, number), number)
    return merged


def _state(stream: Stream[Any], feeds: list[tuple[Feed, dict[TP, int]]]) -> str:
    """Return the feed's state; one that has brought all it had to bring is not the end while some of it waits."""
    states = ["reading" if waiting and feed.state == "ended" else feed.state for feed, waiting in feeds]
    state = stream.state if not states or stream.should_stop else min(states, key=URGENT.index)
    return "paused" if stream.paused and state in ("running", "reading", "idle") else state


def _of_what(name: str, number: int) -> str:
    words = name.replace("_", " ")
    return words.removesuffix("s") if number == 1 and words.endswith("windows") else words


def processor_counters(entry: Processor) -> dict[str, Any]:
    """Return a processor's name, whether it is on, and its counters, as ``ProcessorStats`` names them."""
    return {
        "name": entry.name,
        "enabled": entry.enabled,
        "seen": entry.seen,
        "passed": entry.passed,
        "skipped": entry.skipped,
        "errors": entry.errors,
        "seconds": entry.seconds,
    }


def _busy(stream: Stream[Any]) -> str | None:
    """Look into the running loops: which processor is in a call is not noted for every value, it would cost too much."""
    for reader in list(stream._readers):
        processor = reader.ag_frame.f_locals.get("processor") if reader.ag_running and reader.ag_frame else None
        if processor is not None:
            name: str = processor.name
            return name
    return None
