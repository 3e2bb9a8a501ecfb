"""Joins in consumer groups on Kafka: what a killed or rebalanced join hands out is what a join over all records is."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import plainly, script, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 2
WITHIN_S = 10
KEYS = 1500
BEGAN_S = int(time.time()) - 3600
"""Not long ago: a broker deletes what is older than its retention."""
END_S = 10 * WITHIN_S
"""A last record of each side and partition, so much later, closes all windows."""


class Event:
    """A record of one side: orders are even numbers, payments odd ones."""

    def __init__(self, number: int, side: int, key: int, at_s: float) -> None:
        self.number, self.side, self.key, self.at_ms = number, side, key, round((BEGAN_S + at_s) * 1000)

    @property
    def record(self) -> Rec:
        return Rec(str(self.number), key=str(self.key), partition=self.key % PARTITIONS, timestamp_ms=self.at_ms)


def history(seed: str) -> list[Event]:
    """One order of each key, or two, and none to two payments, some of them too late; in order on each side."""
    chance = random.Random(seed)
    events = []
    for key in range(KEYS):
        at_s = key / 20
        events += [(0, key, at_s + chance.uniform(0, 8)) for _ in range(chance.choice([1, 1, 2]))]
        events += [(1, key, at_s + chance.uniform(0, 25)) for _ in range(chance.choice([0, 1, 1, 2]))]
    latest = max(at_s for _, _, at_s in events) + END_S
    events += [(side, KEYS + partition, latest + side) for side in (0, 1) for partition in range(PARTITIONS)]
    return [Event(number, *event) for number, event in enumerate(sorted(events, key=lambda event: event[2]))]


def rows_of(events: list[Event], kind: str) -> set[str]:
    """Join by brute force, but for what the last records are in."""
    rows = set()
    met = set()
    for left in (event for event in events if event.side == 0 and event.key < KEYS):
        for right in (event for event in events if event.side == 1 and event.key == left.key):
            if abs(left.at_ms - right.at_ms) <= WITHIN_S * 1000:
                rows.add(f"{left.number} {right.number}")
                met |= {left.number, right.number}
    for event in events:
        if event.number not in met and event.key < KEYS and (kind == "outer" or (kind == "left" and event.side == 0)):
            rows.add(f"{event.number} None" if event.side == 0 else f"None {event.number}")
    return rows


def noted(*paths: Path) -> Counter[str]:
    """Return the rows that were noted, without those of the last records; a kill may have cut the last line."""
    lines = [line for path in paths if path.exists() for line in path.read_text().split("\n")[:-1]]
    return Counter(lines)


async def write(kafka: KafkaCluster, topic: str) -> tuple[list[Event], str, str]:
    events = history(topic)
    names = f"{topic}-orders", f"{topic}-payments"
    for side, name in enumerate(names):
        await plainly(client.create_topic, kafka.bootstrap, name, PARTITIONS)
        await plainly(client.produce, kafka.bootstrap, name, [event.record for event in events if event.side == side])
    return events, *names


def last_rows(events: list[Event]) -> set[str]:
    """Return what the last records may make; they are there to move time."""
    last = [event for event in events if event.key >= KEYS]
    lefts, rights = ([event for event in last if event.side == side] for side in (0, 1))
    alone = {f"{event.number} None" for event in lefts} | {f"None {event.number}" for event in rights}
    return alone | {f"{left.number} {right.number}" for left in lefts for right in rights if left.key == right.key}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["inner", "left", "outer"])
async def test_kill_9_in_the_middle_of_windows_changes_no_row(
    kafka: KafkaCluster, topic_name: str, tmp_path: Path, kind: str
) -> None:
    """Rows may come twice; none is missing, and none is there that a join without a kill would not have."""
    events, orders, payments = await write(kafka, topic_name)
    expected, path, chance = rows_of(events, kind), tmp_path / "rows", random.Random(topic_name)
    group = f"{topic_name}-{kind}"
    for _ in range(3):
        with script("program_joiner.py", kafka.url, orders, payments, group, kind, path, 3):
            before = noted(path).total()
            await until(lambda before=before: noted(path).total() > before, 40)  # type: ignore[misc] # bound now
            await asyncio.sleep(chance.uniform(0.2, 0.8))
    assert noted(path).keys() < expected  # it was in the middle
    with script("program_joiner.py", kafka.url, orders, payments, group, kind, path, 0) as last:
        await until(lambda: expected <= noted(path).keys(), 60)
        await asyncio.sleep(0.5)
        assert await plainly(last.terminate, signal.SIGINT) == 0
    assert noted(path).keys() - expected - last_rows(events) == set()


@pytest.mark.timeout(120)
async def test_two_processes_share_the_work_and_together_hand_out_what_one_would(
    kafka: KafkaCluster, topic_name: str, tmp_path: Path
) -> None:
    """The second one comes and goes while the first is at it: each has the same partition of both topics."""
    events, orders, payments = await write(kafka, topic_name)
    expected, one, two = rows_of(events, "outer"), tmp_path / "one", tmp_path / "two"
    with script("program_joiner.py", kafka.url, orders, payments, topic_name, "outer", one, 10) as first_member:
        await until(lambda: noted(one).total() > 50, 30)
        with script("program_joiner.py", kafka.url, orders, payments, topic_name, "outer", two, 10) as second:
            await until(lambda: noted(two).total() > 100, 40)
            assert await plainly(second.terminate, signal.SIGINT) == 0
        numbers = {event.number: event.key % PARTITIONS for event in events}
        seen = {numbers[int(part)] for row in noted(two) for part in row.split() if part != "None"}
        assert len(seen) == 1
        await until(lambda: expected <= noted(one, two).keys(), 60)
        assert await plainly(first_member.terminate, signal.SIGINT) == 0
    assert noted(one, two).keys() - expected - last_rows(events) == set()
