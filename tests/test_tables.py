"""Tables on the embedded broker: what they hold, when they wait, and how they end."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import threading
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.broker.base import NewRecord
from streamlab.runtime.io import on_io
from tests.streaming import HeldSchema, until

Written = list[tuple[str | None, str | None]]


class Point(sl.Record):
    x: int
    y: int


@dataclasses.dataclass
class Unhashable:
    x: int


async def topic_with(app: sl.App, name: str, records: Written, *, partitions: int = 1, **options: Any) -> sl.Topic[Any]:
    topic = app.topic(name, partitions=partitions, **options)
    await topic.declare()
    await write(topic, records)
    return topic


async def write(topic: sl.Topic[Any], records: Written) -> None:
    new = [NewRecord(encoded(key), encoded(value)) for key, value in records]
    await on_io(topic.app.client.send_many(topic.get_topic_name(), new, lambda *_: None))


def encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


async def test_it_holds_the_latest_value_of_each_key(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", None)], partitions=3)
    table = app.table(topic_name)
    assert (table.state, table.keys_total, table.is_ready) == ("idle", 0, False)
    assert table["a"] == 3
    assert dict(table.items()) == table.snapshot() == {"a": 3, "c": 4} == table
    assert (len(table), "b" in table, table.get("b"), table.get("b", 0), sorted(table)) == (2, False, None, 0, ["a", "c"])
    assert (sorted(table.keys()), sorted(table.values())) == (["a", "c"], [3, 4])
    with pytest.raises(KeyError, match="b"):
        table["b"]
    assert (table.state, table.tombstones, table.records_total) == ("current", 1, 5)
    assert repr(table) == f"<Table: {topic_name} current, 2 keys>"


async def test_it_is_kept_current(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("a", "1")])
    table = await app.table(topic).ready()
    before, revision = table.items(), table.revision
    await topic.send(key="b", value=2)
    await topic.send(key="a", value=None)
    await until(lambda: table == {"b": 2})
    assert list(before) == [("a", 1)]  # a view of what was there at the call
    assert table.revision > revision
    await topic.send(key="a", value=5)
    await until(lambda: table.get("a") == 5)


async def test_an_empty_topic_is_an_empty_table(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [])
    assert len(app.table(topic_name).wait(5)) == 0


async def test_a_json_null_is_a_value_and_no_tombstone(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("a", "1"), ("a", "null")])
    table = app.table(topic_name)
    assert "a" in table
    assert table["a"] is None


async def test_keys_and_values_are_decoded_as_the_topic_says(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [('{"x":1,"y":2}', "7")], key_type=Point, value_type=int)
    assert app.table(topic)[Point(x=1, y=2)] == 7
    assert app.table(topic_name, key_type=bytes, value_type=str)[b'{"x":1,"y":2}'] == "7"


async def test_records_without_a_key_are_counted_and_passed_over(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [(None, "1"), ("a", "2"), (None, None)])
    table = app.table(topic_name)
    assert table == {"a": 2}
    assert table.keyless == 2


async def test_what_cannot_be_decoded_is_kept_as_an_error_and_the_key_keeps_its_value(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("1", "1"), ("1", "no"), ("no", "2"), ("2", "3")], key_type=int, value_type=int)
    table = app.table(topic)
    assert table == {1: 1, 2: 3}
    assert [(entry.offset, type(entry.error)) for entry in table.errors] == [(1, sl.ValueDecodeError), (2, sl.KeyDecodeError)]
    assert (await app.table(topic).ready()).errors.total == 2
    assert repr(table).endswith("keys, 2 errors>")


async def test_on_error_may_give_a_value(app: sl.App, topic_name: str) -> None:
    def decide(error: sl.DecodeError) -> int | None:
        if error.offset == 3:
            raise KeyError("mine")
        return None if error.offset == 2 else -1

    records: Written = [("1", "no"), ("no", "2"), ("3", "no"), ("4", "no"), ("5", "5")]
    topic = await topic_with(app, topic_name, records, key_type=int, value_type=int, on_error=decide)
    table = app.table(topic)
    assert table == {1: -1, b"no": -1, 5: 5}
    assert [type(entry.error) for entry in table.errors][-1] is KeyError


@pytest.mark.parametrize("kind", [dict, list, dict[str, int], set[int], Unhashable])
def test_a_key_type_that_no_dict_takes_is_refused_at_once(app: sl.App, kind: Any) -> None:
    with pytest.raises(sl.InvalidType, match="cannot be keys of a table"):
        app.table("users", key_type=kind)


async def test_a_key_that_no_dict_takes_ends_it(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("1", "1"), ("[1]", "2")])
    table = app.table(topic_name, key_type=int | list[int])
    for _ in range(2):
        with pytest.raises(sl.InvalidType, match=r"unhashable type: 'list'.*key_type"):
            table[1]
    assert (table.state, table.keys_total) == ("failed", 0)
    assert "InvalidType" in table.state_detail


@pytest.mark.parametrize(
    ("limit", "what"), [({"max_keys": 99}, "100 keys.*max_keys is 99"), ({"max_bytes": 20_000}, "max_bytes is 0.0 MB")]
)
async def test_more_than_the_memory_allowed_ends_it(app: sl.App, topic_name: str, limit: dict[str, Any], what: str) -> None:
    topic = await topic_with(app, topic_name, [(str(number % 100), str(number)) for number in range(1000)])
    assert len(app.table(topic, max_keys=100, max_bytes=60_000)) == 100
    table = app.table(topic, **limit)
    with pytest.raises(sl.MemoryLimitExceeded, match=what):
        len(table)
    with pytest.raises(MemoryError):
        await table.ready()


async def test_memory_is_given_back_by_tombstones(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("a", '"' + "x" * 10_000 + '"')])
    table = await app.table(topic).ready()
    assert table.size_bytes > 10_000
    await topic.send(key="a", value=None)
    await until(lambda: not table)
    assert table.size_bytes == 0


@pytest.mark.parametrize("name", ["max_keys", "max_bytes"])
@pytest.mark.parametrize("limit", [0, -1, "many"])
def test_limits_are_positive_numbers(app: sl.App, name: str, limit: Any) -> None:
    with pytest.raises(sl.InvalidValue, match=name):
        app.table("users", **{name: limit})


def test_a_table_is_made_of_one_topic(app: sl.App) -> None:
    with pytest.raises(sl.InvalidType, match=r'app\.table\("users"\)'):
        app.table(["users"])  # type: ignore[arg-type] # the point
    with pytest.raises(sl.InvalidType, match="pattern"):
        app.table(app.topic(pattern="users.*"))
    with pytest.raises(sl.InvalidValue, match="several names"):
        app.table(app.topic("users", "orders"))
    with pytest.raises(sl.InvalidType, match="value_type"):
        app.table(app.topic("users"), value_type=str)


async def test_a_topic_that_is_not_there_is_told_by_every_lookup_and_not_created(app: sl.App, topic_name: str) -> None:
    table = app.table(topic_name)
    for _ in range(2):
        with pytest.raises(sl.TopicNotFound, match=topic_name):
            table["a"]
    with pytest.raises(sl.TopicNotFound):
        await table.ready()
    assert topic_name not in await on_io(app.client.topics())


async def test_a_topic_that_is_deleted_ends_it(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("a", "1")])
    table = await app.table(topic_name).ready()
    await on_io(app.client.delete_topic(topic_name))
    await until(lambda: table.state == "failed")
    with pytest.raises(sl.TopicNotFound, match=topic_name):
        table["a"]


async def test_a_stopped_table_stays_as_it_was(app: sl.App, topic_name: str, no_leaks: None) -> None:
    topic = await topic_with(app, topic_name, [("a", "1")])
    table = await app.table(topic).ready()
    table.stop()
    table.stop()
    await topic.send(key="a", value=2)
    await until(lambda: not table._reading.thread.is_alive())
    assert (table["a"], table.state) == (1, "stopped")


async def test_a_table_that_was_stopped_before_it_was_read_says_so(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("a", "1")])
    table = app.table(topic_name)
    table.stop()
    for lookup in (lambda: table["a"], lambda: len(table), table.wait):
        with pytest.raises(sl.StreamClosed, match=r"stopped before.*app\.table"):
            lookup()


async def test_closing_the_app_ends_its_tables(topic_name: str, no_leaks: None) -> None:
    app = sl.App(topic_name, broker=f"memory://{topic_name}")
    await topic_with(app, topic_name, [("a", "1")])
    read, waiting, unread = await app.table(topic_name).ready(), app.table("nowhere", broker_timeout=None), app.table(topic_name)
    await app.aclose()
    assert (read.state, read["a"]) == ("stopped", 1)
    for table in (waiting, unread):
        with pytest.raises(sl.StreamClosed):
            table["a"]
    with pytest.raises(sl.StreamClosed, match="make a new App"):
        app.table(topic_name)


async def test_a_table_that_nobody_has_any_more_ends(app: sl.App, topic_name: str, no_leaks: None) -> None:
    await topic_with(app, topic_name, [("a", "1")])
    table = await app.table(topic_name).ready()
    thread = table._reading.thread
    assert app.tables_made() == [table]
    del table
    gc.collect()
    await until(lambda: not thread.is_alive())
    assert app.tables_made() == []


async def test_it_is_read_once_whoever_waits_for_it(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [(str(number), "1") for number in range(500)])
    table = app.table(topic_name)
    lengths = await asyncio.gather(*(asyncio.to_thread(len, table) for _ in range(8)), *(waited(table) for _ in range(8)))
    assert lengths == [500] * 16
    assert table.records_total == 500
    assert sum(thread.name == "streamlab-table" for thread in threading.enumerate()) == 1


async def waited(table: sl.Table) -> int:
    return len(await table.ready())


async def test_waiting_blocks_no_loop_and_may_be_cancelled(app: sl.App, topic_name: str) -> None:
    await topic_with(app, topic_name, [("a", "1")])
    table = app.table(topic_name)
    hold = threading.Event()
    table._reading._schema = HeldSchema(hold)
    waiting = [asyncio.create_task(table.ready()) for _ in range(2)]
    await until(lambda: table.state == "loading")
    with pytest.raises(TimeoutError, match=r"within 0.01 s: loading"):
        table.wait(0.01)
    waiting[0].cancel()
    hold.set()
    assert (await waiting[1])["a"] == 1


async def test_who_decodes_its_records_cannot_look_into_it(app: sl.App, topic_name: str) -> None:
    tables: list[sl.Table] = []
    records: Written = [("a", "no"), ("b", "2")]
    topic = await topic_with(app, topic_name, records, value_type=int, on_error=lambda _: tables[0].get("a"))
    tables.append(app.table(topic))
    assert tables[0] == {"b": 2}
    assert "wait for ever" in str(list(tables[0].errors)[-1].error)


async def test_a_part_of_the_partitions(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [(str(number), "1") for number in range(30)], partitions=3)
    tables = [app.table(app.topic(topic_name, active_partitions={sl.TP(topic_name, p)})) for p in range(3)]
    assert sorted(key for table in tables for key in table) == sorted(app.table(topic))


async def test_as_a_frame(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("b", '{"n":1,"at":{"x":2}}'), ("a", '{"n":null}')])
    table = app.table(topic)
    frame = table.to_frame()
    assert (frame.index.name, list(frame.index), list(frame.columns)) == ("key", ["b", "a"], ["n", "at.x"])
    assert frame.loc["b", "at.x"] == 2
    assert list(table.to_frame(depth=1).columns) == ["n", "at"]
    assert str(frame.dtypes["n"]) == "Int64"
    await topic.send(key="a", value=None)
    await until(lambda: len(table.to_frame()) == 1)


async def test_an_empty_table_and_one_of_scalars_as_frames(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [])
    table = app.table(topic)
    assert len(table.to_frame()) == 0
    await topic.send(key="a", value=7)
    await until(lambda: table.to_frame().to_dict() == {"value": {"a": 7}})


async def test_its_card_waits_for_nothing_and_escapes_what_it_shows(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("<b>", '{"<i>":"<script>"}'), *((str(n), "1") for n in range(100))])
    table = app.table(topic)
    assert "idle" in table._repr_html_()
    await table.ready()
    html = table._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "71 more keys" in html
    assert topic_name in app._repr_html_()
    with pytest.raises(NotImplementedError):
        table._ipython_display_()  # no kernel: IPython takes the text and the HTML


class Hostile:
    """Nothing can be asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


