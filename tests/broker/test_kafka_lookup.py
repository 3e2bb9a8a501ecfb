from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient

from streamlab.broker import kafka_lookup
from streamlab.broker.base import Watermarks
from streamlab.broker.kafka import KafkaBroker
from streamlab.errors import AuthorizationFailed, BrokerError, BrokerUnavailable, InvalidValue, TopicNotFound
from streamlab.events import TP
from tests.broker.conftest import addresses, frozen
from tests.kafka.harness import KafkaCluster


async def test_an_empty_topic_has_watermarks_and_no_offset_for_any_time(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    tps = [TP(topic_name, 0), TP(topic_name, 1)]
    assert await kafka_broker.watermarks(tps) == dict.fromkeys(tps, Watermarks(0, 0))
    assert await kafka_broker.offsets_for_times(dict(zip(tps, (-5, 5), strict=True))) == dict.fromkeys(tps)


async def test_watermarks_of_nothing_are_nothing(kafka_broker: KafkaBroker) -> None:
    assert await kafka_broker.watermarks([]) == {}
    assert await kafka_broker.offsets_for_times({}) == {}


async def test_the_cluster_is_described(kafka: KafkaCluster, kafka_broker: KafkaBroker) -> None:
    described = await kafka_broker.cluster()
    assert described.brokers == (kafka.bootstrap,)
    assert described.controller == kafka.bootstrap
    assert described.cluster_id


async def test_internal_topics_are_marked(kafka_broker: KafkaBroker) -> None:
    await kafka_broker.committed("any", [TP("t", 0)])
    assert (await kafka_broker.topics())["__consumer_offsets"].internal


async def test_questions_at_once_share_one_connection(kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    bootstrap = AIOKafkaClient.bootstrap

    async def counting(self: Any) -> None:
        made.append(self)
        await bootstrap(self)

    monkeypatch.setattr(AIOKafkaClient, "bootstrap", counting)
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await asyncio.gather(*(broker.topics() for _ in range(10)))
    assert len(made) == 1
    await broker.close()
    await broker.topics()
    assert len(made) == 2
    await broker.close()


async def test_a_bootstrap_that_fails_is_an_error_of_ours_and_leaves_nothing(
    kafka: KafkaCluster, no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Any) -> None:
        raise kafka_errors.KafkaConnectionError("Unable to bootstrap")

    monkeypatch.setattr(AIOKafkaClient, "bootstrap", fail)
    broker = KafkaBroker(addresses(kafka.bootstrap))
    with pytest.raises(BrokerUnavailable, match=f"{kafka.bootstrap}.*Unable to bootstrap"):
        await broker.topics()
    await broker.close()


@pytest.mark.parametrize(
    ("setting", "said"), [({"no.such.setting": "1"}, "no.such.setting"), ({"retention.ms": "soon"}, "retention.ms")]
)
async def test_a_topic_with_senseless_settings_is_refused_in_the_brokers_words(
    kafka_broker: KafkaBroker, topic_name: str, setting: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidValue, match=said):
        await kafka_broker.create_topic(topic_name, config=setting)


@pytest.mark.parametrize("counts", [{"partitions": 0}, {"replication": 3}])
async def test_counts_that_cannot_be_are_refused(kafka_broker: KafkaBroker, topic_name: str, counts: dict[str, int]) -> None:
    with pytest.raises(InvalidValue, match=topic_name):
        await kafka_broker.create_topic(topic_name, **counts)  # type: ignore[arg-type]


class Answers:
    """Stands in for requests: gives or raises one after another, then asks really."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.answers = list(answers)
        send = AIOKafkaClient.send

        async def answer(client: Any, node: Any, request: Any, **options: Any) -> Any:
            if not self.answers:
                return await send(client, node, request, **options)
            given = self.answers.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(AIOKafkaClient, "send", answer)


async def test_an_answer_lost_on_the_way_is_asked_for_again(kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, kafka_errors.KafkaConnectionError("Connection closed"))
    assert (await kafka_broker.cluster()).brokers


async def test_an_answer_lost_twice_is_an_error(kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, kafka_errors.NodeNotReadyError(), kafka_errors.NodeNotReadyError())
    with pytest.raises(BrokerUnavailable, match="Cannot describe"):
        await kafka_broker.cluster()


async def test_any_other_failure_is_told_at_once(kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, kafka_errors.ClusterAuthorizationFailedError())
    with pytest.raises(AuthorizationFailed, match="Cannot describe"):
        await kafka_broker.cluster()


async def test_a_frozen_broker_is_an_error_within_seconds(fragile: KafkaCluster, no_leaks: None) -> None:
    broker = KafkaBroker(addresses(fragile.bootstrap))
    await broker.topics()
    with frozen(fragile):
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match=f"{fragile.bootstrap} gave no answer"):
            await broker.topics()
        assert time.monotonic() - began < 7
    assert await broker.topics() is not None
    await broker.close()


async def test_a_leader_that_is_being_elected_is_waited_for(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.create_topic(topic_name)
    asked = []
    partitions = kafka_lookup.Lookup._partitions

    async def electing(self: Any, topic: str) -> dict[int, int]:
        asked.append(topic)
        return {0: -1} if len(asked) < 4 else await partitions(self, topic)

    monkeypatch.setattr(kafka_lookup.Lookup, "_partitions", electing)
    tp = TP(topic_name, 0)
    assert await kafka_broker.watermarks([tp]) == {tp: Watermarks(0, 0)}


async def test_a_partition_without_a_leader_is_named_in_the_end(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leaderless(self: Any, topic: str) -> dict[int, int]:
        return {0: -1}

    monkeypatch.setattr(kafka_lookup.Lookup, "_partitions", leaderless)
    monkeypatch.setattr(kafka_lookup, "AGAIN_S", 0.0)
    with pytest.raises(BrokerUnavailable, match=f"Partition 0 of {topic_name} has no leader"):
        await kafka_broker.watermarks([TP(topic_name, 0)])


async def test_a_partition_that_is_not_there_is_named_with_how_many_there_are(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    with pytest.raises(TopicNotFound, match="no partition 2: it has 2"):
        await kafka_broker.watermarks([TP(topic_name, 2)])


class Answer:
    """An answer of the protocol, made up."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


OFFSET_FAILURE = Answer(topics=[("t", [(0, kafka_errors.TopicAuthorizationFailedError.errno, -1, -1)])])
GROUP_FAILURE = Answer(error_code=kafka_errors.GroupAuthorizationFailedError.errno, groups=[])


def test_an_offset_refused_is_an_error() -> None:
    with pytest.raises(AuthorizationFailed, match="t partition 0"):
        kafka_lookup._read_offsets(OFFSET_FAILURE, "Cannot ask for offsets of t")


async def test_groups_refused_are_errors(kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Answer(brokers=[(1, "h", 1)])
    await kafka_broker.topics()
    Answers(monkeypatch, brokers, GROUP_FAILURE, GROUP_FAILURE)
    with pytest.raises(AuthorizationFailed, match="list the groups"):
        await kafka_broker.groups()
    with pytest.raises(AuthorizationFailed, match="group g has committed"):
        await kafka_broker.committed("g", [TP("t", 0)])


@pytest.mark.parametrize(("whole", "partition"), [(30, 0), (0, 30)])
async def test_commits_refused_are_errors(
    kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, whole: int, partition: int
) -> None:
    await kafka_broker.topics()
    found = Answer(error_code=0, coordinator_id=1)
    Answers(monkeypatch, found, Answer(error_code=whole, topics=[("t", [(0, -1, "", partition)])]))
    with pytest.raises(AuthorizationFailed, match="group g has committed"):
        await kafka_broker.committed("g", [TP("t", 0)])


async def test_a_controller_that_moved_is_asked_where_it_is_now(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.topics()
    elsewhere = Answer(topic_errors=[(topic_name, kafka_errors.NotControllerError.errno, None)])
    Answers(monkeypatch, Answer(controller_id=1), elsewhere)
    await kafka_broker.create_topic(topic_name)
    assert topic_name in await kafka_broker.topics()


async def test_a_controller_that_is_never_found_is_an_error(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.topics()
    elsewhere = Answer(topic_errors=[(topic_name, kafka_errors.NotControllerError.errno, None)])
    Answers(monkeypatch, *[Answer(controller_id=1), elsewhere] * 5)
    with pytest.raises(BrokerUnavailable, match=topic_name):
        await kafka_broker.create_topic(topic_name)


async def test_a_configuration_that_may_not_be_seen_is_an_error(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.create_topic(topic_name)
    described = Answer(topics=[(0, topic_name, False, [(0, 0, 1)])])
    Answers(monkeypatch, described, Answer(resources=[(29, "not yours", 2, topic_name, [])]))
    with pytest.raises(BrokerError, match="not yours"):
        await kafka_broker.topic_config(topic_name)


async def test_changes_are_waited_for_until_they_can_be_seen(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.topics()
    gone = TopicNotFound(f"There is no topic {topic_name}")
    seen: list[Any] = [gone, {0: -1}, {0: 1}, {0: 1}, gone]

    async def partitions(self: Any, topic: str) -> dict[int, int]:
        found = seen.pop(0)
        if isinstance(found, Exception):
            raise found
        return dict(found)

    monkeypatch.setattr(kafka_lookup.Lookup, "partitions", partitions)
    await kafka_broker.create_topic(topic_name)
    assert len(seen) == 2
    await kafka_broker.delete_topic(topic_name)
    assert seen == []
