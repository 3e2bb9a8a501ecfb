"""Streams as a graph: what is connected with what, found by following streams, channels and tables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from streamlab.channels import Channel
from streamlab.describing import made_by
from streamlab.graph import Edge, Graph, Node
from streamlab.merging import inputs_of
from streamlab.streams import Stream
from streamlab.tables import Table
from streamlab.texts import clean
from streamlab.topics import Topic
from streamlab.window_source import WindowSource

if TYPE_CHECKING:
    from streamlab.agents import Agent
    from streamlab.app import App
    from streamlab.processors import Processor

__all__ = ["app_graph", "stream_graph"]

_LABEL_LIMIT = 60
_RULES_LIMIT = 160
"""Of a join's or a window's label, which has its rules in it."""
_TOOLTIP_LIMIT = 300
# The functions that forward have names of no interest; where they write to is drawn.
_FORWARDING = ("echo", "through", "group_by")


def stream_graph(stream: Stream[Any]) -> Graph:
    """Return the graph of a stream: all that feeds it, and all that it feeds.

    Parameters
    ----------
    stream : Stream
        Any one of a chain; the whole chain is drawn.
    """
    builder = _Builder()
    builder.add_stream(stream)
    return builder.graph()


def app_graph(app: App) -> Graph:
    """Return the graph of an app: its live streams and its agents, with the topics and channels between them."""
    streams = list(app.streams())
    # A join method leaves the stream that it was called on behind: what is read is the joined one.
    builder = _Builder(without=[stream.join_strategy.stream for stream in streams if stream.join_strategy is not None])
    for stream in streams:
        builder.add_stream(stream)
    for name, agent in app.agents.items():
        builder.add_agent(name, agent)
    return builder.graph()


class _Builder:
    """Collects nodes and edges; a stream, channel or processor that comes up again is the one that is there."""

    def __init__(self, without: Collection[Stream[Any]] = ()) -> None:
        self._without = without
        self._nodes: dict[str, Node] = {}
        self._edges: dict[str, Edge] = {}
        self._ends: dict[Stream[Any], str] = {}
        """Streams that were drawn, each with the node that its values leave from."""
        self._channels: list[tuple[object, str]] = []
        self._counts: dict[str, int] = {}

    def graph(self) -> Graph:
        return Graph(tuple(self._nodes.values()), tuple(self._edges.values()))

    def add_stream(self, stream: Stream[Any]) -> None:
        """Draw the chain that a stream is in."""
        for member in _chain(stream):
            if not _taken_over(member) and member not in self._without:
                self._end(member)

    def add_agent(self, name: str, agent: Agent) -> None:
        """Draw an agent, behind the streams that it reads, or its channel while it reads none."""
        node = self._node(f"agent_{_word(name)}", "agent", f"agent {name}", f"agent {name}")
        starts = [self._end(stream.get_active_stream()) for stream in agent.streams] or [self._channel(agent.channel)]
        for start in starts:
            self._edge(start, node)

    def _end(self, stream: Stream[Any]) -> str:
        """Return the node that a stream's values leave from; draw the stream, behind those that feed it."""
        if stream not in self._ends:
            before = stream._prev
            if before is not None and not _taken_over(before):
                self._end(before)
            self._ends[stream] = self._draw(stream)
        return self._ends[stream]

    def _draw(self, stream: Stream[Any]) -> str:
        channel = self._channel(stream.channel) if not stream.combined else "combined"
        me = last = self._numbered(f"{channel}_s")
        before = self._join(me, stream) if stream.combined else channel
        self._node(me, "stream", stream.shortlabel, stream.label)
        self._edge(before, me)
        for entry in stream.processors:
            last = self._processor(me, last, entry)
        return last

    def _join(self, stream_id: str, stream: Stream[Any]) -> str:
        """Draw what makes one stream of others: a merge, a join, windows."""
        sides = [(side, self._table(side) if isinstance(side, Mapping) else self._end(side)) for side in _sides(stream)]
        kind, label = _making(stream)
        me = self._node(f"{stream_id}_join", kind, label, label)
        for side, end in sides:
            self._edge(end, me, lookup=isinstance(side, Mapping))
        return me

    def _table(self, side: Mapping[Any, Any]) -> str:
        for known, node_id in self._channels:
            if known is side:
                return node_id
        if isinstance(side, Table):
            node_id = self._node(f"table_{_word(side.name)}", "table", f"table {side.name}", side.shortlabel)
            self._edge(self._channel(side.topic), node_id)
        else:
            node_id = self._node(self._numbered("table"), "table", type(side).__name__, type(side).__name__)
        self._channels.append((side, node_id))
        return node_id

    def _processor(self, stream_id: str, before: str, entry: Processor) -> str:
        label = _label(entry)
        tooltip = f"{entry.kind} {entry.name}" + ("" if entry.enabled else ", switched off")
        me = self._node(f"{stream_id}_{_word(entry.name)}", entry.kind, label, tooltip, stream=stream_id, processor=entry)
        self._edge(before, me)
        for target in entry.targets:
            self._edge(me, self._channel(target), enabled=entry.enabled)
        return me

    def _channel(self, channel: Any) -> str:
        root = getattr(channel, "_root", None) or channel
        for known, node_id in self._channels:
            if known is root:
                return node_id
        kind = _kind(root)
        name = str(root)
        node_id = f"topic_{_word(name)}" if kind == "topic" else self._numbered(kind)
        self._channels.append((root, node_id))
        return self._node(node_id, kind, name, getattr(root, "label", name))

    def _numbered(self, stem: str) -> str:
        self._counts[stem] = number = self._counts.get(stem, 0) + 1
        return f"{stem}{number}"

    def _node(
        self, node_id: str, kind: str, label: str, tooltip: str, *, stream: str = "", processor: Processor | None = None
    ) -> str:
        about = () if processor is None else (processor.enabled, stream, processor.name)
        limit = _RULES_LIMIT if kind in ("join", "window") else _LABEL_LIMIT
        self._nodes.setdefault(node_id, Node(node_id, kind, clean(label, limit), clean(tooltip, _TOOLTIP_LIMIT), *about))
        return node_id

    def _edge(self, source: str, target: str, *, enabled: bool = True, lookup: bool = False) -> None:
        edge_id = f"{source}__{target}"
        self._edges.setdefault(edge_id, Edge(edge_id, source, target, enabled, lookup))


