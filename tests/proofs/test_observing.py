"""Looking changes nothing: no topic, no group, no commit, on a cluster that creates topics by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

import streamlab as sl
from streamlab import cli
from tests.kafka import client
from tests.proofs.support import app_on, first, plainly, rest, traces, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a metadata request was sent by any connection to a broker."""
    times: list[float] = []
    send = AIOKafkaConnection.send

    def counted(self: Any, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, MetadataRequest):
            times.append(time.monotonic())
        return send(self, request, expect_response)

    monkeypatch.setattr(AIOKafkaConnection, "send", counted)
    return times


def busiest_second(times: list[float]) -> int:
    return max(sum(1 for other in times if at <= other < at + 1) for at in times)


async def not_found(reading: Any) -> None:
    with pytest.raises(sl.TopicNotFound):
        await reading


@pytest.mark.timeout(60)
async def test_nothing_that_looks_leaves_a_trace(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name, 3)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(100)])
    before = await plainly(traces, kafka)
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name)
        for start in ("earliest", -100, "-10m", 0, {0: 0, 1: 0, 2: 0}):
            assert len(await rest(topic.stream(start=start, stop="end"))) == 100
        latest = topic.stream()
        driven = topic.stream(start="earliest").run()
        await until(lambda: driven.events_total == 100)
        batch = await first(1, topic.stream(start="earliest").take(10))
        assert len(batch[0].to_frame()) == 10
        assert len(await rest(app.topic(pattern=f"{topic_name}.*").stream(start="earliest", stop="end"))) == 100
        assert len(await plainly(topic.peek, 10)) == 10
        assert len(await plainly(topic.read)) == 100
        assert topic_name in set((await plainly(app.topics_frame))["topic"])
        await app.refresh()
        latest.noack()
        await latest.stop()
    assert await plainly(traces, kafka) == before


@pytest.mark.timeout(60)
async def test_looking_for_what_is_not_there_creates_nothing(
    kafka: KafkaCluster, topic_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await plainly(traces, kafka)
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name)
        await not_found(rest(topic.stream()))
        await not_found(rest(topic.stream(start="earliest", stop="end")))
        await not_found(rest(topic.stream(group=topic_name)))
        await not_found(plainly(topic.peek))
        await not_found(plainly(topic.read))
        await not_found(first(1, topic.stream().take(1)))
        driven = topic.stream().run()
        await until(lambda: driven.errors.total)
        assert isinstance(driven.errors[0].error, sl.TopicNotFound)
        await app.refresh()
        await plainly(app.topics_frame)
        assert topic_name in repr(topic.stream())
    assert await plainly(cli.main, ["cat", topic_name, "--stop", "end", "--broker", kafka.url]) == 1
    assert topic_name in capsys.readouterr().err
    assert await plainly(traces, kafka) == before


@pytest.mark.timeout(60)
async def test_the_command_line_leaves_no_trace(kafka: KafkaCluster, topic_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, ["1", "2", "3"])
    before = await plainly(traces, kafka)
    assert await plainly(cli.main, ["topics", "--broker", kafka.url]) == 0
    assert topic_name in capsys.readouterr().out
    command = ["cat", topic_name, "--start", "-2", "--stop", "end", "--format", "value", "--broker", kafka.url]
    assert await plainly(cli.main, command) == 0
    assert capsys.readouterr().out.split() == ["2", "3"]
    assert await plainly(traces, kafka) == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", ["loop", "background", "group"])
async def test_a_topic_deleted_while_it_is_read_is_reported_and_stays_deleted(
    kafka: KafkaCluster, topic_name: str, requests: list[float], mode: str
) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, ["1"])
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name)
        stream = topic.stream(group=topic_name) if mode == "group" else topic.stream(start="earliest")
        loop = None if mode == "background" else asyncio.create_task(rest(stream, 30))
        if loop is None:
            stream.run()
        await until(lambda: stream.events_total == 1)
        await asyncio.sleep(1.5)  # a start asks a lot at once
        requests.clear()
        await plainly(client.delete_topic, kafka.bootstrap, topic_name)
        deleted = time.monotonic()
        if loop is None:
            await until(lambda: stream.errors.total)
            assert isinstance(stream.errors[0].error, sl.TopicNotFound)
            assert topic_name in str(stream.errors[0].error)
        else:
            with pytest.raises(sl.TopicNotFound, match=topic_name):
                await loop
        assert time.monotonic() - deleted < 3
        await asyncio.sleep(1.5)
        assert busiest_second(requests) < 10
        await not_found(rest(topic.stream(), 5))
        assert topic_name not in await plainly(client.topics, kafka.bootstrap)
