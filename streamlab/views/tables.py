"""What a cell shows that ends in a table: its latest values, drawn again as they change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from streamlab.display import table_html
from streamlab.views import bridge, replacing, snapshot, unattended
from streamlab.views.comms import LiveWidget
from streamlab.views.hearing import Hearing, running_loop
from streamlab.views.presence import GONE, Presence
from streamlab.views.scheduler import scheduler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamlab.tables import Table

__all__ = ["TableView"]

SCRIPT = Path(__file__).parent / "static" / "table.js"
EVERY_S = 1.0
"""It is drawn anew so often at most."""


class TableView(LiveWidget):
    """Shows a table alive: its state and its first keys with their latest values; made by showing the table.

    It begins to read the table, and takes nothing from anybody: when nobody looks any more it is closed, and the table reads on.

    Parameters
    ----------
    table : Table
    """

    _esm = SCRIPT.read_text("utf-8")
    html = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, table: Table) -> None:
        self.table = table
        self.hearing = Hearing(running_loop())
        self.presence = Presence()
        self._drawn: tuple[object, ...] = ()
        self._drawn_s = float("-inf")
        self._display_id: str | None = None
        self._pictured = snapshot.Pictures()
        table.begin()
        super().__init__(html=table_html(table), label=table.shortlabel)
        self.on_msg(self._heard)
        self._is_open = True
        scheduler.add(self)

    def _heard(self, _widget: object, content: object, _buffers: object) -> None:
        request = bridge.parse(content)
        if request is None:
            return
        now = self.hearing.now_s
        if request.kind in ("hello", "do"):  # the one thing that is asked for is whether the kernel is there
            if request.kind == "hello":
                self.presence.hello(request.view, now, gone=request.texts("gone", most=GONE))
            else:
                self.presence.heard(request.view, now)
            rid = request.text("rid") or request.kind
            self.send({"t": "reply", "view": request.view, "rid": rid, "ok": True, "data": None})
        elif request.kind == "bye":
            self.presence.bye(request.view, now)
        elif request.kind == "away":
            self.presence.away(request.view, now)
        elif request.kind == "seen":
            self.presence.heard(request.view, now).seen = request.flag("on", default=True)

    # What the scheduler does, on its thread

    def prepare(self, now_s: float) -> None:
        """Draw it anew if it has changed and somebody looks; see whether anybody is there."""
        if self.presence.verdict(self.hearing.tick()) == "stop":
            self.close()
            return
        views = self.presence.views.values()
        if now_s - self._drawn_s >= EVERY_S and any(view.seen for view in views):
            self._draw(now_s)
        elif not views and self._display_id is not None:
            self._picture(now_s)

    def _draw(self, now_s: float) -> None:
        table = self.table
        shows = (table.revision, table.state, table.state_detail, table.records_total, table.errors.total)
        if shows != self._drawn:
            self._drawn, self._drawn_s = shows, now_s
            self.html = table_html(table)

    def _picture(self, now_s: float) -> None:
        if self._pictured.is_due(now_s, self.table.state, self.table.records_total):
            snapshot.publish(self._bundle(), self._display_id)

    def due(self, now_s: float) -> Iterable[str]:
        """Return no views: all of them are drawn by one state."""
        return ()

    def show(self, view: str, now_s: float) -> int:
        """Send nothing, see ``due``."""
        return 0

    def close(self) -> None:
        """Take it off the screen; once, see ``Explorer.close``."""
        if not self.__dict__.pop("_is_open", False):
            return
        scheduler.remove(self)
        super().close()

    def _bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        live, metadata = super()._repr_mimebundle_() or ({}, {})
        pictures = {"text/html": table_html(self.table), "text/plain": repr(self.table)}
        return {**live, **pictures}, {**metadata, "streamlab": {"snapshot": True}}

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle()

    def _ipython_display_(self) -> None:
        """Show it under an id of its own; what an earlier run of the cell showed is taken away."""
        if not unattended.attended():
            unattended.wait_for(lambda: self.table.records_total, lambda: self.table.state in ("current", "failed"))
        self._display_id = snapshot.publish(self._bundle())
        replacing.note(self, replacing.running_cell())

    def __repr__(self) -> str:
        return f"<TableView: {self.table!r}>"
