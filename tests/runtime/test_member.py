"""Feeds in a group."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamlab.broker.base import GroupListener, RecordBatch
from streamlab.errors import AuthorizationFailed, BrokerUnavailable, InvalidPosition, OffsetOutOfRange, TopicNotFound
from streamlab.events import TP
from streamlab.runtime.io import on_io
from tests.runtime.conftest import MakeFeed
from tests.runtime.reading import Consumer, FailingBroker, send, until

FIRST, SECOND = TP("orders", 0), TP("orders", 1)
BOTH = (FIRST, SECOND)


async def committed(broker: FailingBroker) -> tuple[int | None, int | None]:
    found = await broker.committed("g", BOTH)
    return found[FIRST], found[SECOND]


async def until_committed(broker: FailingBroker, first: int | None, second: int | None = None) -> None:
    async with asyncio.timeout(20):
        while await committed(broker) != (first, second):
            await asyncio.sleep(0.01)


async def revoke(listener: GroupListener) -> None:
    await listener.on_revoked(frozenset(BOTH))


async def commit(broker: FailingBroker, offset: int) -> None:
    broker._cluster.group("g").committed[FIRST] = offset


async def test_a_group_without_commits_begins_at_the_beginning_and_commits_what_is_acked(
    broker: FailingBroker, feed: MakeFeed
) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g"))
    await consumer.until(lambda: consumer.values() == "abc")
    await until_committed(broker, 3)


async def test_a_group_goes_on_where_it_committed_whatever_the_start(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abcd")
    await commit(broker, 2)
    consumer = Consumer(feed(group="g", start="latest"))
    await consumer.until(lambda: consumer.values() == "cd")


async def test_a_start_says_where_to_begin_without_a_commit(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abcd")
    await send(broker, "orders", "wxyz", partition=1)
    await commit(broker, 1)
    consumer = Consumer(feed(group="g", start=-1))
    await consumer.until(lambda: (consumer.values(), consumer.values(partition=1)) == ("bcd", "z"))


async def test_a_start_out_of_range_fails(feed: MakeFeed) -> None:
    with pytest.raises(OffsetOutOfRange, match="0 to 0"):
        await Consumer(feed(group="g", start=7)).to_end()


async def test_what_is_not_acked_is_not_committed_and_comes_again(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    first = Consumer(feed(group="g"), ack=False)
    await first.until(lambda: first.values() == "abc")
    first.feed.stores[FIRST].ack(0)
    first.feed.stores[FIRST].ack(2)
    await first.feed.stop()
    assert await committed(broker) == (1, None)
    second = Consumer(feed(group="g"))
    await second.until(lambda: second.values() == "bc")


async def test_stop_commits_what_is_acked(broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlab.runtime.member.COMMIT_S", 60)
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g"))
    await consumer.until(lambda: consumer.values() == "abc")
    assert await committed(broker) == (None, None)
    await consumer.feed.stop()
    assert await committed(broker) == (3, None)


async def test_nothing_is_committed_twice(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g"))
    await consumer.until(lambda: consumer.values() == "abc")
    await until_committed(broker, 3)
    await asyncio.sleep(0.25)
    await consumer.feed.stop()
    [reader] = broker.readers
    assert [commit[FIRST] for commit in reader.commits] == sorted({commit[FIRST] for commit in reader.commits})


async def test_two_share_the_partitions_and_one_takes_over_from_the_other(broker: FailingBroker, feed: MakeFeed) -> None:
    notices: list[str] = []
    await send(broker, "orders", "abc")
    await send(broker, "orders", "xyz", partition=1)
    one = Consumer(feed(group="g", on_notice=notices.append))
    await one.until(lambda: (one.values(), one.values(partition=1)) == ("abc", "xyz"))
    two = Consumer(feed(group="g"))
    await until(lambda: len(one.feed.stores) == len(two.feed.stores) == 1)
    assert await committed(broker) == (3, 3)
    await send(broker, "orders", "d")
    await send(broker, "orders", "w", partition=1)
    await one.until(lambda: one.values() == "abcd")
    await two.until(lambda: two.values(partition=1) == "w")
    await one.feed.stop()
    await send(broker, "orders", "e")
    await two.until(lambda: two.values() == "e")
    assert notices[:3] == [
        "rebalanced: reading orders[0], orders[1]",
        "rebalanced: gave up orders[0], orders[1]",
        "rebalanced: reading orders[0]",
    ]


async def test_a_rebalance_closes_the_stores_and_drops_what_nobody_took(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(group="g")
    reading.begin()
    await until(lambda: reading.handover.buffered_records == 3)
    old = dict(reading.stores)
    other = Consumer(feed(group="g"))
    await until(lambda: reading.stores.keys() == {FIRST})
    assert all(store.closed for store in old.values())
    assert not reading.stores[FIRST].closed
    await until(lambda: reading.handover.buffered_records == 3)
    batches = reading.handover.get_nowait() or []
    assert [reading.store_for(batch) for batch in batches] == [reading.stores[FIRST]]
    await other.feed.stop()


async def test_a_batch_of_an_older_generation_gets_a_closed_store(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed(group="g")
    reading.begin()
    await until(lambda: reading.stores)
    stale = RecordBatch(FIRST, (), 0, 1, 1, generation=reading.stores[FIRST].generation - 1)
    store = reading.store_for(stale)
    assert store is not None
    assert store.closed
    assert feed().store_for(stale) is None


async def test_stale_batches_are_not_handed_over(broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    await send(broker, "orders", "abc")
    reading = feed(group="g")
    reading.begin()
    await until(lambda: reading.handover.buffered_records == 3)
    [reader] = broker.readers
    reader._generation -= 1
    await send(broker, "orders", "d")
    await until(lambda: reader.position(FIRST) == 4)
    await asyncio.sleep(0.02)
    assert reading.handover.buffered_records == 3


async def test_added_partitions_are_shared_out(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(group="g"))
    await until(lambda: len(consumer.feed.stores) == 2)
    await on_io(broker.add_partitions("orders", 3))
    await send(broker, "orders", "new", partition=2)
    await consumer.until(lambda: consumer.values(partition=2) == "new")


async def test_to_the_end_ends_and_the_reader_stops_when_all_is_acked(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g", stop="end"), ack=False)
    await consumer.to_end()
    assert (consumer.values(), consumer.feed.state) == ("abc", "ended")
    assert not broker.readers[0].stopped
    for offset in range(3):
        consumer.feed.stores[FIRST].ack(offset)
    await until(lambda: broker.readers[0].stopped)
    assert await committed(broker) == (3, None)


async def test_a_rebalance_does_not_move_the_end(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(group="g", stop=4)
    consumer = Consumer(reading)
    await consumer.until(lambda: consumer.values() == "abc")
    other = feed(group="g")
    other.begin()
    await until(lambda: reading.stores.keys() == {FIRST})
    assert reading.state == "reading"
    await send(broker, "orders", "de")
    assert (await consumer.to_end()).values() == "abcd"


async def test_between_revocation_and_assignment_nothing_is_at_its_end(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed(group="g", stop=4)
    reading.begin()
    await until(lambda: reading.stores)
    listener = broker.readers[0]._listener
    assert listener is not None
    await on_io(revoke(listener))
    await asyncio.sleep(0.3)  # more than a fetch
    assert reading.state == "reading"


async def test_a_member_without_partitions_is_at_its_end(broker: FailingBroker, feed: MakeFeed) -> None:
    await broker.create_topic("one")
    first, second = feed(("one",), group="g"), feed(("one",), group="g", stop="end")
    first.begin()
    await until(lambda: first.stores)
    assert (await Consumer(second).to_end()).read == {}


async def test_a_stop_time_to_come_ends_when_it_has_come(broker: FailingBroker, feed: MakeFeed) -> None:
    stop_ms = int(time.time() * 1000) + 400
    stop = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(stop_ms // 1000))}.{stop_ms % 1000:03}Z"
    await send(broker, "orders", "ab", timestamps_ms={"a": stop_ms - 1, "b": stop_ms})
    assert (await Consumer(feed(group="g", stop=stop)).to_end()).values() == "a"


async def test_an_unknown_topic_fails_and_makes_no_group(broker: FailingBroker, feed: MakeFeed) -> None:
    with pytest.raises(TopicNotFound, match="gone"):
        await Consumer(feed(("gone",), group="g")).to_end()
    assert await broker.groups() == ()


async def test_a_topic_that_is_deleted_fails(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(group="g"))
    await until(lambda: consumer.feed.stores)
    await broker.delete_topic("orders")
    with pytest.raises(TopicNotFound, match="orders"):
        await consumer.to_end()


async def test_a_commit_that_finds_no_broker_is_made_later(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g"))
    await until(lambda: broker.readers)
    broker.readers[0].commit_error = BrokerUnavailable("no answer")
    await consumer.until(lambda: consumer.values() == "abc")
    await asyncio.sleep(0.25)
    broker.readers[0].commit_error = None
    await until_committed(broker, 3)


async def test_a_commit_that_is_not_allowed_fails(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g"))
    await until(lambda: broker.readers)
    broker.readers[0].commit_error = AuthorizationFailed("not for you")
    with pytest.raises(AuthorizationFailed, match="not for you"):
        await consumer.to_end()


@pytest.mark.parametrize("error", [BrokerUnavailable("no answer"), None])
async def test_a_last_commit_that_fails_is_said_and_does_not_keep_the_feed(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr("streamlab.runtime.member.COMMIT_S", 60)
    monkeypatch.setattr("streamlab.runtime.member.LAST_COMMIT_S", 0.05)
    notices: list[str] = []
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(group="g", on_notice=notices.append))
    await consumer.until(lambda: consumer.values() == "abc")
    broker.readers[0].commit_error, broker.silent = error, error is None
    await consumer.feed.stop()
    assert notices[-1].startswith("the last commit failed, its records will be read again")
    assert broker.readers[0].stopped


async def test_a_broker_that_fails_during_an_assignment_fails_the_feed(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_allowed(*_: Any) -> None:
        raise AuthorizationFailed("not for you")

    monkeypatch.setattr(broker, "committed", not_allowed)
    with pytest.raises(AuthorizationFailed, match="not for you"):
        await Consumer(feed(group="g", start="latest")).to_end()


async def test_a_start_for_partitions_that_are_committed_or_anothers_is_passed_over(
    broker: FailingBroker, feed: MakeFeed
) -> None:
    await send(broker, "orders", "abcd")
    await send(broker, "orders", "wxyz", partition=1)
    await commit(broker, 2)
    consumer = Consumer(feed(group="g", start={0: 1}))
    await consumer.until(lambda: consumer.values() == "cd" and consumer.values(partition=1) == "wxyz")


async def test_a_feed_that_insists_begins_at_its_start_once(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abcd")
    await commit(broker, 3)
    insisting = feed(group="g", start={0: 1})
    insisting.insists = True
    consumer = Consumer(insisting)
    await consumer.until(lambda: consumer.values() == "bcd")
    await until_committed(broker, 4)
    other = Consumer(feed(group="g"))
    await send(broker, "orders", "e")
    await until(lambda: other.take() or consumer.take() or (consumer.values() + other.values()).count("e") == 1)
    assert consumer.values() + other.values() == "bcde"


async def test_a_feed_that_insists_begins_at_its_start_also_when_it_is_assigned_nothing_at_first(
    broker: FailingBroker, feed: MakeFeed
) -> None:
    await broker.create_topic("one")
    await send(broker, "one", "abcd")
    first, insisting = Consumer(feed(("one",), group="g")), feed(("one",), group="g", start=1)
    await first.until(lambda: first.values("one") == "abcd")
    insisting.insists = True
    second = Consumer(insisting)
    await until(lambda: insisting.placed)
    assert not insisting.stores
    await first.feed.stop()
    await second.until(lambda: second.values("one") == "bcd")


async def test_a_start_for_a_partition_that_is_not_there_is_an_error(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(group="g", start={7: 1}))
    with pytest.raises(InvalidPosition, match=r"no partition 7 .* there are \[0, 1\]"):
        await consumer.to_end()
