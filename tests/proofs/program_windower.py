"""Windows in a group, each noted in a file before it is acked: URL TOPIC GROUP tumbling|hopping|session|joined FILE DELAY_MS.

"joined" are tumbling windows of the pairs of the topic's records and those of TOPIC-again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import streamlab as sl

url, topic, group, kind, path, delay_ms = sys.argv[1:]
notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
app = sl.App(group, broker=url)
SIZES = {"tumbling": (10,), "hopping": (10, 4), "session": (3,)}


def joined(stream: sl.Stream[Any]) -> sl.Stream[Any]:
    again = app.topic(f"{topic}-again", key_type=str).stream(group=group, start="earliest")
    pairs = (stream & again).inner_join(ident, ident, within=0, grace=2)
    return pairs.tumbling(10, grace=2).sum("left.n")


def ident(value: dict[str, int]) -> int:
    return value["id"]


async def main() -> None:
    async with app:
        stream = app.topic(topic, key_type=str).stream(group=group, start="earliest")
        windows = getattr(stream, kind)(*SIZES[kind], grace=2).sum("n") if kind in SIZES else joined(stream)
        async for window in windows:
            os.write(notes, f"{window.key} {window.start} {window.end} {window.count} {window.value}\n".encode())
            await asyncio.sleep(int(delay_ms) / 1000)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
