"""Records on their way from any thread to a broker: one hop to the I/O thread, and one back, carries many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.errors import BrokerUnavailable
from streamlab.runtime.io import io_loop
from streamlab.runtime.relay import Relay

if TYPE_CHECKING:
    from streamlab.broker.base import Broker, NewRecord, Outcome

__all__ = ["Answers", "Outbox"]

Answers = Relay[tuple[Any, "Outcome"]]
"""Takes tickets with what became of their records, to the loop that sent them."""


class Sent(NamedTuple):
    """A record with where it goes and who wants to know."""

    topic: str
    record: NewRecord
    ticket: Any
    answers: Answers


class Outbox:
    """Gathers what is sent to a broker while the I/O thread is busy, and writes it by one ``send_many`` a topic.

    Records of one thread to one partition are written in the order in which they were put.
    """

    def __init__(self, client: Broker) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._relay: Relay[Sent] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, topic: str, record: NewRecord, ticket: Any, answers: Answers) -> None:
        """Send a record, from any thread, without waiting; ``answers`` gets the ticket with what became of it, once."""
        loop = io_loop()
        if self._relay is None or self._loop is not loop:  # after a fork there is another one
            self._loop, self._relay = loop, Relay(loop, self._take)
        self._relay.put(Sent(topic, record, ticket, answers))

    def _take(self, sent: list[Sent]) -> None:
        by_topic: dict[str, list[Sent]] = {}
        for one in sent:
            by_topic.setdefault(one.topic, []).append(one)
        for topic, some in by_topic.items():
            task = asyncio.get_running_loop().create_task(self._hand_over(topic, some))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, topic: str, sent: list[Sent]) -> None:
        unanswered = dict.fromkeys(range(len(sent)))

        def answered(number: int, outcome: Outcome) -> None:
            del unanswered[number]
            sent[number].answers.put((sent[number].ticket, outcome))

        failure: Exception = BrokerUnavailable(f"sending to {topic!r} was interrupted: the record may have been written")
        try:
            await self._client.send_many(topic, [one.record for one in sent], answered)
        except Exception as error:  # noqa: BLE001 - whatever a broker raises is for those who sent
            failure = error
        finally:  # also when the I/O thread ends
            for number in list(unanswered):
                answered(number, failure)
