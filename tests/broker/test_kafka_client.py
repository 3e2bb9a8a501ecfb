from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from streamlab.broker.base import ReaderOptions
from streamlab.broker.kafka import KafkaBroker
from streamlab.broker.kafka_client import _Token, connect_options, end_tasks
from streamlab.broker.security import Security
from streamlab.errors import StreamlabError, TopicNotFound
from streamlab.events import TP
from tests.broker.kafka_data import fetch_until_error, reading


@pytest.fixture
def metadata_requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collects every metadata request that goes over any connection."""
    sent: list[Any] = []
    send = AIOKafkaConnection.send

    def recording(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        if type(request) is MetadataRequest:
            sent.append(request)
        return send(self, request, *args, **options)

    monkeypatch.setattr(AIOKafkaConnection, "send", recording)
    return sent


async def _observe(broker: KafkaBroker, tp: TP) -> None:
    async with reading(broker) as reader:
        reader.assign({tp: 0})
        await reader.fetch(0.3)


async def _join(broker: KafkaBroker, tp: TP) -> None:
    async with reading(broker, group="a-group", topics=(tp.topic,)) as reader:
        await reader.fetch(0.3)


LOOKS: dict[str, Callable[[KafkaBroker, TP], Any]] = {
    "check": lambda broker, tp: broker.check(tp.topic),
    "topics": lambda broker, tp: broker.topics(),
    "partitions": lambda broker, tp: broker.partitions(tp.topic),
    "watermarks": lambda broker, tp: broker.watermarks([tp]),
    "offsets_for_times": lambda broker, tp: broker.offsets_for_times({tp: 0}),
    "topic_config": lambda broker, tp: broker.topic_config(tp.topic),
    "delete_topic": lambda broker, tp: broker.delete_topic(tp.topic),
    "add_partitions": lambda broker, tp: broker.add_partitions(tp.topic, 3),
    "committed": lambda broker, tp: broker.committed("a-group", [tp]),
    "cluster": lambda broker, tp: broker.cluster(),
    "groups": lambda broker, tp: broker.groups(),
    "observe": _observe,
    "join": _join,
}


@pytest.mark.parametrize("look", LOOKS)
async def test_no_way_of_looking_creates_a_topic(kafka_broker: KafkaBroker, topic_name: str, look: str) -> None:
    with contextlib.suppress(StreamlabError):
        await LOOKS[look](kafka_broker, TP(topic_name, 0))
    await asyncio.sleep(0.3)
    assert topic_name not in await kafka_broker.topics()


async def test_a_topic_deleted_while_observed_is_not_made_again_nor_asked_for_in_a_storm(
    kafka_broker: KafkaBroker, topic_name: str, metadata_requests: list[Any]
) -> None:
    tp = TP(topic_name, 0)
    await kafka_broker.create_topic(topic_name)
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        await reader.fetch(0.2)
        await kafka_broker.delete_topic(topic_name)
        began = time.monotonic()
        with pytest.raises(TopicNotFound, match=topic_name):
            await fetch_until_error(reader)
        assert time.monotonic() - began < 3
        metadata_requests.clear()
        await asyncio.sleep(2)
        assert len(metadata_requests) <= 9
        assert topic_name not in await kafka_broker.topics()


async def test_a_token_may_come_from_a_function_a_coroutine_or_a_pair() -> None:
    async def later() -> str:
        return "c"

    class Provider:
        async def token(self) -> str:
            return "d"

    providers: list[Any] = [lambda: "a", lambda: ("b", 12345.0), later, Provider()]
    options = [
        connect_options(Security(security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", sasl_oauth_token_provider=p))
        for p in providers
    ]
    assert [await o["sasl_oauth_token_provider"].token() for o in options] == ["a", "b", "c", "d"]


async def test_an_object_that_is_called_and_awaited_gives_a_token() -> None:
    class Provider:
        async def __call__(self) -> str:
            return "a"

    assert await _Token(Provider()).token() == "a"


async def test_tasks_are_ended() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    await end_tasks([task, None])
    assert task.cancelled()


async def test_a_reader_made_and_never_started_holds_nothing(kafka_broker: KafkaBroker) -> None:
    reader = kafka_broker.reader(ReaderOptions())
    assert reader.position(TP("t", 0)) is None
    await reader.stop()
