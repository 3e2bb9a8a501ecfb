"""Inner join of two streams in memory, 100,000 keys, against a loop by hand: heapq.merge, dictionaries and deques."""

from __future__ import annotations

import asyncio
import gc
import heapq
import random
from collections import deque
from collections.abc import Iterable
from operator import itemgetter
from time import perf_counter
from typing import Any

from measure import Comparison, Setting, Side

WITHIN_S = 10.0
WINDOWS = 10
"""The run is so many windows long: what has left its window is forgotten."""
WANTED = 0.5
Happened = tuple[float, int, dict[str, int]]


def comparisons(setting: Setting) -> list[Comparison]:
    options = {"keys": setting.join_keys}
    return [
        Comparison(
            f"inner join in memory, {setting.join_keys:,} keys",
            Side("streamlab", "joins:streamlab", options),
            [Side("dicts and deques by hand", "joins:by_hand", options, at_least=WANTED)],
        )
    ]


def events(keys: int) -> list[Happened]:
    """Return (timestamp, side, value) in the order of time: one of each key on each side, up to half a window apart."""
    chance = random.Random(1)
    step_s = WINDOWS * WITHIN_S / keys
    left = [(1_000 + key * step_s, 0, {"id": key, "amount": key}) for key in range(keys)]
    right = [(at_s + chance.random() * WITHIN_S / 2, 1, {"id": value["id"], "paid": 1}) for at_s, _, value in left]
    return sorted(left + right, key=lambda event: event[0])


def by_hand(keys: int) -> float:
    happened = events(keys)
    streams = [[event for event in happened if event[1] == side] for side in range(2)]
    gc.collect()
    began = perf_counter()
    pairs = _join(heapq.merge(*streams, key=itemgetter(0)))
    took = perf_counter() - began
    assert pairs == keys, "not every key was joined once"
    return len(happened) / took


def _join(happened: Iterable[Happened]) -> int:
    sides: tuple[dict[int, deque[Any]], dict[int, deque[Any]]] = ({}, {})
    in_order: deque[tuple[float, int, int]] = deque()
    pairs = 0
    for at_s, side, value in happened:
        while in_order and in_order[0][0] < at_s - WITHIN_S:
            _, old_side, old_key = in_order.popleft()
            rows = sides[old_side][old_key]
            rows.popleft()
            if not rows:
                del sides[old_side][old_key]
        key = value["id"]
        for other in sides[1 - side].get(key, ()):
            row = (value, other) if side == 0 else (other, value)
            pairs += len(row) // 2
        sides[side].setdefault(key, deque()).append(value)
        in_order.append((at_s, side, key))
    return pairs


def streamlab(keys: int) -> float:
    import streamlab

    async def main() -> float:
        async with streamlab.App("bench") as app:
            channels = [app.channel(maxsize=3 * keys) for _ in range(2)]
            one, other = (channel.stream() for channel in channels)
            happened = events(keys)
            for at_s, side, value in happened:
                await channels[side].send(value=value, timestamp=at_s)
            joined = (one & other).inner_join(_key, _key, within=WITHIN_S)
            gc.collect()
            began = perf_counter()
            await _read(joined, keys)
            return len(happened) / (perf_counter() - began)

    return asyncio.run(main())


def _key(value: dict[str, int]) -> int:
    return value["id"]


async def _read(joined: Any, rows: int) -> None:
    seen = most = 0
    async for _ in joined:
        seen += 1
        if not seen % 1_000:
            most = max(most, joined._source.counters()["buffered"])
        if seen == rows:
            break
    assert most < 2 * 2 * rows / WINDOWS, f"{most} records are held, of a window's {2 * rows // WINDOWS}"
