"""What a frame can say of a stream: its head, its pipeline, its rows, its errors. Plain data, bounded, made when a frame is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from streamlab.describing import made_by, names
from streamlab.stats import processor_counters
from streamlab.texts import clean, text_of
from streamlab.views.cells import META, cell, flat

if TYPE_CHECKING:
    from streamlab.processors import Processor
    from streamlab.views.batches import LiveBatches
    from streamlab.views.rows import Row
    from streamlab.views.session import ShownStream

__all__ = ["ERRORS_SHOWN", "MAX_NODES", "error_rows", "head", "pipe", "rows_block"]

ERRORS_SHOWN = 50
MAX_NODES = 200
COLUMNS_SENT = 60
"""A row travels with at most so many cells: those that the table has in sight."""
_FORWARDING = {"through", "group_by", "echo"}


def head(shown: ShownStream, *, subshells: bool) -> dict[str, Any]:
    """Return state, rates, lag, progress and the window's fill."""
    stream, window, stats, feed = shown.stream, shown.window, shown.stats, shown.stream.feed
    assert stats is not None
    span, state = shown.histogram.span, shown.state
    return {
        "state": state,
        "detail": clean(shown.detail, 500),
        "name": clean(_called(shown), 200),
        "mode": stream.mode,
        "group": None if feed is None else feed.group,
        "start": "" if feed is None else str(feed.start),
        "stop": "" if feed is None or feed.stop_at is None else str(feed.stop_at),
        "committed": feed is not None and feed.isolation == "read_committed",
        "rate": round(shown.rates.events, 1),
        "bytesRate": round(shown.rates.size),
        "lag": sum(stats.lag.values()) if stats.lag and state != "retrying" else None,
        "progress": stats.progress,
        "errors": stats.errors_total,
        "failed": stats.errors_total - shown.errors_before,
        "buffered": stats.buffered_bytes,
        "window": {
            "count": window.messages,
            "max": window.max_messages,
            "total": window.total - shown.window_before,
            "bytes": window.bytes,
            "maxBytes": window.max_bytes,
            "sharing": shown.sharing,
            "full": window.on_full is None,
        },
        "eventTime": None if span is None else list(span),
        "busy": stats.busy,
        "subshells": subshells,
        "startedHere": shown.started_here,
        "spark": [round(rate) for rate in shown.rates.spark],
    }


def pipe(shown: ShownStream, batches: LiveBatches | None = None) -> dict[str, Any]:
    """Return the nodes of the pipeline in order: the source, the processors, what they write to, and the take that is shown."""
    stream = shown.stream
    nodes: list[dict[str, Any]] = [
        _node("source", "source", clean(_called(shown), 100), detail=clean(_partitions(shown), 200), rate=shown.rates.events)
    ]
    for entry in list(stream.processors)[:MAX_NODES]:
        nodes.append(_processor(shown, entry))
        nodes += [
            _node(f"sink:{entry.name}:{number}", "sink", clean(str(target), 100), detail="explicit write", enabled=entry.enabled)
            for number, target in enumerate(entry.targets)
        ]
    if batches is not None:
        nodes.append(_node("take", "take", batches.label, detail=batches.detail))
    return {"nodes": nodes}


def _called(shown: ShownStream) -> str:
    """Return what the stream reads: the names of topics and tables where it is made of others."""
    return " & ".join(dict.fromkeys(names(shown.stream)))


def _partitions(shown: ShownStream) -> str:
    """Return how many partitions are read, in a group those that are assigned; what else there is to say while there are none.

    Of a stream that is made of others, how, and what was counted at that.
    """
    feed = shown.stream.feed
    if shown.stream.combined:
        counts = [] if shown.stats is None else [f"{number} {name}" for number, name in shown.stats.counted]
        return " · ".join([made_by(shown.stream), *counts])
    if feed is None:
        return shown.stream.mode
    assigned = feed.group is not None
    count = len(feed.stores if assigned else feed.start_offsets)
    if count == 0 and feed.state == "reading":
        return "no partition assigned" if assigned else "no topic matches"
    if count == 0:
        return feed.state
    return f"{count} partition{'' if count == 1 else 's'}{' assigned' if assigned else ''}"


