"""One look at one call of a processor."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import streamlab as sl
from streamlab.processors import Processor
from streamlab.sampling import Sample
from tests.streaming import first, rest


class Look:
    """What a watch saw."""

    def __init__(self, processor: Processor) -> None:
        self.before: list[str] = []
        self.after: list[Sample] = []
        processor.watch(lambda value: self.before.append(repr(value)), self.after.append)


def mark(value: dict[str, Any]) -> dict[str, Any]:
    value["marked"] = True
    return value


async def test_a_watch_sees_one_call_before_and_after_it(app: sl.App) -> None:
    stream = app.stream([{"n": 1}, {"n": 2}], processors=[mark])
    look = Look(stream.processors[0])
    assert len(await rest(stream)) == 2
    assert look.before == ["{'n': 1}"]  # as it was, though the processor changed it in place
    [sample] = look.after
    assert (sample.after, sample.error) == ({"n": 1, "marked": True}, None)
    assert sample.seconds >= 0
    assert stream.processors[0].call is mark


async def test_a_watch_sees_the_result_of_an_async_processor(app: sl.App) -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    stream = app.stream([1, 2], processors=[double])
    look = Look(stream.processors[0])
    assert await rest(stream) == [2, 4]
    assert [sample.after for sample in look.after] == [2]


async def test_a_watch_sees_an_error_and_a_skip(app: sl.App) -> None:
    async def late(value: int) -> int:
        raise ValueError("late")

    stream = app.stream([0, 1, 2], processors=[lambda value: 1 // value]).filter(lambda value: False)
    looks = [Look(entry) for entry in stream.processors]
    with pytest.raises(ZeroDivisionError):
        await rest(stream)
    assert await rest(stream) == []
    assert [type(look.after[0].error) for look in looks] == [ZeroDivisionError, sl.Skip]
    stream = app.stream([1], processors=[late])
    look = Look(stream.processors[0])
    with pytest.raises(ValueError, match="late"):
        await rest(stream)
    assert [str(sample.error) for sample in look.after] == ["late"]


async def test_what_a_watch_raises_changes_nothing(app: sl.App) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError

    stream = app.stream([1, 2], processors=[lambda value: value])
    stream.processors[0].watch(broken, broken)
    assert await rest(stream) == [1, 2]


async def test_a_processor_that_goes_forgets_its_watch(app: sl.App) -> None:
    stream = app.stream(range(3), processors=[mark, mark])
    removed, replaced = stream.processors
    looks = [Look(removed), Look(replaced)]
    stream.processors.remove(0)
    stream.processors.replace(0, lambda value: value)
    assert (removed.call, replaced.call) == (mark, mark)
    assert await first(1, stream) == [0]
    assert [look.before for look in looks] == [[], []]


def test_a_watch_waits_for_a_call_until_it_is_taken_back() -> None:
    processor = Processor(mark, "mark")
    look = Look(processor)
    assert processor.call is not mark
    processor.unwatch()
    processor.call({})
    assert look.before == []


def test_one_of_two_calls_at_once_is_looked_at() -> None:
    calls: list[int] = []
    processor = Processor(calls.append, "append")
    look = Look(processor)
    sampled = processor.call  # two loops read the slot before either calls
    threads = [threading.Thread(target=sampled, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(calls), len(look.before), len(look.after)) == ([0, 1], 1, 1)
