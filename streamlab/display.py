"""What a cell shows of messages, events, topics, streams and apps: HTML cards.

Nothing here asks a broker or shows a secret, and an object of a user whose ``repr`` fails is named instead of raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from streamlab.columns import gather
from streamlab.describing import made_by
from streamlab.errors import DecodeError
from streamlab.markup import (
    MAX_ROWS,
    Html,
    alarming,
    block,
    card,
    dim,
    escape,
    fact_table,
    hint_lines,
    pretty,
    section,
    table,
    utc,
    without_secrets,
)
from streamlab.texts import LIMIT

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.events import Event, Message
    from streamlab.failures import ErrorLog, StreamError
    from streamlab.processors import Processor, Processors
    from streamlab.stats import ProcessorStats, StreamStats
    from streamlab.streams import Stream
    from streamlab.tables import Table
    from streamlab.topics import Topic

__all__ = [
    "app_html",
    "errors_html",
    "event_html",
    "message_html",
    "processors_html",
    "running_html",
    "stats_html",
    "stream_html",
    "table_html",
    "topic_html",
]

MAX_FIELDS = 20
_STREAM_COLUMNS = ("stream", "mode", "state", "events", "lag", "errors")
_NOT_ASKED = "not asked yet: await app.refresh()"
_SET_BY = {0: " (set by the producer)", 1: " (set by the broker)"}


def message_html(message: Message) -> str:
    """Return the card of an undecoded message."""
    facts = [
        *_place(message),
        ("key", _payload(message.key)),
        ("value", _payload(message.value)),
        ("acked", "yes" if message.acked else "no"),
    ]
    return card("Message", _spot(message), fact_table(facts), _headers(message.headers))


def event_html(event: Event) -> str:
    """Return the card of an event: its decoded key and value, and all headers of its message."""
    message = event.message
    facts = [*_place(message), ("key", _payload(event.key, message.key)), ("value", _payload(event.value, message.value))]
    return card("Event", _spot(message), fact_table(facts), _headers(message.headers or event.headers))


def topic_html(topic: Topic[Any]) -> str:
    """Return the card of a topic: its names, types, and what the app last saw of it."""
    facts = [
        ("broker", without_secrets(str(topic.app.broker))),
        ("partitions", _partitions_seen(topic)),
        ("key type", _type_name(topic.schema.key_type)),
        ("value type", _type_name(topic.schema.value_type)),
    ]
    hints = hint_lines(
        ("topic.peek(10)", "the last messages"),
        ('topic.read(start="-1h", stop="end")', "a DataFrame"),
        ('topic.stream(start="-10m")', "a live stream; nothing is committed"),
    )
    return card("Topic", topic, fact_table(facts), hints)


def _told(state: str, detail: str) -> str:
    return f"{state}: {detail}" if detail else state


def _counters(stats: StreamStats) -> list[tuple[str, object]]:
    return [(name, number) for number, name in stats.counted]


def stream_html(stream: Stream[Any]) -> str:
    """Return the card of a stream: what it reads and how, its counters, its processors, and how to go on."""
    stats = stream.stats()
    rate = f" ({stats.events_per_s:,.0f}/s)" if stats.events_per_s else ""
    made = made_by(stream)
    facts: list[tuple[str, object]] = [
        *([("made by", made)] if made else []),
        ("mode", stream.mode),
        ("state", _told(stats.state, stats.detail)),
        ("events", f"{stats.events_total:,}{rate}"),
        *_counters(stats),
        *_progress(stats),
        ("errors", alarming(f"{stats.errors_total:,}, see stream.errors") if stats.errors_total else 0),
    ]
    hints = hint_lines(
        ("async for value in stream: ...", "one by one"),
        ("async for batch in stream.take(100, within=1.0): ...", "batches"),
        ("await stream.to_frame(n=1000, within=5)", "a DataFrame"),
        ("stream.graph()", "where values come from and go to"),
    )
    title = stream.shortlabel.removeprefix("Stream: ")
    return card(
        "Stream", title, fact_table(facts), section("Processors", *_processors(stream.processors)), _positions(stats), hints
    )


def table_html(source: Table) -> str:
    """Return the card of a table: its state, and its first keys with the fields of their values. Waits for nothing."""
    facts: list[tuple[str, object]] = [
        ("state", _told(source.state, source.state_detail)),
        ("keys", source.keys_total),
        ("records", source.records_total),
        ("without a key", source.keyless),
        ("errors", alarming(f"{source.errors.total:,}, see table.errors") if source.errors.total else 0),
    ]
    hints = hint_lines(
        ('table["key"]', "the latest value"),
        ("table.to_frame()", "a DataFrame"),
        ("stream.combine(table).left_join()", "joins a stream with it"),
    )
    return card("Table", source.name, fact_table(facts), _entries(source), hints)


def _entries(source: Table) -> Html:
    try:
        return _entries_shown(source)
    except Exception as exc:  # noqa: BLE001 - objects of users may raise anything, and a repr must not
        return dim(f"cannot be shown: {type(exc).__name__}")


def _entries_shown(source: Table) -> Html:
    first = source.first(MAX_ROWS)
    fields = gather(list(first.values()))
    names = list(islice(fields, MAX_FIELDS))
    columns = [[Html(_cell(value)) for value in fields[name].data] for name in names]
    rows = [tuple(row) for row in zip(map(_cell, first), *columns, strict=True)]
    left = source.keys_total - len(first)
    more = Html(f"<div>{dim(f'… and {left:,} more keys')}</div>") if left > 0 else Html("")
    return Html(section("Latest values", rows, ("key", *names), grouped=False) + more) if rows else dim("no keys yet")


def _cell(value: object) -> Html:
    if value is None:
        return dim("None")
    return escape(value if isinstance(value, str) else pretty(value, LIMIT))


def stats_html(stats: StreamStats) -> str:
    """Return the card of a stream's counters."""
    facts: list[tuple[str, object]] = [
        ("state", _told(stats.state, stats.detail)),
        ("events", f"{stats.events_total:,} ({stats.events_per_s:,.0f}/s)"),
        ("bytes", f"{stats.bytes_total:,} ({stats.bytes_per_s:,.0f}/s), {stats.buffered_bytes:,} waiting"),
        *_counters(stats),
        *_progress(stats),
        ("errors", alarming(f"{stats.errors_total:,}") if stats.errors_total else 0),
    ]
    return card("Stats", "", fact_table(facts), section("Processors", *_processors(stats.processors)), _positions(stats))


