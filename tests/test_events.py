"""Messages and events: acks, headers, sending on."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import message


@pytest.fixture
def event(app: sl.App) -> sl.Event:
    given = sl.Message("t", 1, 7, 12.5, 0, [("h", b"1")], "raw key", "raw value")
    return app.create_event("key", "value", given.headers, given)


class TestMessage:
    def test_it_knows_its_place(self) -> None:
        given = sl.Message("t", 1, 7, 12.5, 0, None, b"key", b"value", generation_id=3)
        assert given.tp == sl.TP("t", 1)
        assert (given.offset, given.timestamp, given.generation_id) == (7, 12.5, 3)
        assert (given.serialized_key_size, given.serialized_value_size) == (3, 5)
        assert repr(given) == "<Message: t[1] offset=7>"

    def test_only_the_last_reference_acks(self) -> None:
        given = message()
        given.incref(2)
        assert [given.ack(), given.acked, given.ack(), given.acked, given.ack()] == [False, False, True, True, False]

    def test_references_can_be_given_up_without_acking(self) -> None:
        given = message()
        given.incref(2)
        assert [given.decref(), given.decref(), given.decref()] == [1, 0, 0]
        assert not given.acked

    def test_the_last_ack_is_told_once(self) -> None:
        told: list[int] = []
        given = message()
        given.on_final_ack = lambda: told.append(1)
        given.incref(2)
        for _ in range(4):
            given.ack()
        assert told == [1]

    def test_threads_that_ack_make_it_acked_once(self) -> None:
        given = message()
        given.incref(400)
        results: list[bool] = []

        def ack() -> None:
            results.extend(given.ack() for _ in range(100))

        threads = [threading.Thread(target=ack) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(results) == 1

    def test_it_shows_itself(self) -> None:
        assert "topic" in message("v")._repr_html_()


class TestEvent:
    def test_it_tells_whether_its_message_is_acked(self, event: sl.Event) -> None:
        event.message.incref(2)
        assert [event.ack(), event.acked, event.ack(), event.acked] == [False, False, True, True]

    def test_of_headers_the_last_of_a_name_wins_and_the_message_has_all(self, app: sl.App) -> None:
        pairs = [("a", b"1"), ("a", b"2")]
        event = app.create_event(None, None, pairs, sl.Message("t", 0, 0, 0.0, 0, pairs, None, None))
        assert event.headers == {"a": b"2"}
        assert event.message.headers == pairs

    def test_attributes_can_be_assigned(self, event: sl.Event) -> None:
        event.value = "other"
        event.ack = lambda: True  # type: ignore[method-assign]
        assert event.value == "other"
        assert event.ack() is True

    async def test_send_sends_key_value_and_headers(self, app: sl.App, event: sl.Event) -> None:
        channel = app.channel()
        reader = aiter(channel)
        await event.send(channel)
        sent = await anext(reader)
        assert (sent.key, sent.value, sent.headers) == ("key", "value", {"h": b"1"})

    async def test_send_takes_others_instead(self, app: sl.App, event: sl.Event) -> None:
        channel = app.channel()
        reader = aiter(channel)
        await event.send(channel, key=None, value=2, headers=None, timestamp=3.5)
        sent = await anext(reader)
        assert (sent.key, sent.value, sent.headers, sent.message.timestamp) == (None, 2, {}, 3.5)

    async def test_forward_sends_the_message_as_it_came(self, app: sl.App, event: sl.Event) -> None:
        channel = app.channel()
        reader = aiter(channel)
        await event.forward(channel)
        sent = await anext(reader)
        assert (sent.key, sent.value) == ("raw key", "raw value")
        assert (sent.message.timestamp, sent.headers) == (12.5, {"h": b"1"})

    async def test_forward_takes_others_instead(self, app: sl.App, event: sl.Event) -> None:
        channel = app.channel()
        reader = aiter(channel)
        await event.forward(channel, key="k", value=2, timestamp=0, headers={})
        sent = await anext(reader)
        assert (sent.key, sent.value, sent.headers, sent.message.timestamp) == ("k", 2, {}, 0)

    async def test_a_name_is_a_topic(self, app: sl.App, event: sl.Event) -> None:
        sent = await event.send("by-name")
        assert (await sent).topic == "by-name"

    def test_it_shows_itself(self, event: sl.Event) -> None:
        assert repr(event) == "<Event: k='key' v='value'>"
        assert "value" in event._repr_html_()
        event.value = {"text": "y" * 10_000_000}
        assert len(repr(event)) < 300


async def test_events_of_a_topic_keep_all_of_a_record(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.send(key="k", value={"a": 1}, timestamp=-2.5, headers=[("h", b"1"), ("h", b"2")])
    async for event in topic.stream(start="earliest").events():
        found: Any = event.message
        assert (event.key, event.value, event.headers) == ("k", {"a": 1}, {"h": b"2"})
        assert (found.key, found.value) == (b"k", b'{"a":1}')
        assert list(found.headers) == [("h", b"1"), ("h", b"2")]
        assert (found.timestamp, found.offset, found.tp) == (-2.5, 0, sl.TP("t", 0))
        break


def test_the_repr_of_a_large_event_is_a_short_line(app: sl.App) -> None:
    event = app.create_event("k" * 10_000, {"a": "x" * 10_000_000}, None, message())
    assert len(repr(event)) < 1_100
    assert "…" in repr(event)
