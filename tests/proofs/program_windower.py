"""Windows in a group, each noted in a file before it is acked: URL TOPIC GROUP tumbling|hopping|session FILE DELAY_MS."""

from __future__ import annotations

import asyncio
import os
import sys

import streamlab as sl

url, topic, group, kind, path, delay_ms = sys.argv[1:]
notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
app = sl.App(group, broker=url)
SIZES = {"tumbling": (10,), "hopping": (10, 4), "session": (3,)}


async def main() -> None:
    async with app:
        stream = app.topic(topic, key_type=str).stream(group=group, start="earliest")
        async for window in getattr(stream, kind)(*SIZES[kind], grace=2).sum("n"):
            os.write(notes, f"{window.key} {window.start} {window.end} {window.count} {window.value}\n".encode())
            await asyncio.sleep(int(delay_ms) / 1000)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
