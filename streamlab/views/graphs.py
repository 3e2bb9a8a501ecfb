"""The graph of a shown stream: laid out by the browser when the topology changed, marked with rates and states in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlab.graph import Graph, stream_graph

if TYPE_CHECKING:
    from streamlab.views.session import ShownStream

__all__ = ["GraphSection"]


class GraphSection:
    """Makes the section, and remembers the graph of the topology that was drawn last."""

    def __init__(self) -> None:
        self._version: tuple[Any, ...] | None = None
        self._graph = Graph()

    def section(self, shown: ShownStream) -> dict[str, Any]:
        """Return DOT and what is to be written into its picture: for each node its text, and how it is."""
        stream = shown.stream
        members = [*stream._iter_ll_backwards(), *stream._iter_ll_forwards()]
        version = tuple((id(member), member.processors.version) for member in members)
        if version != self._version:
            self._version, self._graph = version, stream_graph(stream)
        rates = shown.rates
        marks = []
        for node in self._graph.nodes:
            if node.kind in ("topic", "channel", "source") and node.id == self._graph.nodes[0].id:
                marks.append({"id": node.id, "text": _rate(rates.events), "state": ""})
            elif node.name in rates.processors and not node.enabled:
                marks.append({"id": node.id, "text": "off", "state": "off"})
            elif node.name in rates.processors:
                failed = shown.stream.processors[node.name].errors
                marks.append({"id": node.id, "text": _rate(rates.processors[node.name]), "state": "bad" if failed else ""})
        return {
            "dot": self._graph.source,
            "marks": marks,
            "processors": {node.id: node.name for node in self._graph.nodes if node.name},
        }


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}/s"
