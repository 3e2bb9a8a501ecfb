"""Streams that write: echo, through and group_by."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from streamlab.errors import ImproperlyConfigured, InvalidState, InvalidType, InvalidValue, Skip
from streamlab.events import Event
from streamlab.outcomes import ack_cell, cell_item, failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamlab.channels import Channel
    from streamlab.events import Cell, Message
    from streamlab.streams import Stream

__all__ = ["echo", "group_by", "maybe_forward", "start_draining", "through", "unchanged"]

WINDOW = 500
"""How many records may be on their way to a topic."""
FIXED = (str, bytes, int, float, type(None))
"""No processor can change these in place."""
KEEP = object()
"""As a key: the one that the event has."""


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

    async def forward(value: Any) -> Any:
        await _pass_on(stream, value, target, KEEP)
        return value

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

    async def repartition(value: Any) -> Any:
        if stream.current_event is None:
            raise InvalidState("cannot repartition plain values: group_by() needs events, from a topic or a channel")
        await _pass_on(stream, value, target, await _key_of(stream, key, value))
        return value

    return _continue(stream, target, repartition, kind="group_by")


async def _key_of(stream: Stream[Any], key: Any, value: Any) -> Any:
    try:
        found = key(value)
        return await found if hasattr(found, "__await__") else found
    except Exception as error:
        if stream._cell is not None:
            stream.errors.add(failure(stream._cell, "repartition", error))
        raise Skip from error


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


def _continue(stream: Stream[Any], target: Channel[Any], forward: Callable[[Any], Awaitable[Any]], *, kind: str) -> Stream[Any]:
    """Put the forwarding at the end of the stream's processors and return the stream that reads the target."""
    if stream._next is not None:
        raise _chained_already()
    stream.processors.add(forward, kind=kind, targets=(target,))
    result = stream._chain(channel=target.subscribe_after(stream))
    stream._passive = True
    with contextlib.suppress(RuntimeError):  # without a running loop the first iteration starts it
        stream._drain = asyncio.get_running_loop().create_task(_drained(stream))
    return result


async def _pass_on(stream: Stream[Any], value: Any, target: Channel[Any], key: Any) -> None:
    """Send a value on with its event's key (or another), headers and timestamp; its bytes, if it did not change."""
    event = stream.current_event
    if event is None:
        await target.send(value=value)
        return
    message = event.message
    as_bytes = target.serialized and all(part is None or isinstance(part, bytes) for part in (message.key, message.value))
    unchanged = as_bytes and value is event.value and not _rewritten(stream, value, message)
    if key is KEEP:
        key, key_serializer = (message.key, "raw") if as_bytes else (event.key, None)
    else:
        key_serializer = None
    arguments = {
        "key": key,
        "value": message.value if unchanged else value,
        "timestamp": message.timestamp,
        "headers": message.headers or None,
        "key_serializer": key_serializer,
        "value_serializer": "raw" if unchanged else None,
    }
    if target.serialized:
        await _send_behind(stream, target, arguments)
    else:
        await target.send(**arguments)


def _rewritten(stream: Stream[Any], value: Any, message: Message) -> bool:
    """Tell whether an event's value is no longer what its bytes say: a processor changed it in place, or ``on_error`` made it."""
    in_place = not isinstance(value, FIXED) and any(entry.kind == "processor" for entry in stream.processors.active)
    if not in_place and not callable(stream.on_error):
        return False
    try:
        return bool(stream.channel.schema.decode_value(message.value) != value)
    except Exception:  # noqa: BLE001 - undecodable, or values that cannot be compared
        return True


async def _send_behind(stream: Stream[Any], target: Channel[Any], arguments: dict[str, Any]) -> None:
    """Send to a topic without waiting for its answer, unless many are awaited; the item is acked when it is there."""
    while len(stream._sends) >= WINDOW:
        await asyncio.wait(stream._sends, return_when=asyncio.FIRST_COMPLETED)
    cell = stream._cell
    assert cell is not None
    sending = asyncio.ensure_future(target.send(**arguments))
    stream._sends.add(sending)
    sending.add_done_callback(lambda _: _sent(stream, cell, sending))


def _sent(stream: Stream[Any], cell: Cell, sending: asyncio.Future[Any]) -> None:
    """Ack what arrived; what did not is handed out again, after the stream's reader got the error."""
    stream._sends.discard(sending)
    error = None if sending.cancelled() else sending.exception()
    if error is None and not sending.cancelled():
        ack_cell(cell)
        return
    stream._source.give_back(*cell_item(cell))
    if error is not None and stream._next is not None and stream._drain is not None:
        drain, stream._drain = stream._drain, None
        drain.cancel()
        stream._next._source.throw(error)


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
    try:
        await _target(stream).maybe_declare()
        behind = _target(stream).serialized  # then items are acked when they have arrived
        async with contextlib.aclosing(stream._iterate(acks=not behind)) as values:
            async for _ in values:
                pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the stream's reader gets it
        if stream._next is not None:
            await stream._next.throw(error)