async def test_its_card_survives_objects_that_raise(app: sl.App, topic_name: str) -> None:
    topic = await topic_with(app, topic_name, [("a", "no")], value_type=int, on_error=lambda _: Hostile())
    assert "cannot be shown" in (await app.table(topic).ready())._repr_html_()


Ops = st.lists(st.tuples(st.sampled_from("abcdefg"), st.none() | st.integers(0, 9)), max_size=40)


@given(before=Ops, after=Ops, partitions=st.integers(1, 4), isolation=st.sampled_from(["read_committed", "read_uncommitted"]))
def test_it_is_what_a_dict_would_be(
    before: list[Any], after: list[Any], partitions: int, isolation: Literal["read_committed", "read_uncommitted"]
) -> None:
    def model(ops: list[Any]) -> dict[str, int]:
        return {key: value for key, value in dict(ops).items() if value is not None}

    def records(ops: list[Any]) -> Written:
        return [(key, None if value is None else str(value)) for key, value in ops]

    async def play() -> None:
        async with sl.App("model", broker=f"memory://{id(before)}-{id(after)}-{partitions}") as app:
            topic = await topic_with(app, "t", records(before), partitions=partitions)
            table = app.table(topic, isolation=isolation)
            assert table == model(before)
            await write(topic, records(after))
            await until(lambda: table.records_total == len(before) + len(after))
            whole = model(before + after)
            assert table == whole
            assert len(table) == len(list(table)) == len(whole)
            assert all(table.get(key) == whole.get(key) for key in "abcdefg")
            assert table.to_frame().index.tolist() == list(table)
            await on_io(app.client.delete_topic("t"))

    asyncio.run(play())


