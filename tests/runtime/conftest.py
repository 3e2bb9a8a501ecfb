from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamlab.runtime import discovery
from streamlab.runtime.feed import Feed
from tests.runtime.reading import FailingBroker

MakeFeed = Callable[..., Feed]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for added and deleted topics often."""
    monkeypatch.setattr(discovery, "LOOK_S", 0.02)


@pytest.fixture
async def broker(topic_name: str) -> FailingBroker:
    """A cluster of the test's own, with the topic orders in two partitions."""
    broker = FailingBroker(topic_name)
    await broker.create_topic("orders", partitions=2)
    return broker


@pytest.fixture
async def feed(broker: FailingBroker, quick: None, no_leaks: None) -> AsyncIterator[MakeFeed]:
    """Make feeds, which are stopped at the end and leave nothing behind."""
    feeds: list[Feed] = []

    def make(topics: Any = ("orders",), **options: Any) -> Feed:
        feeds.append(Feed(broker, topics, **options))
        return feeds[-1]

    yield make
    for reader in broker.readers:
        reader.hangs_on_stop = broker.silent = False
    for one in feeds:
        await one.stop()
    assert all(reader.stopped for reader in broker.readers)
