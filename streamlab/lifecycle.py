"""How streams start and stop: one by one, as chains, and with the nodes of a combined stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from streamlab.errors import AlreadyStarted, InvalidState, StreamClosed

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["close_iterators", "close_soon", "halt", "loop_begins", "loop_ends", "related", "start", "stop_draining", "walk"]

STOP_S = 1.0


def walk(stream: Stream[Any], step: Callable[[Stream[Any]], Stream[Any] | None]) -> Iterator[Stream[Any]]:
    """Yield the stream and what the step leads to; RuntimeError when it leads back."""
    seen: set[int] = set()
    at: Stream[Any] | None = stream
    while at is not None:
        if id(at) in seen:
            raise InvalidState(f"the chain of {stream.shortlabel} leads back to itself")
        seen.add(id(at))
        yield at
        at = step(at)


def related(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the streams that stopping this one stops: its chain, the nodes that it combines, and theirs."""
    found: dict[int, Stream[Any]] = {}
    todo = chain_of(stream)
    while todo:
        other = todo.pop(0)
        if id(other) not in found:
            found[id(other)] = other
            for node in other.combined:
                if hasattr(node, "get_root_stream"):
                    todo.extend(chain_of(node))
    return list(found.values())


def chain_of(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the stream's chain from its root on."""
    return list(stream.get_root_stream()._iter_ll_forwards())


async def start(stream: Stream[Any]) -> None:
    """See ``Stream.start``."""
    if stream.started:
        raise AlreadyStarted("this stream is started; maybe_start() starts it only if need be")
    stream._started = True
    stream.state = "running"
    await stream.on_start()


async def halt(stream: Stream[Any]) -> None:
    """Stop this stream and the nodes that it combines; its source is closed with its last reader."""
    if stream._halted:
        return
    stream._halted = True
    stream.state = "stopping"
    stream._source.bell.ring()
    if stream._drive is not None:
        await stream._drive.finished(STOP_S)
    await stream.on_stop()
    for node in stream.combined:
        await node.remove_from_stream(stream)
    if all(user._halted for user in stream._source.users):
        stream._source.close()
        await stream._source.closed()
    stream.state = "shutdown"


async def close_iterators(stream: Stream[Any]) -> None:
    """Close the loops that were left without being finished, so that what they had is acked."""
    for values in list(stream._iterators):
        if not values.ag_running:
            await values.aclose()


async def stop_draining(stream: Stream[Any]) -> None:
    """Stop forwarding; what is being forwarded is given back."""
    drain, stream._drain = stream._drain, None
    if drain is None or drain.done() or drain is asyncio.current_task():
        return
    if drain.get_loop() is not asyncio.get_running_loop():
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            drain.get_loop().call_soon_threadsafe(drain.cancel)
        return
    drain.cancel()
    await asyncio.wait((drain,))


def close_soon(stream: Stream[Any]) -> None:
    """Stop from any thread, without waiting and without raising."""
    stream._halted = True
    stream.state = "shutdown"
    stream._source.close()
    stream._source.bell.ring()
    drain = stream._drain
    if drain is not None:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            drain.get_loop().call_soon_threadsafe(drain.cancel)
    if stream._drive is not None:
        stream._drive.cancel_soon()


async def loop_begins(stream: Stream[Any]) -> None:
    """Start the stream if it is not: then the end of its last loop puts it to rest."""
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    stream._finalized = True
    stream.task_owner = asyncio.current_task()
    stream._loops += 1
    if not stream.started and not stream._halted:
        stream._implicit = True
        await stream.maybe_start()


async def loop_ends(stream: Stream[Any]) -> None:
    """Put the chain to rest after the last loop over a stream that a loop had started, ready for the next one."""
    stream._loops -= 1
    if stream._implicit and not stream._loops and not stream._halted:
        for other in related(stream):
            await stop_draining(other)
            if not other._halted:
                other._reset()
