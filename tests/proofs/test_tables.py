"""Tables of real topics: compacted, with tombstones, transactions and holes, while they are written and while brokers are away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, first, plainly, stored, traces, until
from tests.proofs.test_reading_to_the_end import COMPACTING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kafka.harness import KafkaCluster


def key(number: int) -> str:
    return f"key {number}"


@pytest.mark.timeout(90)
async def test_a_compacted_topic_with_tombstones_holes_and_transactions(
    own_kafka: Callable[..., KafkaCluster], topic_name: str
) -> None:
    cluster = own_kafka(settings={"log.cleaner.backoff.ms": "300", "log.initial.task.delay.ms": "500"})
    boot = cluster.bootstrap

    def write() -> None:
        client.create_topic(boot, topic_name, config=COMPACTING)
        client.produce(boot, topic_name, [Rec(str(number), key(number % 5)) for number in range(50)])
        client.produce(boot, topic_name, [Rec(None, key(0))])
        client.transaction(boot, topic_name, [Rec("committed", key(1))], name=topic_name)
        client.transaction(boot, topic_name, [Rec("aborted", key(2)), Rec(None, key(3))], abort=True, name=topic_name)

    await plainly(write)
    async with asyncio.timeout(45):
        while sum(record.key != b"beat" for record in await plainly(stored, boot, topic_name)) > 5:
            await plainly(client.produce, boot, topic_name, [Rec("0", "beat")])  # begins a segment: the last is not compacted
            await asyncio.sleep(0.5)
    await plainly(lambda: client.transaction(boot, topic_name, [Rec("late", key(2))], abort=True, name=topic_name))
    expected = {key(1): "committed", key(2): "47", key(3): "48", key(4): "49"}
    async with app_on(cluster.url) as app:
        table = await app.table(topic_name, value_type=str).ready()
        assert {name: value for name, value in table.items() if name != "beat"} == expected
        assert table.records_total < 20  # holes are no records
        uncommitted = await app.table(topic_name, value_type=str, isolation="read_uncommitted").ready()
        assert uncommitted[key(2)] == "late"


async def test_it_is_current_while_others_write_and_leaves_no_trace(kafka: KafkaCluster, topic_name: str) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name, 3)
    await plainly(client.produce, boot, topic_name, [Rec(str(number), key(number % 1000)) for number in range(20_000)])
    before = await plainly(traces, kafka)
    async with app_on(kafka.url) as app:
        table = app.table(topic_name, value_type=int)
        assert await plainly(len, table) == 1000
        assert all(value >= 19_000 for value in table.values())
        await plainly(client.produce, boot, topic_name, [Rec(None, key(number)) for number in range(500)])
        await plainly(client.produce, boot, topic_name, [Rec("1", "new")])
        await until(lambda: len(table) == 501)
        assert table["new"] == 1
        await plainly(client.add_partitions, boot, topic_name, 4)
        await plainly(client.produce, boot, topic_name, [Rec("2", "added", partition=3)])
        await until(lambda: table.get("added") == 2)
    after = await plainly(traces, kafka)
    assert (after.groups, after.committed) == (before.groups, before.committed)


async def test_an_open_transaction_is_waited_for(kafka: KafkaCluster, topic_name: str) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    await plainly(client.produce, boot, topic_name, [Rec("1", "a")])
    producer = await plainly(lambda: client.begin_transaction(boot, topic_name, [Rec("2", "a")], name=topic_name))
    async with app_on(kafka.url) as app:
        table = await app.table(topic_name).ready()
        assert table == {"a": 1}
        await plainly(producer.commit_transaction, 10)
        await until(lambda: table["a"] == 2)


@pytest.mark.parametrize("records", [0, 1])
async def test_an_empty_topic_and_one_that_ends_in_markers(kafka: KafkaCluster, topic_name: str, records: int) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name, 3)
    if records:
        await plainly(lambda: client.transaction(boot, topic_name, [Rec("1", "a")], abort=True, name=topic_name))
    async with app_on(kafka.url) as app:
        async with asyncio.timeout(5):
            table = await app.table(topic_name).ready()
        assert len(table) == 0
        with pytest.raises(sl.TopicNotFound):
            await app.table(f"{topic_name}-not-there").ready()
        await plainly(client.delete_topic, boot, topic_name)
        await until(lambda: table.state == "failed")
        with pytest.raises(sl.TopicNotFound, match=topic_name):
            table["a"]
    assert f"{topic_name}-not-there" not in await plainly(client.topics, boot)


@pytest.mark.timeout(90)
async def test_a_broker_that_is_away_is_a_state_and_lookups_go_on(
    own_kafka: Callable[..., KafkaCluster], topic_name: str, no_leaks: None
) -> None:
    cluster = own_kafka()
    boot = cluster.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    await plainly(client.produce, boot, topic_name, [Rec("1", "a")])
    async with app_on(cluster.url) as app:
        table = await app.table(topic_name, broker_timeout=2).ready()
        await plainly(cluster.kill)
        await until(lambda: table.state == "retrying", 15)
        assert "BrokerUnavailable" in table.state_detail
        await asyncio.sleep(3)  # longer than it would have been waited for at first
        assert (table["a"], table.is_ready) == (1, True)
        await plainly(cluster.restart)
        await plainly(client.produce, boot, topic_name, [Rec("2", "a"), Rec("3", "b")])
        await until(lambda: table == {"a": 2, "b": 3}, 40)
        await until(lambda: table.state == "current", 10)


async def test_no_broker_at_all_is_told_soon() -> None:
    async with app_on("kafka://127.0.0.1:1") as app:
        with pytest.raises(sl.BrokerUnavailable, match=r"127\.0\.0\.1:1"):
            await app.table("users").ready()


async def test_a_stream_is_joined_with_a_table_and_commits_as_ever(kafka: KafkaCluster, topic_name: str) -> None:
    boot, accounts = kafka.bootstrap, f"{topic_name}-accounts"
    await plainly(client.create_topic, boot, topic_name, 2)
    await plainly(client.create_topic, boot, accounts, 3)
    await plainly(client.produce, boot, accounts, [Rec(str(number), key(number)) for number in range(0, 100, 2)])
    await plainly(client.produce, boot, topic_name, [Rec(str(number), key(number)) for number in range(100)])
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, value_type=int).stream(group=topic_name)
        joined: sl.Stream[Any] = stream.combine(app.table(accounts, value_type=str)).inner_join()
        rows = await first(50, joined)
        assert sorted(row.left for row in rows) == list(range(0, 100, 2))
        assert all(row.right == str(row.left) for row in rows)
        await joined.stop()
        committed = await plainly(client.committed, boot, topic_name)
    ends = {(topic_name, p): sum(record.partition == p for record in await plainly(stored, boot, topic_name)) for p in range(2)}
    assert sum(ends.values()) - sum(committed.values()) <= 100 - 98  # what found nothing behind the last row was not come to
