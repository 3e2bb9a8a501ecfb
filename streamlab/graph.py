"""A graph of streams: nodes and edges, DOT, SVG and a tree of text.

The only module that uses graphviz. A graph is a picture of one moment: it keeps names, not streams.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import graphviz

from streamlab.drawing import svg_of, text_tree

__all__ = ["Edge", "Graph", "Node"]

_LINE = 32
"""Characters of a label's line: a chain of streams with long names must not be drawn too small to read."""

_SHAPES = {
    "topic": "cylinder",
    "channel": "cds",
    "source": "note",
    "table": "tab",
    "join": "hexagon",
    "window": "septagon",
    "agent": "component",
    "filter": "invtrapezium",
}
_FILLS = {
    "topic": "#dbeafe",
    "channel": "#dbeafe",
    "source": "#dbeafe",
    "stream": "#e6f4ea",
    "agent": "#fdecc8",
    "table": "#dbeafe",
    "join": "#f3e8fd",
    "window": "#f3e8fd",
}
# Both themes show these: light boxes with dark text, lines in a middle grey, no background.
# A picture wider than a cell, in inches, is drawn smaller.
_GRAPH_LOOK = {"rankdir": "LR", "bgcolor": "transparent", "size": "12,30"}
_NODE_LOOK = {
    "shape": "box",
    "style": "filled",
    "fillcolor": "#f6f8fa",
    "color": "#8a8f98",
    "fontcolor": "#1f2328",
    "fontname": "Helvetica,sans-serif",
    "fontsize": "11",
}
_EDGE_LOOK = {"color": "#8a8f98", "arrowsize": "0.7"}


class Node(NamedTuple):
    """One node; equal topologies give equal ids, and ids are ASCII words.

    Attributes
    ----------
    id : str
    kind : str
        "topic", "channel", "source", "table", "stream", "join", "window", "agent", or the kind of a processor.
    label, tooltip : str
        What is shown: cut, with everything in them visible.
    enabled : bool
        False for a processor that is switched off.
    stream : str
        Id of the stream that a processor belongs to, else "".
    name : str
        The name of a processor in its stream's list, else "".
    """

    id: str
    kind: str
    label: str
    tooltip: str
    enabled: bool = True
    stream: str = ""
    name: str = ""


class Edge(NamedTuple):
    """One edge; ``source`` and ``target`` are ids of nodes, ``enabled`` is False where nothing flows.

    ``lookup`` is True where values are looked up in a table: what comes into that makes nothing flow.
    """

    id: str
    source: str
    target: str
    enabled: bool = True
    lookup: bool = False


@dataclass(frozen=True)
class Graph:
    """A topology that shows itself: SVG where a ``dot`` is found, DOT, and always a tree of text.

    Attributes
    ----------
    nodes : tuple of Node
    edges : tuple of Edge

    Examples
    --------
    >>> import streamlab as sl
    >>> app = sl.App("graph-example")
    >>> print(app.stream([1, 2, 3]).filter(bool).graph())
    source <list>
    └─ Stream: PlainSource: <list>
       └─ filter bool
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    @cached_property
    def source(self) -> str:
        """DOT; nodes and edges carry their ids as SVG ids too."""
        return self.dot()

    def dot(self, *, edge_label: str = "") -> str:
        """Return DOT with a label on every edge, which whoever draws it replaces by what flows there."""
        dot = graphviz.Digraph("streamlab", graph_attr=_GRAPH_LOOK, node_attr=_NODE_LOOK, edge_attr=_EDGE_LOOK)
        for node in self.nodes:
            dot.node(node.id, label=_in_lines(node.label), **_node_look(node))
        for edge in self.edges:
            look = _edge_look(edge)
            dot.edge(edge.source, edge.target, id=edge.id, label=edge_label or None, **look)
        return str(dot.source)

    @cached_property
    def _svg(self) -> str | None:
        return svg_of(self.source)

    def svg(self) -> str | None:
        """Return the picture, or None where there is no ``dot`` that draws it within seconds."""
        return self._svg

    def _repr_mimebundle_(self, include: Collection[str] | None = None, exclude: Collection[str] | None = None) -> dict[str, str]:
        bundle = {"text/plain": str(self), "text/vnd.graphviz": self.source}
        if (include is None or "image/svg+xml" in include) and "image/svg+xml" not in (exclude or ()):
            picture = self.svg()
            if picture is not None:
                bundle["image/svg+xml"] = picture
        return {kind: data for kind, data in bundle.items() if (not include or kind in include) and kind not in (exclude or ())}

    def __str__(self) -> str:
        return text_tree(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.nodes)} nodes, {len(self.edges)} edges>"


def _node_look(node: Node) -> dict[str, str]:
    look = {"id": node.id, "tooltip": _literal(node.tooltip.replace("\\", "\N{REVERSE SOLIDUS OPERATOR}"))}
    if node.kind in _SHAPES:
        look["shape"] = _SHAPES[node.kind]
    if node.kind in _FILLS:
        look["fillcolor"] = _FILLS[node.kind]
    if node.kind == "stream":
        look["style"] = "filled,rounded"
    if not node.enabled:
        look |= {"style": "dashed", "fontcolor": _NODE_LOOK["color"]}
    return look


def _edge_look(edge: Edge) -> dict[str, str]:
    if edge.lookup:
        return {"style": "dotted", "arrowhead": "none", "arrowtail": "odot", "dir": "both"}
    return {} if edge.enabled else {"style": "dashed"}


def _literal(text: str) -> str:
    """Return text that DOT shows as it is: no escapes, no HTML, no entities."""
    escaped: str = graphviz.escape(text.replace("&", "&amp;"))
    return escaped


def _in_lines(text: str) -> str:
    """Return a label, broken into lines where it is long."""
    lines = textwrap.wrap(text, _LINE, replace_whitespace=False, drop_whitespace=False) or [""]
    label: str = graphviz.nohtml("\\n".join(map(_literal, lines)))
    return label
