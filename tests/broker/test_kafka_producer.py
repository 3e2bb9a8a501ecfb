from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors

from streamlab.broker import kafka_outgoing, kafka_shipment
from streamlab.broker.base import NewRecord
from streamlab.broker.kafka import KafkaBroker
from streamlab.errors import BrokerError, BrokerUnavailable, InvalidValue, MessageTooLarge, StreamlabError
from streamlab.events import TP
from tests.broker.conftest import addresses, frozen
from tests.broker.contract import outcomes_of
from tests.broker.kafka_data import batches_of, reading, records_of
from tests.kafka.harness import KafkaCluster

TEN_MB = 10_000_000
LARGE = {"max.message.bytes": str(TEN_MB + 1000)}


async def test_a_message_of_10_mb_goes_there_and_back(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, config=LARGE)
    tp, value = TP(topic_name, 0), bytes(range(250)) * (TEN_MB // 250)
    await kafka_broker.send(topic_name, key=None, value=b"before")
    sent = await kafka_broker.send(topic_name, key=None, value=value)
    await kafka_broker.send(topic_name, key=None, value=b"after")
    assert sent.offset == 1
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        batches = await batches_of(reader, tp, 3)
    assert [record.value for record in records_of(batches)] == [b"before", value, b"after"]
    assert sum(batch.size_bytes for batch in batches) > TEN_MB


async def test_a_message_larger_than_the_topic_takes_says_which_setting(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name)
    with pytest.raises(MessageTooLarge, match=rf"{topic_name}.*max\.message\.bytes") as caught:
        await kafka_broker.send(topic_name, key=None, value=b"x" * 2_000_000)
    assert caught.value.topic == topic_name


async def test_a_message_larger_than_any_request_is_refused_here(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_shipment, "MAX_REQUEST_BYTES", 1000)
    with pytest.raises(MessageTooLarge, match="1,001 bytes"):
        await kafka_broker.send(topic_name, key=b"k", value=b"x" * 1000)


async def test_headers_keep_their_order_their_doubles_and_their_nones(kafka_broker: KafkaBroker, topic_name: str) -> None:
    headers = [("b", b"1"), ("a", None), ("b", b"2"), ("b", b""), ("", b"x")]
    await kafka_broker.send(topic_name, key=None, value=b"v", headers=headers)
    tp = TP(topic_name, 0)
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        [record] = records_of(await batches_of(reader, tp, 1))
    assert list(record.headers) == headers


async def test_times_before_1970_are_kept_and_found(kafka_broker: KafkaBroker, topic_name: str) -> None:
    for timestamp_ms in (-86_400_000, -2, -1, 0, 1):
        sent = await kafka_broker.send(topic_name, key=None, value=b"v", timestamp_ms=timestamp_ms)
        assert (sent.timestamp, sent.timestamp_type) == (timestamp_ms / 1000, 0)
    tp = TP(topic_name, 0)
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        records = records_of(await batches_of(reader, tp, 5))
    assert [record.timestamp for record in records] == [-86_400_000, -2, -1, 0, 1]
    assert await kafka_broker.offsets_for_times({tp: -1000}) == {tp: 0}
    assert await kafka_broker.offsets_for_times({tp: 1}) == {tp: 4}


async def test_the_time_of_a_topic_with_append_time_is_the_brokers(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, config={"message.timestamp.type": "LogAppendTime"})
    sent = await kafka_broker.send(topic_name, key=None, value=b"v", timestamp_ms=1000)
    assert sent.timestamp_type == 1
    assert sent.timestamp == pytest.approx(time.time(), abs=60)


async def test_many_sends_at_once_arrive_in_order(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name)
    sent = await asyncio.gather(*(kafka_broker.send(topic_name, key=None, value=b"%d" % i) for i in range(500)))
    assert [metadata.offset for metadata in sent] == list(range(500))


async def test_many_full_batches_wait_for_room_and_keep_their_order(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_outgoing, "QUEUED_BATCHES", 1)
    await kafka_broker.create_topic(topic_name)
    calls = [[NewRecord(None, b"%01000d" % n) for n in range(200)] for _ in range(3)]
    outcomes = await asyncio.gather(*(outcomes_of(kafka_broker, topic_name, records) for records in calls))
    assert [sent.offset for some in outcomes for sent in some] == list(range(600))


async def test_a_partition_that_refused_a_record_takes_the_next(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    for _ in range(2):
        with pytest.raises(MessageTooLarge):
            await kafka_broker.send(topic_name, key=None, value=b"x" * 2_000_000, partition=0)
        for partition in (0, 1, 0):
            await kafka_broker.send(topic_name, key=None, value=b"v", partition=partition)
    marks = await kafka_broker.watermarks([TP(topic_name, 0), TP(topic_name, 1)])
    assert [mark.high for mark in marks.values()] == [4, 2]


async def test_all_that_is_sent_together_after_close_is_an_error(kafka: KafkaCluster, topic_name: str) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.send(topic_name, key=None, value=b"v")
    await broker.close()
    outcomes = await outcomes_of(broker, topic_name, [NewRecord(None, b"v")] * 3)
    assert [type(outcome) for outcome in outcomes] == [BrokerUnavailable] * 3


async def test_first_sends_at_once_create_the_topic_once(own_kafka: Any, topic_name: str) -> None:
    cluster = own_kafka(settings={"num.partitions": "3", "auto.create.topics.enable": "false"})
    broker = KafkaBroker(addresses(cluster.bootstrap))
    await asyncio.gather(*(broker.send(topic_name, key=None, value=b"%d" % i) for i in range(9)))
    assert await broker.partitions(topic_name) == (0, 1, 2)
    assert [marks.high for marks in (await broker.watermarks([TP(topic_name, p) for p in range(3)])).values()] == [3, 3, 3]
    await broker.close()


async def test_a_partition_that_was_added_can_be_sent_to_at_once(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.send(topic_name, key=None, value=b"v")
    await kafka_broker.add_partitions(topic_name, 2)
    assert (await kafka_broker.send(topic_name, key=None, value=b"v", partition=1)).partition == 1


@pytest.mark.parametrize("partition", [-1, 1])
async def test_a_partition_that_is_not_there_is_named(kafka_broker: KafkaBroker, topic_name: str, partition: int) -> None:
    await kafka_broker.create_topic(topic_name)
    with pytest.raises(InvalidValue, match=f"no partition {partition}"):
        await kafka_broker.send(topic_name, key=None, value=b"v", partition=partition)


@pytest.mark.parametrize("name", ["with space", "x" * 250])
async def test_a_name_that_no_topic_can_have_is_refused(kafka_broker: KafkaBroker, name: str) -> None:
    with pytest.raises(StreamlabError, match=r"name|called"):
        await kafka_broker.send(name, key=None, value=b"v")


async def test_sending_after_close_is_an_error(kafka: KafkaCluster, topic_name: str) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.send(topic_name, key=None, value=b"v")
    await broker.close()
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.send(topic_name, key=None, value=b"v")
    await broker.close()


async def test_close_waits_for_what_was_sent(kafka: KafkaCluster, kafka_broker: KafkaBroker, topic_name: str) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.send(topic_name, key=None, value=b"first")
    sending = [asyncio.create_task(broker.send(topic_name, key=None, value=b"v")) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await broker.close()
    assert {(await task).topic for task in sending} == {topic_name}
    tp = TP(topic_name, 0)
    assert (await kafka_broker.watermarks([tp]))[tp].high == 101


async def test_a_producer_that_cannot_start_is_an_error_and_leaves_nothing(
    kafka: KafkaCluster, no_leaks: None, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise kafka_errors.ClusterAuthorizationFailedError

    monkeypatch.setattr("aiokafka.producer.sender.Sender.start", refuse)
    broker = KafkaBroker(addresses(kafka.bootstrap))
    with pytest.raises(BrokerError, match="ClusterAuthorizationFailed"):
        await broker.send(topic_name, key=None, value=b"v")
    await broker.close()


async def test_an_unanswered_send_fails_and_a_frozen_broker_holds_up_no_close(
    fragile: KafkaCluster, no_leaks: None, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_shipment, "ACKNOWLEDGED_S", 1.0)
    broker = KafkaBroker(addresses(fragile.bootstrap))
    await broker.send(topic_name, key=None, value=b"v")
    with frozen(fragile):
        with pytest.raises(BrokerUnavailable, match="not acknowledged the record in 1 s"):
            await broker.send(topic_name, key=None, value=b"w")
        began = time.monotonic()
        await broker.close()
        assert time.monotonic() - began < 6


async def test_what_is_sent_lands_where_a_java_client_would_put_it(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, topic_name: str
) -> None:
    await kafka_broker.create_topic(topic_name, partitions=7)
    keys = [b"key-%d" % i for i in range(50)]
    mine = {key: (await kafka_broker.send(topic_name, key=key, value=b"")).partition for key in keys}
    consumer = AIOKafkaConsumer(topic_name, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    seen = {record.key: record.partition for record in [await consumer.getone() for _ in keys]}
    await consumer.stop()
    assert seen == mine
