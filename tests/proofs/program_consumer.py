"""A member of a group that notes each record in a file before it is acked: URL TOPIC GROUP stream|agent|take FILE DELAY_MS."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import streamlab as sl

url, topic_name, group, kind, path, delay_ms = sys.argv[1:]
notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
app = sl.App(group, broker=url)
topic = app.topic(topic_name)


def note(event: Any) -> None:
    message = event.message
    os.write(notes, f"{message.partition} {message.offset} {event.value} {time.time()}\n".encode())


async def by_stream(stream: sl.Stream[Any]) -> None:
    async for event in stream.events():
        note(event)
        await asyncio.sleep(int(delay_ms) / 1000)


async def by_take(stream: sl.Stream[Any]) -> None:
    async for events in stream.take_events(20, within=0.1):
        for event in events:
            note(event)
        await asyncio.sleep(int(delay_ms) / 1000 * len(events))


async def main() -> None:
    async with app:
        await (by_take if kind == "take" else by_stream)(topic.stream(group=group))


if kind == "agent":
    app.agent(topic)(by_stream)
    app.main()
else:
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted")