def _chain(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the streams of a chain, the root first."""
    members = [stream.get_root_stream()]
    while members[-1]._next is not None:
        members.append(members[-1]._next)
    # A joined stream, as every clone, is no part of the chain that it was made from.
    return members if stream in members else [stream]


def _taken_over(stream: Stream[Any]) -> bool:
    """Tell whether the next stream reads the same iterator: that of noack's and combine's origin, unless that is made of others."""
    after = stream._next
    if after is None or after.channel is not stream.channel:
        return False
    return not stream.combined or stream not in _sides(after)


def _sides(stream: Stream[Any]) -> list[Any]:
    """Return what a combined stream merges: its nodes and its origin, without those that come with another node."""
    origin = stream._prev
    nodes = list(stream.combined)
    is_one = origin is not None and origin.channel is stream.channel and origin not in nodes
    if origin is not None and is_one and (not origin.combined or origin in inputs_of(stream)):
        nodes.insert(0, origin)
    nested = [inner for node in nodes for inner in getattr(node, "combined", ())]
    return [node for node in nodes if not any(node is inner for inner in nested)]


def _making(stream: Stream[Any]) -> tuple[str, str]:
    """Return the kind and the label of what makes a stream of others."""
    return "window" if isinstance(stream._source, WindowSource) else "join", made_by(stream)


def _kind(channel: object) -> str:
    if isinstance(channel, Topic):
        return "topic"
    return "channel" if isinstance(channel, Channel) else "source"


def _label(entry: Processor) -> str:
    if entry.kind in _FORWARDING:
        return entry.kind
    return entry.name if entry.kind == "processor" or entry.name.startswith(entry.kind) else f"{entry.kind} {entry.name}"


def _word(name: str) -> str:
    """Return an ASCII word for a name: readable, and different for different names."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{re.sub('[^A-Za-z0-9]+', '_', name)[:24]}_{digest}"
