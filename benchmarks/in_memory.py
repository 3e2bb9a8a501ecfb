"""Values put on a channel in memory by one task, and read by `async for` through two processors in another, acks on."""

from __future__ import annotations

import asyncio
import tempfile
from time import perf_counter
from typing import Any

from measure import Comparison, Setting, Side

WARM_UP = 5_000


def comparisons(setting: Setting) -> list[Comparison]:
    values = setting.memory_values
    return [
        Comparison(
            f"in memory, {what}",
            Side("streamlab", "in_memory:streamlab", {"values": values, "events": events}),
            [
                Side("faust-streaming", "in_memory:faust", {"values": values // 4, "events": events}, at_least=5),
                *others,
            ],
        )
        for what, events, others in (
            ("put(value)", False, [Side("streamz (no asyncio)", "in_memory:streamz", {"values": values})]),
            ("send(value=value): events", True, []),
        )
    ]


def add_one(value: int) -> int:
    return value + 1


def double(value: int) -> int:
    return value * 2


def streamlab(values: int, *, events: bool) -> float:
    import streamlab

    async def main() -> float:
        async with streamlab.App("bench") as app:
            return await _through_channel(app, values, events=events)

    return asyncio.run(main())


def faust(values: int, *, events: bool) -> float:
    import faust
    from faust.streams import _CStreamIterator

    assert _CStreamIterator is not None, "faust-streaming is here without its compiled parts: not its best"

    async def main() -> float:
        with tempfile.TemporaryDirectory() as folder:
            app = faust.App("bench", broker="kafka://nowhere", store="memory://", datadir=folder, autodiscover=False)
            app.flow_control.resume()  # what starting the app would do, besides connecting to the broker
            return await _through_channel(app, values, events=events)

    return asyncio.run(main())


async def _through_channel(app: Any, values: int, *, events: bool) -> float:
    await _read(app, WARM_UP, events=events)
    began = perf_counter()
    await _read(app, values, events=events)
    return values / (perf_counter() - began)


async def _read(app: Any, values: int, *, events: bool) -> None:
    channel = app.channel()
    stream = app.stream(channel, processors=[add_one, double])
    writer = asyncio.create_task(_write(channel, values, events=events))
    seen = total = 0
    async for value in stream:
        seen += 1
        total += value
        if seen == values:
            break
    assert total == values * (values + 1), "not every value came once through both processors"
    await writer
    await stream.stop()


async def _write(channel: Any, values: int, *, events: bool) -> None:
    if events:
        for value in range(values):
            await channel.send(value=value)
    else:
        for value in range(values):
            await channel.put(value)


def streamz(values: int) -> float:
    from streamz import Stream

    source, totals = Stream(), [0, 0]

    def count(value: int) -> None:
        totals[0] += 1
        totals[1] += value

    source.map(add_one).map(double).sink(count)
    began = perf_counter()
    for value in range(values):
        source.emit(value)
    took = perf_counter() - began
    assert totals == [values, values * (values + 1)], "streamz lost values"
    return values / took
