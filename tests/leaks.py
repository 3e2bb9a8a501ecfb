"""Sees what a test leaves behind: threads, sockets, and tasks on its own loop and on the I/O loop."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from typing import NamedTuple

import psutil

# They live as long as the process, and start at first use.
PERMANENT = ("streamlab-io", "streamlab-run", "pytest_timeout", "asyncio_", "ThreadPoolExecutor")


class Leftovers(NamedTuple):
    """What is there at one moment."""

    threads: frozenset[str]
    tasks: Counter[str]
    sockets: int

    def beyond(self, before: Leftovers) -> list[str]:
        """Say in words what is there now that was not there before."""
        found = [f"thread {name}" for name in self.threads - before.threads]
        found += [f"{count} x task {name}" for name, count in (self.tasks - before.tasks).items()]
        if self.sockets > before.sockets:
            found.append(f"{self.sockets - before.sockets} socket(s)")
        return found


async def _names_of_tasks() -> list[str]:
    current = asyncio.current_task()
    return [getattr(task.get_coro(), "__qualname__", repr(task)) for task in asyncio.all_tasks() if task is not current]


async def look() -> Leftovers:
    """Return what is there now."""
    names = await _names_of_tasks()
    io = sys.modules.get("streamlab.runtime.io")
    if io is not None:
        names += await asyncio.wrap_future(io.submit(_names_of_tasks()))
    threads = {f"{t.name} ({t.ident})" for t in threading.enumerate() if not t.name.startswith(PERMANENT)}
    sockets = psutil.Process().net_connections(kind="inet")
    return Leftovers(frozenset(threads), Counter(names), len(sockets))


async def wait_for_none(before: Leftovers, limit_s: float = 5.0) -> list[str]:
    """Return what is left when nothing ends any more; [] as soon as everything has ended."""
    deadline = time.monotonic() + limit_s
    while (found := (await look()).beyond(before)) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return found
