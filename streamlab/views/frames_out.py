"""Frames: what one view is told now, which is what changed since it was told last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlab.views import sections
from streamlab.views.bridge import packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlab.views.explorer import Explorer
    from streamlab.views.presence import View

__all__ = ["MAX_ROWS", "FrameMaker", "rows_section"]

MAX_ROWS = 200
"""No table shows more at once."""
Sections = dict[str, Any]


def rows_section(explorer: Explorer, count: int, wanted: Sequence[str] = (), **where: Any) -> tuple[Sections, bytes]:
    """Return rows of the table in its order, and the block of their cells; ``where`` is that of ``Order.page``."""
    shown, order = explorer.shown, explorer.order
    page = order.page(min(count, MAX_ROWS), **where)
    shown.book.note_rows(page.rows)
    columns, block = sections.rows_block(page.rows, shown.book.kinds, several_topics=shown.book.several_topics, wanted=wanted)
    section = {
        "first": page.first,
        "count": len(page.rows),
        "total": page.total,
        "base": page.base,
        "era": page.era,
        "order": order.kind,
        "scanning": order.is_scanning,
        "cols": columns,
    }
    return packed(section)[0], block


class FrameMaker:
    """Makes the frames of one explorer's views, each of them told only what it was not told yet."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._told: dict[str, dict[str, bytes]] = {}
        self._number = 0

    def forget(self, view: str) -> None:
        """Tell a view everything anew."""
        self._told.pop(view, None)

    def make(self, name: str, view: View) -> tuple[Sections, list[bytes], int]:
        """Return the next frame of a view, its buffers and about how many bytes it has; without sections if nothing changed."""
        told = self._told.setdefault(name, {})
        frame: Sections = {}
        buffers: list[bytes] = []
        size = 0
        for section, content, key in self._sections(view):
            if told.get(section) == key:
                continue
            told[section] = key
            frame[section] = content
            size += len(key)
        rows = self._rows(view, told)
        if rows is not None:
            frame["rows"], block = rows
            buffers.append(block)
            size += len(block)
        if frame:
            self._number += 1
            frame |= {"t": "frame", "view": name, "n": self._number}
        return frame, buffers, size

    def _sections(self, view: View) -> list[tuple[str, Any, bytes]]:
        explorer, shown = self._explorer, self._explorer.shown
        contents: Sections = {
            "head": sections.head(shown, subshells=explorer.hears_always),
            "pipe": sections.pipe(shown, explorer.batches),
            "columns": {"names": list(shown.book.kinds), "more": shown.book.more},
            "hist": shown.histogram.section(explorer.ui["brush"]),
        }
        sample = shown.sampler.section(shown, explorer.selected_processor)
        if sample is not None:
            contents["sample"] = sample
        if explorer.ui["tab"] == "errors":
            contents["errors"] = sections.error_rows(shown)
        if explorer.ui["tab"] == "graph":
            contents["graph"] = explorer.graph.section(shown)
        if explorer.batches is not None:
            contents["batch"] = explorer.batches.section()
        notice = explorer.order.problem or shown.notice
        contents["notice"] = {"text": "", "kind": "info"} if notice is None else {"text": notice[0], "kind": notice[1]}
        return [(name, *packed(content)) for name, content in contents.items()]

    def _rows(self, view: View, told: dict[str, bytes]) -> tuple[Sections, bytes] | None:
        """Return the rows that the table has in sight, if they may have changed."""
        explorer = self._explorer
        order = explorer.order
        where: Sections = {} if view.follow else {"place": view.first, "base": view.base, "era": view.era}
        state = (
            order.revision,
            order.total,
            view.count,
            where,
            order.is_scanning,
            tuple(view.columns),
            len(explorer.shown.book.kinds),
        )
        key = repr(state).encode()
        if told.get("rows") == key:
            return None
        told["rows"] = key
        return rows_section(explorer, view.count, view.columns, **where)
