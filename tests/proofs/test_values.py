"""Keys and values of every type, on both brokers: what is sent is read, what is not of the type follows the policy."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pydantic
import pytest

import streamlab as sl
from tests.proofs.support import app_on, rest


class Order(sl.Record, serializer="json"):
    id: int
    tags: list[str] = []


@dataclasses.dataclass
class Trade:
    id: int
    price: float | None = None


class Person(pydantic.BaseModel):
    id: int
    name: str = "nobody"


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def app(request: pytest.FixtureRequest, topic_name: str) -> AsyncIterator[sl.App]:
    url = f"memory://{topic_name}" if request.param == "memory" else request.getfixturevalue("kafka").url
    async with app_on(url) as app:
        yield app


CASES = [
    pytest.param(dict, {"a": [1, None, "ä"]}, b"[1]", id="dict"),
    pytest.param("json", [1, {"b": 2}], b"{", id="json"),
    pytest.param(str, "tëxt", b"\xff", id="str"),
    pytest.param(int, -5, b"seven", id="int"),
    pytest.param(float, 1.5, b"[]", id="float"),
    pytest.param("int64", 7, b"1", id="int64"),
    pytest.param("binary", b"\x00\xff", b"*", id="binary"),
    pytest.param(Order, Order(1, ["a"]), b'{"id":"one"}', id="Record"),
    pytest.param(list[Order], [Order(1), Order(2)], b'[{"id":null}]', id="list of Record"),
    pytest.param(Trade, Trade(1, 2.5), b'{"price":1}', id="dataclass"),
    pytest.param(Person, Person(id=1), b'{"id":"one"}', id="pydantic"),
]


def made(error: sl.DecodeError) -> tuple[Any, ...]:
    """Return a value that tells what went wrong where."""
    return (error.part, error.topic, error.partition, error.offset, error.data)


async def read_on(stream: sl.Stream[Any]) -> tuple[list[tuple[Any, Any]], list[sl.DecodeError]]:
    """Return the keys and values to the end, and what was raised on the way: after each the next loop goes on."""
    found, raised = [], []
    async with asyncio.timeout(20):
        while True:
            try:
                async for item in stream.items():
                    found.append(item)
            except sl.DecodeError as error:
                raised.append(error)
            else:
                return found, raised


def check_kept(stream: sl.Stream[Any], topic: str, part: str, bad: bytes) -> None:
    """See that ``stream.errors`` says which record it was, and why."""
    (kept,) = stream.errors
    assert (kept.topic, kept.partition, kept.offset, kept.processor) == (topic, 0, 1, None)
    assert (kept.key if part == "key" else kept.data) == kept.first_bytes == bad
    assert kept.timestamp == 12.5
    assert isinstance(kept.error, sl.KeyDecodeError if part == "key" else sl.ValueDecodeError)
    assert kept.error.__cause__ is not None
    (row,) = stream.errors.to_frame().to_dict("records")
    assert (row["topic"], row["partition"], row["offset"], row["first_bytes"]) == (topic, 0, 1, bad)
    assert row["cause"] == repr(kept.error.__cause__)


@pytest.mark.parametrize("part", ["key", "value"])
@pytest.mark.parametrize(("kind", "good", "bad"), CASES)
async def test_what_is_sent_is_read_and_what_is_bad_follows_the_policy(
    app: sl.App, topic_name: str, part: str, kind: Any, good: Any, bad: bytes
) -> None:
    def item(thing: Any) -> dict[str, Any]:
        return {"key": "other", "value": "other"} | {part: thing}

    typed: dict[str, Any] = {f"{part}_type": kind}
    raw: dict[str, Any] = {f"{part}_serializer": "raw"}
    topic = app.topic(topic_name, partitions=1, **typed)
    await topic.send(**item(good))
    await app.topic(topic_name).send(**item(bad), **raw, timestamp=12.5)
    await topic.send(**item(None))
    sent = [tuple(item(thing).values()) for thing in (good, None)]

    for policy in ("skip", "raise", made):
        stream = topic.stream(start="earliest", stop="end", on_error=policy)
        found, raised = await read_on(stream)
        value = (part, topic_name, 0, 1, bad)
        bad_item = (bad if part == "key" else "other", value)  # a bad key stays bytes
        assert found == [sent[0], *([bad_item] if policy is made else []), sent[1]]
        assert type(found[0][part == "value"]) is type(good)
        assert [made(error) for error in raised] == ([value] if policy == "raise" else [])
        check_kept(stream, topic_name, part, bad)

    (batch,) = await rest(topic.stream(start="earliest", stop="end", on_error="skip").take(9))
    assert [(event.key, event.value) for event in batch.events if event] == sent
    assert len(batch.to_frame()) == 2
    frame = await asyncio.to_thread(topic.read, on_error="skip")
    assert frame.index.get_level_values("offset").tolist() == [0, 2]