def processors_html(processors: Processors) -> str:
    """Return the card of a stream's processors, in order."""
    rows, columns = _processors(processors)
    return card("Processors", len(rows), table(rows, columns) if rows else "")


def app_html(app: App) -> str:
    """Return the card of an app: the cluster as it was last seen, its streams and its agents."""
    facts: list[tuple[str, object]] = [("broker", without_secrets(str(app.broker))), ("cluster", _cluster(app))]
    if app.errors.total:
        facts.append(("errors", alarming(f"{app.errors.total:,}, see app.errors")))
    streams = [_stream_row(stream) for stream in app.streams()]
    tables = [(entry.name, entry.state, entry.keys_total, entry.errors.total) for entry in app.tables_made()]
    agents = [(name, agent.channel, len(list(agent.streams))) for name, agent in app.agents.items()]
    hints = hint_lines(
        ("await app.refresh()", "asks the cluster"),
        ("app.topics_frame()", "topics as a DataFrame"),
        ('app.topic("orders").stream()', "a live stream; nothing is committed"),
    )
    return card(
        "App",
        f"{app.id} (closed)" if app.closed else app.id,
        fact_table(facts),
        _topics_seen(app),
        section("Streams", streams, _STREAM_COLUMNS),
        section("Tables", tables, ("table", "state", "keys", "errors")),
        section("Agents", agents, ("agent", "reads", "streams")),
        "" if app.closed else hints,
    )


def running_html(streams: Sequence[Stream[Any]]) -> str:
    """Return the streams that run in the background as a table, and how to stop them."""
    if not streams:
        return card("Running", "nothing")
    hints = hint_lines(("sl.running().stop()", "stops them all"), ("await stream.stop()", "stops one"))
    return card("Running", f"{len(streams)}", table([_stream_row(stream) for stream in streams], _STREAM_COLUMNS), hints)


def _stream_row(stream: Stream[Any]) -> tuple[object, ...]:
    stats = stream.stats()
    name = stream.shortlabel.removeprefix("Stream: ")
    return name, stream.mode, stats.state, stats.events_total, sum(stats.lag.values()), stats.errors_total


