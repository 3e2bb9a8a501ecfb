"""Records go to the I/O thread many at a time, and so do their answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streamlab.broker.base import NewRecord, Outcome
from streamlab.broker.memory import MemoryBroker
from streamlab.errors import BrokerUnavailable, TopicNotFound
from streamlab.events import RecordMetadata
from streamlab.runtime import io
from streamlab.runtime.outbox import Answers, Outbox
from streamlab.runtime.relay import Relay
from tests.streaming import until

Answered = Callable[[int, Outcome], object]


class Writer(MemoryBroker):
    """Writes down what it is asked to write, and what it is told to do instead."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, list[bytes | None]]] = []
        self.instead: Callable[[Answered], Any] | None = None
        self.answered = 0

    async def written(self, records: int) -> None:
        """Return when so many were written and answered."""
        while self.answered < records:
            await asyncio.sleep(0)

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Answered) -> None:
        self.calls.append((topic, [record.value for record in records]))
        if self.instead is not None:
            await self.instead(answered)
        else:
            await super().send_many(topic, records, answered)
            self.answered += len(records)


@pytest.fixture
def writer(topic_name: str) -> Writer:
    return Writer(topic_name)


class Sender:
    """Sends by an outbox from the running loop and keeps the answers."""

    def __init__(self, client: Writer) -> None:
        self.outbox = Outbox(client)
        self.got: list[tuple[Any, Outcome]] = []
        self.deliveries = 0
        self.answers = Answers(asyncio.get_running_loop(), self.take)

    def take(self, answers: list[tuple[Any, Outcome]]) -> None:
        self.deliveries += 1
        self.got += answers

    def put(self, topic: str, value: bytes, ticket: Any) -> None:
        self.outbox.put(topic, NewRecord(None, value), ticket, self.answers)


def busy_io_thread() -> threading.Event:
    """Keep the I/O thread busy until the event is set."""
    busy = threading.Event()
    io.io_loop().call_soon_threadsafe(busy.wait)
    return busy


async def test_what_comes_while_the_io_thread_is_busy_is_one_call_for_each_topic(writer: Writer) -> None:
    sender, busy = Sender(writer), busy_io_thread()
    for number in range(6):
        sender.put("even" if number % 2 == 0 else "odd", b"%d" % number, number)
    busy.set()
    await until(lambda: len(sender.got) == 6)
    assert writer.calls == [("even", [b"0", b"2", b"4"]), ("odd", [b"1", b"3", b"5"])]
    assert sorted(ticket for ticket, _ in sender.got) == list(range(6))
    assert all(isinstance(outcome, RecordMetadata) for _, outcome in sender.got)


async def test_answers_come_back_together(writer: Writer) -> None:
    sender, busy = Sender(writer), busy_io_thread()
    for number in range(1000):
        sender.put("t", b"%d" % number, number)
    busy.set()
    io.wait(writer.written(1000))  # this loop is busy meanwhile
    await until(lambda: len(sender.got) == 1000)
    assert [ticket for ticket, _ in sender.got] == list(range(1000))
    assert sender.deliveries == 1


async def test_threads_may_send_at_once_and_each_keeps_its_order(writer: Writer) -> None:
    sender = Sender(writer)

    def send(name: str) -> None:
        for number in range(500):
            sender.put("t", f"{name} {number}".encode(), (name, number))

    threads = [threading.Thread(target=send, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    await until(lambda: len(sender.got) == 1500)
    written = [value for _, values in writer.calls for value in values]
    for name in "abc":
        mine = [value for value in written if value is not None and value.startswith(name.encode())]
        assert mine == [f"{name} {number}".encode() for number in range(500)]
    for thread in threads:
        thread.join()


async def test_an_error_of_the_call_is_the_answer_for_those_that_had_none(writer: Writer) -> None:
    error = TopicNotFound("gone", topic="t")

    async def fail(answered: Answered) -> None:
        answered(1, BrokerUnavailable("its own"))
        raise error

    writer.instead = fail
    sender, busy = Sender(writer), busy_io_thread()
    for number in range(3):
        sender.put("t", b"x", number)
    busy.set()
    await until(lambda: len(sender.got) == 3)
    outcomes: dict[Any, Any] = dict(sender.got)
    assert (outcomes[0], outcomes[2]) == (error, error)
    assert str(outcomes[1]) == "its own"


async def test_the_end_of_the_io_thread_is_answered_too(writer: Writer) -> None:
    async def hang(_: Answered) -> None:
        await asyncio.Event().wait()

    writer.instead = hang
    sender = Sender(writer)
    sender.put("t", b"x", 0)
    await until(lambda: writer.calls)
    await asyncio.to_thread(io._end)
    await until(lambda: sender.got)
    assert isinstance(sender.got[0][1], BrokerUnavailable)
    writer.instead = None
    sender.put("t", b"y", 1)  # on a new thread
    await until(lambda: len(sender.got) == 2)
    assert isinstance(sender.got[1][1], RecordMetadata)


def test_what_is_put_for_a_loop_that_is_closed_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    taken: list[list[int]] = []
    relay: Relay[int] = Relay(loop, taken.append)
    relay.put(1)
    loop.close()
    other = asyncio.new_event_loop()
    late: Relay[int] = Relay(other, taken.append)
    other.close()
    late.put(2)
    relay.put(3)
    assert taken == []
