"""Sums by key in tumbling windows, of a channel in memory, against a loop by hand over the same events: a dictionary for each window."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Iterable
from time import perf_counter
from typing import Any, NamedTuple

from measure import Comparison, Setting, Side

SIZE_S = 10.0
WINDOWS = 20
KEYS = 1_000


class Order(NamedTuple):
    country: int
    price: float


Happened = tuple[float, Order]


def comparisons(setting: Setting) -> list[Comparison]:
    options = {"values": setting.memory_values}
    by_hand = Side("a dictionary by hand", "windows:by_hand", options)
    return [
        Comparison(
            f"tumbling windows of {KEYS:,} keys in memory, sum", Side("streamlab", "windows:streamlab", options), [by_hand]
        ),
        Comparison("the same, its engine alone", Side("streamlab", "windows:engine", options), [by_hand]),
    ]


def events(values: int) -> list[Happened]:
    """Return (timestamp, order) in the order of time."""
    chance = random.Random(1)
    step_s = WINDOWS * SIZE_S / values
    return [(number * step_s, Order(chance.randrange(KEYS), 1.5)) for number in range(values)]


def by_hand(values: int) -> float:
    happened = events(values)
    gc.collect()
    began = perf_counter()
    total = sum(price for window in _windows(happened) for _, price in window.values())
    took = perf_counter() - began
    assert total == 1.5 * values, "not every price was summed up"
    return values / took


def _windows(happened: Iterable[Happened]) -> Iterable[dict[int, list[Any]]]:
    window: dict[int, list[Any]] = {}
    end_s = SIZE_S
    for at_s, order in happened:
        if at_s >= end_s:
            yield window
            window, end_s = {}, (at_s // SIZE_S + 1) * SIZE_S
        state = window.get(order.country)
        if state is None:
            window[order.country] = [1, order.price]
        else:
            state[0] += 1
            state[1] += order.price
    yield window


def engine(values: int) -> float:
    from streamlab.aggregates import Aggregate
    from streamlab.arrivals import Arrival
    from streamlab.recipes import Recipe
    from streamlab.windowing import Shape, WindowEngine
    from streamlab.windows import Window

    arrivals = [Arrival(at_s, 0, order, order, None) for at_s, order in events(values)]
    recipe = Recipe("country", [Aggregate("value", "sum", "price")], Window)
    windows = WindowEngine(Shape(round(SIZE_S * 1000), round(SIZE_S * 1000)), recipe, failed=_raise)
    gc.collect()
    began = perf_counter()
    made = [one for at in range(0, values, 1000) for one in windows.add(arrivals[at : at + 1000])] + windows.flush()
    took = perf_counter() - began
    assert sum(one.value.value for one in made) == 1.5 * values, "not every price was summed up"
    return values / took


def _raise(_: Any, error: Exception) -> None:
    raise error


def streamlab(values: int) -> float:
    import streamlab

    async def main() -> float:
        async with streamlab.App("bench") as app:
            channel = app.channel(maxsize=2 * values)
            windows = channel.stream().tumbling(SIZE_S, by=_country).sum(_price)
            for at_s, order in events(values):
                await channel.send(value=order, timestamp=at_s)
            await channel.send(value=Order(0, 0.0), timestamp=2 * WINDOWS * SIZE_S)  # closes the last window
            gc.collect()
            began = perf_counter()
            await _read(windows, values)
            return values / (perf_counter() - began)

    return asyncio.run(main())


def _country(order: Order) -> int:
    return order.country


def _price(order: Order) -> float:
    return order.price


async def _read(windows: Any, values: int) -> None:
    seen, total = 0, 0.0
    async for window in windows:
        seen += window.count
        total += window.value
        if seen == values:
            break
    assert total == 1.5 * values, "not every price was summed up"
