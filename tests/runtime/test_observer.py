"""Feeds without a group."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamlab.broker.base import RecordBatch
from streamlab.errors import InvalidPosition, OffsetOutOfRange, TopicNotFound
from streamlab.events import TP
from streamlab.runtime import outages, pump
from streamlab.runtime.io import on_io
from tests.runtime.conftest import MakeFeed
from tests.runtime.reading import Consumer, FailingBroker, send, until

FIRST, SECOND = TP("orders", 0), TP("orders", 1)


async def test_from_start_to_end_every_record_comes_once_and_in_order(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    await send(broker, "orders", "xy", partition=1)
    reading = feed(start="earliest", stop="end")
    consumer = await Consumer(reading).to_end()
    assert consumer.read == {FIRST: [(0, "a"), (1, "b"), (2, "c")], SECOND: [(0, "x"), (1, "y")]}
    assert (reading.state, reading.progress()) == ("ended", 1.0)
    await until(lambda: broker.readers[0].stopped)


async def test_the_end_is_the_one_at_the_start(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest", stop="end", max_bytes=0)
    reading.begin()
    await until(lambda: reading.handover.full)
    await send(broker, "orders", "late")
    assert (await Consumer(reading).to_end()).values() == "abc"


async def test_an_empty_topic_ends_at_once(feed: MakeFeed) -> None:
    assert (await Consumer(feed(start="earliest", stop="end")).to_end()).read == {}


async def test_without_a_start_it_reads_from_now_on(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "old")
    consumer = Consumer(feed())
    await until(lambda: consumer.feed.state == "reading")
    await send(broker, "orders", "new")
    await consumer.until(lambda: consumer.values() == "new")
    assert consumer.feed.progress() is None


async def test_a_fixed_start_reads_what_is_sent_before_the_first_read(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "old")
    reading = feed(start="latest")
    await asyncio.to_thread(reading.fix_start)
    assert reading.start_offsets == {FIRST: 3, SECOND: 0}
    await send(broker, "orders", "new")
    await broker.add_partitions("orders", 3)
    await send(broker, "orders", "added", partition=2)
    consumer = Consumer(reading)
    await consumer.until(lambda: (consumer.values(), consumer.values(partition=2)) == ("new", "added"))


@pytest.mark.parametrize("partitions", [None, frozenset({TP("late", 0)})])
async def test_a_topic_that_is_made_after_its_start_was_fixed_is_read_from_its_beginning(
    broker: FailingBroker, feed: MakeFeed, partitions: frozenset[TP] | None
) -> None:
    reading = feed(("late",), partitions=partitions)
    await asyncio.to_thread(reading.fix_start)
    await send(broker, "late", "abc")
    consumer = Consumer(reading)
    await consumer.until(lambda: consumer.values("late") == "abc")


async def test_a_start_that_takes_long_to_fix_is_awaited_by_the_first_read(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed()
    broker.silent = True
    reading.fix_start(timeout_s=0.01)
    assert reading.start_offsets == {}
    consumer = Consumer(reading)
    broker.silent = False
    await until(lambda: reading.state == "reading")
    await send(broker, "orders", "new")
    await consumer.until(lambda: consumer.values() == "new")


async def test_a_start_that_could_not_be_fixed_is_resolved_by_the_first_read(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.refusing = True
    reading = feed()
    reading.fix_start()
    broker.refusing = False
    consumer = Consumer(reading)
    await until(lambda: reading.state == "reading")
    await send(broker, "orders", "new")
    await consumer.until(lambda: consumer.values() == "new")


@pytest.mark.parametrize("options", [{"start": "earliest"}, {"group": "g"}])
async def test_only_a_start_at_the_end_is_fixed(feed: MakeFeed, options: dict[str, str]) -> None:
    reading = feed(**options)
    reading.fix_start()
    assert reading.start_offsets == {}


async def test_positions_for_each_partition_read_only_those(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    await send(broker, "orders", "xyz", partition=1)
    consumer = await Consumer(feed(start={1: 1}, stop={1: 2})).to_end()
    assert consumer.read == {SECOND: [(1, "y")]}


async def test_a_stop_in_the_middle_of_a_batch_cuts_it(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abcdef")
    await send(broker, "orders", "xyz", partition=1)
    consumer = await Consumer(feed(start=1, stop=2)).to_end()
    assert (consumer.values(), consumer.values(partition=1)) == ("b", "y")


async def test_a_stop_that_is_not_there_yet_is_waited_for(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(start="earliest", stop={0: 3}))
    await until(lambda: consumer.feed.state == "reading")
    await send(broker, "orders", "abcd")
    assert (await consumer.to_end()).values() == "abc"


async def test_times_at_both_ends_find_records_that_are_out_of_order(broker: FailingBroker, feed: MakeFeed) -> None:
    times = {"a": 1000, "b": 2000, "c": 1500, "d": 3000, "e": 2500, "f": 500_000, "g": 2600}
    await send(broker, "orders", "abcdefg", timestamps_ms=times)
    start, stop = "1970-01-01T00:00:01.500Z", "1970-01-01T00:00:03Z"
    assert (await Consumer(feed(start=start, stop=stop)).to_end()).values() == "bceg"


async def test_a_stop_time_to_come_ends_when_it_has_come(broker: FailingBroker, feed: MakeFeed) -> None:
    stop_ms = int(time.time() * 1000) + 400
    times = {"a": stop_ms - 1000, "b": stop_ms - 1, "c": stop_ms}
    stop = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(stop_ms // 1000))}.{stop_ms % 1000:03}Z"
    consumer = Consumer(feed(start="earliest", stop=stop))
    await until(lambda: consumer.feed.state == "reading")
    await send(broker, "orders", "abc", timestamps_ms=times)
    assert (await consumer.to_end()).values() == "ab"


@pytest.mark.parametrize(
    ("start", "stop"),
    [(5, 4), ("-1h", "-2h"), ("2026-01-02", "2026-01-01")],
)
async def test_a_start_after_the_stop_is_refused_at_once(feed: MakeFeed, start: Any, stop: Any) -> None:
    with pytest.raises(InvalidPosition, match="lies after stop"):
        feed(start=start, stop=stop)


async def test_a_start_that_turns_out_to_lie_after_the_stop_fails(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    await send(broker, "orders", "abc", partition=1)
    with pytest.raises(InvalidPosition, match="partition 0 would be read from offset 3 to 1"):
        await Consumer(feed(start="latest", stop=1)).to_end()


@pytest.mark.parametrize("start", ["earliest", -1])
async def test_a_partition_that_begins_after_its_stop_gives_nothing(broker: FailingBroker, feed: MakeFeed, start: Any) -> None:
    await send(broker, "orders", "abc")
    assert (await Consumer(feed(start=start, stop=0)).to_end()).read == {}


@pytest.mark.parametrize(("topic", "told"), [("order", "Is 'orders' meant"), ("else", "else"), ("__order", "order")])
async def test_of_an_unknown_topic_the_names_that_are_near_are_told(
    broker: FailingBroker, feed: MakeFeed, topic: str, told: str
) -> None:
    await broker.create_topic("__orders")
    with pytest.raises(TopicNotFound, match=told) as caught:
        await Consumer(feed((topic,))).to_end()
    assert "__orders" not in str(caught.value)
    assert caught.value.topic == topic


async def test_an_unknown_topic_fails_and_is_not_made(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed(("gone",))
    with pytest.raises(TopicNotFound, match="gone"):
        await Consumer(reading).to_end()
    assert (reading.state, reading.state_detail[:13]) == ("failed", "TopicNotFound")
    assert "gone" not in await broker.topics()


async def test_an_offset_that_is_not_there_fails_naming_the_range(broker: FailingBroker, feed: MakeFeed) -> None:
    with pytest.raises(OffsetOutOfRange, match="0 to 0"):
        await Consumer(feed(start=7)).to_end()


async def test_a_topic_deleted_while_it_is_read_fails_after_what_was_read(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(start="earliest"))
    await until(lambda: consumer.feed.handover.buffered_records == 3)
    await broker.delete_topic("orders")
    with pytest.raises(TopicNotFound, match="orders"):
        await consumer.to_end()
    assert consumer.values() == "abc"


async def test_a_deleted_topic_is_noticed_while_the_reader_is_not_taking(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest", max_bytes=0)
    reading.begin()
    await until(lambda: reading.handover.full)
    await broker.delete_topic("orders")
    await until(lambda: reading.state == "failed")


async def test_partitions_that_are_added_are_read_from_their_beginning(broker: FailingBroker, feed: MakeFeed) -> None:
    notices: list[str] = []
    consumer = Consumer(feed(on_notice=notices.append))
    await until(lambda: consumer.feed.state == "reading")
    await broker.add_partitions("orders", 3)
    await send(broker, "orders", "new", partition=2)
    await consumer.until(lambda: consumer.values(partition=2) == "new")
    assert notices == ["orders has a new partition: 2"]
    assert consumer.feed.start_offsets[TP("orders", 2)] == 0


@pytest.mark.parametrize("options", [{"start": {0: 0}}, {"start": "earliest", "stop": 5}])
async def test_added_partitions_are_not_read_when_they_were_not_meant(
    broker: FailingBroker, feed: MakeFeed, options: dict[str, Any]
) -> None:
    consumer = Consumer(feed(**options))
    await until(lambda: consumer.feed.state == "reading")
    await broker.add_partitions("orders", 3)
    await asyncio.sleep(0.1)
    assert TP("orders", 2) not in consumer.feed.start_offsets


async def test_only_the_partitions_asked_for_are_read(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    await send(broker, "orders", "xyz", partition=1)
    consumer = await Consumer(feed(start="earliest", stop="end", partitions=frozenset({SECOND}))).to_end()
    assert consumer.read.keys() == {SECOND}


async def test_a_partition_asked_for_that_is_not_there_fails(feed: MakeFeed) -> None:
    with pytest.raises(TopicNotFound, match="orders has no partition 9"):
        await Consumer(feed(partitions=frozenset({TP("orders", 9)}))).to_end()


@pytest.mark.parametrize("count", [2, 5])
async def test_several_topics_are_read_together(broker: FailingBroker, feed: MakeFeed, count: int) -> None:
    names = tuple(f"t{i}" for i in range(count))
    for name in names:
        await send(broker, name, name)
    consumer = await Consumer(feed(names, start="earliest", stop="end")).to_end()
    assert [consumer.values(name) for name in names] == list(names)


@pytest.mark.parametrize("count", [2, 5])
async def test_one_unknown_topic_of_several_fails(broker: FailingBroker, feed: MakeFeed, count: int) -> None:
    names = tuple(f"t{i}" for i in range(count))
    for name in names[1:]:
        await broker.create_topic(name)
    with pytest.raises(TopicNotFound, match="t0"):
        await Consumer(feed(names)).to_end()


def pattern(broker: FailingBroker) -> Any:
    async def matching() -> tuple[str, ...]:
        return tuple(name for name in await broker.topics() if name.startswith("log-"))

    return matching


async def test_a_pattern_reads_what_matches_and_finds_what_comes_later(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "log-a", "a")
    consumer = Consumer(feed(pattern(broker), start="earliest"))
    await consumer.until(lambda: consumer.values("log-a") == "a")
    await send(broker, "log-b", "b")
    await consumer.until(lambda: consumer.values("log-b") == "b")


async def test_a_pattern_that_matches_nothing_yet_waits(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(pattern(broker)))
    await until(lambda: consumer.feed.state == "reading")
    await send(broker, "log-a", "a")
    await consumer.until(lambda: consumer.values("log-a") == "a")


async def test_a_pattern_goes_on_without_a_topic_that_is_deleted(broker: FailingBroker, feed: MakeFeed) -> None:
    notices: list[str] = []
    await send(broker, "log-a", "a")
    await send(broker, "log-b", "b")
    consumer = Consumer(feed(pattern(broker), start="earliest", on_notice=notices.append))
    await consumer.until(lambda: consumer.values("log-b") == "b")
    await broker.delete_topic("log-a")
    await until(lambda: notices)
    await send(broker, "log-b", "c")
    await consumer.until(lambda: consumer.values("log-b") == "bc")
    assert notices == ["topic log-a was deleted"]
    assert [reader.stopped for reader in broker.readers] == [True, False]
    assert {tp.topic for tp in consumer.feed.start_offsets} == {"log-b"}


async def test_of_a_pattern_a_topic_that_is_made_anew_is_behind_from_its_beginning(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "log-a", "abc")
    consumer = Consumer(feed(pattern(broker), start="earliest"))
    await consumer.until(lambda: consumer.values("log-a") == "abc")
    await broker.delete_topic("log-a")
    await until(lambda: not consumer.feed.start_offsets)
    await send(broker, "log-a", "xy")
    await until(lambda: sum(consumer.feed.lag().values()) == 2)
    await consumer.until(lambda: consumer.values("log-a") == "abcxy")


async def test_a_pattern_that_reads_nothing_needs_no_probe(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "SILENCE_S", -1)
    monkeypatch.setattr(outages, "LOOK_S", 0.01)
    reading = feed(pattern(broker))
    reading.begin()
    await until(lambda: reading.state == "reading")
    await asyncio.sleep(0.1)
    assert broker.checks == []


async def test_a_pattern_notices_a_deleted_topic_whose_reader_says_nothing(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    await send(broker, "log-a", "a")
    consumer = Consumer(feed(pattern(broker), start="earliest", on_notice=notices.append))
    await consumer.until(lambda: consumer.values("log-a") == "a")
    broker.silent = True
    await asyncio.sleep(0.25)  # until the fetch in flight is over
    await broker.delete_topic("log-a")
    await until(lambda: notices)
    assert notices == ["topic log-a was deleted"]


async def test_a_topic_that_a_pattern_never_read_is_no_reason_to_go_on(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(broker, "log-a", "a")
    reading = feed(pattern(broker))
    reading.begin()
    await until(lambda: reading.state == "reading")
    broker.readers[0].fetch_error = TopicNotFound("another one", topic="log-z")
    await until(lambda: reading.state == "failed")


async def test_a_stopped_feed_is_taken_up_where_it_stood(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    first = Consumer(feed(start="earliest"))
    await first.until(lambda: first.values() == "abc")
    await first.feed.stop()
    await send(broker, "orders", "def")
    await broker.add_partitions("orders", 3)
    await send(broker, "orders", "new", partition=2)
    again = feed(start="earliest", stop="end")
    again.resume_from = {**first.feed.start_offsets, **first.feed.handover.taken}
    consumer = await Consumer(again).to_end()
    assert (consumer.values(), consumer.values(partition=2)) == ("def", "new")


async def test_lag_counts_what_was_not_taken(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest")
    assert reading.lag() == {}
    reading.begin()
    await until(lambda: reading.lag() == {FIRST: 3, SECOND: 0})
    consumer = Consumer(reading)
    await consumer.until(lambda: consumer.values() == "abc")
    assert reading.lag() == {FIRST: 0, SECOND: 0}


async def test_the_ends_are_looked_up_again_while_somebody_asks_for_the_lag(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "WATERMARKS_S", 0.01)
    reading = feed(start="earliest", max_bytes=0)
    reading.begin()
    await until(lambda: reading.lag() == {FIRST: 0, SECOND: 0})
    await send(broker, "orders", "ab")
    await until(lambda: reading.handover.full)
    await send(broker, "orders", "cd")
    await until(lambda: reading.lag() == {FIRST: 4, SECOND: 0})
    await send(broker, "orders", "e")
    await until(lambda: reading.ends_known[FIRST] == 5)


async def test_the_lag_is_known_however_soon_all_is_read(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(broker, "orders", "abc")
    original, reading = broker.watermarks, feed(start="earliest", stop="end")

    async def watermarks(*args: Any) -> Any:
        if reading.reading:
            await asyncio.Event().wait()
        return await original(*args)

    monkeypatch.setattr(broker, "watermarks", watermarks)
    reading.begin()
    await until(lambda: reading.state == "ended")
    assert reading.lag() == {FIRST: 3, SECOND: 0}


async def test_progress_grows_from_start_to_stop(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "a" * 1000)
    reading = feed(start="earliest", stop="end")
    reading.begin()
    await until(lambda: reading.handover.buffered_records == 1000)
    before = reading.progress()
    [first, second] = reading.handover.get_nowait() or []
    assert (before, first.next_offset, second.next_offset, reading.progress()) == (0.0, 500, 1000, 1.0)


async def test_a_slow_reader_holds_the_feed_back(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "a" * 40_000)
    reading = feed(start="earliest", stop="end", max_bytes=100)
    reading.begin()
    await until(lambda: reading.handover.full)
    await asyncio.sleep(0.05)
    assert reading.handover.buffered_records <= 64 * 500
    assert len((await Consumer(reading).to_end()).values()) == 40_000


async def test_others_on_the_io_loop_get_their_turn_however_fast_records_come(broker: FailingBroker, feed: MakeFeed) -> None:
    total = 5 * 64 * 500
    await send(broker, "orders", "a" * total)
    reading, seen = feed(start="earliest"), set[int]()

    async def look() -> None:
        reading.begin()
        while reading.handover.buffered_records < total:
            seen.add(reading.handover.buffered_records)
            await asyncio.sleep(0)

    await on_io(look())
    assert len(seen - {0}) > 1


async def test_batches_that_need_no_cutting_pass_untouched(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest")
    reading.begin()
    await until(lambda: reading.handover.readable)
    [batch] = reading.handover.get_nowait() or []
    assert isinstance(batch, RecordBatch)
    assert isinstance(batch.records, list)
