"""Laws that hold for whatever comes in: nothing is lost, nothing doubled, and the order is kept."""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import streamlab as sl
from tests.streaming import put_all, rest

values = st.lists(st.integers(), max_size=60)


def run(body: Callable[[sl.App], Awaitable[Any]]) -> Any:
    """Run a coroutine function with an app of its own."""

    async def main() -> Any:
        name = uuid.uuid4().hex
        async with asyncio.timeout(20), sl.App(name, broker=f"memory://{name}") as app:
            return await body(app)

    return asyncio.run(main())


async def filled(app: sl.App, items: list[Any]) -> sl.Stream[Any]:
    """Return a stream over a channel that has these items, and an end."""
    channel = app.channel(maxsize=0)
    stream = channel.stream()
    await put_all(channel, items)
    return stream


@settings(deadline=None, max_examples=50)
@given(items=values, max_=st.integers(1, 10))
def test_concatenated_batches_equal_the_input(items: list[int], max_: int) -> None:
    async def body(app: sl.App) -> None:
        batches = await rest(app.stream(items).take(max_))
        assert [value for batch in batches for value in batch] == items
        assert all(len(batch) == max_ for batch in batches[:-1])
        assert all(0 < len(batch) <= max_ for batch in batches)

    run(body)


@settings(deadline=None, max_examples=50)
@given(items=values, divisor=st.integers(1, 5))
def test_filter_keeps_the_order(items: list[int], divisor: int) -> None:
    async def body(app: sl.App) -> None:
        kept = await rest(app.stream(items).filter(lambda value: value % divisor))
        assert kept == [value for value in items if value % divisor]

    run(body)


@settings(deadline=None, max_examples=50)
@given(steps=st.lists(st.sampled_from("ab"), max_size=40))
def test_of_two_loops_each_item_goes_to_exactly_one(steps: list[str]) -> None:
    async def body(app: sl.App) -> None:
        stream = await filled(app, list(range(len(steps))))
        got: list[int] = []
        async with aclosing(aiter(stream)) as one, aclosing(aiter(stream)) as two:
            for step in steps:
                got.append(await anext(one if step == "a" else two))
        assert got == list(range(len(steps)))

    run(body)


class Leaver:
    """Leaves loops over one stream in all ways, and collects what a body was given."""

    def __init__(self, stream: sl.Stream[Any]) -> None:
        self.stream = stream
        self.got: list[int] = []
        self.hang_after = -1
        self.hangs = asyncio.Event()
        stream.add_processor(self.process)

    async def process(self, value: int) -> int:
        if not self.hang_after:
            await self.hang()
        self.hang_after -= 1
        return value

    async def hang(self) -> None:
        self.hangs.set()
        await asyncio.Event().wait()

    async def leave(self, how: str, after: int) -> None:
        """Loop, and leave in this way after so many values."""
        self.hangs.clear()
        self.hang_after = after if "processor" in how else -1
        task = asyncio.create_task(self.batches(how) if "batch" in how else self.values(how, after))
        if "cancelled" in how:
            await self.hangs.wait()
            task.cancel()
        await asyncio.wait((task,))
        self.hang_after = -1

    async def values(self, how: str, after: int) -> None:
        async with aclosing(aiter(self.stream)) as running:
            async for value in running:
                self.got.append(value)
                if "processor" in how or len(self.got) % 5 < after:
                    continue
                if how == "cancelled in the body":
                    await self.hang()
                if how == "error":
                    raise KeyError
                break

    async def batches(self, how: str) -> None:
        async with aclosing(self.stream.take(3)) as batches:
            async for batch in batches:
                self.got += batch
                if how == "break after a batch":
                    break
                if how == "error after a batch":
                    raise KeyError


WAYS = [
    "break",
    "error",
    "cancelled in the body",
    "cancelled in a processor",
    "break after a batch",
    "error after a batch",
    "batch cancelled in a processor",
]


@settings(deadline=None, max_examples=60)
@given(ways=st.lists(st.tuples(st.sampled_from(WAYS), st.integers(0, 4)), max_size=12))
def test_however_loops_are_left_nothing_is_lost_and_nothing_doubled(ways: list[tuple[str, int]]) -> None:
    async def body(app: sl.App) -> None:
        stream = await filled(app, list(range(100)))
        leaver = Leaver(stream)
        for how, after in ways:
            await leaver.leave(how, after)
        async for value in stream:
            leaver.got.append(value)
            if value == 99:
                break
        assert leaver.got == list(range(100))

    run(body)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers())
def test_changing_processors_from_another_thread_loses_and_doubles_nothing(seed: int) -> None:
    async def body(app: sl.App) -> None:
        dice = random.Random(seed)
        stream = app.stream(range(20_000))
        live, over = stream.processors, threading.Event()
        for name in "abc":
            live.add(lambda value: value, name=name)

        def change() -> None:
            while not over.is_set():
                name = dice.choice("abc")
                dice.choice([live.enable, live.disable])(name)
                live.move(name, dice.randrange(3))
                live.replace(name, lambda value: value)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            assert await rest(stream) == list(range(20_000))
        finally:
            over.set()
            await asyncio.to_thread(thread.join)

    run(body)
