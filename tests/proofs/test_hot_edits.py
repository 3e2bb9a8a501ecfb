"""A processor is replaced in the explorer while records rush through: each record goes through one of them, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from streamlab.runtime.runner import drive
from streamlab.views import editing
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, until
from tests.views.exploring import Browser

if TYPE_CHECKING:
    import pytest

    from streamlab.baskets import Basket
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 4
COUNT = 400_000
EDITS = 30


class Seen:
    """What came out: which record, and which processor it went through."""

    def __init__(self) -> None:
        self.places: Counter[tuple[int, int]] = Counter()
        self.editions: list[int] = []

    def note(self, basket: Basket) -> None:
        for opened, items in basket.runs():
            assert opened is not None
            partition = opened.batch.tp.partition
            self.places.update((partition, item[0]) for item in items)
        self.editions += [value["edition"] for value in basket.gathered]

    def has(self, count: int) -> bool:
        """Tell whether so many records have come out."""
        return len(self.editions) >= count


def code(edition: int) -> str:
    return f"def enrich(order):\n    order['edition'] = {edition}\n    return order"


async def test_replacing_a_processor_under_load_loses_and_doubles_nothing(
    kafka: KafkaCluster, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {}
    monkeypatch.setattr(editing, "_user_namespace", lambda: names)
    await plainly(client.create_topic, kafka.bootstrap, topic_name, PARTITIONS)
    note = "x" * 100
    records = [Rec(f'{{"id": {number}, "note": "{note}"}}', partition=number % PARTITIONS) for number in range(COUNT)]
    await plainly(client.produce, kafka.bootstrap, topic_name, records)
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(start="earliest", stop="end")
        browser = Browser(stream.explore())
        browser.explorer.shown.window.on_full = None
        await until(lambda: stream.feed is not None and stream.feed.start_offsets)
        stream.pause()  # not before: a stream that is paused before it has begun does not begin
        browser.do("apply", name="", code=code(0))
        await stream.restart(start="earliest")
        seen = Seen()
        drive(stream, tap=seen.note)
        await replace_while_it_runs(browser, seen)
        await until(lambda: stream._drive is None, 60)
        browser.explorer.close()
    assert len(seen.places) == COUNT
    assert set(seen.places.values()) == {1}
    assert len(seen.editions) == COUNT
    assert len(set(seen.editions)) > EDITS // 2
    assert seen.editions == sorted(seen.editions)  # an edition that was replaced does not come back
    assert browser.explorer.shown.stream.errors.total == 0


async def replace_while_it_runs(browser: Browser, seen: Seen) -> None:
    """Apply another edition whenever a few thousand records more have passed."""
    for edition in range(1, EDITS + 1):
        wanted = edition * COUNT // (EDITS + 2)
        await until(partial(seen.has, wanted), 60)
        await asyncio.to_thread(browser.do, "apply", name="enrich", code=code(edition))