async def test_snapshots_are_whole_while_it_changes(app: sl.App, topic_name: str) -> None:
    """Each batch sets every key to one number: whoever copies the table sees all keys, each with a number of its place."""
    keys = [str(number) for number in range(50)]
    topic = await topic_with(app, topic_name, [(key, "0") for key in keys])
    table = await app.table(topic).ready()
    over = threading.Event()
    seen: list[list[tuple[str, int]]] = []

    def look() -> None:
        while not over.is_set():
            seen.append(list(table.items()))
            assert sum(1 for _ in table) == len(table) == 50

    looking = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(2)]
    for number in range(1, 100):
        await write(topic, [(key, str(number)) for key in keys])
    await until(lambda: table["49"] == 99)
    over.set()
    await asyncio.gather(*looking)
    for pairs in seen:
        assert [key for key, _ in pairs] == keys
        numbers = [value for _, value in pairs]
        assert numbers == sorted(numbers, reverse=True)
        assert numbers[0] - numbers[-1] <= 1


async def test_it_cannot_be_written_to_and_says_what_can(app: sl.App) -> None:
    table: Any = app.table("users")
    with pytest.raises(sl.NotSupported, match=r"await app.topic\('users'\).send\(key=\.\.\., value="):
        table["ada"] = 1
    with pytest.raises(sl.NotSupported, match="a value of None deletes the key"):
        del table["ada"]


def test_several_topics_are_no_table(app: sl.App) -> None:
    for topic in (app.topic("a", "b"), app.topic(pattern="a.*")):
        with pytest.raises((sl.InvalidType, sl.InvalidValue), match="a table is made of one topic"):
            app.table(topic)
