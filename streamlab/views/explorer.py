"""The explorer: one widget that shows a stream alive. It holds the threads' ends together and leaves the work to others."""

from __future__ import annotations

import threading
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from streamlab.errors import InvalidValue
from streamlab.texts import clean
from streamlab.views import bridge, replacing, snapshot, unattended
from streamlab.views.actions import ACTIONS, APART
from streamlab.views.attending import Attendance
from streamlab.views.comms import LiveWidget
from streamlab.views.frames_out import FrameMaker
from streamlab.views.graphs import GraphSection
from streamlab.views.hearing import Hearing, running_loop
from streamlab.views.order import Order
from streamlab.views.presence import GONE, Presence, Sent, View
from streamlab.views.scheduler import scheduler
from streamlab.views.session import AT_REST, ShownStream, shown
from streamlab.views.ui import PLAIN, checked
from streamlab.views.window import MAX_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamlab.streams import Stream
    from streamlab.views.batches import LiveBatches

__all__ = ["Explorer"]

STATIC = Path(__file__).parent / "static"
SLICE_S = 0.02
"""Filtering and sorting may take so long of each pass."""


class Explorer(LiveWidget):
    """Shows a stream alive, and lets it run in the background while it does; made by ``stream.explore()``.

    A cell that ends in it is free at once. Where no widget runs, a snapshot of text or HTML is shown.

    Parameters
    ----------
    stream : Stream
    messages : int
        How many messages are kept to be looked at.
    size_bytes : int, optional
        How much memory they may take, about, in bytes; by default a share of what all explorers may take, see ``sharing``.
    batches : LiveBatches, optional
        The take whose batches are shown.
    """

    _esm = (STATIC / "explorer.js").read_text("utf-8")  # as text: anywidget would hold every explorer for ever by a path
    _css = (STATIC / "explorer.css").read_text("utf-8")
    protocol = traitlets.Int(bridge.PROTOCOL).tag(sync=True)
    ui = traitlets.Dict(PLAIN).tag(sync=True)

    def __init__(
        self,
        stream: Stream[Any],
        *,
        messages: int = MAX_MESSAGES,
        size_bytes: int | None = None,
        batches: LiveBatches | None = None,
    ) -> None:
        self.shown: ShownStream = shown(stream, messages=messages, size_bytes=size_bytes)
        self.order = Order(self.shown.window)
        self.graph = GraphSection()
        self.batches = batches
        self.hears_always = False
        self.hearing = Hearing(running_loop())
        self.presence = Presence()
        self.attendance = Attendance()
        self._frames = FrameMaker(self)
        self._display_id: str | None = None
        self._pictured = snapshot.Pictures()
        super().__init__(ui={**PLAIN, "tab": "messages" if batches is None else "batches"})
        self.on_msg(self._heard)
        self.observe(self._arrange, "ui")
        self.shown.join(self)
        self.shown.begin()
        if batches is not None:
            batches.keep_taking()
        self._is_open = True
        scheduler.add(self)

    @property
    def selected_processor(self) -> str | None:
        """Name of the processor that the inspector shows."""
        selected = self.ui["selected"]
        return selected["name"] if selected is not None and selected["kind"] == "processor" else None

    # What browsers say, on any thread

    def _heard(self, _widget: object, content: object, _buffers: object) -> None:
        request = bridge.parse(content)
        if request is None:
            return
        self.hears_always = self.hears_always or bridge.over_subshells()
        now = self.hearing.now_s
        if request.kind == "hello":
            self.presence.hello(
                request.view,
                now,
                keeps=request.flag("keeps"),
                rows=request.number("rows", View.count),
                gone=request.texts("gone", most=GONE),
            )
            self._frames.forget(request.view)
            return
        if request.kind in ("bye", "away"):
            (self.presence.bye if request.kind == "bye" else self.presence.away)(request.view, now)
            self._frames.forget(request.view)
            return
        view = self.presence.heard(request.view, now)
        if request.kind == "ack":
            self.presence.acked(request.view, request.number("n"), request.number("room", 1))
        elif request.kind == "seen":
            view.seen = request.flag("on", default=True)
        elif request.kind == "port":
            view.first, view.base, view.era = request.number("first"), request.number("base"), request.number("era")
            view.count = request.number("count", view.count)
            view.follow = request.flag("follow", default=view.follow)
            view.columns = tuple(request.texts("columns"))
        elif request.kind == "do" and request.text("action") in APART:
            work = (self._answer, request)
            threading.Thread(target=copy_context().run, args=work, name="streamlab-answer", daemon=True).start()
        elif request.kind == "do":
            self._answer(request)

    def _answer(self, request: bridge.Request) -> None:
        """Do what a view asks for, and say how it went."""
        reply: dict[str, Any] = {"t": "reply", "view": request.view, "rid": request.content.get("rid")}
        buffers: list[bytes] = []
        try:
            action = ACTIONS.get(request.text("action"))
            if action is None:
                raise InvalidValue(f"this kernel knows no action {clean(request.text('action'), 50)!r}: reload the page")
            data, buffers = action(self, request.part("args"))
            reply |= {"ok": True, "data": bridge.packed(data)[0]}
        except Exception as error:  # noqa: BLE001 - whatever it is, the view shows it
            reply |= {"ok": False, "error": clean(bridge.told(error), 2000, lines=True)}
        self.send(reply, buffers)

    def _arrange(self, change: Any) -> None:
        """Follow the state of the interface: what the table shows, and in which order."""
        ui = checked(change["new"])
        if ui != change["new"]:
            self.ui = ui
            return
        self.order.arrange(filter_text=ui["filter"], brush=ui["brush"], sort=ui["sort"])

    # What the scheduler does, on its thread

    def prepare(self, now_s: float) -> None:
        """Take the counters, go on filtering and sorting, and see whether anybody is there."""
        heard = self.hearing.tick()
        self.shown.measure(now_s, closely=any(view.seen for view in self.presence.views.values()))
        self.order.step(SLICE_S)
        if self.selected_processor is not None and self.presence.views:
            self.shown.sampler.watch(self.shown.stream, self.selected_processor, now_s)
        self.attendance.look(self, heard)
        self._picture(now_s)

    def due(self, now_s: float) -> Iterable[str]:
        """Return the views that may get a frame."""
        return [name for name, view in self.presence.views.items() if view.is_due(now_s)]

    def show(self, view: str, now_s: float) -> int:
        """Send a view its next frame."""
        found = self.presence.views.get(view)
        if found is None or not found.is_due(now_s):
            return 0
        if found.lost(now_s):
            self._frames.forget(view)
            self.presence.begin_anew(found)
        frame, buffers, size = self._frames.make(view, found)
        if frame:
            frame["after"] = found.latest
            self.presence.sent(found, Sent(frame["n"], size, now_s))
            frame["ask"] = found.is_asked
            self.send(frame, buffers)
        return size

    def _picture(self, now_s: float) -> None:
        """Refresh the snapshot beside the widget now and then, where that leaves the live views alone."""
        if self._display_id is None or not all(view.keeps for view in self.presence.views.values()):
            return
        if self._pictured.is_due(now_s, self.shown.state, self.shown.window.revision):
            snapshot.publish(self._bundle(), self._display_id)

    def close(self) -> None:
        """Take it off the screen, and let go of what it shows; once.

        The garbage collector closes widgets again, in the middle of anything, when locks may be held: then this does nothing.
        """
        if not self.__dict__.pop("_is_open", False):
            return
        scheduler.remove(self)
        self.shown.leave(self)
        if self.batches is not None:
            self.batches.stop_soon()
        super().close()

    # What a front end without widgets shows

    def _bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        live, metadata = super()._repr_mimebundle_() or ({}, {})
        pictures = {"text/html": snapshot.html_of(self.shown), "text/plain": snapshot.text_of(self.shown)}
        return {**live, **pictures}, {**metadata, "streamlab": {"snapshot": True}}

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle()

    def _ipython_display_(self) -> None:
        """Show it under an id of its own, so that the snapshot beside it can be refreshed; when nobody is there, with messages."""
        if not unattended.attended():
            shown = self.shown
            unattended.wait_for(lambda: shown.window.total, lambda: shown.state in (*AT_REST, "iterated"))
        self._display_id = snapshot.publish(self._bundle())
        replacing.note(self, replacing.running_cell())

    def __repr__(self) -> str:
        return f"<Explorer: {self.shown.stream!r}>"
