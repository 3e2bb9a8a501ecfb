"""Streams that write: echo, through and group_by."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from streamlab.errors import ImproperlyConfigured, InvalidState, InvalidType, InvalidValue, Skip
from streamlab.events import Event, event_of
from streamlab.forwarder import KEEP, forwarder_of, has_event, outgoing
from streamlab.outcomes import failure
from streamlab.tracebacks import forget_frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamlab.channels import Channel
    from streamlab.events import Cell
    from streamlab.streams import Stream
    from streamlab.topics import Topic

__all__ = ["echo", "group_by", "maybe_forward", "start_draining", "through", "topic_like", "unchanged"]


async def maybe_forward(value: Any, channel: Channel[Any]) -> Any:
    """Forward an event as it came; send anything else as a value."""
    if isinstance(value, Event):
        return await value.forward(channel)
    return await channel.send(value=value)


def unchanged(stream: Stream[Any], method: str) -> Stream[Any]:
    """Return a stream that was iterated as it is: an agent that is restarted chains it again, anybody else is warned."""
    from streamlab.agents import current_agent

    agent = current_agent()
    if agent is not None:
        agent.forget_added(stream)
    else:
        warnings.warn(
            f"{method}() changes nothing on a stream that was iterated before, and returns it as it is: call it first",
            UserWarning,
            stacklevel=4,
        )
    return stream


def topic_like(stream: Stream[Any], name: str, **options: Any) -> Topic[Any]:
    """See ``Stream.derive_topic``."""
    derive = getattr(stream.channel, "derive_topic", None)
    if derive is None:
        raise InvalidValue(f"cannot derive topic {name!r}: this stream reads no topic; make one with app.topic({name!r})")
    topic: Topic[Any] = derive(topics=[name], **options)
    return topic


def echo(stream: Stream[Any], channels: tuple[str | Channel[Any], ...]) -> None:
    """See ``Stream.echo``."""
    targets = tuple(stream.derive_topic(channel) if isinstance(channel, str) else channel for channel in channels)

    async def echoing(value: Any) -> Any:
        sent = await asyncio.gather(*(maybe_forward(value, target) for target in targets), return_exceptions=True)
        for result in sent:
            if isinstance(result, BaseException):
                raise result
        return value

    if targets:
        stream.processors.add(echoing, kind="echo", targets=targets)


def through(stream: Stream[Any], channel: str | Channel[Any]) -> Stream[Any]:
    """See ``Stream.through``."""
    if stream._finalized:
        return unchanged(stream, "through")
    _refuse_concurrency(stream, "through")
    target: Channel[Any] = stream.derive_topic(channel) if isinstance(channel, str) else channel

    def forward(value: Any) -> Any:
        return _pass_on(stream, stream._cell, value, target, KEEP)

    return _continue(stream, target, forward, kind="through")


def group_by(
    stream: Stream[Any], key: Any, *, name: str | None, topic: Channel[Any] | None, partitions: int | None
) -> Stream[Any]:
    """See ``Stream.group_by``."""
    if stream._finalized:
        return unchanged(stream, "group_by")
    _refuse_concurrency(stream, "group_by")
    name = name or getattr(key, "ident", None)
    if not name:
        raise InvalidType("group_by() with a function needs name=, which becomes a part of its topic's name")
    if stream._next is not None:
        raise _chained_already()
    target = topic if topic is not None else _repartition_channel(stream, key, name, partitions)

    def repartition(value: Any) -> Any:
        cell = stream._cell
        if not has_event(cell):
            raise InvalidState("cannot repartition plain values: group_by() needs events, from a topic or a channel")
        try:
            found = key(value)
        except Exception as error:
            raise _without_key(stream, cell, error) from error
        if hasattr(found, "__await__"):
            return _repartition_later(stream, cell, value, target, found)
        return _pass_on(stream, cell, value, target, found)

    return _continue(stream, target, repartition, kind="group_by")


async def _repartition_later(
    stream: Stream[Any], cell: Cell | None, value: Any, target: Channel[Any], found: Awaitable[Any]
) -> Any:
    try:
        key = await found
    except Exception as error:
        raise _without_key(stream, cell, error) from error
    passed = _pass_on(stream, cell, value, target, key)
    return value if passed is value else await passed


def _without_key(stream: Stream[Any], cell: Cell | None, error: Exception) -> Skip:
    assert cell is not None
    stream.errors.add(failure(cell, "repartition", error))
    forget_frames(error)
    return Skip()


def _repartition_channel(stream: Stream[Any], key: Any, name: str, partitions: int | None) -> Channel[Any]:
    channel = stream.channel
    if not hasattr(channel, "derive"):
        raise ImproperlyConfigured("group_by() on plain values has no topic to derive from: give topic=, and send events")
    if not channel.serialized:
        fresh: Channel[Any] = stream.app.channel(schema=channel.schema.copy(), maxsize=channel.maxsize)
        return fresh
    prefix = f"{stream.prefix}-" if stream.prefix and not channel.has_prefix else ""
    if channel.pattern is not None:
        raise InvalidValue("group_by() on a pattern cannot name its topic: give topic=")
    if len(channel.topics) > 1:
        raise ImproperlyConfigured(
            f"group_by() on several topics ({', '.join(channel.topics)}) cannot name its topic: give topic="
        )
    topic: Channel[Any] = channel.derive_topic(
        prefix=prefix,
        suffix=f"-{name}-repartition",
        partitions=partitions or stream.app.conf.topic_partitions,
        internal=True,
        rekeyed=True,
        config={"retention.ms": "-1"},  # as Kafka Streams: old records are not to go before they were read
        key_type=getattr(key, "type", None),
    )
    return topic


def _refuse_concurrency(stream: Stream[Any], method: str) -> None:
    if stream.concurrency_index is not None:
        raise ImproperlyConfigured(f"an agent with concurrency > 1 cannot use {method}(): give that step an agent of its own")


def _chained_already() -> ImproperlyConfigured:
    return ImproperlyConfigured("this stream is used by group_by() or through() already: go on from the stream that returned")


def _continue(stream: Stream[Any], target: Channel[Any], forward: Callable[[Any], Any], *, kind: str) -> Stream[Any]:
    """Put the forwarding at the end of the stream's processors and return the stream that reads the target."""
    if stream._next is not None:
        raise _chained_already()
    stream.processors.add(forward, kind=kind, targets=(target,))
    result = stream._chain(channel=target.subscribe_after(stream))
    stream._passive = True
    with contextlib.suppress(RuntimeError):  # without a running loop the first iteration starts it
        stream._drain = asyncio.get_running_loop().create_task(_drained(stream))
    return result


