"""The live list of processors: names, order, changes, counters."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import streamlab as sl
from streamlab.errors import InvalidType
from streamlab.processors import Processor, Processors, filter_by
from tests.streaming import first, put_all, rest


def one(value: int) -> int:
    return value + 1


def ten(value: int) -> int:
    return value * 10


def hundred(value: int) -> int:
    return value + 100


@pytest.fixture
def live() -> Processors:
    live = Processors()
    live.add(one)
    live.add(ten)
    return live


def test_names_come_from_the_functions(live: Processors) -> None:
    assert live.names == ["one", "ten"]


def test_a_name_that_is_taken_gets_a_number(live: Processors) -> None:
    live.add(one)
    live.add(one)
    assert live.names == ["one", "ten", "one_2", "one_3"]


def test_names_of_partials_lambdas_and_objects() -> None:
    class Adder:
        def __call__(self, value: int) -> int:
            return value

    live = Processors()
    for function in (functools.partial(one), lambda value: value, Adder(), "".join):
        live.add(function)
    assert live.names == ["one", "<lambda>", "Adder", "join"]


def test_an_explicit_name_that_is_taken_replaces_in_place(live: Processors) -> None:
    live.add(hundred, name="one")
    assert live.names == ["one", "ten"]
    assert live["one"].function is hundred


def test_define_replaces_in_place_or_adds(live: Processors) -> None:
    def one(value: int) -> int:
        return value

    live.define(one)
    live.define(hundred)
    assert live.names == ["one", "ten", "hundred"]
    assert live["one"].function is one


def test_insert_puts_it_at_a_position(live: Processors) -> None:
    live.insert(1, hundred)
    assert live.names == ["one", "hundred", "ten"]
    live.insert(0, ten, name="hundred")
    assert live.names == ["one", "hundred", "ten"]
    assert live["hundred"].function is ten


@pytest.mark.parametrize("which", ["one", one, 0, -2])
def test_remove_finds_by_name_function_or_position(live: Processors, which: Any) -> None:
    assert live.remove(which).name == "one"
    assert live.names == ["ten"]


async def test_replace_keeps_name_place_and_switch_and_counts_afresh(app: sl.App) -> None:
    stream = app.stream([1, 2], processors=[one, ten])
    await rest(stream)
    live = stream.processors
    live.disable("one")
    assert live["one"].seen == 2
    live.replace("one", hundred)
    entry = live[0]
    assert (entry.name, entry.function, entry.enabled, entry.seen) == ("one", hundred, False, 0)


@pytest.mark.parametrize(("index", "expected"), [(0, "cab"), (1, "acb"), (2, "abc"), (-1, "abc"), (-2, "acb"), (-3, "cab")])
def test_move_puts_it_where_a_list_index_says(index: int, expected: str) -> None:
    live = Processors()
    for name in "abc":
        live.add(one, name=name)
    live.move("c", index)
    assert "".join(live.names) == expected


@pytest.mark.parametrize("index", [2, -3])
def test_move_out_of_range_is_a_value_error(live: Processors, index: int) -> None:
    with pytest.raises(ValueError, match="no position"):
        live.move("one", index)


def test_disable_and_enable_switch(live: Processors) -> None:
    live.disable("one")
    assert [entry.name for entry in live.active] == ["ten"]
    assert [entry.enabled for entry in live] == [False, True]
    live.enable(one)
    assert [entry.name for entry in live.active] == ["one", "ten"]


@pytest.mark.parametrize("which", ["gone", 7, -3, hundred])
def test_an_unknown_one_is_a_value_error_that_names_those_that_are_there(live: Processors, which: Any) -> None:
    with pytest.raises(ValueError, match="one, ten"):
        live.remove(which)
    with pytest.raises(ValueError, match="one, ten"):
        live[which]


@pytest.mark.parametrize("bad", [None, 3, "name"])
def test_what_is_not_callable_is_a_type_error(live: Processors, bad: Any) -> None:
    for change in (live.add, lambda function: live.insert(0, function), lambda function: live.replace("one", function)):
        with pytest.raises(TypeError, match="callable"):
            change(bad)
    assert live.names == ["one", "ten"]


def test_a_stream_refuses_what_is_not_callable(app: sl.App) -> None:
    with pytest.raises(TypeError, match="callable"):
        app.stream([]).add_processor(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function"):
        app.stream([]).filter(3)  # type: ignore[arg-type]


def test_contains_len_and_repr(live: Processors) -> None:
    assert "one" in live
    assert one in live
    assert live[0] in live
    assert "gone" not in live
    assert len(live) == 2
    assert repr(live) == "<Processors: one, ten>"
    assert repr(Processors()) == "<Processors: none>"
    live.disable("one")
    assert repr(live["one"]) == "<processor one disabled: in=0 out=0 skipped=0 errors=0>"


def test_changes_are_counted(live: Processors) -> None:
    before = live.version
    live.move("ten", 0)
    assert live.version == before + 1


async def test_a_copy_is_independent_and_counts_afresh(app: sl.App) -> None:
    stream = app.stream([1, 2], processors=[one, ten])
    await rest(stream)
    live = stream.processors
    live.disable("ten")
    copy = live.copy()
    copy.remove("one")
    assert live.names == ["one", "ten"]
    assert copy["ten"].enabled is False
    assert live.copy()["one"].seen == 0


async def test_the_decorator_adds_and_redefining_replaces(app: sl.App) -> None:
    stream = app.stream([1])

    @stream.processor
    def change(value: int) -> int:
        return value + 1

    @stream.processor  # type: ignore[no-redef]
    def change(value: int) -> int:  # noqa: F811 - as when a cell is run again
        return value + 2

    @stream.processor(name="named")
    def other(value: int) -> int:
        return value * 10

    assert stream.processors.names == ["change", "named"]
    assert change(1) == 3
    assert await rest(stream) == [30]


async def test_filter_and_echo_and_forwarding_are_in_the_list(app: sl.App) -> None:
    target, echoed = app.channel(), app.channel()
    stream = app.channel().stream().filter(bool).echo(echoed)
    result = stream.through(target)
    assert [entry.kind for entry in stream.processors] == ["filter", "echo", "through"]
    assert [entry.targets for entry in stream.processors] == [(), (echoed,), (target,)]
    await result.stop()


async def test_add_processor_returns_none_and_does_not_look_for_doubles(app: sl.App) -> None:
    stream = app.stream([1])
    add: Callable[[Any], Any] = stream.add_processor
    assert add(one) is None
    stream.add_processor(one)
    assert stream._processors == [one, one]
    assert await rest(stream) == [3]


async def test_processors_in_order_are_the_enabled_ones(app: sl.App) -> None:
    stream = app.stream([1], processors=[one, ten])
    stream.processors.disable("one")
    assert stream._processors == [ten]
    assert await rest(stream) == [10]


async def test_every_change_is_effective_at_the_next_event(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[one, ten])
    await put_all(channel, [1] * 6)
    live, got = stream.processors, []
    changes: list[Callable[[], object]] = [
        lambda: live.move("ten", 0),
        lambda: live.disable("one"),
        lambda: live.replace("ten", hundred),
        lambda: live.enable("one"),
        lambda: live.remove("ten"),
    ]
    async for value in stream:
        got.append(value)
        if not changes:
            break
        changes.pop(0)()
    assert got == [20, 11, 10, 101, 102, 2]


async def test_counters_tell_what_came_in_went_out_was_skipped_and_failed(app: sl.App) -> None:
    async def picky(value: int) -> int:
        await asyncio.sleep(0)
        if value == 1:
            raise sl.Skip
        return 1 // value

    stream = app.stream([0, 1, 2, 3], processors=[picky])
    with pytest.raises(ZeroDivisionError):
        await first(1, stream)
    await rest(stream)
    entry = stream.processors["picky"]
    assert (entry.seen, entry.passed, entry.skipped, entry.errors) == (4, 2, 1, 1)
    assert entry.seconds > 0


async def test_a_processor_that_raises_skip_on_everything_is_counted(app: sl.App) -> None:
    stream = app.stream([1, 2]).filter(lambda _: False)
    assert await rest(stream) == []
    assert stream.processors[0].skipped == 2


def test_threads_may_change_it_all_at_once() -> None:
    live = Processors()

    def change(name: str) -> None:
        for _ in range(300):
            live.add(one, name=name)
            live.disable(name)
            live.move(name, 0)
            live.remove(name)

    threads = [threading.Thread(target=change, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert live.names == []
    assert live.active == ()


def test_what_takes_the_place_of_a_filter_or_an_echo_is_neither(app: sl.App) -> None:
    stream = app.channel().stream()

    def keep(value: Any) -> Any:
        return value

    stream.filter(keep).echo(app.channel())
    stream.processor(keep)
    stream.processors.replace("echoing", keep)
    assert [(entry.name, entry.kind, entry.targets) for entry in stream.processors] == [
        ("keep", "processor", ()),
        ("echoing", "processor", ()),
    ]


@pytest.mark.parametrize("add", [Processor, Processors().add, filter_by])
def test_a_function_that_yields_is_refused(add: Any) -> None:
    def yields(value: Any) -> Any:
        yield value

    async def yields_later(value: Any) -> Any:
        yield value

    for function in (yields, yields_later):
        with pytest.raises(InvalidType, match=f"^{function.__name__} yields, so that a generator would come out of it"):
            add(function, "name") if add is Processor else add(function)
