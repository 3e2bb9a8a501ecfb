"""A consumer whose processor blocks its thread for a minute: URL TOPIC GROUP sleep|loop SECONDS LAST."""

from __future__ import annotations

import asyncio
import sys
import time

import streamlab as sl


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def loop(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def main(url: str, topic: str, group: str, kind: str, seconds: float, last: int) -> None:
    block = {"sleep": sleep, "loop": loop}[kind]
    async with sl.App(group, broker=url) as app:
        stream = app.topic(topic).stream(group=group)

        @stream.processor
        def blocking(value: int) -> int:
            if value == 0:
                print("blocking")
                block(seconds)
            return value

        async for value in stream:
            print(value)
            if value == last:
                break


if __name__ == "__main__":
    url, topic, group, kind, seconds, last = sys.argv[1:]
    asyncio.run(main(url, topic, group, kind, float(seconds), int(last)))
