"""How a stream is called and what it is made with: labels, repr, the arguments of a clone."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlab.texts import clean

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["arguments", "inputs", "label", "made_by", "mode", "representation", "shortlabel"]

SAME = "app channel processors loop combined beacon concurrency_index active_partitions enable_acks prefix join_strategy on_error"


def mode(stream: Stream[Any]) -> str:
    """See ``Stream.mode``."""
    if stream.combined:
        return " & ".join(dict.fromkeys(mode(one) for one in inputs(stream)))
    feed = stream.feed
    if feed is None:
        return "local"
    return "observe" if feed.group is None else f"group={feed.group}"


def inputs(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the streams that read what this one is made of, each once: itself, unless it is made of others."""
    if not stream.combined:
        return [stream]
    nodes = [node for node in (stream._origin, *stream.combined) if hasattr(node, "get_root_stream")]
    return list(dict.fromkeys(one for node in nodes for one in inputs(node)))


def made_by(stream: Stream[Any]) -> str:
    """Return what makes one stream of others, for people; nothing for a stream that reads by itself."""
    strategy = stream.join_strategy
    return stream._source.made_by if strategy is None else f"{type(strategy).__name__} {strategy}"


def label(stream: Stream[Any]) -> str:
    """See ``Stream.label``."""
    return f"{type(stream).__name__}: {reprlib.repr(stream.channel)}"


def shortlabel(stream: Stream[Any]) -> str:
    """See ``Stream.shortlabel``."""
    nodes = stream.combined or [stream]
    return "Stream: " + "&".join(_short(node) for node in nodes)


def _short(node: Any) -> str:
    if isinstance(node, Mapping):
        return getattr(node, "shortlabel", type(node).__name__)
    channel = getattr(node, "channel", None)
    return str(node) if channel is None else f"{type(channel).__name__}: {channel}"


def representation(stream: Stream[Any]) -> str:
    """Return the one line that is a stream's repr."""
    how = "" if stream.mode == "local" else f" {clean(stream.mode)}"
    what = " & ".join(_named(node) for node in stream.combined) if stream.combined else repr(stream.channel)
    return f"<{type(stream).__name__}: {stream.state}{how} {what}>"


def _named(node: Any) -> str:
    return f"<{type(node).__name__}>" if isinstance(node, Mapping) and not hasattr(node, "shortlabel") else repr(node)


def arguments(stream: Stream[Any]) -> dict[str, Any]:
    """See ``Stream.info``."""
    return {**{name: getattr(stream, name) for name in SAME.split()}, "on_start": stream._on_start, "prev": stream._prev}