def _pass_on(stream: Stream[Any], cell: Cell | None, value: Any, target: Channel[Any], key: Any) -> Any:
    """Send a value on; returns the value, or what is awaited for it when it cannot be sent at once."""
    assert cell is not None
    if not target.serialized:
        return _put_on(cell, value, target, key)
    forwarder = forwarder_of(stream, target)
    record = outgoing(stream, target.schema, cell, value, key)
    if forwarder.full:
        return forwarder.send_later(cell, record, value)
    forwarder.send(cell, record)
    return value


async def _put_on(cell: Cell, value: Any, channel: Channel[Any], key: Any) -> Any:
    event = event_of(cell)
    if event is None:
        await channel.send(value=value)
    else:
        message = event.message
        key = event.key if key is KEEP else key
        await channel.send(key=key, value=value, timestamp=message.timestamp, headers=message.headers or None)
    return value


async def start_draining(stream: Stream[Any]) -> None:
    """Forward in the background, from the running loop; returns when the target is there."""
    await _target(stream).maybe_declare()
    if stream._drain is None or stream._drain.done():
        stream._drain = asyncio.get_running_loop().create_task(_drained(stream))


def _target(stream: Stream[Any]) -> Channel[Any]:
    assert stream._next is not None
    target: Channel[Any] = stream._next.channel
    return target


async def _drained(stream: Stream[Any]) -> None:
    if stream._drain is not asyncio.current_task():  # stopped, or gone on with elsewhere, before it began
        return
    try:
        await _target(stream).maybe_declare()
        behind = _target(stream).serialized  # then items are acked when they have arrived
        if stream._forwarder is not None:
            await stream._forwarder.rest()
        async with contextlib.aclosing(stream._iterate(acks=not behind)) as values:
            async for _ in values:
                pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the stream's reader gets it
        if stream._next is not None:
            await stream._next.throw(error)
