"""Windows on Kafka: in the order of time over partitions, and with whole windows only, however often a group's member is killed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, rest, script, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 2
KEYS = 20
RECORDS = 12_000
BEGAN_MS = (int(time.time()) - 7200) * 1000
"""Not long ago: a broker deletes what is older than its retention."""
SIZE_MS, STEP_MS, GAP_MS, GRACE_MS = 10_000, 4_000, 3_000, 2_000
LAST = "last"


def history(seed: str) -> list[tuple[int, str, int]]:
    """Return (time, key, n), out of order within the grace, with pauses that end sessions."""
    chance = random.Random(seed)
    rows, at_ms = [], BEGAN_MS
    for _ in range(RECORDS):
        at_ms += 10_000 if chance.random() < 1 / 300 else 50
        rows.append((at_ms - chance.randint(0, GRACE_MS), str(chance.randrange(KEYS)), chance.randint(1, 9)))
    return rows


def record(at_ms: int, key: str, number: int, partition: int, ident: int) -> Rec:
    return Rec(json.dumps({"n": number, "id": ident}), key=key, partition=partition, timestamp_ms=at_ms)


async def write(kafka: KafkaCluster, *topics: str) -> list[tuple[int, str, int]]:
    """Write the history into each of the topics, and at its end a record in each partition that closes all windows."""
    rows = history(topics[0])
    end_ms = rows[-1][0] + 100_000
    records = [record(*row, partition=int(row[1]) % PARTITIONS, ident=number) for number, row in enumerate(rows)]
    records += [record(end_ms, LAST, 0, partition, -partition - 1) for partition in range(PARTITIONS)]
    for topic in topics:
        await plainly(client.create_topic, kafka.bootstrap, topic, PARTITIONS)
        await plainly(client.produce, kafka.bootstrap, topic, records)
    return rows


def windows(rows: list[tuple[int, str, int]], kind: str) -> set[str]:
    """Return the windows by brute force, as the program notes them."""
    found: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    if kind == "session":
        for key in {row[1] for row in rows}:
            for cluster in clusters(sorted((at_ms, number) for at_ms, other, number in rows if other == key)):
                found[key, cluster[0][0], cluster[-1][0] + GAP_MS] = [number for _, number in cluster]
    else:
        step = STEP_MS if kind == "hopping" else SIZE_MS
        for at_ms, key, number in rows:
            first = ((at_ms - SIZE_MS) // step + 1) * step
            for start in range(first, at_ms + 1, step):
                found[key, start, start + SIZE_MS].append(number)
    return {f"{key} {start / 1000} {end / 1000} {len(numbers)} {sum(numbers)}" for (key, start, end), numbers in found.items()}


def clusters(times: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    found = [[times[0]]]
    for one in times[1:]:
        if one[0] - found[-1][-1][0] < GAP_MS:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def noted(*paths: Path) -> set[str]:
    """Return the windows that were noted; a kill may have cut the last line."""
    lines = {line for path in paths if path.exists() for line in path.read_text().split("\n")[:-1]}
    return {line for line in lines if not line.startswith(LAST)}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["tumbling", "hopping", "session", "joined"])
async def test_kill_9_in_the_middle_of_windows_changes_no_window(
    kafka: KafkaCluster, topic_name: str, tmp_path: Path, kind: str
) -> None:
    """Windows may come twice; none is missing, and none comes with only a part of its records. "joined": those of the pairs of two topics."""
    topics = [topic_name, f"{topic_name}-again"][: 1 + (kind == "joined")]
    expected, path, chance = windows(await write(kafka, *topics), kind), tmp_path / "windows", random.Random(topic_name)
    for _ in range(3):
        with script("program_windower.py", kafka.url, topic_name, topic_name, kind, path, 3):
            before = len(noted(path))
            await until(lambda before=before: len(noted(path)) > before, 40)  # type: ignore[misc] # bound now
            await asyncio.sleep(chance.uniform(0.2, 0.8))
    assert noted(path) < expected  # it was in the middle
    with script("program_windower.py", kafka.url, topic_name, topic_name, kind, path, 0) as last:
        await until(lambda: expected <= noted(path), 60)
        await asyncio.sleep(0.5)
        assert await plainly(last.terminate, signal.SIGINT) == 0
    assert noted(path) - expected == set()


@pytest.mark.timeout(120)
async def test_a_second_member_comes_and_goes_and_together_they_make_the_windows_that_one_would(
    kafka: KafkaCluster, topic_name: str, tmp_path: Path
) -> None:
    expected, one, two = windows(await write(kafka, topic_name), "hopping"), tmp_path / "one", tmp_path / "two"
    with script("program_windower.py", kafka.url, topic_name, topic_name, "hopping", one, 5) as stays:
        await until(lambda: len(noted(one)) > 50, 30)
        with script("program_windower.py", kafka.url, topic_name, topic_name, "hopping", two, 5) as goes:
            await until(lambda: len(noted(two)) > 100, 40)
            assert await plainly(goes.terminate, signal.SIGINT) == 0
        assert len({int(line.split()[0]) % PARTITIONS for line in noted(two)}) == 1
        await until(lambda: expected <= noted(one, two), 60)
        assert await plainly(stays.terminate, signal.SIGINT) == 0
    assert noted(one, two) - expected == set()


async def test_nothing_of_four_partitions_of_history_is_late(kafka: KafkaCluster, topic_name: str) -> None:
    """Each partition goes through all of the time, and they come batch by batch."""
    count = 5_000
    await plainly(client.create_topic, kafka.bootstrap, topic_name, 4)
    for partition in range(4):
        rows = [record(BEGAN_MS + 100 * number + partition, "k", 1, partition, number) for number in range(count)]
        await plainly(client.produce, kafka.bootstrap, topic_name, rows)
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(start="earliest", stop="end")
        found = await rest(stream.tumbling(10, by=()).sum("n"))
        assert not stream.errors.total
    assert sum(window.count for window in found) == 4 * count
    assert len(found) == len({window.start for window in found})
