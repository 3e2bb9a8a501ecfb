"""What tests of streams say again and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import streamlab as sl

LIMIT_S = 5.0


async def put_all(channel: sl.Channel[Any], values: Iterable[Any]) -> None:
    """Send each value to a channel."""
    for value in values:
        await channel.send(value=value)


async def first(n: int, source: AsyncIterable[Any]) -> list[Any]:
    """Return the first ``n`` values of a loop, which is closed then."""
    values: list[Any] = []
    if not n:
        return values
    async with asyncio.timeout(LIMIT_S), aclosing(aiter(source)) as running:  # type: ignore[type-var] # a generator
        async for value in running:
            values.append(value)
            if len(values) == n:
                break
    return values


async def rest(source: AsyncIterable[Any]) -> list[Any]:
    """Return all values of a source that ends."""
    async with asyncio.timeout(LIMIT_S):
        return [value async for value in source]


async def turns(n: int = 10) -> None:
    """Let everything else on this loop have some turns."""
    for _ in range(n):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds, however the turns fall."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.001)


def message(value: Any = None, *, key: Any = None, timestamp: float = 1.0, offset: int = 0, generation: int = 0) -> sl.Message:
    """Return a message as a broker would bring it."""
    return sl.Message("topic", 0, offset, timestamp, 0, None, key, value, generation_id=generation)


class HeldSchema(sl.Schema):
    """Decodes once it is let go: whoever reads with it is held up, by no clock."""

    def __init__(self, let_go: threading.Event) -> None:
        super().__init__()
        self._let_go = let_go

    def value_decoder(self) -> Any:
        assert self._let_go.wait(LIMIT_S)
        return super().value_decoder()