def _processor(shown: ShownStream, entry: Processor) -> dict[str, Any]:
    kind = entry.kind if entry.kind in _FORWARDING or entry.kind == "filter" else "processor"
    return _node(
        f"processor:{entry.name}",
        kind,
        clean(entry.name, 100),
        **processor_counters(entry),
        code=id(entry.function),
        rate=shown.rates.processors.get(entry.name, 0.0),
    )


def _node(ident: str, kind: str, label: str, **facts: Any) -> dict[str, Any]:
    plain = {
        "name": ident,
        "detail": "",
        "code": 0,
        "enabled": True,
        "errors": 0,
        "seen": 0,
        "passed": 0,
        "skipped": 0,
        "seconds": 0.0,
    }
    made = {"id": ident, "kind": kind, "label": label, **plain, "rate": 0.0, **facts}
    made["rate"] = round(made["rate"], 1)
    return made


def rows_block(
    rows: Sequence[Row], kinds: Mapping[str, str], *, several_topics: bool, wanted: Sequence[str] = ()
) -> tuple[list[dict[str, str]], bytes]:
    """Return the columns of rows, and their cells as JSON: meta columns first, then fields, at most so many as are in sight.

    Parameters
    ----------
    wanted : sequence of str
        The fields that the table has in sight; by default the first ones.
    """
    names = [name for name in wanted if name in kinds] or list(kinds)
    names = names[:COLUMNS_SENT]
    meta = META if several_topics else META[1:]
    lines = [_line(row, meta, names, kinds) for row in rows]
    columns = [{"name": name, "kind": _META_KINDS[name], "group": "meta"} for name in meta]
    columns += [{"name": name, "kind": kinds[name] if kinds[name] != "z" else "s", "group": "value"} for name in names]
    return columns, msgspec.json.encode(lines)


_META_KINDS = {"topic": "s", "partition": "n", "offset": "n", "timestamp": "t", "key": "s"}


def _line(row: Row, meta: Sequence[str], names: Sequence[str], kinds: Mapping[str, str]) -> list[Any]:
    line: list[Any] = [row.seq]
    for name in meta:
        if name == "key":
            line.append(_cell(row.key, "s") if row.raw_key is not None or row.key is not None else None)
        elif name == "timestamp":
            line.append(None if row.timestamp_ms is None else str(row.timestamp_ms))
        else:
            found = getattr(row, name)
            line.append(None if found is None else str(found))
    fields = flat(row.value)
    line += [_cell(fields[name], kinds[name]) if name in fields else None for name in names]
    return line


def _cell(value: Any, kind: str) -> str | list[str]:
    found, text = cell(value)
    return text if found == (kind if kind != "z" else "s") else [found, text]


def error_rows(shown: ShownStream, first: int = 0, count: int = ERRORS_SHOWN) -> dict[str, Any]:
    """Return the latest errors, newest first; ``index`` counts from the oldest of all that there were, ``oldest`` is that of those kept."""
    log = shown.stream.errors
    kept = log.numbered()
    chosen = kept[::-1][first : first + count]
    rows = [
        {
            "index": number,
            "at": None if entry.timestamp is None else round(entry.timestamp * 1000),
            "where": "" if entry.topic is None else clean(f"{entry.topic} [{entry.partition}] {entry.offset}", 200),
            "processor": entry.where,
            "error": type(entry.error).__name__,
            "message": clean(text_of(entry.error), 300),
        }
        for number, entry in chosen
    ]
    return {"total": log.total, "kept": len(kept), "oldest": kept[0][0] if kept else log.total, "rows": rows}
