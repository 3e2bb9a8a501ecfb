"""The leak check must see what it is there for."""

from __future__ import annotations

import asyncio
import socket
import threading

from tests import leaks


async def test_a_task_a_thread_and_a_socket_are_seen() -> None:
    before = await leaks.look()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="left")
    thread.start()
    task = asyncio.create_task(asyncio.Event().wait())
    with socket.create_server(("127.0.0.1", 0)):
        found = await leaks.wait_for_none(before, limit_s=0)
    task.cancel()
    release.set()
    thread.join()
    assert sorted(text.split(" (")[0] for text in found) == ["1 socket(s)", "1 x task Event.wait", "thread left"]


async def test_nothing_is_seen_when_all_has_ended() -> None:
    before = await leaks.look()
    await asyncio.create_task(asyncio.sleep(0))
    assert await leaks.wait_for_none(before) == []
