"""Pictures of a graph: SVG by the ``dot`` program, and a tree of text for where there is none."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from streamlab.graph import Graph, Node

__all__ = ["svg_of", "text_tree"]

_TIMEOUT_S = 5.0
_MAX_LINES = 200
_ELEMENTS = frozenset({"a", "defs", "ellipse", "g", "path", "polygon", "polyline", "svg", "text", "title"})


def svg_of(dot_source: str) -> str | None:
    """Return the SVG element that ``dot`` draws; None where it is missing, fails, takes long or draws more than lines.

    The browser gets no script, no style sheet and no link, whatever ``dot`` it was.
    """
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the program is the user's own, the graph comes through a pipe
            [program, "-Tsvg"], input=dot_source.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True
        )
        drawn = done.stdout.decode()
        picture = drawn[drawn.index("<svg") :]  # without the prolog, which names a document type on another host
        tree = ET.fromstring(picture)  # noqa: S314 - without its prolog a document has no entities
    except (OSError, subprocess.SubprocessError, ValueError, ET.ParseError):
        return None
    plain = "<?" not in picture and all(_is_plain(element) for element in tree.iter())
    return picture if plain else None


def _is_plain(element: ET.Element) -> bool:
    if element.tag.rpartition("}")[2] not in _ELEMENTS:
        return False
    names = (name.rpartition("}")[2].lower() for name in element.attrib)
    return not any(name.startswith("on") or name in ("href", "style") for name in names)


def text_tree(graph: Graph) -> str:
    """Return the graph as a tree; a node that was shown above is named again, without what follows it."""
    return "\n".join(_Tree(graph).lines())


class _Tree:
    def __init__(self, graph: Graph) -> None:
        self._nodes = {node.id: node for node in graph.nodes}
        self._after: dict[str, list[Node]] = {node.id: [] for node in graph.nodes}
        for edge in graph.edges:
            self._after[edge.source].append(self._nodes[edge.target])
        pointed_at = {edge.target for edge in graph.edges}
        # Roots first; then whatever only a circle reaches.
        self._starts = sorted(graph.nodes, key=lambda node: node.id in pointed_at)
        self._shown: set[str] = set()

    def lines(self) -> list[str]:
        lines: list[str] = []
        for start in self._starts:
            if start.id not in self._shown:
                lines += self._below(start)
        if len(lines) > _MAX_LINES:
            lines = [*lines[:_MAX_LINES], f"… and {len(lines) - _MAX_LINES:,} lines more"]
        return lines or ["nothing to draw yet: no streams and no agents"]

    def _below(self, start: Node) -> list[str]:
        lines = []
        waiting = [(start, "", "")]
        while waiting:
            node, here, indent = waiting.pop()
            again = node.id in self._shown
            lines.append(here + _name(node) + (" (above)" if again and self._children(node) else ""))
            if again:
                continue
            self._shown.add(node.id)
            children = self._children(node)
            for child in reversed(children):
                last = child is children[-1]
                waiting.append((child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  ")))
        return lines

    def _children(self, node: Node) -> list[Node]:
        """Return what stands below a node: a stream's processors side by side in order, then where its values go."""
        if node.kind != "stream":
            return [after for after in self._after[node.id] if not node.stream or after.kind in ("topic", "channel")]
        children: list[Node] = []
        ahead = self._after[node.id]
        while ahead:
            mine = [after for after in ahead if after.stream == node.id]
            children += mine or [after for after in ahead if after.kind not in ("topic", "channel")]
            ahead = self._after[mine[0].id] if mine else []
        return children


def _name(node: Node) -> str:
    kind = f"{node.kind} " if node.kind in ("topic", "channel", "source") else ""
    return f"{kind}{node.label}" + ("" if node.enabled else " (off)")
