"""Records as nobody wants them, through a real broker: shown, counted or refused, and the next one is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, first, plainly, rest

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

MB10 = 10 << 20
HUGE = 2**70 + 1
DEEP = "[" * 100_000 + "]" * 100_000  # deeper than any Python reads
BAD = b'\xff\xfe{"a":1}'


async def filled(kafka: KafkaCluster, topic: str, *records: Rec | bytes | str | None, **config: str) -> None:
    await plainly(lambda: client.create_topic(kafka.bootstrap, topic, config=config))
    await plainly(client.produce, kafka.bootstrap, topic, records)


async def test_a_message_of_10_mb_is_read_and_written(kafka: KafkaCluster, topic_name: str) -> None:
    await filled(kafka, topic_name, "before", bytes(MB10), "after", **{"max.message.bytes": str(2 * MB10)})
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name, value_type=bytes)
        await topic.send(value=b"x" * MB10)
        values = await rest(topic.stream(start="earliest", stop="end"))
        assert [len(value) for value in values] == [6, MB10, 5, MB10]
        assert len(await plainly(topic.peek, 4)) == 4
        assert len((await plainly(topic.peek, 4))._repr_html_()) < 100_000


async def test_a_message_that_the_topic_does_not_take_is_refused(kafka: KafkaCluster, topic_name: str) -> None:
    await filled(kafka, topic_name)
    async with app_on(kafka.url) as app:
        with pytest.raises(sl.MessageTooLarge, match=r"max\.message\.bytes"):
            await app.topic(topic_name).send(value=b"x" * MB10)


async def test_without_types_everything_is_a_value(kafka: KafkaCluster, topic_name: str) -> None:
    texts = ['{"a": 1, "a": 2}', DEEP, f'{{"big": {HUGE}}}', str(2**63), "NaN", '{"f": NaN}', "", "{not json", "\x00"]
    await filled(kafka, topic_name, *texts, BAD, None, Rec("x", key=b"\xff"), Rec("x", key=""))
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(start="earliest", stop="end")
        values = await rest(stream)
        assert values[0] == {"a": 2}
        assert values[1] == DEEP
        assert values[2] == {"big": HUGE}
        assert values[3] == 2**63
        assert values[7] == "{not json"
        assert values[9:] == [BAD, None, "x", "x"]
        assert len(values) == len(texts) + 4
        assert stream.errors.total == 0
        batch = await plainly(app.topic(topic_name).peek, 100)
        assert len(batch.to_frame()) == len(values)
        assert "<table" in batch._repr_html_()
        assert len(await plainly(app.topic(topic_name).read)) == len(values)


@pytest.mark.parametrize(
    ("value_type", "bad", "good"),
    [(str, BAD, "good"), (dict, b'{"a":', {"a": 1}), (dict, DEEP.encode(), {"a": 1}), (dict, BAD, {"a": 1}), (int, b"9.5", HUGE)],
)
async def test_what_is_not_of_the_type_is_raised_and_the_next_loop_goes_on(
    kafka: KafkaCluster, topic_name: str, value_type: Any, bad: bytes, good: Any
) -> None:
    fine = good if isinstance(good, str) else json.dumps(good)
    await filled(kafka, topic_name, fine, bad, fine)
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name, value_type=value_type)
        stream = topic.stream(start="earliest", stop="end")
        with pytest.raises(sl.ValueDecodeError) as caught:
            await rest(stream)
        error = caught.value
        assert (error.topic, error.partition, error.offset) == (topic_name, 0, 1)
        for words in (topic_name, "partition 0 offset 1", repr(bad[:20])[2:-1], "on_error='skip'"):
            assert words in str(error)
        assert len(str(error)) < 1000
        assert await rest(stream) == [good]
        assert [entry.offset for entry in stream.errors] == [1]
        assert await rest(topic.stream(start="earliest", stop="end", on_error="skip")) == [good, good]
        assert await rest(topic.stream(start="earliest", stop="end", on_error=lambda error: error.offset)) == [good, 1, good]


async def test_a_key_that_is_not_of_its_type_is_raised(kafka: KafkaCluster, topic_name: str) -> None:
    await filled(kafka, topic_name, Rec("1", key="x"), Rec("2", key="7"))
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, key_type=int).stream(start="earliest", stop="end")
        with pytest.raises(sl.KeyDecodeError, match=f"{topic_name} partition 0 offset 0"):
            await rest(stream)
        assert [item async for item in stream.items()] == [(7, 2)]


async def test_a_stream_in_the_background_keeps_what_is_bad_and_goes_on(kafka: KafkaCluster, topic_name: str) -> None:
    await filled(kafka, topic_name, '{"a": 1}', BAD, '{"a": 2}')
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, value_type=dict).stream(start="earliest")
        stream.add_processor(lambda value: value["a"] / (value["a"] - 1))
        stream.run()
        assert await first(1, stream.items()) == [(None, 2.0)]
        assert [(entry.offset, entry.processor is None) for entry in stream.errors] == [(0, False), (1, True)]
        frame = stream.errors.to_frame()
        assert list(frame["offset"]) == [0, 1]
        assert list(frame["topic"]) == [topic_name] * 2


@pytest.mark.parametrize("start", [50, {0: 50}])
async def test_an_offset_out_of_range_names_the_range(kafka: KafkaCluster, topic_name: str, start: Any) -> None:
    await filled(kafka, topic_name, *(str(number) for number in range(20)))
    await plainly(client.delete_records, kafka.bootstrap, topic_name, 5)
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name)
        for wrong in (start, 2, {0: 2}):
            with pytest.raises(sl.OffsetOutOfRange, match=r"(?s)5.*20") as caught:
                await first(1, topic.stream(start=wrong))
            assert topic_name in str(caught.value)
            assert caught.value.partition == 0
        assert await rest(topic.stream(start=20, stop="end")) == []
        assert len(await rest(topic.stream(start=-100, stop="end"))) == 15


async def test_a_head_deleted_while_it_is_read_names_the_range(kafka: KafkaCluster, topic_name: str) -> None:
    """Retention overtakes a slow reader: said, never jumped over in silence."""
    padding = "x" * 100_000
    await filled(kafka, topic_name, *(f'"{number} {padding}"' for number in range(400)))
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, value_type=str).stream(start="earliest")
        values = aiter(stream)
        await anext(values)
        await plainly(client.delete_records, kafka.bootstrap, topic_name, 399)
        got = 1
        with pytest.raises(sl.OffsetOutOfRange, match=r"(?s)399.*400"):
            async for _ in values:
                got += 1
        assert got < 399
