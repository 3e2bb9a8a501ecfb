"""A paused member of a consumer group: it stays one, and what it has not done is done by the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamlab.runtime.runner import drive
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, until

if TYPE_CHECKING:
    import streamlab as sl
    from streamlab.baskets import Basket
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 2
COUNT = 20_000
LONG_S = 15.0
"""Longer than the session time-out of a member, 10 s."""


async def write(kafka: KafkaCluster, topic: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic, PARTITIONS)
    records = [Rec(str(number), partition=number % PARTITIONS) for number in range(COUNT)]
    await plainly(client.produce, kafka.bootstrap, topic, records)


class Member:
    """A stream in a group, and what came out of it."""

    def __init__(self, app: sl.App, topic: str, pace: int) -> None:
        self.values: list[int] = []
        self.stream = app.topic(topic).stream(group=topic)
        self.stream.add_processor(self._slowly)
        self._pace = pace
        drive(self.stream, tap=self._note)

    async def _slowly(self, value: int) -> int:
        if not value // PARTITIONS % self._pace:  # in each partition
            await asyncio.sleep(0.01)
        return value

    def _note(self, basket: Basket) -> None:
        self.values += basket.gathered

    @property
    def held(self) -> bool:
        """Whether its loop waits to go on."""
        return self.stream.paused and bool(self.stream._source.bell._waiters)

    @property
    def generations(self) -> dict[Any, int]:
        assert self.stream.feed is not None
        return {tp: store.generation for tp, store in self.stream.feed.stores.items()}


@pytest.mark.timeout(120)
async def test_a_long_pause_costs_no_membership_and_no_record(kafka: KafkaCluster, topic_name: str) -> None:
    await write(kafka, topic_name)
    async with app_on(kafka.url) as app:
        member = Member(app, topic_name, 100)
        await until(lambda: len(member.values) > 500)
        member.stream.pause()
        await until(lambda: member.held)
        before, generations = len(member.values), member.generations
        assert before < COUNT
        await asyncio.sleep(LONG_S)
        assert (len(member.values), member.generations) == (before, generations)
        member.stream.resume()
        await until(lambda: len(member.values) == COUNT, 30)
        assert sorted(member.values) == list(range(COUNT))
        assert member.generations == generations
        await member.stream.stop()
    assert await plainly(client.committed, kafka.bootstrap, topic_name) == {
        (topic_name, partition): COUNT // PARTITIONS for partition in range(PARTITIONS)
    }


@pytest.mark.timeout(120)
async def test_a_rebalance_during_a_pause_loses_and_doubles_nothing(kafka: KafkaCluster, topic_name: str) -> None:
    await write(kafka, topic_name)
    async with app_on(kafka.url) as app, app_on(kafka.url) as other:
        paused = Member(app, topic_name, 100)
        await until(lambda: len(paused.values) > 500)
        paused.stream.pause()
        await until(lambda: paused.held)
        before = len(paused.values)
        second = Member(other, topic_name, 50)
        await until(lambda: len(second.values) > 500, 30)
        # One may have its partition while the other still asks where to go on.
        await until(lambda: len(paused.generations) == len(second.generations) == 1, 30)
        await second.stream.stop()
        await until(lambda: len(paused.generations) == PARTITIONS, 30)
        assert (len(paused.values), paused.stream.paused) == (before, True)
        paused.stream.resume()
        await until(lambda: len(paused.values) + len(second.values) >= COUNT, 30)
        assert sorted(paused.values + second.values) == list(range(COUNT))
        await paused.stream.stop()
