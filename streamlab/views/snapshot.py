"""What is shown of an explorer where no widget runs: a reopened notebook, nbconvert, GitHub, a terminal. True, and dated."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamlab.graph_builder import stream_graph
from streamlab.markup import Html, alarming, block, card, dim, fact_table, section, utc
from streamlab.texts import clean
from streamlab.views.cells import META, cell, flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlab.views.session import ShownStream

__all__ = ["Pictures", "html_of", "publish", "text_of"]

ROWS = 10
COLUMNS = 12
DETAIL = 500
SOON_S = 1.0
EVERY_S = 10.0
_RESTING = frozenset(("paused", "stopped", "ended", "failed", "retrying"))


class Pictures:
    """When the snapshot is to be taken again: soon after the first messages, every ten seconds, and when the state changes to rest."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._taken_s = float("-inf")
        self._state = self._pictured = ""
        self._revision = -1

    def is_due(self, now_s: float, state: str, revision: int) -> bool:
        """Tell whether a new one is to be taken now; then it counts as taken."""
        if self._began_s is None:
            self._began_s = self._taken_s = now_s
            self._state = self._pictured = state
            return False
        before, self._state = self._state, state
        came_to_rest = state != before and state in _RESTING
        waited = EVERY_S if self._revision >= 0 else SOON_S
        if not came_to_rest and (now_s - self._taken_s < waited or (revision == self._revision and state == self._pictured)):
            return False
        self._taken_s, self._pictured, self._revision = now_s, state, revision
        return True


def html_of(shown: ShownStream) -> str:
    """Return header, last rows and graph as HTML."""
    errors = shown.stream.errors.total
    facts = [*_facts(shown), ("errors", alarming(f"{errors:,}, see stream.errors") if errors else 0)]
    when = dim(f"snapshot of {_now()}; show the stream again to see it live")
    return card("Stream", _name(shown), fact_table(facts), _rows(shown), block(str(stream_graph(shown.stream))), when)


def text_of(shown: ShownStream) -> str:
    """Return the same for a terminal."""
    lines = [f"Stream {_name(shown)}, snapshot of {_now()}"]
    lines += [f"  {name}: {value}" for name, value in [*_facts(shown), ("errors", f"{shown.stream.errors.total:,}")]]
    return "\n".join([*lines, str(stream_graph(shown.stream))])


def _name(shown: ShownStream) -> str:
    return shown.stream.shortlabel.removeprefix("Stream: ")


def _now() -> str:
    return datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _facts(shown: ShownStream) -> list[tuple[str, object]]:
    stream, window = shown.stream, shown.window
    return [
        ("state", f"{shown.state}: {clean(shown.detail, DETAIL)}" if shown.detail else shown.state),
        ("mode", stream.mode),
        ("events", f"{stream.events_total:,} ({shown.rates.events:,.0f}/s)"),
        ("window", f"{window.messages:,} messages of {window.total - shown.window_before:,}"),
    ]


def _rows(shown: ShownStream) -> Html:
    rows = shown.window.latest(ROWS)
    if not rows:
        return dim("no messages yet")
    fields = [flat(row.value) for row in rows]
    names = list(dict.fromkeys(name for found in fields for name in found))[:COLUMNS]
    own = META if shown.book.several_topics or len({row.topic for row in rows}) > 1 else META[1:]
    lines = [
        (
            *([row.topic or ""] if own is META else []),
            row.partition,
            row.offset,
            "" if row.timestamp_ms is None else utc(row.timestamp_ms / 1000),
            _text(row.key),
            *_texts(found, names),
        )
        for row, found in zip(rows, fields, strict=True)
    ]
    return section("Last messages", lines, (*own, *names))


def _texts(fields: Mapping[str, Any], names: list[str]) -> list[str]:
    return [_text(fields[name]) if name in fields else "" for name in names]


def _text(value: Any) -> str:
    return "" if value is None else cell(value)[1]


def publish(bundle: tuple[dict[str, Any], dict[str, Any]], display_id: str | None = None) -> str:
    """Show a bundle under an id, or again in the place of the one that has it; the id. From any thread."""
    from IPython.display import publish_display_data

    data, metadata = bundle
    shown_id = display_id or uuid.uuid4().hex
    publish_display_data(  # type: ignore[no-untyped-call] # IPython is untyped
        data, metadata, transient={"display_id": shown_id}, update=display_id is not None
    )
    return shown_id
