"""Consumer groups: what is committed, and that nothing is lost when members die or come."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, first, plainly, rest, script, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 2


class Note(NamedTuple):
    """A record that a consumer noted before it was acked."""

    partition: int
    offset: int
    value: int
    at: float


def notes(path: Path) -> list[Note]:
    """Return what was noted; a kill may have cut the last line."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [Note(int(p), int(o), int(v), float(at)) for p, o, v, at in (line.split() for line in lines)]


async def write(kafka: KafkaCluster, topic: str, count: int) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic, PARTITIONS)
    records = [Rec(str(number), partition=number % PARTITIONS) for number in range(count)]
    await plainly(client.produce, kafka.bootstrap, topic, records)


async def test_commits_follow_acks_by_contiguous_runs(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(10)])

    async def committed() -> int:
        await asyncio.sleep(0.5)  # five times as long as it takes
        offsets: dict[tuple[str, int], int] = await plainly(client.committed, kafka.bootstrap, topic_name)
        return offsets.get((topic_name, 0), 0)

    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(group=topic_name).noack()
        events = await first(10, stream.events())
        assert await committed() == 0
        for acked, expected in (((1, 2), 0), ((0,), 3), ((5, 4, 9), 3), ((3,), 6), ((8, 7, 6), 10)):
            for offset in acked:
                events[offset].ack()
            assert await committed() == expected


async def test_a_value_is_committed_when_the_next_one_is_asked_for(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, ["0", "1", "2"])
    async with app_on(kafka.url) as app:
        values = aiter(app.topic(topic_name).stream(group=topic_name))
        for number in range(3):
            assert await anext(values) == number
            await asyncio.sleep(0.5)
            committed = await plainly(client.committed, kafka.bootstrap, topic_name)
            assert committed.get((topic_name, 0), 0) == number
        await values.aclose()
    assert await plainly(client.committed, kafka.bootstrap, topic_name) == {(topic_name, 0): 3}


async def until_more(path: Path) -> None:
    """Return when something is noted that was not there."""
    before = len(notes(path))
    await until(lambda: len(notes(path)) > before, 40)


async def kill_again_and_again(kafka: KafkaCluster, topic: str, kind: str, path: Path, rounds: int, count: int) -> int:
    """Run a consumer and kill it at random moments; return how many records came twice or more when all have come."""
    group, chance = f"{topic}-{kind}", random.Random(f"{topic}{kind}")
    for _ in range(rounds):
        with script("program_consumer.py", kafka.url, topic, group, kind, path, 1):
            await until_more(path)
            await asyncio.sleep(chance.uniform(0, 1.2))
    with script("program_consumer.py", kafka.url, topic, group, kind, path, 0) as last:
        await until(lambda: {note.value for note in notes(path)} == set(range(count)), 60)
        await asyncio.sleep(0.5)
        code = await plainly(last.terminate, signal.SIGINT)
        assert code == 0
    return len(notes(path)) - count


@pytest.mark.timeout(180)
async def test_kill_9_at_any_moment_loses_nothing(kafka: KafkaCluster, topic_name: str, tmp_path: Path) -> None:
    """Loops, batches and agents, each killed several times; all at once, for a dead member is missed only after 10 s."""
    count, rounds = 6000, 3
    await write(kafka, topic_name, count)
    kinds = ("stream", "take", "agent")
    doubled = await asyncio.gather(
        *(kill_again_and_again(kafka, topic_name, kind, tmp_path / kind, rounds, count) for kind in kinds)
    )
    for kind, twice in zip(kinds, doubled, strict=True):
        # What was done since the last commit comes again: 0.1 s and a little, at 1 ms each, in each round.
        assert twice < rounds * 600, kind
        assert await plainly(client.committed, kafka.bootstrap, f"{topic_name}-{kind}") == {
            (topic_name, partition): count // PARTITIONS for partition in range(PARTITIONS)
        }


def last_of(path: Path, partition: int) -> float:
    return max((note.at for note in notes(path) if note.partition == partition), default=0.0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["stream", "agent"])
async def test_a_rebalance_drops_what_is_stale_and_loses_nothing(
    kafka: KafkaCluster, topic_name: str, tmp_path: Path, kind: str
) -> None:
    """One member has thousands of records in hand when another comes; each goes on with its own partition only."""
    count = 5000
    await write(kafka, topic_name, count)
    one, two = tmp_path / "one", tmp_path / "two"
    with script("program_consumer.py", kafka.url, topic_name, topic_name, kind, one, 2) as first_member:
        await until(lambda: len(notes(one)) > 200, 30)
        with script("program_consumer.py", kafka.url, topic_name, topic_name, kind, two, 2) as second:
            await until(lambda: len(notes(two)) > 200, 30)
            given = {note.partition for note in notes(two)}
            assert len(given) == 1
            [partition] = given
            began = min(note.at for note in notes(two))
            await asyncio.sleep(1)
            # It had the whole partition buffered, and lets it lie: but for the record whose body was running.
            stale = [note for note in notes(one) if note.partition == partition and note.at > began]
            assert stale == []
            assert last_of(one, 1 - partition) > began
            assert await plainly(second.terminate, signal.SIGINT) == 0
        left = time.time()
        await until(lambda: last_of(one, partition) > left, 20)
        await until(lambda: {n.value for n in notes(one) + notes(two)} == set(range(count)), 60)
        await until(
            lambda: client.committed(kafka.bootstrap, topic_name) == {(topic_name, p): count // PARTITIONS for p in (0, 1)}, 10
        )
        assert await plainly(first_member.terminate, signal.SIGINT) == 0
    # Both left with a commit of all they had done: at most what was in hand at each of two rebalances came twice.
    assert len(notes(one)) + len(notes(two)) - count <= 8


@pytest.mark.parametrize("start", ["earliest", -3, 7, {0: 7, 1: -3}, "-1h"])
async def test_a_new_group_reads_all_from_its_start_to_the_end(kafka: KafkaCluster, topic_name: str, start: Any) -> None:
    await write(kafka, topic_name, 20)
    async with app_on(kafka.url) as app:
        values = await rest(app.topic(topic_name).stream(group=topic_name, start=start, stop="end"))
    assert sorted(values) == list(range(0 if start in ("earliest", "-1h") else 14, 20))


async def test_a_group_with_commits_reads_all_the_rest_whatever_the_start(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(2000)])
    got: list[int] = []
    async with app_on(kafka.url) as app:
        for size, start in ((300, "earliest"), (500, "latest"), (1200, -1)):
            got += await first(size, app.topic(topic_name).stream(group=topic_name, start=start, stop="end"))
    assert got == list(range(2000))
