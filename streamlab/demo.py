"""A small shop's live topics, made up from one seeded random source.

============ ========== ==================================================================================
topic        partitions what is in it
============ ========== ==================================================================================
orders       4          JSON: order_id, account_id, item, quantity, price, currency, created_at; key account_id
payments     4          JSON: payment_id, order_id, account_id, amount, method, status; key order_id
page-views   2          nested JSON: view_id, user.id, user.device.os, page.path, ...; key the user
raw-events   1          JSON as devices send it: now and then a tombstone, broken JSON, bytes that are no text
============ ========== ==================================================================================
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from streamlab.demo_lab import launch
from streamlab.errors import TopicExists
from streamlab.runtime.io import submit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamlab.broker.base import Broker, Headers

__all__ = ["TOPICS", "Sample", "Shop", "flow", "launch", "seed", "start", "start_once"]

TOPICS = {"orders": 4, "payments": 4, "page-views": 2, "raw-events": 1}

ITEMS = {"apples": 2.4, "bread": 3.2, "coffee": 8.9, "kettle": 39.0, "lamp": 24.5, "notebook": 4.8, "pen": 1.2, "tea": 5.6}
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "USD", "GBP")
METHODS = ("card", "card", "card", "transfer", "voucher")
STATUSES = ("paid", "paid", "paid", "paid", "paid", "paid", "paid", "declined", "refunded")
PATHS = ("/", "/search", "/cart", "/checkout", *(f"/item/{item}" for item in ITEMS))
SYSTEMS = ("Android", "iOS", "Linux", "macOS", "Windows")
COUNTRIES = ("AT", "DE", "ES", "FR", "GB", "US")
BROKEN = (b'{"device": "d-07", "temperature": 2', b"\xff\xfe\x00\x80 not text", b"device d-03 says hello")

MOBILE = 0.6
TOMBSTONES = 0.05
BROKEN_ONES = 0.05

RATE = 20.0
HISTORY = 2000
HISTORY_SPAN_S = 3600.0


_never_started = threading.Lock()


class Sample(NamedTuple):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers = ()


class Shop:
    """Makes up what happens in the shop, the same for the same seed and times.

    Parameters
    ----------
    random_seed : int
        Seed of everything that is random.
    """

    def __init__(self, random_seed: int = 1) -> None:
        self._random = random.Random(random_seed)
        self._orders = 0
        self._unpaid: deque[dict[str, Any]] = deque()

    def happenings(self, timestamp_ms: int) -> Iterator[Sample]:
        """Yield an order and what goes with it: a payment of an earlier one, page views, a device's event."""
        self._orders += 1
        order = self._order(timestamp_ms)
        self._unpaid.append(order)
        yield self._sample("orders", order["account_id"], order, timestamp_ms)
        yield self._page_view(order["account_id"], timestamp_ms)
        if len(self._unpaid) > self._random.randint(1, 20):
            payment = self._payment(self._unpaid.popleft())
            yield self._sample("payments", payment["order_id"], payment, timestamp_ms)
        if self._orders % 5 == 0:
            yield self._raw_event(timestamp_ms)

    def _sample(self, topic: str, key: str, value: dict[str, Any], timestamp_ms: int) -> Sample:
        return Sample(topic, key.encode(), msgspec.json.encode(value), timestamp_ms, (("source", b"shop"),))

    def _order(self, timestamp_ms: int) -> dict[str, Any]:
        item = self._random.choice(tuple(ITEMS))
        return {
            "order_id": f"o-{self._orders:06}",
            # Some accounts order much more often than others.
            "account_id": f"a-{min(int(self._random.expovariate(0.08)), 99):02}",
            "item": item,
            "quantity": self._random.choice((1, 1, 1, 2, 2, 3, 5, 10)),
            "price": round(ITEMS[item] * self._random.uniform(0.9, 1.1), 2),
            "currency": self._random.choice(CURRENCIES),
            "created_at": datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        }

    def _payment(self, order: dict[str, Any]) -> dict[str, Any]:
        return {
            "payment_id": f"p-{order['order_id'][2:]}",
            "order_id": order["order_id"],
            "account_id": order["account_id"],
            "amount": round(order["price"] * order["quantity"], 2),
            "method": self._random.choice(METHODS),
            "status": self._random.choice(STATUSES),
        }

    def _page_view(self, user: str, timestamp_ms: int) -> Sample:
        device = {"os": self._random.choice(SYSTEMS), "mobile": self._random.random() < MOBILE}
        view = {
            "view_id": f"v-{self._orders:06}",
            "user": {"id": user, "country": self._random.choice(COUNTRIES), "device": device},
            "page": {"path": self._random.choice(PATHS), "referrer": self._random.choice((None, "search", "mail"))},
            "duration_ms": int(self._random.expovariate(1 / 8000)),
        }
        return self._sample("page-views", user, view, timestamp_ms)

    def _raw_event(self, timestamp_ms: int) -> Sample:
        device = f"d-{self._random.randint(1, 9):02}"
        value: bytes | None = msgspec.json.encode({"device": device, "temperature": round(self._random.gauss(21, 3), 1)})
        chance = self._random.random()
        if chance < TOMBSTONES:
            value = None
        elif chance < TOMBSTONES + BROKEN_ONES:
            value = self._random.choice(BROKEN)
        return Sample("raw-events", device.encode(), value, timestamp_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _send(broker: Broker, sample: Sample) -> None:
    await broker.send(sample.topic, key=sample.key, value=sample.value, timestamp_ms=sample.timestamp_ms, headers=sample.headers)


async def seed(broker: Broker, *, history: int = HISTORY, shop: Shop | None = None) -> None:
    """Create the topics, and fill them with the last hour if none was there.

    Parameters
    ----------
    broker : Broker
        Where to; awaited on the I/O thread as everything of a broker.
    history : int
        How many orders, spread over the last hour.
    shop : Shop
        Where they come from.
    """
    created = [await _create(broker, name, partitions) for name, partitions in TOPICS.items()]
    if not all(created):
        return
    # One after another: the embedded broker never waits, so its first reader finds either nothing or all of it.
    for sample in _history(shop or Shop(), history, _now_ms()):
        await _send(broker, sample)


async def _create(broker: Broker, name: str, partitions: int) -> bool:
    with suppress(TopicExists):
        await broker.create_topic(name, partitions=partitions)
        return True
    return False


def _history(shop: Shop, orders: int, until_ms: int) -> Iterator[Sample]:
    for number in range(orders):
        yield from shop.happenings(until_ms - int(HISTORY_SPAN_S * 1000 * (orders - number) / orders))


async def flow(broker: Broker, *, rate: float = RATE, shop: Shop | None = None) -> None:
    """Write what happens now, ``rate`` orders a second, until cancelled."""
    shop = shop or Shop(_now_ms())
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for sample in shop.happenings(_now_ms()):
            await _send(broker, sample)
        due += 1 / rate
        await asyncio.sleep(max(due - loop.time(), 0))


async def start(broker: Broker) -> None:
    """Seed the topics and go on writing until cancelled."""
    shop = Shop()
    await seed(broker, shop=shop)
    await flow(broker, shop=shop)


def start_once(broker: Broker) -> None:
    """Let the shop live on this process's ``memory://demo``, from the first call to the end of the process.

    What is asked of the broker after this call finds the history there.
    """
    if _never_started.acquire(blocking=False):
        submit(start(broker))