def errors_html(errors: ErrorLog) -> str:
    """Return a stream's errors as a table, the latest first."""
    latest = list(islice(reversed(list(errors)), MAX_ROWS))
    note = f"{errors.total:,}" + (f", the latest {len(latest)} shown" if errors.total > len(latest) else "")
    columns = ("topic", "partition", "offset", "timestamp", "where", "error", "first bytes")
    return card("Errors", note, table([_error_row(entry) for entry in latest], columns, grouped=False) if latest else "")


def _error_row(entry: StreamError) -> tuple[object, ...]:
    kind = dim(type(entry.error).__name__)
    # The message of a DecodeError repeats what stands in the columns beside it.
    what = entry.error.args[0] if isinstance(entry.error, DecodeError) and entry.error.args else entry.error
    return (
        entry.topic,
        entry.partition,
        entry.offset,
        utc(entry.timestamp),
        entry.where,
        Html(f"{kind} {escape(what)}"),
        "" if entry.first_bytes is None else repr(entry.first_bytes),
    )


def _place(message: Message) -> list[tuple[str, object]]:
    return [
        ("topic", message.topic),
        ("partition", message.partition),
        ("offset", str(message.offset)),  # to be copied, not to be read as an amount
        ("timestamp", utc(message.timestamp) + _SET_BY.get(message.timestamp_type, "")),
    ]


def _spot(message: Message) -> Html:
    return Html(f"{escape(message.topic)}[{escape(message.partition)}] @ {escape(message.offset)}")


def _payload(value: object, raw: object = None) -> Html:
    """Return a key or value with its kind, and its size on the wire where that is known."""
    if value is None:
        return dim("None")
    wire = raw if isinstance(raw, bytes) else value
    size = f", {len(wire):,} bytes" if isinstance(wire, bytes) else ""
    return Html(dim(type(value).__name__ + size) + block(pretty(value)))


def _headers(headers: Sequence[tuple[str, Any]] | Mapping[str, Any] | None) -> Html:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    rows = [(name, dim("None") if value is None else pretty(value, LIMIT)) for name, value in pairs]
    return section("Headers", rows, ("name", "value"))


def _type_name(kind: object) -> object:
    if kind is None:
        return "automatic"
    return kind.__qualname__ if isinstance(kind, type) else kind


def _partitions_seen(topic: Topic[Any]) -> str:
    seen = topic.app.last_topics
    if seen is None:
        return _NOT_ASKED
    known = [f"{name}: {len(seen[name].partitions)}" if name in seen else f"{name}: not there" for name in topic.topics]
    return ", ".join(known) or "those of the topics that match the pattern"


def _progress(stats: StreamStats) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = []
    if stats.busy is not None:
        facts.append(("working in", stats.busy))
    if stats.lag:
        facts.append(("lag", sum(stats.lag.values())))
    if stats.progress is not None:
        facts.append(("progress", f"{stats.progress:.0%}"))
    return facts


def _positions(stats: StreamStats) -> Html:
    rows = [(tp.topic, tp.partition, offset, stats.lag.get(tp, "")) for tp, offset in sorted(stats.positions.items())]
    return section("Positions", rows, ("topic", "partition", "taken up to", "lag"), grouped=False)


def _processors(entries: Iterable[Processor | ProcessorStats]) -> tuple[list[tuple[object, ...]], tuple[str, ...]]:
    """Return rows and columns of a table of processors."""
    rows: list[tuple[object, ...]] = [
        (
            number,
            entry.name if entry.enabled else Html(f"{escape(entry.name)} {dim('off')}"),
            entry.kind,
            entry.seen,
            entry.passed,
            entry.skipped,
            alarming(f"{entry.errors:,}") if entry.errors else 0,
            _time_an_event(entry),
        )
        for number, entry in enumerate(entries, 1)
    ]
    return rows, ("", "name", "kind", "in", "out", "skipped", "errors", "time an event")


def _time_an_event(entry: Processor | ProcessorStats) -> Html:
    return Html(f'<div style="text-align:right">{entry.seconds / entry.seen * 1e6:,.1f} µs</div>' if entry.seen else "")


def _cluster(app: App) -> str:
    seen = app.last_cluster
    if seen is None:
        return _NOT_ASKED
    return f"{seen.cluster_id}, brokers: {', '.join(without_secrets(broker) for broker in seen.brokers)}"


def _topics_seen(app: App) -> Html:
    seen = app.last_topics or {}
    rows = [(info.name, len(info.partitions)) for _, info in sorted(seen.items()) if not info.internal]
    return section("Topics as last seen", rows, ("topic", "partitions"))
