"""An explorer without a browser: what it sends is kept, and its passes are made by hand, at times that the test says.

``tests/views/conftest.py`` keeps the scheduler's thread away.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

import streamlab as sl
from streamlab.views.explorer import Explorer
from streamlab.views.presence import GRACE_S


class Browser:
    """The other end of an explorer, with any number of views.

    Parameters
    ----------
    explorer : Explorer
    views : iterable of str
        They say hello at once.
    """

    def __init__(self, explorer: Explorer, views: Iterable[str] = ("a",), *, rows: int = 5) -> None:
        self.explorer = explorer
        self.now_s = 1000.0
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self._rid = 0
        explorer.send = self._keep
        explorer.hearing._loop = None
        explorer.hearing._clock = lambda: self.now_s
        explorer.hearing._ticked = explorer.hearing._answered = self.now_s
        for view in views:
            self.say("hello", view, rows=rows)

    def _keep(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        json.dumps(content, allow_nan=False)  # as it travels
        self.sent.append((content, buffers or []))

    def hear(self, content: object) -> None:
        """Hand the explorer a message, whatever it is, and wait for an answer that takes its time."""
        self.explorer._heard(self.explorer, content, [])
        for thread in threading.enumerate():
            if thread.name == "streamlab-answer":
                thread.join(20)

    def say(self, kind: str, view: str = "a", **content: Any) -> None:
        """Say something as a view."""
        self.hear({"t": kind, "view": view, **content})

    def do(self, action: str, view: str = "a", **args: Any) -> Any:
        """Ask for something; the data of the answer, or what it says went wrong as an AssertionError."""
        reply = self.reply(action, args, view)
        assert reply["ok"], reply["error"]
        return reply["data"]

    def refused(self, action: str, view: str = "a", **args: Any) -> str:
        """Ask for something that cannot be had; what is said."""
        reply = self.reply(action, args, view)
        assert not reply["ok"], reply
        error: str = reply["error"]
        return error

    def reply(self, action: object, args: object, view: str = "a") -> dict[str, Any]:
        """Ask for something; the whole answer."""
        self._rid += 1
        before = len(self.sent)
        self.hear({"t": "do", "view": view, "rid": str(self._rid), "action": action, "args": args})
        answers = [content for content, _ in self.sent[before:] if content["t"] == "reply"]
        assert len(answers) == 1
        assert (answers[0]["rid"], answers[0]["view"]) == (str(self._rid), view)
        return answers[0]

    @property
    def buffers(self) -> list[bytes]:
        """Of the last message."""
        return self.sent[-1][1]

    def tick(self, passed_s: float = 0.1, *, ack: bool = True) -> dict[str, dict[str, Any]]:
        """Let time pass and make one pass; the frames that were sent, by view."""
        self.now_s += passed_s
        self.explorer.prepare(self.now_s)
        frames = {}
        for view in list(self.explorer.due(self.now_s)):
            before = len(self.sent)
            self.explorer.show(view, self.now_s)
            for frame in [content for content, _ in self.sent[before:] if content["t"] == "frame"]:
                frames[view] = frame
                if ack:
                    self.say("ack", view, n=frame["n"])
        return frames

    def frame(self, passed_s: float = 0.1, view: str = "a") -> dict[str, Any]:
        """Make one pass, and return the frame of one view."""
        return self.tick(passed_s)[view]

    def whole(self, view: str = "a", **passes: Any) -> dict[str, Any]:
        """Return a frame that says everything, as after a hello."""
        self.say("hello", view, rows=5)
        return self.tick(**passes)[view]

    def rows(self) -> list[list[Any]]:
        """Return the rows of the last frame that had any."""
        for content, buffers in reversed(self.sent):
            if content["t"] == "frame" and "rows" in content:
                rows: list[list[Any]] = json.loads(buffers[0])
                return rows
        raise AssertionError("no rows were sent")

    def leave(self, *views: str) -> None:
        """Say bye, and let the grace pass."""
        for view in views or ("a",):
            self.say("bye", view)
        self.tick(GRACE_S + 1)


async def filled(app: sl.App, count: int, name: str = "orders", *, partitions: int = 1) -> sl.Topic[Any]:
    """A topic with so many orders."""
    topic = app.topic(name, partitions=partitions)
    for number in range(count):
        await topic.send(key=f"k{number}", value={"id": number, "amount": number * 1.5}, timestamp=1000.0 + number)
    return topic
