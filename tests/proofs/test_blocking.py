"""A processor that blocks costs no group membership: the broker's clients live on another thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient

from tests.kafka import client
from tests.proofs.support import plainly, script

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

BLOCKS_S = 60
RECORDS = 20


def members(admin: AdminClient, group: str) -> tuple[str, list[str]]:
    described = admin.describe_consumer_groups([group])[group].result(10)
    return described.state.name, [member.member_id for member in described.members]


def watch(kafka: KafkaCluster, topic: str, kind: str) -> tuple[list[str], set[tuple[str, tuple[str, ...]]]]:
    """Return what the consumer printed, and every state in which its group was while it blocked."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    group = f"{topic}-{kind}"
    seen = set()
    with script("program_blocking.py", kafka.url, topic, group, kind, BLOCKS_S, RECORDS - 1) as consumer:
        consumer.wait_for("blocking")
        end = time.monotonic() + BLOCKS_S - 2
        while time.monotonic() < end:
            state, ids = members(admin, group)
            seen.add((state, tuple(ids)))
            time.sleep(0.5)
        printed = list(consumer.lines())
        assert consumer.wait() == 0, printed
    return printed, seen


@pytest.mark.timeout(150)
async def test_a_processor_that_blocks_for_a_minute_keeps_the_membership(kafka: KafkaCluster, topic_name: str) -> None:
    """Sleeping and in a loop of pure Python, both at once; the session times out after 10 s."""
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(RECORDS)])
    kinds = ("sleep", "loop")
    for kind, (printed, seen) in zip(
        kinds, await asyncio.gather(*(plainly(watch, kafka, topic_name, kind) for kind in kinds)), strict=True
    ):
        assert printed == [str(number) for number in range(RECORDS)]
        assert len(seen) == 1, f"the group was rebalanced: {seen}"
        [(state, ids)] = seen
        assert state == "STABLE"
        assert len(ids) == 1
        committed = await plainly(client.committed, kafka.bootstrap, f"{topic_name}-{kind}")
        assert committed == {(topic_name, 0): RECORDS}
