"""A table shown alive: by hand without a browser, and in a real kernel with a front end that says what a browser would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import streamlab as sl
from streamlab.views.presence import GRACE_S, UNSEEN_S
from streamlab.views.tables import TableView
from tests.streaming import until

LIMIT_S = 20.0


@pytest.fixture
async def topic(app: sl.App, topic_name: str) -> sl.Topic[Any]:
    topic = app.topic(topic_name)
    await topic.declare()
    await topic.send(key="ada", value="gold")
    return topic


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def view(app: sl.App, topic: sl.Topic[Any], clock: list[float]) -> Any:
    table = app.table(topic)
    shown = TableView(table)
    shown.hearing._loop, shown.hearing._clock = None, lambda: clock[0]
    shown.hearing._ticked = clock[0]
    await table.ready()
    yield shown
    shown.close()


def say(view: TableView, kind: str, **content: Any) -> None:
    view._heard(view, {"t": kind, "view": "a", **content}, [])


def passes(view: TableView, clock: list[float], passed_s: float) -> None:
    clock[0] += passed_s
    view.prepare(clock[0])


async def test_showing_begins_to_read_and_draws_what_changed(view: TableView, topic: sl.Topic[Any], clock: list[float]) -> None:
    say(view, "hello")
    passes(view, clock, 0.1)
    assert "gold" in view.html
    await topic.send(key="bob", value="silver")
    await until(lambda: "bob" in view.table)
    passes(view, clock, 0.5)
    assert "silver" not in view.html  # at most once a second
    passes(view, clock, 0.6)
    assert "silver" in view.html
    assert view.label.startswith("Table: ")


async def test_nothing_is_drawn_while_nobody_sees_it(view: TableView, topic: sl.Topic[Any], clock: list[float]) -> None:
    say(view, "hello")
    passes(view, clock, 2)
    assert "gold" in view.html
    say(view, "seen", on=False)
    await topic.send(key="bob", value="silver")
    await until(lambda: "bob" in view.table)
    passes(view, clock, 2)
    assert "silver" not in view.html
    say(view, "seen", on=True)
    passes(view, clock, 2)
    assert "silver" in view.html


@pytest.mark.parametrize("sign", ["bye", None])
async def test_it_is_closed_when_nobody_looks_any_more_and_the_table_reads_on(
    view: TableView, clock: list[float], sign: str | None
) -> None:
    if sign is not None:
        say(view, "hello")
        say(view, sign)
    passes(view, clock, (UNSEEN_S if sign is None else GRACE_S) - 1)
    assert view.comm is not None
    passes(view, clock, 2)
    assert view.comm is None
    assert view.table.state == "current"


async def test_a_page_that_is_loaded_again_finds_it(view: TableView, clock: list[float]) -> None:
    say(view, "hello")
    say(view, "away")
    passes(view, clock, 100)
    assert view.comm is not None
    say(view, "hello")
    passes(view, clock, 100)
    assert "gold" in view.html


async def test_what_a_browser_makes_up_is_passed_over(view: TableView, clock: list[float]) -> None:
    for content in (None, {}, {"t": "do", "view": "a"}, {"t": "hello"}, {"t": "seen", "view": 3}):
        view._heard(view, content, [])
    say(view, "seen", on="perhaps")
    passes(view, clock, 1)
    assert repr(view).startswith("<TableView: <Table: ")


class Kernel:
    """A kernel, and what it sends."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=50)
        self.sent: list[dict[str, Any]] = []

    def run(self, code: str, cell: str = "cell") -> None:
        message = self.client.session.msg("execute_request", {"code": code, "silent": False, "store_history": True})
        message["metadata"]["cellId"] = cell
        self.client.shell_channel.send(message)
        self.wait(lambda sent: is_idle(sent, message["header"]["msg_id"]))

    def wait(self, wanted: Any) -> dict[str, Any]:
        """Return the first message that is wanted, of those that have come or come now."""
        for sent in self.sent:
            if wanted(sent):
                return sent
        deadline = time.monotonic() + LIMIT_S
        while True:
            sent = self.client.get_iopub_msg(timeout=max(deadline - time.monotonic(), 0))
            assert sent["msg_type"] not in ("error", "stream"), sent["content"]
            self.sent.append(sent)
            if wanted(sent):
                return sent

    def say(self, comm: str, content: dict[str, Any]) -> None:
        """Say something as a view of a widget."""
        data = {"method": "custom", "content": content}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", {"comm_id": comm, "data": data}))

    def shown(self) -> list[dict[str, Any]]:
        return [sent["content"] for sent in self.sent if sent["msg_type"] == "display_data"]

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def is_idle(sent: dict[str, Any], request: str) -> bool:
    mine = sent["parent_header"].get("msg_id") == request and sent["msg_type"] == "status"
    return bool(mine and sent["content"]["execution_state"] == "idle")


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.stop()


def html_of(sent: dict[str, Any], comm: str) -> str:
    if sent["msg_type"] not in ("comm_open", "comm_msg") or sent["content"]["comm_id"] != comm:
        return ""
    text: str = sent["content"]["data"].get("state", {}).get("html", "")
    return text


def test_a_cell_that_ends_in_a_table_shows_it_and_keeps_it_current(kernel: Kernel) -> None:
    kernel.run(
        "import streamlab as sl\n"
        "app = sl.App('shown', broker='memory://shown')\n"
        "topic = app.topic('users')\n"
        "await topic.declare()\n"
        "await topic.send(key='ada', value={'medal': 'gold'});"
    )
    kernel.run("table = app.table(topic)\ntable")
    (shown,) = kernel.shown()
    assert sorted(shown["data"]) == ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"]
    assert shown["metadata"]["streamlab"] == {"snapshot": True}
    comm = shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    kernel.say(comm, {"t": "hello", "view": "a"})
    html = html_of(kernel.wait(lambda sent: "gold" in html_of(sent, comm)), comm)
    assert "medal" in html
    kernel.run("await topic.send(key='bob', value={'medal': 'silver'});", "another")
    kernel.wait(lambda sent: "silver" in html_of(sent, comm))
    # The cell runs again: it shows a new view, and the one before is closed though it never said bye.
    kernel.run("table")
    assert len(kernel.shown()) == 2
    kernel.say(comm, {"t": "bye", "view": "a"})
    kernel.wait(lambda sent: sent["msg_type"] == "comm_close" and sent["content"]["comm_id"] == comm)
    kernel.run("assert table['bob'] == {'medal': 'silver'}\napp.close()\nassert table['ada'] == {'medal': 'gold'}")


def test_without_a_browser_the_picture_beside_it_is_refreshed(kernel: Kernel) -> None:
    kernel.run(
        "import streamlab as sl\n"
        "app = sl.App('shown', broker='memory://shown')\n"
        "topic = app.topic('users')\n"
        "await topic.declare()\n"
        "app.table(topic)"
    )
    kernel.run("await topic.send(key='ada', value='gold');", "another")
    kernel.wait(lambda sent: sent["msg_type"] == "update_display_data" and "gold" in sent["content"]["data"]["text/html"])
