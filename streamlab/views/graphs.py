"""The graph of a shown stream: laid out by the browser when the topology changed, marked with rates and states in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlab.graph import Graph
from streamlab.graph_builder import stream_graph
from streamlab.lifecycle import related

if TYPE_CHECKING:
    from streamlab.views.session import ShownStream

__all__ = ["GraphSection"]

ROOM = "000,000/s"
"""Stands on every edge while the picture is laid out, so that there is room for a rate."""


class GraphSection:
    """Makes the section, and remembers the graph of the topology that was drawn last."""

    def __init__(self) -> None:
        self._version: tuple[Any, ...] | None = None
        self._graph = Graph()

    def section(self, shown: ShownStream) -> dict[str, Any]:
        """Return DOT and what is to be written into its picture: for each node its text, and how it is."""
        stream = shown.stream
        version = tuple((id(member), member.processors.version) for member in related(stream))
        if version != self._version:
            self._version, self._graph = version, stream_graph(stream)
        dot = self._graph.dot(edge_label=ROOM)
        processors = {node.id: node.name for node in self._graph.nodes if node.name}
        return {"dot": dot, "marks": [*self._flows(shown), *self._states(shown)], "processors": processors}

    def _flows(self, shown: ShownStream) -> list[dict[str, str]]:
        """Return for each edge what flows there: what comes out of the processor that is before, or is read."""
        rates = shown.rates.processors
        named = {node.id: node.name for node in self._graph.nodes}
        others = self._before_it_is_one()
        flows = []
        for edge in self._graph.edges:
            rate = rates.get(named.get(edge.source, ""), shown.rates.events)
            known = edge.enabled and edge.source not in others
            flows.append({"id": edge.id, "text": _rate(rate) if known else "", "state": "" if edge.enabled else "off"})
        return flows

    def _before_it_is_one(self) -> set[str]:
        """Return the nodes of the streams that the shown one is made of: what flows there is not known here."""
        made = [node.id for node in self._graph.nodes if node.kind in ("join", "window")]
        if not made:
            return set()
        before: set[str] = set()
        at = {made[-1]}
        while at:
            at = {edge.source for edge in self._graph.edges if edge.target in at} - before
            before |= at
        return before

    def _states(self, shown: ShownStream) -> list[dict[str, str]]:
        """Return for each processor how it is: off, failing or well."""
        entries = {entry.name: entry for entry in shown.stream.processors}
        states = []
        for node in self._graph.nodes:
            entry = entries.get(node.name)
            if entry is not None:
                state = "bad" if entry.errors else "ok" if entry.enabled else "off"
                states.append({"id": node.id, "text": "", "state": state})
        return states


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}/s"
