"""How messages find their way: to the subshell that they came from, and back."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import ipykernel.comm.comm as ipykernel_comm
from ipykernel.kernelbase import Kernel

import streamlab as sl
from streamlab.views import bridge, comms
from tests.streaming import until
from tests.views.conftest import Explore


def test_ipykernel_still_asks_a_comm_where_to_answer() -> None:
    """The canary: where this fails, frames sent from a thread make acknowledgements wait behind the running cell."""
    comm: Any = object.__new__(comms._comm_class())
    comm._reply_subshell_lock, comm._reply_subshell_ids = threading.Lock(), {}
    comm._reply_subshell_id = "published from here"
    base: Any = ipykernel_comm.BaseComm
    assert base._reply_subshell_for(comm, {}, "by the header") == "published from here"
    assert 'getattr(comm, "_reply_subshell_for", None)' in inspect.getsource(Kernel)
    assert comm._reply_subshell_for({}, "by the header") == "by the header"
    assert comm._reply_subshell_for({"anything": 1}, None) is None


async def test_what_comes_on_another_thread_is_heard_while_cells_run(app: sl.App, explore: Explore) -> None:
    browser = explore(app.channel().stream())
    assert browser.frame()["head"]["subshells"] is False
    thread = threading.Thread(target=browser.do, args=("ping",))
    thread.start()
    thread.join()
    assert browser.whole()["head"]["subshells"] is True
    await browser.explorer.shown.stream.stop()


async def test_many_threads_may_ask_at_once(app: sl.App, explore: Explore) -> None:
    browser = explore(app.stream([{"n": number} for number in range(1000)]), views=())
    await until(lambda: browser.explorer.shown.window.messages == 1000)

    def visit(name: str) -> None:
        browser.say("hello", name, rows=5)
        for number in range(30):
            browser.hear({"t": "do", "view": name, "rid": name, "action": "rows", "args": {"first": number, "count": 5}})
            browser.explorer.ui = {**browser.explorer.ui, "filter": f"n > {number}"}
        browser.say("bye", name)

    threads = [threading.Thread(target=visit, args=(f"view {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        browser.tick()
    assert browser.explorer.presence.views == {}
    replies = [content for content, _ in browser.sent if content["t"] == "reply"]
    assert (len(replies), [reply for reply in replies if not reply["ok"]]) == (240, [])


def test_texts_that_are_none_are_made_some() -> None:
    content: Any = {"\ud800": ["\udfff", ("a", 1, None)], "b": {"c": "ü"}}
    assert bridge.packed(content) == (
        {"?": ["?", ["a", 1, None]], "b": {"c": "ü"}},
        b'{"?":["?",["a",1,null]],"b":{"c":"\xc3\xbc"}}',
    )
    assert bridge.packed({"a": 1}) == ({"a": 1}, b'{"a":1}')
