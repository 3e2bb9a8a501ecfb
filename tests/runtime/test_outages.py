"""Feeds whose broker goes away: it refuses, hangs, or comes back."""

from __future__ import annotations

import asyncio
import re

import pytest

from streamlab.broker.base import ReaderOptions
from streamlab.errors import AuthenticationFailed, BrokerUnavailable, TopicNotFound
from streamlab.runtime import discovery, outages, pump
from streamlab.runtime.feed import Feed
from tests.runtime.conftest import MakeFeed
from tests.runtime.reading import Consumer, FailingBroker, send, until


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"SILENCE_S": 0.1, "RETRY_S": 0.02, "LOOK_S": 0.01, "FIRST_CONNECT_S": 0.3}.items():
        monkeypatch.setattr(outages, name, seconds)


async def test_a_first_connection_that_is_refused_is_raised_within_the_limit(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.refusing = True
    reading = feed()
    with pytest.raises(BrokerUnavailable, match="connection refused"):
        await Consumer(reading).to_end()
    assert reading.state == "failed"


async def test_a_first_connection_without_an_answer_is_raised_within_the_limit(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.silent = True
    with pytest.raises(BrokerUnavailable, match=rf"no answer from {re.escape(broker.url)} within 0\.3 s"):
        await Consumer(feed(broker_timeout_s=None)).to_end()


async def test_a_broker_that_comes_up_in_time_is_read(broker: FailingBroker, feed: MakeFeed) -> None:
    notices: list[str] = []
    await send(broker, "orders", "abc")
    broker.refusing = True
    consumer = Consumer(feed(start="earliest", stop="end", on_notice=notices.append))
    await until(lambda: consumer.feed.state == "retrying")
    broker.refusing = False
    assert (await consumer.to_end()).values() == "abc"
    assert [re.sub(r"\d+:\d+:\d+", "TIME", notice) for notice in notices] == [
        "no broker answers since TIME: retrying",
        "the broker is back after 0 s",
    ]


async def test_wrong_credentials_are_raised_at_once(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.refusing, broker.error = True, AuthenticationFailed("wrong password")
    notices: list[str] = []
    with pytest.raises(AuthenticationFailed, match="wrong password"):
        await Consumer(feed(on_notice=notices.append)).to_end()
    assert notices == []


async def test_silence_is_looked_into_shown_and_survived(broker: FailingBroker, feed: MakeFeed) -> None:
    notices: list[str] = []
    consumer = Consumer(feed(on_notice=notices.append))
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    await until(lambda: consumer.feed.state == "retrying")
    assert consumer.feed.state_detail == "BrokerUnavailable (retrying): no answer"
    await send(broker, "orders", "abc")
    broker.silent = False
    await consumer.until(lambda: consumer.values() == "abc")
    await until(lambda: consumer.feed.state == "reading")
    assert consumer.feed.state_detail == ""
    assert len(notices) == 2


async def test_silence_with_a_broker_that_answers_probes_is_no_outage(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fine(topic: str | None = None, timeout_s: float = 3.0) -> None:
        broker.checks.append(topic)

    monkeypatch.setattr(broker, "check", fine)
    consumer = Consumer(feed(("orders",)))
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    await until(lambda: len(broker.checks) > 2)
    assert (consumer.feed.state, set(broker.checks)) == ("reading", {"orders"})


async def test_a_pattern_probes_the_cluster(broker: FailingBroker, feed: MakeFeed) -> None:
    async def matching() -> tuple[str, ...]:
        return ("orders",)

    consumer = Consumer(feed(matching))
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    await until(lambda: broker.checks)
    assert set(broker.checks) == {None}


async def test_silence_because_the_topic_is_gone_is_raised(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(topic: str | None = None, timeout_s: float = 3.0) -> None:
        raise TopicNotFound("orders was deleted")

    monkeypatch.setattr(broker, "check", gone)
    consumer = Consumer(feed())
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    with pytest.raises(TopicNotFound, match="was deleted"):
        await consumer.to_end()


async def test_silence_longer_than_the_time_out_is_raised(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(broker_timeout_s=0.3))
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    with pytest.raises(BrokerUnavailable, match="no answer"):
        await consumer.to_end()


async def test_without_a_time_out_an_outage_lasts_as_long_as_it_does(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(broker_timeout_s=None))
    await until(lambda: consumer.feed.state == "reading")
    broker.silent = True
    await until(lambda: len(broker.checks) > 10)
    assert consumer.feed.state == "retrying"


async def test_a_fetch_that_finds_no_broker_is_tried_again(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    consumer = Consumer(feed(start="earliest"))
    await consumer.until(lambda: consumer.values() == "abc")
    [reader] = broker.readers
    reader.fetch_error = BrokerUnavailable("connection lost")
    await until(lambda: consumer.feed.state == "retrying")
    reader.fetch_error = None
    await send(broker, "orders", "def")
    await consumer.until(lambda: consumer.values() == "abcdef")
    await until(lambda: consumer.feed.state == "reading")


async def test_fetches_that_find_no_broker_for_too_long_are_raised(broker: FailingBroker, feed: MakeFeed) -> None:
    consumer = Consumer(feed(broker_timeout_s=0.2))
    await until(lambda: consumer.feed.state == "reading")
    broker.readers[0].fetch_error = BrokerUnavailable("connection lost")
    with pytest.raises(BrokerUnavailable, match="connection lost"):
        await consumer.to_end()


async def test_not_asking_is_no_silence(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest", max_bytes=0)
    reading.begin()
    await until(lambda: reading.handover.full)
    broker.silent = True
    await until(lambda: broker.readers[0].last_answer < broker.readers[0]._answered + 1)
    await until(lambda: reading.state == "reading")
    assert broker.checks == []


async def test_after_not_asking_the_broker_gets_its_time_to_answer(broker: FailingBroker) -> None:
    watching = outages.Outages(Feed(broker, ("orders",)))
    reader = broker.reader(ReaderOptions())
    reader._answered, broker.silent = 0.0, True
    with watching.not_asking():
        pass
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watching.watch(reader), 0.05)
    assert broker.checks == []


async def test_an_outage_after_the_first_answer_may_last_as_long_as_the_time_out(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(broker, "orders", "abc")
    original, asked = broker.watermarks, []

    async def watermarks(*args: object) -> object:
        asked.append(1)
        if len(asked) < 30:
            raise BrokerUnavailable("in between")
        return await original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(broker, "watermarks", watermarks)
    assert (await Consumer(feed(start="earliest", stop="end")).to_end()).values() == "abc"


async def test_an_outage_while_reading_leaves_the_ends_as_they_were(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "WATERMARKS_S", 0.01)
    monkeypatch.setattr(discovery, "LOOK_S", 0.01)
    reading, asked = feed(), []
    reading.begin()
    await until(reading.lag)

    async def unavailable(*_: object) -> None:
        asked.append(reading.lag())
        raise BrokerUnavailable("no answer")

    monkeypatch.setattr(broker, "watermarks", unavailable)
    monkeypatch.setattr(broker, "partitions", unavailable)
    await until(lambda: len(asked) > 4)
    assert (reading.state, asked[-1]) == ("reading", asked[0])
