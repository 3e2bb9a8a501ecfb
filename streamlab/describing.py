"""How a stream is called and what it is made with: labels, repr, the arguments of a clone."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlab.texts import clean

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["arguments", "inputs", "label", "made_by", "mode", "names", "representation", "shortlabel"]

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
    return [leaf for leaf in _leaves(stream) if not isinstance(leaf, Mapping)]


def made_by(stream: Stream[Any]) -> str:
    """Return what makes one stream of others, for people; nothing for a stream that reads by itself."""
    strategy = stream.join_strategy
    made = stream._source.made_by if strategy is None else f"{type(strategy).__name__} {strategy}"
    max_idle = getattr(stream._source, "max_idle", 0.0)
    return f"{made} max_idle {max_idle:g} s" if max_idle else made


def label(stream: Stream[Any]) -> str:
    """See ``Stream.label``."""
    return f"{type(stream).__name__}: {reprlib.repr(stream.channel)}"


def shortlabel(stream: Stream[Any]) -> str:
    """See ``Stream.shortlabel``."""
    return "Stream: " + "&".join(map(_short, _leaves(stream)))


def names(stream: Stream[Any]) -> list[str]:
    """Return the names of the channels and tables that a stream is made of."""
    return [
        getattr(node, "name", type(node).__name__) if isinstance(node, Mapping) else str(node.channel) for node in _leaves(stream)
    ]


def _short(node: Any) -> str:
    if isinstance(node, Mapping):
        return getattr(node, "shortlabel", type(node).__name__)
    return f"{type(node.channel).__name__}: {node.channel}"


def _nodes(stream: Stream[Any]) -> list[Any]:
    """Return what a stream was combined of, each once: what it was combined from, unless that is listed, and the listed ones."""
    nodes = [stream._origin, *stream.combined]
    return list({id(node): node for node in nodes if node is not None}.values())


def _leaves(stream: Stream[Any]) -> list[Any]:
    """Return the streams that read, and the tables, that a stream is made of, each once."""
    if not stream.combined:
        return [stream]
    nodes = _nodes(stream)
    found = [leaf for node in nodes for leaf in ([node] if isinstance(node, Mapping) else _leaves(node))]
    return list({id(leaf): leaf for leaf in found}.values())


def representation(stream: Stream[Any]) -> str:
    """Return the one line that is a stream's repr."""
    how = "" if stream.mode == "local" else f" {clean(stream.mode)}"
    what = " & ".join(map(_named, _nodes(stream))) if stream.combined else repr(stream.channel)
    return f"<{type(stream).__name__}: {stream.state}{how} {what}>"


def _named(node: Any) -> str:
    return f"<{type(node).__name__}>" if isinstance(node, Mapping) and not hasattr(node, "shortlabel") else repr(node)


def arguments(stream: Stream[Any]) -> dict[str, Any]:
    """See ``Stream.info``."""
    return {**{name: getattr(stream, name) for name in SAME.split()}, "on_start": stream._on_start, "prev": stream._prev}
