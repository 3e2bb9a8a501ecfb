"""The sample topics."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import pytest

from streamlab import demo
from streamlab.broker import open_broker
from streamlab.broker.memory import MemoryBroker
from streamlab.demo import Sample, Shop
from streamlab.events import TP
from streamlab.runtime.io import on_io

NOW_MS = 1_700_000_000_000


def samples(count: int = 1000, random_seed: int = 7) -> list[Sample]:
    shop = Shop(random_seed)
    return [sample for number in range(count) for sample in shop.happenings(NOW_MS + number)]


def of(topic: str, found: list[Sample]) -> list[Sample]:
    return [sample for sample in found if sample.topic == topic]


def values(topic: str, found: list[Sample]) -> list[Any]:
    return [json.loads(sample.value or b"null") for sample in of(topic, found)]


async def high(broker: MemoryBroker, topic: str) -> int:
    tps = [TP(topic, number) for number in range(demo.TOPICS[topic])]
    return sum(marks.high for marks in (await broker.watermarks(tps)).values())


def test_the_same_seed_makes_up_the_same_shop() -> None:
    assert samples(50, random_seed=3) == samples(50, random_seed=3)
    assert samples(50, random_seed=3) != samples(50, random_seed=4)


def test_an_order_has_its_fields_and_its_account_for_a_key() -> None:
    [order] = of("orders", samples(1))
    value = json.loads(order.value or b"")
    assert list(value) == ["order_id", "account_id", "item", "quantity", "price", "currency", "created_at"]
    assert order.key == value["account_id"].encode()
    assert value["created_at"] == "2023-11-14T22:13:20.000+00:00"


def test_payments_pay_for_orders_once_and_in_full() -> None:
    found = samples()
    orders = {order["order_id"]: order for order in values("orders", found)}
    payments = values("payments", found)
    assert len({payment["order_id"] for payment in payments}) == len(payments) > 900
    for payment in payments:
        order = orders[payment["order_id"]]
        assert payment["account_id"] == order["account_id"]
        assert payment["amount"] == round(order["price"] * order["quantity"], 2)


def test_some_accounts_order_much_more_than_others() -> None:
    accounts = Counter(order["account_id"] for order in values("orders", samples()))
    assert accounts.most_common(1)[0][1] > 10 * min(accounts.values())


def test_page_views_are_nested() -> None:
    view = values("page-views", samples(1))[0]
    assert set(view["user"]["device"]) == {"os", "mobile"}


def test_raw_events_have_tombstones_and_what_is_no_json() -> None:
    found = [sample.value for sample in of("raw-events", samples(3000))]
    tombstones = found.count(None)
    broken = sum(value in demo.BROKEN for value in found)
    assert 0 < tombstones < 60
    assert 0 < broken < 60


async def test_seed_spreads_history_over_the_last_hour_in_order() -> None:
    broker = MemoryBroker("test-demo-seed")
    await demo.seed(broker, history=100)
    assert {name: len(info.partitions) for name, info in (await broker.topics()).items()} == demo.TOPICS
    assert await high(broker, "orders") == 100
    half_an_hour_ago = int((time.time() - 1800) * 1000)
    found = await broker.offsets_for_times({TP("raw-events", 0): half_an_hour_ago})
    assert found[TP("raw-events", 0)] == pytest.approx(10, abs=1)


async def test_topics_that_are_there_get_no_second_history() -> None:
    broker = MemoryBroker("test-demo-seed-twice")
    await demo.seed(broker, history=10)
    await demo.seed(broker, history=10)
    assert await high(broker, "orders") == 10


async def test_start_seeds_and_then_goes_on_at_the_rate_until_cancelled() -> None:
    broker = MemoryBroker("test-demo-start")
    began = time.monotonic()
    task = asyncio.create_task(demo.start(broker))
    while len(await broker.topics()) < len(demo.TOPICS) or await high(broker, "orders") < demo.HISTORY + 10:
        await asyncio.sleep(0.01)
    assert time.monotonic() - began >= 9 / demo.RATE
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_demo_broker_has_its_history_from_the_first_question_on_and_only_once() -> None:
    for _ in range(2):
        broker = open_broker("memory://demo")
        assert set(await on_io(broker.topics())) >= set(demo.TOPICS)
        marks = await on_io(broker.watermarks([TP("raw-events", 0)]))
        assert demo.HISTORY // 5 <= marks[TP("raw-events", 0)].high < 2 * demo.HISTORY // 5
